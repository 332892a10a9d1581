"""Adding files from elsewhere. A file is recognised by its SHA-256, converted if needed, and kept under its hash.

    <folder>/<sha256>.<suffix>    the file, under the name that a scenario uses
    <folder>/<sha256>.json        where it comes from

An unknown file is refused before anything is unpickled. Opponents in our own form are kept unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from bench.envs import AssetMissing, Assets
from bench.envs.ranking import mslr
from bench.plan import COMMAND_LINE
from bench.store.files import StoreError, sha256, write_atomically
from bench.suite import SuiteError
from bench.suite.assets import Known, known
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.foreign import read_bytes

SCHEMA = 1  # of the JSON file
MOST_BYTES = 2**32  # in a file
ACTIONS = 5  # outputs of an opponent's network
DTYPES = {"F32": "<f4", "F64": "<f8"}  # of its tensors, by safetensors' name: numpy's name
NAME_ITS_FOLDER = "name the folder of MSLR-WEB30K, which has Fold1 in it (docs/ptde.md)"
OPPONENT = re.compile(r"[0-9a-f]{64}\.safetensors").fullmatch
DATA_SET = re.compile(r"[0-9a-f]{64}\.npz").fullmatch


@dataclass(frozen=True)
class Taken:
    """A file to keep. name: `<sha256>.<suffix>`. id: its name for people. plays: how an opponent acts.

    origin: the content of the JSON file.
    """

    name: str
    content: bytes
    id: str
    kind: str
    plays: str | None
    origin: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        return self.name.partition(".")[0]

    def write(self, folder: Path) -> Path:
        """Write both files, the JSON first. Returns the path of the other. Raises StoreError if a write fails."""
        path = folder / self.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.origin, indent=1, sort_keys=True) + "\n"
            write_atomically(path.with_suffix(".json"), text.encode())
            write_atomically(path, self.content)
        except OSError as error:
            mend = "name a writable folder with --assets DIR"
            raise StoreError(f"{folder}: {error.strerror}; {mend}") from error
        return path


def taken(path: Path, meant: str | None = None) -> Taken:
    """The file to keep for a given file. meant: the id of the asset that it should be.

    Raises SuiteError if the file cannot be read, is not known, or is not the asset that was meant.
    """
    assets = known()
    if meant is not None and meant not in (ids := [asset.id for asset in assets]):
        raise _refused("--as", shown(meant), listed(ids), f"name one of them{nearest(meant, ids)}")
    if path.is_dir():
        return _data_set(path)
    if mslr.is_its_form(path):
        raise _refused(f"FILE {path}", "a file with queries and documents", "the folder it is in", NAME_ITS_FOLDER)
    content = _content(path)
    got = sha256(content)
    for asset in assets:
        if got in (asset.sha256, asset.kept) and meant in (None, asset.id):
            return _known(path, content, asset)
    if meant is None and is_opponent(content):
        beside = _origin(path.with_suffix(".json"))  # from `bench opponent`
        origin = beside if beside.get("sha256") == got else {"schema_version": SCHEMA, "sha256": got, "from": path.name}
        return Taken(f"{got}.safetensors", content, path.name, "opponent", None, origin)
    wanted = [asset for asset in assets if meant in (None, asset.id)]
    allowed = " or ".join(f"{asset.id}, SHA-256 {asset.sha256}" for asset in wanted)
    allowed += ", or an opponent's network as safetensors (docs/assets.md)" if meant is None else ""
    mend = "; ".join(f"get {asset.get}" for asset in wanted)
    cut = "".join(f" ({a.size:,} of {a.id}: cut off)" for a in wanted if a.name == path.name and a.size > len(content))
    raise _refused(f"FILE {path}", f"{len(content):,} bytes{cut}, SHA-256 {got}", allowed, mend)


def _data_set(folder: Path) -> Taken:
    """The file to keep for a user's copy of MSLR-WEB30K, the only data set that is added as a folder."""
    file = mslr.train_file(folder)
    try:
        with file.open("rb") as lines:
            content, source = mslr.made(lines)
    except OSError as error:
        got = f"a folder, {file}: {error.strerror}"
        raise _refused(f"FILE {folder}", got, f"a file, or a folder with {mslr.FILE} in it", NAME_ITS_FOLDER) from None
    except ValueError as error:
        got, _, allowed = str(error).partition("; allowed: ")
        mend = "unpack MSLR-WEB30K again and name its folder: this is not its training file, whole and unchanged"
        raise _refused(f"FILE {file}", got.replace("got ", "", 1), allowed, mend) from None
    own = sha256(content)
    origin = {
        "schema_version": SCHEMA,
        "sha256": own,
        "kind": "data set",
        "asset": "mslr_web30k",
        "source": {"path": str(mslr.FILE), "sha256_of_lines_read": source},
    }
    return Taken(f"{own}.npz", content, "mslr_web30k", "data set", None, origin)


def is_opponent(content: bytes) -> bool:
    """Whether it is a plain MLP as safetensors, which `bench opponent` writes and `envs.particle.opponents` reads."""
    try:
        tensors = dict(deserialize(content))
    except SafetensorError:
        return False
    depth = len(tensors) // 2
    names = {f"{kind}_{i}" for kind in ("weight", "bias") for i in range(depth)}
    if depth == 0 or {*tensors} != names or any(tensor["dtype"] not in DTYPES for tensor in tensors.values()):
        return False
    shapes = {name: list(tensor["shape"]) for name, tensor in tensors.items()}
    if any(len(shape) != (2 if name.startswith("weight") else 1) for name, shape in shapes.items()):
        return False
    widths = [shapes["weight_0"][1], *(shapes[f"bias_{i}"][0] for i in range(depth))]
    fits = all(shapes[f"weight_{i}"] == [widths[i + 1], widths[i]] for i in range(depth))
    return fits and widths[-1] == ACTIONS and all(map(_finite, tensors.values()))


def _finite(tensor: Mapping[str, Any]) -> bool:
    return bool(np.isfinite(np.frombuffer(tensor["data"], DTYPES[tensor["dtype"]])).all())


def rows(assets: Assets) -> list[dict[str, Any]]:
    """Every known asset, and every other opponent and data set in these folders, as JSON values.

    here: its path, None if it is missing. problem: what is wrong with the file of its name.
    """
    found = [_row(a.id, a.kind, a.says, a.file, a.get, assets, plays=a.plays) for a in known()]
    names = {asset.file for asset in known()}
    others = {path.name: path for folder in assets.folders for path in sorted(folder.glob("*")) if OPPONENT(path.name)}
    found += [_other(path, assets) for name, path in others.items() if name not in names]
    return found + _data_sets(assets)


def _data_sets(assets: Assets) -> list[dict[str, Any]]:
    """Those that were made from a user's copy of MSLR-WEB30K; without one, how to make it."""
    kept = [path for folder in assets.folders for path in sorted(folder.glob("*.npz")) if DATA_SET(path.name)]
    kind, says = "data set", f"10 documents of each of 10,000 queries, from {mslr.FILE} of your copy of MSLR-WEB30K"
    if kept:
        return [_row("mslr_web30k", kind, says, path.name, None, assets, plays=None) for path in kept]
    get = "MSLR-WEB30K of Microsoft Research, then `bench asset add MSLR-WEB30K` (docs/ptde.md)"
    row = {"id": "mslr_web30k", "kind": kind, "says": says, "file": None, "get": get, "plays": None}
    return [row | {"here": None, "problem": None}]


def _other(path: Path, assets: Assets) -> dict[str, Any]:
    match _origin(path.with_suffix(".json")):
        case {"agent_name": agent, "run": run, "seed": seed}:
            says = f"{agent} of run {run}, seed {seed}"
        case {"from": file}:
            says = f"added from {file}"
        case _:
            says = "of unknown origin"
    return _row(path.stem[:12], "opponent", says, path.name, None, assets, plays=None)


def _row(
    id_: str, kind: str, says: str, file: str, get: str | None, assets: Assets, plays: str | None
) -> dict[str, Any]:
    row = {"id": id_, "kind": kind, "says": says, "file": file, "get": get, "plays": plays}
    try:
        return row | {"here": str(assets.found(file)[0]), "problem": None}
    except AssetMissing as error:
        there = any((folder / file).exists() for folder in assets.folders)
        return row | {"here": None, "problem": str(error) if there else None}


def _origin(path: Path) -> dict[str, Any]:
    """The content of a file's JSON; empty if it cannot be read. It is only for people: no program relies on it."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _known(path: Path, content: bytes, asset: Known) -> Taken:
    """The file to keep for a known file, or for an already converted one."""
    origin = {
        "schema_version": SCHEMA,
        "sha256": asset.kept,
        "kind": asset.kind,
        "asset": asset.id,
        "says": asset.says,
        "plays": asset.plays,
        "source": {
            "repository": asset.repository,
            "commit": asset.commit,
            "path": asset.path,
            "licence": asset.licence,
            "sha256": asset.sha256,
        },
    }
    if sha256(content) != asset.kept:
        content = _converted(path, content, asset)
    return Taken(asset.file, content, asset.id, asset.kind, asset.plays, origin)


def _converted(path: Path, content: bytes, asset: Known) -> bytes:
    from bench.envs.particle import epymarl  # imported here, since it loads torch

    converters = {"epymarl_ddpg": epymarl.folded}
    try:
        made = converters[asset.convert or ""](content)
    except ValueError as error:
        got, _, allowed = str(error).partition("; allowed: ")
        raise _refused(f"FILE {path}", got, allowed, f"correct the entry {asset.id} of the list of assets") from error
    if sha256(made) != asset.kept:
        got = f"{path} became a file of SHA-256 {sha256(made)}; allowed: {asset.kept}, which {asset.id} states"
        raise StoreError(f"{got}; the list of assets or this machine's arithmetic is at fault")
    return made


def _content(path: Path) -> bytes:
    mend = "name a readable file"
    try:
        return read_bytes(path, MOST_BYTES)
    except (OSError, ValueError) as error:  # ValueError: an impossible file name
        got = "a folder" if path.is_dir() else getattr(error, "strerror", None) or str(error)
        raise _refused(f"FILE {path}", got, f"a file of at most {MOST_BYTES:,} bytes", mend) from None


def _refused(key: str, got: str, allowed: str, mend: str) -> SuiteError:
    return SuiteError(COMMAND_LINE, [Problem(key, got, allowed, mend)])
