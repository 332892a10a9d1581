"""The platform class: what decides the last bits of a run on a CPU, besides the code. Canaries are stored per class.

torch, MKL and oneDNN choose kernels by the processor's vendor and vector instructions, and by environment variables
that limit these. Within a class runs repeat to the last bit. Between classes nothing is promised.
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bench.processes.numerical import numerical

FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "asimd", "sve")
PACKAGES = ("torch", "numpy", "safetensors")  # a record names their versions
NUMERICAL = (*PACKAGES, "scipy")  # packages that could change a number


class Platform(BaseModel):
    """python: its minor version. torch: its version with the build. held_back: set variables that change numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    machine: str
    vendor: str
    features: tuple[str, ...]
    python: str
    torch: str
    held_back: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its file."""
        own = "-".join(f for f in self.features if f in ("avx2", "avx512f", "amx_tile", "sve")) or "plain"
        parts = [self.machine, self.vendor, own, f"python{self.python}", f"torch{self.torch}", *self.held_back]
        return "-".join(parts).replace("/", "_").replace("=", "_").lower()

    def likeness(self, other: Platform) -> int:
        """How many of the fields agree."""
        return sum(getattr(self, field) == getattr(other, field) for field in Platform.model_fields)


def this_platform() -> Platform:
    vendor, flags = _processor(Path("/proc/cpuinfo"))
    return Platform(
        machine=platform.machine(),
        vendor=vendor or platform.processor() or "unknown",
        features=tuple(f for f in FEATURES if f in flags),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        torch=metadata.version("torch"),
        held_back=tuple(f"{name}={value}" for name, value in numerical().items()),
    )


def installed() -> dict[str, str]:
    """Versions of the packages that could change a number, and Python's."""
    return {name: metadata.version(name) for name in NUMERICAL} | {"python": platform.python_version()}


def _processor(cpuinfo: Path) -> tuple[str, frozenset[str]]:
    """Vendor and instruction sets from Linux; empty on other systems."""
    if not cpuinfo.exists():
        return "", frozenset()
    found: dict[str, str] = {}
    for line in cpuinfo.read_text("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    flags = found.get("flags") or found.get("Features") or ""
    return found.get("vendor_id") or found.get("CPU implementer", ""), frozenset(flags.split())
