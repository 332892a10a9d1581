"""doctor: what works on this machine, what is missing, and the exact commands that install it."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from packaging.requirements import Requirement

from bench import __version__
from bench.commands.options import Json, cores, print_json
from bench.commands.verbs import NOTHING_RUN
from bench.envs import FAMILIES, Params, checked, installation, python_of, unfit, versions
from bench.executors.nodes import this_node
from bench.nightly.stored import CanaryFile, canary_path, read
from bench.output.terminal import say
from bench.plan import COMMAND_LINE, scored
from bench.processes.platforms import this_platform
from bench.processes.starting import TRAINING
from bench.suite import SuiteError
from bench.suite.assets import everywhere
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.loading import load
from bench.suite.shipped import available

DISTRIBUTION = "marl-distill-bench"


@dataclass(frozen=True)
class Part:
    """A family of environments, or an extra of the package.

    missing: what is not installed. others: installed versions that differ from the declared ones. fails: why it does
    not work although all is installed; "" if it works or was not tried. tried: what was played, "" if nothing was.
    mend: the command that installs what is missing. canaries: how many are stored of a family for this platform class.
    remarks: what is worth knowing about a game.
    """

    kind: str
    name: str
    versions: dict[str, str]
    missing: tuple[str, ...]
    others: tuple[str, ...] = ()
    fails: str = ""
    tried: str = ""
    mend: str = ""
    canaries: int | None = None
    remarks: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        return not (self.missing or self.others or self.fails)


def doctor(
    family: Annotated[str, typer.Argument(help="a family or an extra; default: all")] = "",
    baseline: Annotated[Path, typer.Option(help="the folder of canaries")] = Path("results"),
    as_json: Json = False,
) -> None:
    """Say what works on this machine, which versions it has, what is missing, and the commands that install it.

    With a family's name it also plays one step of that family. With any name it exits with 4 if that part does not
    work.
    """
    platform = this_platform()
    path = canary_path(baseline, platform)
    kept = read(path, CanaryFile) if path.exists() else None
    wanted = _wanted()
    parts = [*_families(wanted, kept), *_extras(wanted)]
    if family and family not in {part.name for part in parts}:
        names = sorted({part.name for part in parts})
        problem = Problem("FAMILY", shown(family), listed(names), f"name one of them{nearest(family, names)}")
        raise SuiteError(COMMAND_LINE, [problem])
    parts = [_tried(part) if family else part for part in parts if part.name == family or not family]
    found = _machine(
        platform.name,
        f"{len(kept.canaries)} stored for this class"
        if kept
        else f'none: no {path}; bench nightly refresh-canary --reason "..." makes them',
    )
    if as_json:
        print_json({"machine": found, "parts": [dataclasses.asdict(one) | {"works": one.works} for one in parts]})
    else:
        for key, value in found.items():
            say(f"{key.replace('_', ' '):<10} {value}")
        for part in parts:
            say(*_lines(part))
    if family and not all(part.works for part in parts if part.kind == parts[0].kind):
        raise typer.Exit(NOTHING_RUN)


def _machine(platform: str, canaries: str) -> dict[str, Any]:
    from bench.run.devices import devices  # imports torch

    node = this_node()
    return {
        "bench": f"{__version__}, commit {node.commit or 'unknown'}",
        "host": node.host,
        "packages": ", ".join(f"{name} {version}" for name, version in node.packages.items()),
        "devices": ", ".join(devices()),
        "cores": f"{cores()}; each worker has one thread",
        "workers": ", ".join(f"{name}={value}" for name, value in TRAINING.items()),
        "class": platform,
        "canaries": canaries,
    }


def _families(wanted: Mapping[str, list[Requirement]], kept: CanaryFile | None) -> Iterator[Part]:
    """An extra with a family's name, if there is one, declares the versions behind the family's numbers."""
    stored = kept.canaries.values() if kept else ()
    of = Counter(family for one in stored for family in {own.family for own in scored(one.settings)})
    for name, entry in FAMILIES.items():
        there = dict(versions(name))
        missing = tuple(package for package in entry.packages if package not in there)
        others = (*_others(there, wanted.get(name, [])), *unfit(name))
        mend, game = entry.install if missing or others else "", installation(name)
        more, remarks = (game.missing(), game.remarks()) if game else ((), ())
        if missing and (python := python_of(name)):
            remarks = (f"looked for in {python}, which {entry.python} names{_absent(python)}", *remarks)
        lacks = (*missing, *more)
        yield Part("family", name, there, lacks, others, mend=mend, canaries=of[name], remarks=remarks)


def _absent(python: str) -> str:
    return "" if shutil.which(python) else ": no such program"


def _extras(wanted: Mapping[str, list[Requirement]]) -> Iterator[Part]:
    for extra, requirements in wanted.items():
        found = {one.name: _version(one.name) for one in requirements}
        there = {package: version for package, version in found.items() if version is not None}
        missing = tuple(package for package, version in found.items() if version is None)
        others = _others(there, requirements)
        mend = f"pip install '{DISTRIBUTION}[{extra}]'" if missing or others else ""
        yield Part("extra", extra, there, missing, others, mend=mend)


def _wanted() -> dict[str, list[Requirement]]:
    """What each extra needs, as the installed package declares it."""
    found = {extra: [] for extra in metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []}
    for requirement in map(Requirement, metadata.requires(DISTRIBUTION) or []):
        for extra in found:
            if requirement.marker and requirement.marker.evaluate({"extra": extra}):
                found[extra].append(requirement)
    return found


def _others(there: Mapping[str, str], requirements: Iterable[Requirement]) -> tuple[str, ...]:
    """Installed versions that are not the needed ones."""
    return tuple(
        f"{one.name} {there[one.name]}, needed {one.specifier}"
        for one in requirements
        if one.name in there and not one.specifier.contains(there[one.name], prereleases=True)
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _tried(part: Part) -> Part:
    """Plays one step of a family's environment if all that it needs is there."""
    if part.kind != "family" or not part.works:
        return part
    from bench.envs.trial import step_once  # imports torch

    params = _example(part.name)
    if params is None:
        return part
    return dataclasses.replace(
        part, fails=step_once(part.name, params, everywhere()), tried=params.model_dump()["name"]
    )


def _example(family: str) -> Params | None:
    """A scenario that needs no file: a shipped suite's, else the first that needs only a name."""
    own = (s for name in available() for s in load(name).scenario if s.family == family and not s.waits_for)
    for params in (*(s.params for s in own), *({"name": name} for name in FAMILIES[family].scenarios)):
        with contextlib.suppress(ValueError):  # it needs more than its name
            if not (found := checked(family, params)).assets:
                return found
    return None


def _lines(part: Part) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in part.versions.items())
    head = f"{part.kind:<6} {part.name:<10}"
    if not part.works:
        lacks = [f"missing: {', '.join(part.missing)}"] * bool(part.missing)
        lacks += [f"other versions: {', '.join(part.others)}"] * bool(part.others)
        lacks += [f"fails: {part.fails}"] * bool(part.fails)
        more = [line for line in (part.mend, *part.remarks) if line]
        return [f"{head} {'; '.join(lacks)}", *(f"       {line}" for line in more)]
    does = f"works, {part.tried} took a step" if part.tried else "installed"
    told = "" if part.canaries is None else f"; {part.canaries or 'no'} canaries for this class"
    return [f"{head} {does}{': ' if versions else ''}{versions}{told}", *(f"       {line}" for line in part.remarks)]
