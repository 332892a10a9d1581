"""Multilayer perceptrons with ReLU and explicit passes. Their memory is kept from one update to the next.

Axes: S seed, M member; L lane (a member of a seed, L = S M); C lane of one call; K network of a lane; I, H, O entries
of an input, of a hidden layer, of an output; B batch. Samples are columns, as in nn.py.

The K networks of a lane read the same input, so their first layers are one product. On the CPU each lane is a separate
call: its numbers cannot depend on other lanes, and its latest results are still in the cache. Elsewhere all lanes are
one call. The gradients are autograd's except for the order of sums (tests/baselines/test_perceptrons.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from baselines.kernels.nn import Parameters
from baselines.kernels.optim import FusedAdam, by_call


class Perceptrons:
    """S x M lanes of K networks. parameters: from nn.initial, [S, M K, ...] each; change them only in place.

    learns: whether gradients are needed. They belong to the last result of `outputs`.
    """

    def __init__(self, parameters: Parameters, networks: int = 1, *, learns: bool = True):
        weight = parameters["weight_0"]
        self._lanes = len(weight), weight.shape[1] // networks
        of_calls = by_call(parameters, networks)
        shared = _Shared({name: torch.empty_like(p) for name, p in of_calls[0].items()} if learns else {})
        self._calls = [_Call(own, networks, shared, learns) for own in of_calls]

    @torch.no_grad()
    def outputs(self, x: Tensor) -> Tensor:
        """[S, M, I, B] -> [S, M, K O, B]."""
        return self._joined([call.outputs(own) for call, own in zip(self._calls, self._split(x), strict=True)])

    @torch.no_grad()
    def descend(self, gradient: Tensor, adam: FusedAdam) -> None:
        """An Adam step of every network. gradient: that of its loss by its output, [S, M, K O, B]."""
        for n, (call, own) in enumerate(zip(self._calls, self._split(gradient), strict=True)):
            adam.step(n, call.of_weights(own))

    @torch.no_grad()
    def of_inputs(self, gradient: Tensor, start: int) -> Tensor:
        """The gradient by inputs from entry `start`, [S, M, I - start, B], from that by the output; summed over K."""
        split = zip(self._calls, self._split(gradient), strict=True)
        return self._joined([call.of_inputs(own, start) for call, own in split])

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        """[S, M, ...] -> each call's [C, ...]."""
        return x.flatten(0, 1).split(self._lanes[0] * self._lanes[1] // len(self._calls))

    def _joined(self, of_calls: Sequence[Tensor]) -> Tensor:
        together = of_calls[0] if len(of_calls) == 1 else torch.cat(list(of_calls))
        return together.unflatten(0, self._lanes)


Layer = tuple[Tensor, Tensor]  # weight [C K, out, in] and bias [C K, out, 1]; the first one's are [C, K out, ...]
Made = tuple[Tensor, Tensor]  # a hidden layer's output for a batch, [C K, H, B], and the same in its product's form


@dataclass
class _Shared:
    """Memory that calls use in turn: for the parameters' gradients and, by batch size, for layers' outputs."""

    gradients: Parameters
    back: dict[int, list[Made]] = field(default_factory=dict)
    hidden: dict[int, list[Made]] = field(default_factory=dict)


class _Call:
    """C lanes that share one product. parameters: views [C K, ...]."""

    def __init__(self, parameters: Parameters, networks: int, shared: _Shared, learns: bool):
        self._shared, self._layers = shared, _layers(parameters, networks)
        self._of_layers = _layers(shared.gradients, networks)
        self._kept: dict[int, list[Made]] = {} if learns else shared.hidden
        self._reads: list[Tensor] = []  # each layer's input in the last call of `outputs`

    def outputs(self, x: Tensor) -> Tensor:
        """[C, I, B] -> [C, K O, B]."""
        self._reads = [x]
        for (weight, bias), (hidden, made) in zip(self._layers, self._room(self._kept, x.shape[2]), strict=False):
            torch.baddbmm(bias, weight, self._reads[-1], out=made)
            self._reads.append(hidden.relu_())
        weight, bias = self._layers[-1]
        return torch.baddbmm(bias, weight, self._reads[-1]).view(len(x), -1, x.shape[2])

    def of_weights(self, gradient: Tensor) -> list[Tensor]:
        """The gradients of all parameters, in their order, [C K, ...] each, from that of the output [C, K O, B]."""
        self._back(gradient, of_weights=True)
        return list(self._shared.gradients.values())

    def of_inputs(self, gradient: Tensor, start: int) -> Tensor:
        """[C, I - start, B]."""
        first = self._back(gradient, of_weights=False)
        return torch.bmm(self._layers[0][0][..., start:].mT, first)

    def _back(self, gradient: Tensor, of_weights: bool) -> Tensor:
        """The gradient by the first layers' products, [C, K H, B]."""
        rooms = self._room(self._shared.back, gradient.shape[2])
        gradient = gradient.reshape(len(self._layers[-1][0]), -1, gradient.shape[2])
        for n in reversed(range(len(self._layers))):
            if of_weights:
                of_weight, of_bias = self._of_layers[n]
                torch.bmm(gradient, self._reads[n].mT, out=of_weight)
                torch.sum(gradient, -1, keepdim=True, out=of_bias)
            if n:
                through, made = rooms[n - 1]
                torch.bmm(self._layers[n][0].mT, gradient, out=through)
                torch.ops.aten.threshold_backward.grad_input(through, self._reads[n], 0, grad_input=through)
                gradient = made
        return gradient

    def _room(self, rooms: dict[int, list[Made]], batch: int) -> list[Made]:
        """Memory for each hidden layer, allocated once per batch size."""
        if batch not in rooms:
            rooms[batch] = []
            for (weight, _), (following, _) in pairwise(self._layers):
                made = weight.new_empty(*weight.shape[:2], batch)
                rooms[batch].append((made.view(len(following), following.shape[2], batch), made))
        return rooms[batch]


def _layers(parameters: Parameters, networks: int) -> list[Layer]:
    """The layers as views; in the first layer a lane's networks are stacked."""
    found = [(parameters[f"weight_{n}"], parameters[f"bias_{n}"].unsqueeze(-1)) for n in range(len(parameters) // 2)]
    for weight, bias in found[:1]:
        found[0] = weight.unflatten(0, (-1, networks)).flatten(1, 2), bias.unflatten(0, (-1, networks)).flatten(1, 2)
    return found
