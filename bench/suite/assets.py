"""Assets: files that scenarios name by their SHA-256. Which are known, where they are looked for, how to get one."""

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
    """A file that somebody else published and the project does not bring."""

    id: Id
    kind: Literal["opponent", "data set", "map"]
    says: Text
    repository: Text
    """Whose it is: an address."""
    commit: Text | None = None
    path: Text
    """Of the file, there."""
    licence: Text
    size: Count
    """Bytes."""
    sha256: Hash
    convert: Literal["epymarl_ddpg"] | None = None
    """What makes the file that is kept out of it; without one it is kept as it is."""
    becomes: Hash | None = None
    """SHA-256 of the file that is kept, where it is converted."""
    suffix: Annotated[str, Field(pattern="^[A-Za-z0-9]+$")]
    """Of the file that is kept."""
    plays: Text | None = None
    """An opponent: how it acts, where it comes from and here."""

    @model_validator(mode="after")
    def _converted(self) -> Self:
        if (self.convert is None) != (self.becomes is None):
            raise ValueError("convert and becomes: allowed: both or neither")
        return self

    @property
    def kept(self) -> str:
        """SHA-256 of the file that is kept: what a scenario names."""
        return self.becomes or self.sha256

    @property
    def file(self) -> str:
        return f"{self.kept}.{self.suffix}"

    @property
    def name(self) -> str:
        """Of the file, where it comes from."""
        return self.path.rpartition("/")[2]

    @property
    def get(self) -> str:
        """Where it is, in a line."""
        at = f" at commit {self.commit}" if self.commit else ""
        return f"{self.path} of {self.repository}{at} ({self.licence}, {self.size:,} bytes)"


class Listing(Model):
    """The file that lists them."""

    format: Literal[1] = Field(alias="schema")
    asset: Annotated[tuple[Known, ...], Field(strict=False)]


def listing() -> Path:
    return folder() / "assets" / "known.toml"


def known() -> tuple[Known, ...]:
    """All that the project knows."""
    return _read(listing())


@cache
def _read(path: Path) -> tuple[Known, ...]:
    return Listing.model_validate(tomllib.loads(path.read_text("utf-8"))).asset


def own_folder() -> Path | None:
    """The user's folder: $BENCH_ASSETS, else marl-distill-bench/assets where a user's data is; None without a home.

    Raises SuiteError for a relative path: processes of a run do not all start in one folder.
    """
    if given := os.environ.get(FOLDER):
        if not Path(given).is_absolute():
            mend = f'export {FOLDER}="$PWD/..."'
            raise SuiteError("environment", [Problem(FOLDER, shown(given), "a folder's absolute path", mend)])
        return Path(given)
    named = Path(os.environ.get("XDG_DATA_HOME", ""))  # a relative one is to be ignored, says the XDG specification
    base = named if named.is_absolute() else Path(os.path.expanduser("~"), ".local", "share")
    return base / "marl-distill-bench" / "assets" if base.is_absolute() else None


def everywhere(own: Path | None = None) -> Assets:
    """Where runs look: the folder that comes with the project, then the user's, or another in its place."""
    own = own or own_folder()
    return Assets(opponents(), *([own] if own else []))


def to_get(file: str) -> str:
    """What to do where a file is missing."""
    for asset in known():
        if asset.file == file:
            return f"get {asset.get}, then `bench asset add {asset.name}`"
    if file.endswith(".npz"):
        own = "bench asset add MSLR-WEB30K` and give the hash that it prints as data_sha256 (docs/ptde.md)"
        return f"get MSLR-WEB30K, which may not be passed on, from Microsoft Research, then `{own}"
    elsewhere = "`bench asset add FILE` takes one in from elsewhere"
    return f"put the file there again, or name another: `bench opponent RUN` takes one out of a run, {elsewhere}"
