"""Results folders on disks that fail during a run, for tests/test_disk.py and tests/slow."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A tmpfs of its own; skipped, by name, if this process may not mount one."""
    folder.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if mounted:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Mounts a read-only view of a folder over it, even for root; skipped, by name, if this process may not mount."""
    refused = _mount("--bind", str(folder), str(folder)) or _mount("-o", "remount,bind,ro", str(folder))
    if refused:
        pytest.skip(f"a read-only view cannot be mounted here: {refused}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "records").glob("*.json"))}


def fill_up(folder: Path, but: int) -> None:
    """Leaves `but` bytes free."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "ballast").write_bytes(bytes(max(0, free - but)))


def _mount(*arguments: str) -> str:
    """The reason of a failure, or nothing."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip() or f"mount ended with {done.returncode}" if done.returncode else ""
