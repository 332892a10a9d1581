"""Where a run's numbers come from: machine, packages, source."""

from __future__ import annotations

import functools
import platform
import resource
import subprocess
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import bench
from bench.output.escaping import visible
from bench.processes.numerical import numerical
from bench.processes.platforms import PACKAGES, this_platform
from bench.store import Provenance


def provenance(
    started: str,
    wall_s: float,
    cpu_s: float,
    lanes: int,
    device: str,
    accelerator: str | None,
    others: Mapping[str, str] = MappingProxyType({}),
    anew: int = 0,
) -> Provenance:
    """accelerator: the GPU's name if one was used; else the processor's name is looked up.

    others: versions of the environments' packages, and of those that a method from elsewhere claims to have loaded.
    """
    commit, dirty = source()
    return Provenance(
        started=started,
        wall_s=round(wall_s, 3),
        cpu_s=round(cpu_s, 3),
        lanes=lanes,
        device=device,
        hardware=visible(accelerator or processor()),
        packages={visible(name): visible(version) for name, version in others.items()}
        | {name: metadata.version(name) for name in PACKAGES}
        | {"marl-distill-bench": bench.__version__, "python": platform.python_version()},
        commit=commit,
        dirty=dirty,
        anew=anew,
        environment=numerical(),
        platform=this_platform().name,
    )


def cpu_seconds() -> float:
    """CPU seconds of this process and of its ended child processes."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


@functools.cache
def processor() -> str:
    """The processor's name from the system."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf-8", "replace").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@functools.cache
def source() -> tuple[str | None, bool | None]:
    """The commit of the checkout that this package is in, and whether tracked files differ from it."""
    root = Path(bench.__file__).parent.parent
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None, None


def changed_files(commit: str) -> list[str] | None:
    """Files of packages and suites that differ from a commit, also in the working tree; None if it is unknown."""
    root = Path(bench.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        return _git(root, "diff", "--name-only", commit, "--", "bench", "baselines", "suites").splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
