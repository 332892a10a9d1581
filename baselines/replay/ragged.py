"""Rows of episodes that differ in length: an episode has one row per step, plus one for its last observation.

Axes: E episode, T time step, R row of a block.

Rows are in blocks, which are allocated on demand. An episode's rows need not be adjacent: a map says where each is. The
next episode takes the rows of the one that it overwrites. So the memory is never more than the largest number of rows
that were stored at once, and nothing moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK_BYTES = 32 * 2**20
SEEN = ("obs", "state", "avail_actions")  # an episode has one more of these than steps


class ReplayFull(MemoryError):
    """A replay would take more memory than allowed."""


class RaggedRows:
    """The rows of one seed's ring of `episodes` episodes, of `limit` steps at most.

    shapes, kinds: those of a row's tensors, by name. most_bytes: bound on their memory; 0: none.
    """

    def __init__(
        self,
        episodes: int,
        limit: int,
        shapes: Mapping[str, tuple[int, ...]],
        kinds: Mapping[str, torch.dtype],
        device: torch.device | str,
        most_bytes: int = 0,
    ):
        self._shapes, self._kinds, self._device = dict(shapes), dict(kinds), device
        self._episodes, self._limit, self._most = episodes, limit, most_bytes
        self.row_bytes = sum(prod(shape) * kinds[name].itemsize for name, shape in shapes.items())
        self._block_rows = max(limit + 1, BLOCK_BYTES // self.row_bytes)
        self._blocks: list[dict[str, Tensor]] = []  # [R, ...] each
        self._free: list[int] = []  # free rows, the next one last
        self._map = np.zeros((episodes, limit + 1), np.int32)  # an episode's rows; the last one repeats
        self._lengths = np.full(episodes, -1, np.int64)  # steps; -1: empty

    @property
    def bytes(self) -> int:
        """Bytes of all blocks."""
        return len(self._blocks) * self._block_rows * self.row_bytes

    def lengths(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Steps of the episodes at these places."""
        return self._lengths[places]

    def put(self, place: int, length: int, rows: Mapping[str, Tensor]) -> None:
        """Store an episode of `length` steps in a place of the ring, instead of the old one.

        rows: seen values [length + 1, ...] and done values [length, ...]; longer ones are cut. Raises ReplayFull.
        """
        if (before := self._lengths[place]) >= 0:
            self._free += reversed(self._map[place, : before + 1].tolist())
            self._lengths[place] = -1
        while len(self._free) < length + 1:
            self._grow()
        taken = [self._free.pop() for _ in range(length + 1)]
        self._lengths[place] = length
        self._map[place, : length + 1], self._map[place, length + 1 :] = taken, taken[-1]
        for block, at, own in self._in_blocks(self._map[place, : length + 1]):
            for name, x in rows.items():
                there, here = (at, own) if name in SEEN else (at[own < length], own[own < length])
                self._blocks[block][name].index_copy_(
                    0, self._index(there), x[self._index(here).to(x.device)].to(self._blocks[block][name])
                )

    def episodes(self, places: NDArray[np.int64], steps: int) -> dict[str, Tensor]:
        """Episodes as if all had `steps` steps: seen values [E, steps + 1, ...], done values [E, steps, ...].

        After an episode's end the last seen values repeat, and done values are 0. Also "mask" [E, steps].
        """
        found = {}
        mask = torch.from_numpy(np.arange(steps) < self._lengths[places, None]).to(self._device)
        for name in self._shapes:
            seen = name in SEEN
            own = self._gather(name, self._map[places, : steps + seen].ravel()).unflatten(0, (len(places), -1))
            found[name] = own if seen else own.masked_fill_(~mask.view(*mask.shape, *[1] * (own.dim() - 2)), 0)
        return found | {"mask": mask}

    def packed(self, places: NDArray[np.int64]) -> dict[str, Tensor]:
        """Episodes one after another, without steps after their ends; and "lengths" [E], in steps."""
        found = {}
        for name in self._shapes:
            own = [self._map[place, : self._lengths[place] + (name in SEEN)] for place in places]
            found[name] = self._gather(name, np.concatenate([np.zeros(0, np.int32), *own]))
        return found | {"lengths": torch.from_numpy(self._lengths[places])}

    def _grow(self) -> None:
        after = self.bytes + self._block_rows * self.row_bytes
        if self._most and after > self._most:
            stored = int((self._lengths >= 0).sum())
            raise ReplayFull(
                f"replay: got {stored:,} episodes of {self._episodes:,} in {self.bytes / 2**30:.2f} GiB, and the next "
                f"block makes {after / 2**30:.2f}; allowed: {self._most / 2**30:.2f} GiB for a task of a seed; raise "
                "--replay-memory, or give the method a smaller replay_size"
            )
        with torch.inference_mode(False):  # stored tensors must be usable in training
            block = {
                n: torch.empty((self._block_rows, *s), dtype=self._kinds[n], device=self._device)
                for n, s in self._shapes.items()
            }
        first = len(self._blocks) * self._block_rows
        self._blocks.append(block)
        self._free[:0] = reversed(range(first, first + self._block_rows))

    def _gather(self, name: str, rows: NDArray[np.int32]) -> Tensor:
        """[len(rows), ...], a copy."""
        parts = list(self._in_blocks(rows))
        if len(parts) == 1:
            block, at, _ = parts[0]
            return self._blocks[block][name].index_select(0, self._index(at))
        found = torch.empty((len(rows), *self._shapes[name]), dtype=self._kinds[name], device=self._device)
        for block, at, own in parts:
            found.index_copy_(0, self._index(own), self._blocks[block][name].index_select(0, self._index(at)))
        return found

    def _in_blocks(self, rows: NDArray[np.int32]) -> Sequence[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """For each block with some of these rows: the rows in the block, and their positions among these."""
        blocks, at = np.divmod(rows.astype(np.int64), self._block_rows)
        whole = np.arange(len(rows))
        found = [(int(block), whole[blocks == block]) for block in np.unique(blocks)]
        return [(block, at[own], own) for block, own in found]

    def _index(self, places: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(places).to(self._device)
