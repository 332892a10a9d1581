"""Files of a results folder: written completely or not at all, hashed; and the error shown when a write fails."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from bench.plan import digest

WRITABLE, THERE = "make it writable", "bring the folder back"
PLAIN = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*")
LONGEST = 64  # letters of a file's name, before its hash
MOST_TENSORS = 2**32  # bytes in a file of weights, or in a part of a checkpoint
HOLDS_HOME = "the root folder, or one that contains your home; name a separate folder"
MENDS = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or raise the quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: WRITABLE,
    errno.EACCES: WRITABLE,
    errno.EPERM: WRITABLE,
    errno.ENOENT: THERE,
    errno.ENOTDIR: THERE,
    errno.ESTALE: THERE,
}


class StoreError(Exception):
    """A results folder that cannot be used, or a file in it that is damaged."""


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def readable(body: Any) -> bytes:
    """JSON for files: keys in order, one per line; a list of numbers is on one line."""
    text = json.dumps(body, indent=1, sort_keys=True, allow_nan=False)
    lists = re.compile(r"\[\n *([-\d.eEnul,\n ]+?)\n *\]")  # only numbers and nulls
    breaks = re.compile(r",\n *")
    return lists.sub(lambda found: "[" + breaks.sub(", ", found[1]) + "]", text).encode() + b"\n"


def holds_home(folder: Path) -> bool:
    """Whether it is the root folder or contains the user's home. Such a folder must not be replaced or filled."""
    real = Path(os.path.realpath(folder))
    try:
        return not real.name or Path(os.path.realpath(Path.home())).is_relative_to(real)
    except RuntimeError:  # a user without a home
        return not real.name


def file_name(*parts: str, cased: bool = True) -> str:
    """A safe and unique name for a file or folder, made from ids of any origin: it cannot leave its folder.

    Parts of letters, digits, "_" and "/" are joined by "-". If a part has other characters, or the name is too long, a
    hash of the parts is added. cased: whether the file system tells upper from lower case. If it may not, upper case
    and "/" also add the hash.
    """
    joined = "-".join(parts)
    plain = all(PLAIN.fullmatch(part) for part in parts) and len(joined) <= LONGEST
    if plain and (cased or not re.search("[A-Z/]", joined)):
        return joined.replace("/", "-")
    readable_part = re.sub(r"[^a-z0-9_]+", "-", joined.lower())[:LONGEST]
    return f"{readable_part}-{digest(parts[0] if len(parts) == 1 else parts)}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write, sync, rename: readers see the old file or the new one, never a part. An OSError names the path."""
    if not path.name:  # "." or "/": no file beside it can be renamed to it
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # a failed write or sync does not name its file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # the folder is not writable, as the error says
            temporary.unlink(missing_ok=True)


def storage_problem(error: OSError, folder: Path | str) -> str:
    """One line about a results folder that stopped working during a run: the path, why, and what to do."""
    mend = MENDS.get(error.errno or 0, "repair it")
    after = "then the same command goes on from the last checkpoints; records already written are complete"
    return f"{error.filename or folder}: {error.strerror or error}; {mend}, {after}"
