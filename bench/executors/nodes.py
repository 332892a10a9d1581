"""Machines that may work: their description, and reasons why one must not work with this one."""

from __future__ import annotations

import functools
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

import baselines
import bench
from bench.envs import FAMILIES, lacking, packages_of
from bench.processes.platforms import installed, this_platform
from bench.store.provenance import source


class Node(BaseModel):
    """code: a hash of every Python file of `bench` and `baselines`, independent of git. commit: for a checkout.

    packages: versions of packages that can change a number. backends: versions of installed packages that families
    need. platform: its class. lacks: families whose backend is not installed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    code: str
    commit: str | None
    packages: dict[str, str]
    backends: dict[str, str]
    platform: str
    lacks: tuple[str, ...]


def this_node() -> Node:
    return Node(
        host=socket.gethostname(),
        code=_code(),
        commit=source()[0],
        packages=installed(),
        backends=dict(_backends()),
        platform=this_platform().name,
        lacks=tuple(name for name in FAMILIES if lacking(name)),
    )


def differences(own: Node, other: Node) -> Iterator[str]:
    """Why another node's runs would differ from this one's: other code, or other versions of packages."""
    if own.code != other.code:
        commits = "" if own.commit == other.commit else f" (commit {other.commit or 'unknown'}, here {own.commit})"
        yield f"different code of bench{commits}"
    versions = [(name, own.packages[name], other.packages.get(name, "none")) for name in own.packages]
    versions += [(name, own.backends[name], other.backends[name]) for name in own.backends if name in other.backends]
    yield from (f"{name} {there}, here {here}" for name, here, there in versions if here != there)


def _backends() -> Iterator[tuple[str, str]]:
    for family in FAMILIES:
        if not lacking(family):
            yield from packages_of(family).items()


@functools.cache
def _code() -> str:
    found = hashlib.sha256()
    for package in (bench, baselines):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            found.update(f"{root.name}/{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()
