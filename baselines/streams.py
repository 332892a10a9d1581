"""Random streams: one generator for each purpose, derived from the run's seed. No global random state is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

CPU_PURPOSES = ("initialisation", "environment")  # drawn on the CPU, so they are the same on every device
DEVICE_PURPOSES = ("exploration", "replay", "update")


def derived_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed from the run's seed and a purpose, by SHA-256."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(derived_seed(seed, purpose))


class Streams:
    """The generators of one run, by purpose: `streams["replay"]`."""

    def __init__(self, seed: int, device: torch.device | str = "cpu"):
        self.seed = seed
        self._generators = {p: generator(seed, p) for p in CPU_PURPOSES}
        self._generators |= {p: generator(seed, p, device) for p in DEVICE_PURPOSES}

    def __getitem__(self, purpose: str) -> torch.Generator:
        return self._generators[purpose]

    def state(self) -> dict[str, Tensor]:
        """Generator states by purpose, uint8."""
        return {purpose: g.get_state() for purpose, g in self._generators.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for purpose, g in self._generators.items():
            g.set_state(state[purpose])
