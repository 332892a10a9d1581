"""The command and the environment of a process that we start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.processes import launch
from bench.processes.numerical import SHARED_OUT, among

SEARCH_PATH = "PYTHONPATH"
SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")  # words in names of variables that guests do not get
TRAINING = {  # for a process that trains: one thread, and an allocator that keeps large temporaries
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages, if the system has them
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def command(module: str, *arguments: str, python: str = "") -> list[str]:
    """The command that runs a module of ours. Neither the current folder nor the checkout is on its search path.

    python: another interpreter than this one.
    """
    return [python or sys.executable, "-P", "-S", launch.__file__, module, *arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment of this process and `more`, without the current folder in `PYTHONPATH`."""
    found = dict(os.environ)
    if search_path := elsewhere(found.pop(SEARCH_PATH, "")):
        found[SEARCH_PATH] = search_path
    return found | more


def training_environment() -> dict[str, str]:
    """`environment` for a process that trains: `TRAINING` decides about threads, whatever was set."""
    found = environment()
    return {name: value for name, value in found.items() if not among(name, SHARED_OUT)} | TRAINING


def guest_environment(**more: str) -> dict[str, str]:
    """`environment` without the variables whose name contains a word of `SECRET`, in upper or lower case."""
    found = environment(**more)
    return {name: value for name, value in found.items() if not any(word in name.upper() for word in SECRET)}


def elsewhere(search_path: str) -> str:
    """The absolute entries of a search path, without the current folder.

    An empty entry means the current folder; a relative entry depends on it.
    """
    here = Path.cwd().resolve()
    kept = [p for p in search_path.split(os.pathsep) if Path(p).is_absolute() and Path(p).resolve() != here]
    return os.pathsep.join(kept)
