"""A folder that is replaced as a whole: built beside the old one, then put in its place. A kill loses neither.

    <out>            the site; site.json in it lists its files with their SHA-256
    .<name>.new      beside it: the one that is being built, with a file that says so
    .<name>.old      beside it: the one before, until the new one is in place and this one is deleted

A file of a site is deleted only if the site's own list names it, with the content that the list states. So a list that
somebody else wrote deletes nothing that it does not know word for word. After a kill, the next command puts back an old
site that has no successor, and clears away what else was left.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.store import sha256
from bench.store.files import HOLDS_HOME, holds_home
from bench.suite.foreign import read_bytes

MANIFEST, UNDER_WAY = "site.json", "being-built"
MOST_BYTES = 2**28  # of a file of a site


class SiteError(Exception):
    """A folder that a site cannot be written to."""


@contextlib.contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `out` when the block succeeds. Raises SiteError, OSError."""
    require_replaceable(out)
    out = Path(os.path.abspath(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    new, old = (out.with_name(f".{out.name}.{which}") for which in ("new", "old"))
    with _alone(out):
        if old.exists() and not out.exists():
            old.rename(out)
        _clear(old)
        _clear(new)
        new.mkdir()
        (new / UNDER_WAY).touch()
        try:
            yield new
            (new / UNDER_WAY).unlink()
            _refuse(out)  # once more: somebody may have put something there
            if out.exists():
                out.rename(old)
            new.rename(out)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _clear(old)


def require_replaceable(out: Path) -> None:
    """Raises SiteError if no site may take the place of what is there."""
    if holds_home(out):
        raise SiteError(f"{out}: {HOLDS_HOME} with --out")
    _refuse(Path(os.path.abspath(out)))


def seal(folder: Path, about: Mapping[str, object], files: Mapping[str, str]) -> None:
    """Write the list of a site's files. files: SHA-256 by address."""
    body = {**about, "files": dict(files)}
    (folder / MANIFEST).write_text(json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """A context in which no other command replaces a folder there. Raises SiteError."""
    folder = os.open(out.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SiteError(f"{out}: another command is writing a site beside it; wait for it") from None
        yield
    finally:
        os.close(folder)


def _refuse(out: Path) -> None:
    """Raises SiteError unless `out` is missing, empty or a site: every file there must be from a build of a site."""
    if out.is_dir() and not out.is_symlink():
        if foreign := next(_foreign(out), None):
            held = f"holds other files than a site: {foreign.relative_to(out)}"
            raise SiteError(f"{out}: {held}; move them, or name an empty or a new folder with --out")
    elif out.exists() or out.is_symlink():
        raise SiteError(f"{out}: is no folder; name an empty or a new one with --out")


def _clear(left: Path) -> None:
    """Delete what an earlier command left: a former site, or one that was being built. Raises SiteError."""
    if not left.is_symlink() and (left / UNDER_WAY).is_file():
        shutil.rmtree(left)
    if not left.exists() and not left.is_symlink():
        return
    _refuse(left)
    own = _listed(left / MANIFEST)
    for folder, _, files in os.walk(left):
        for path in (Path(folder) / name for name in files):
            if path.relative_to(left).as_posix() in own:
                path.unlink()
    (left / MANIFEST).unlink(missing_ok=True)  # last, for it says what may be deleted
    for folder, _, _ in os.walk(left, topdown=False):
        os.rmdir(folder)  # fails if a file came here meanwhile


def _foreign(folder: Path) -> Iterator[Path]:
    """The files in a folder that are not those of the site in it, as its list states them. Lazy: it may be a home."""
    own = _listed(folder / MANIFEST)
    for place, folders, files in os.walk(folder):
        for name in (*files, *(name for name in folders if (Path(place) / name).is_symlink())):
            path = Path(place) / name
            stated = own.get(path.relative_to(folder).as_posix())
            if _hash(path) != stated and not (own and path == folder / MANIFEST):
                yield path


def _listed(manifest: Path) -> dict[str, str]:
    """SHA-256 by address of the files of the site that a manifest belongs to; none if it is no manifest."""
    try:
        files = json.loads(read_bytes(manifest, MOST_BYTES))["files"]
        return {str(name): str(stated) for name, stated in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _hash(path: Path) -> str:
    try:
        return "" if path.is_symlink() else sha256(read_bytes(path, MOST_BYTES))
    except OSError:
        return ""
