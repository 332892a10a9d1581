"""Updates as CUDA graphs: recorded once, then repeated with one launch. On the CPU the update itself, and nothing else.

An update may be captured where its shapes never change, the host reads nothing of it, and every number that changes is
a tensor that it is given or that it changes in place (tests/baselines/test_static_updates.py). What it draws is drawn
before it. Networks and moments stay where they are in memory; whoever changes them, changes them in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

Coefficients = Mapping[str, Tensor]
Losses = dict[str, Tensor]
WARM_UPS = 3  # updates before one is recorded: libraries make their handles, rooms are made, as PyTorch's notes ask for


class Captured:
    """`update(batch, noise, coefficients)`, captured on a CUDA device after a few calls that are updates like others.

    batch: a dataclass of tensors. One graph is kept for each size of batch. Losses are the caller's own.
    """

    def __init__(self, update: Callable[[Any, Tensor, Coefficients], Losses], device: torch.device | str):
        self._update, self._captures = update, torch.device(device).type == "cuda"
        self._calls: dict[torch.Size, int] = {}
        self._graphs: dict[torch.Size, tuple[torch.cuda.CUDAGraph, list[Tensor], Losses]] = {}

    def __call__(self, batch: Any, noise: Tensor, coefficients: Coefficients) -> Losses:
        if not self._captures:
            return self._update(batch, noise, coefficients)
        size, given = noise.shape, _tensors(batch, noise, coefficients)
        self._calls[size] = self._calls.get(size, 0) + 1
        if self._calls[size] <= WARM_UPS:
            return self._apart(batch, noise, coefficients)
        if size not in self._graphs:
            self._graphs[size] = self._recorded(batch, noise, coefficients)
        graph, inputs, losses = self._graphs[size]
        for kept, own in zip(inputs, given, strict=True):
            kept.copy_(own)
        graph.replay()
        return {name: loss.clone() for name, loss in losses.items()}

    def _apart(self, batch: Any, noise: Tensor, coefficients: Coefficients) -> Losses:
        """On a stream of its own, as a capture will be."""
        stream = torch.cuda.Stream(noise.device)
        stream.wait_stream(torch.cuda.current_stream(noise.device))
        with torch.cuda.stream(stream):
            losses = self._update(batch, noise, coefficients)
        torch.cuda.current_stream(noise.device).wait_stream(stream)
        return losses

    def _recorded(self, batch: Any, noise: Tensor, coefficients: Coefficients) -> tuple:
        """Graph, inputs and losses; recording changes no number."""
        graph = torch.cuda.CUDAGraph()
        batch = type(batch)(**{part.name: getattr(batch, part.name).clone() for part in fields(batch)})
        noise, coefficients = noise.clone(), {name: x.clone() for name, x in coefficients.items()}
        with torch.cuda.graph(graph):
            losses = self._update(batch, noise, coefficients)
        return graph, _tensors(batch, noise, coefficients), losses


def _tensors(batch: Any, noise: Tensor, coefficients: Coefficients) -> list[Tensor]:
    return [*(getattr(batch, part.name) for part in fields(batch)), noise, *coefficients.values()]
