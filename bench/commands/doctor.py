"""doctor: what works on this machine, what is missing, and the exact commands that bring it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import __version__
from bench.commands.options import Json, cores, print_json
from bench.commands.verbs import NOTHING_RUN
from bench.envs import FAMILIES, lacking, packages_of, versions
from bench.executors.nodes import this_node
from bench.nightly.stored import CanaryFile, canary_path, read
from bench.output.terminal import say
from bench.plan import COMMAND_LINE
from bench.processes.platforms import this_platform
from bench.processes.starting import TRAINING
from bench.suite import SuiteError
from bench.suite.explain import Problem, listed, nearest, shown

DISTRIBUTION = "marl-distill-bench"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Part:
    """A family of environments, or an extra of the package. missing: what is not installed. mend: what brings it."""

    kind: str
    name: str
    versions: dict[str, str]
    missing: tuple[str, ...]
    mend: str


def doctor(
    family: Annotated[str, typer.Argument(help="a family or an extra; default: all")] = "",
    baseline: Annotated[Path, typer.Option(help="the folder of canaries")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Say what works on this machine, which versions it has, what is missing, and the commands that bring it.

    With a name it exits with 4 where that part does not work.
    """
    parts = [*_families(), *_extras()]
    if family and family not in {part.name for part in parts}:
        names = sorted({part.name for part in parts})
        problem = Problem("FAMILY", shown(family), listed(names), f"name one of them{nearest(family, names)}")
        raise SuiteError(COMMAND_LINE, [problem])
    parts = [part for part in parts if part.name == family or not family]
    found = _machine(baseline)
    if as_json:
        print_json({"machine": found, "parts": [dataclasses.asdict(part) for part in parts]})
    else:
        for key, value in found.items():
            say(f"{key.replace('_', ' '):<10} {value}")
        for part in parts:
            say(*_lines(part))
    if family and all(part.missing for part in parts):
        raise typer.Exit(NOTHING_RUN)


def _machine(baseline: Path) -> dict[str, Any]:
    from bench.run.devices import devices  # torch comes with it

    node, platform = this_node(), this_platform()
    canaries = canary_path(baseline, platform)
    kept = read(canaries, CanaryFile) if canaries.exists() else None
    return {
        "bench": f"{__version__}, commit {node.commit or 'unknown'}",
        "host": node.host,
        "packages": ", ".join(f"{name} {version}" for name, version in node.packages.items()),
        "devices": ", ".join(devices()),
        "cores": f"{cores()}; each worker has one thread",
        "workers": ", ".join(f"{name}={value}" for name, value in TRAINING.items()),
        "class": platform.name,
        "canaries": f"{len(kept.canaries)} stored for this class" if kept else f"none for this class: {canaries}",
    }


def _families() -> list[Part]:
    return [
        Part(
            "family",
            name,
            {} if lacking(name) else packages_of(name),
            tuple(package for package in entry.packages if package not in versions(name)),
            lacking(name),
        )
        for name, entry in FAMILIES.items()
    ]


def _extras() -> list[Part]:
    """As the installed package declares them."""
    declared = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    wanted: dict[str, list[str]] = {extra: [] for extra in declared}
    for requirement in metadata.requires(DISTRIBUTION) or []:
        what, _, when = requirement.partition(";")
        name = _NAME.match(what.strip())
        for extra in declared:
            if name and re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", when):
                wanted[extra].append(name.group())
    found = []
    for extra, packages in wanted.items():
        versions = {package: _version(package) for package in dict.fromkeys(packages)}
        missing = tuple(package for package, version in versions.items() if version is None)
        there = {package: version for package, version in versions.items() if version is not None}
        mend = f"pip install '{DISTRIBUTION}[{extra}]'" if missing else ""
        found.append(Part("extra", extra, there, missing, mend))
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _lines(part: Part) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in part.versions.items())
    if not part.missing:
        return [f"{part.kind:<6} {part.name:<10} works{': ' if versions else ''}{versions}"]
    return [f"{part.kind:<6} {part.name:<10} missing: {', '.join(part.missing)}", f"       {part.mend}"]
