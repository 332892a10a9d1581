"""Assets: files that scenarios name by SHA-256. Which ones are known, where runs look for them, how to get one."""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.envs import Assets
from bench.suite import SuiteError
from bench.suite.base import Count, Id, Model, Text
from bench.suite.explain import Problem, shown
from bench.suite.patterns import HASH
from bench.suite.shipped import folder, opponents

FOLDER = "BENCH_ASSETS"
Hash = Annotated[str, Field(pattern=HASH)]


class Known(Model):
    """A file that somebody else published and that does not come with the project."""

    id: Id
    kind: Literal["opponent", "data set", "map"]
    says: Text
    repository: Text
    """The address of the repository that has it."""
    commit: Text | None = None
    path: Text
    """The file's path in the repository."""
    licence: Text
    size: Count
    """Bytes."""
    sha256: Hash
    convert: Literal["epymarl_ddpg"] | None = None
    """How the published file becomes the kept one; without it the file is kept unchanged."""
    becomes: Hash | None = None
    """SHA-256 of the kept file, if it is converted."""
    suffix: Annotated[str, Field(pattern="^[A-Za-z0-9]+$")]
    """The kept file's suffix."""
    plays: Text | None = None
    """For an opponent: how it acts at its source, and how it acts here."""

    @model_validator(mode="after")
    def _converted(self) -> Self:
        if (self.convert is None) != (self.becomes is None):
            raise ValueError("convert and becomes: both or neither")
        return self

    @property
    def kept(self) -> str:
        """SHA-256 of the kept file: the hash that a scenario names."""
        return self.becomes or self.sha256

    @property
    def file(self) -> str:
        return f"{self.kept}.{self.suffix}"

    @property
    def name(self) -> str:
        """The file's name at its source."""
        return self.path.rpartition("/")[2]

    @property
    def get(self) -> str:
        """Where it is, in one line."""
        at = f" at commit {self.commit}" if self.commit else ""
        return f"{self.path} of {self.repository}{at} ({self.licence}, {self.size:,} bytes)"


class Listing(Model):
    """The file that lists the known assets."""

    format: Literal[1] = Field(alias="schema")
    asset: Annotated[tuple[Known, ...], Field(strict=False)]


def listing() -> Path:
    return folder() / "assets" / "known.toml"


def known() -> tuple[Known, ...]:
    """All known assets."""
    return _read(listing())


@cache
def _read(path: Path) -> tuple[Known, ...]:
    return Listing.model_validate(tomllib.loads(path.read_text("utf-8"))).asset


def own_folder() -> Path | None:
    """The user's folder: $BENCH_ASSETS, else marl-distill-bench/assets where a user's data is; None without a home.

    Raises SuiteError for a relative path: the processes of a run start in different folders.
    """
    if given := os.environ.get(FOLDER):
        if not Path(given).is_absolute():
            mend = f'export {FOLDER}="$PWD/..."'
            raise SuiteError("environment", [Problem(FOLDER, shown(given), "a folder's absolute path", mend)])
        return Path(given)
    named = Path(os.environ.get("XDG_DATA_HOME", ""))  # the XDG specification: ignore a relative path
    base = named if named.is_absolute() else Path(os.path.expanduser("~"), ".local", "share")
    return base / "marl-distill-bench" / "assets" if base.is_absolute() else None


def everywhere(own: Path | None = None) -> Assets:
    """Where runs look: the folder that comes with the project, then the user's. own: another in place of the user's."""
    own = own or own_folder()
    return Assets(opponents(), *([own] if own else []))


def to_get(file: str) -> str:
    """What to do when a file is missing."""
    for asset in known():
        if asset.file == file:
            return f"get {asset.get}, then `bench asset add {asset.name}`"
    if file.endswith(".npz"):
        own = "bench asset add MSLR-WEB30K` and give the hash that it prints as data_sha256 (docs/ptde.md)"
        return f"get MSLR-WEB30K, which may not be passed on, from Microsoft Research, then `{own}"
    other = "`bench opponent RUN` makes one from a run, `bench asset add FILE` adds a file from elsewhere"
    return f"put the file there again, or name another one: {other}"
