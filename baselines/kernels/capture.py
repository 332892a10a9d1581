"""Updates as CUDA graphs: recorded once, then repeated with one launch. On the CPU it is just the update.

An update can be captured if its shapes never change, the host reads none of its values, and every changing number is a
tensor that is an argument or that it changes in place (tests/baselines/test_static_updates.py). Random numbers are
drawn before the update. Networks and moments keep their place in memory: they may only be changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

Coefficients = Mapping[str, Tensor]
Losses = dict[str, Tensor]
WARM_UPS = 3  # updates before the recorded one: libraries make handles, buffers are allocated (PyTorch's notes)


class Captured:
    """`update(batch, noise, coefficients)`, captured on a CUDA device after a few ordinary calls.

    batch: a dataclass of tensors. One graph is kept for each batch size. The returned losses belong to the caller.
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
        """Run the update on a stream of its own, as a capture will."""
        stream = torch.cuda.Stream(noise.device)
        stream.wait_stream(torch.cuda.current_stream(noise.device))
        with torch.cuda.stream(stream):
            losses = self._update(batch, noise, coefficients)
        torch.cuda.current_stream(noise.device).wait_stream(stream)
        return losses

    def _recorded(self, batch: Any, noise: Tensor, coefficients: Coefficients) -> tuple:
        """Record the graph: graph, inputs and losses. Recording changes no number."""
        graph = torch.cuda.CUDAGraph()
        batch = type(batch)(**{part.name: getattr(batch, part.name).clone() for part in fields(batch)})
        noise, coefficients = noise.clone(), {name: x.clone() for name, x in coefficients.items()}
        with torch.cuda.graph(graph):
            losses = self._update(batch, noise, coefficients)
        return graph, _tensors(batch, noise, coefficients), losses


def _tensors(batch: Any, noise: Tensor, coefficients: Coefficients) -> list[Tensor]:
    return [*(getattr(batch, part.name) for part in fields(batch)), noise, *coefficients.values()]
