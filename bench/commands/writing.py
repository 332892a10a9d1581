"""The file that `--out` names. Writing it never destroys a file of the user's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bench.store import write_atomically
from bench.suite import SuiteError
from bench.suite.explain import Problem
from bench.suite.foreign import read_bytes

Force = Annotated[bool, typer.Option("--force", help="replace the file that --out names, if there is one")]


def write_out(out: Path, content: bytes, force: bool, parents: bool = False) -> None:
    """Write `content` to `out`. An existing file that holds something else is replaced only with `force`.

    parents: make the folders above it. Raises SuiteError.
    """
    require_free(out, content, force)
    try:
        if parents:
            out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)
    except OSError as error:
        got = error.strerror or str(error)
        raise SuiteError(out, [Problem("--out", got, "a file that can be written", "correct the path")]) from None


def require_free(out: Path, content: bytes, force: bool) -> None:
    """Raises SuiteError if writing would destroy a file's content, or if `out` is something other than a file."""
    if not os.path.lexists(out):
        return
    if not out.is_file() or out.is_symlink():
        got = "a folder" if out.is_dir() else "a link" if out.is_symlink() else "no regular file"
        raise SuiteError(out, [Problem("--out", got, "a file that can be written", "name another path")])
    if not force and not _holds(out, content):
        mend = "move it away, name another, or replace it with --force"
        raise SuiteError(out, [Problem("--out", "a file that holds something else", "a new file", mend)])


def _holds(path: Path, content: bytes) -> bool:
    try:
        return read_bytes(path, len(content)) == content
    except OSError:  # larger, or not ours to read
        return False
