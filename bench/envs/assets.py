"""What an environment needs beyond our package: a backend, trained weights, data sets, maps. Torch-free.

A file's name is the SHA-256 of its content and a suffix. So its content cannot change without changing a run's id.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path


class BackendMissing(Exception):
    """A family's package is not installed here; the message says how to install it."""


class AssetMissing(BackendMissing):
    """A file that a scenario needs is missing, or is not the named one."""


@dataclass(frozen=True, init=False)
class Assets:
    """Folders of such files. Without folders, every file is missing."""

    folders: tuple[Path, ...]

    def __init__(self, *folders: Path):
        object.__setattr__(self, "folders", folders)

    def read(self, name: str) -> bytes:
        """The content of the file `<sha256>.<suffix>`, from the first folder that has it. Raises AssetMissing."""
        return self.found(name)[1]

    def found(self, name: str) -> tuple[Path, bytes]:
        """The file's path, and its content as `read`. A file with another content is skipped and named in the error."""
        if not self.folders:
            raise AssetMissing(f"got no folder of files; allowed: one with {name}")
        wrong: list[str] = []
        for path in (folder / name for folder in self.folders):
            try:
                if not path.is_file() and path.exists():  # a named pipe may never get a writer
                    raise OSError(errno.EINVAL, "not a regular file")
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                wrong.append(f"{path}: {error.strerror}; put the file there")
                continue
            got, expected = hashlib.sha256(content).hexdigest(), name.partition(".")[0]
            if got == expected:
                return path, content
            wrong.append(f"{path}: got SHA-256 {got}; allowed: {expected}; put that file there")
        raise AssetMissing(wrong[0] if wrong else f"{self._absent(name)}; put the file there")

    def _absent(self, name: str) -> str:
        first, *more = self.folders
        return f"{first / name}: No such file" + "".join(f", nor in {folder}" for folder in more)


NO_ASSETS = Assets()
