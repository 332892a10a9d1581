"""Files that others wrote: read without waiting for them, and none that is larger than it can be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_bytes(path: Path, most: int) -> bytes:
    """A regular file of at most so many bytes; links are followed. Raises OSError that says what it is instead.

    Nobody may ever write into a named pipe, and a device may have no end.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > most else file.read(most + 1)
    if max(size, len(content)) > most:
        raise OSError(errno.EFBIG, f"got {size:,} bytes; allowed: {most:,}", str(path))
    return content
