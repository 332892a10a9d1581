"""Layers of networks that all agents of a team share: S networks in parallel, one batched product per layer.

Axes: S seed, B batch of episodes, T time step, N agent, H hidden unit; M sample, a column: every (B, T, N) or (B, T).

As in nn.py a layer maps [S, in, M] to [S, out, M] with weights [S, out, in] and biases [S, out].
On a CPU with one thread per process, as in the executor, a seed's numbers are the same to the last bit, whichever seeds
run with it. Three things would break that, hence `columns` and `linear`: a vectorised loop (sigmoid, ELU) that ends
inside a seed's numbers; samples as rows whose length does not fill whole registers, since the sum in a weight's
gradient then depends on the address (MKL 2024.2); and width 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from baselines.kernels.nn import Parameters
from baselines.kernels.products import affine, product
from baselines.streams import Streams

# Elementwise loops process two vector registers at once, at most 32 float32 numbers (AVX-512), and the rest one by one
# with another rounding. So activations other than ReLU see a multiple of this number for each seed.
# It is a multiple of nn.py's WHOLE_COLUMNS and more than its FEW_SAMPLES, so it serves for both.
WHOLE_REGISTERS = 32


def initial_linear(
    sizes: Sequence[int], streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """torch.nn.Linear's defaults, which PyMARL and EPyMARL keep: weight and bias uniform in +-1/sqrt(fan_in).

    sizes: entries of the input, of each hidden layer, of the output. weight_0 [S, out, in], bias_0 [S, out], weight_1,
    ... Drawn as torch.nn does, layer by layer, the weight before the bias, from each seed's "initialisation" stream on
    the CPU. So a seed starts from the same numbers, whichever seeds run with it.
    """
    shapes: dict[str, tuple[tuple[int, ...], int]] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        shapes |= {f"weight_{layer}": ((fan_out, fan_in), fan_in), f"bias_{layer}": ((fan_out,), fan_in)}
    return _uniform(shapes, streams, device, dtype)


def initial_gru(
    inputs: int, hidden: int, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """torch.nn.GRUCell's defaults: all uniform in +-1/sqrt(H). Its names, rows (reset, update, new) and order."""
    shapes = {"weight_ih": (3 * hidden, inputs), "weight_hh": (3 * hidden, hidden)}
    shapes |= {"bias_ih": (3 * hidden,), "bias_hh": (3 * hidden,)}
    return _uniform({name: (shape, hidden) for name, shape in shapes.items()}, streams, device, dtype)


def initial_lstm(
    inputs: int, hidden: int, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """torch.nn.LSTMCell's defaults: all uniform in +-1/sqrt(H). Its names and rows (input, forget, cell, output)."""
    shapes = {"weight_ih": (4 * hidden, inputs), "weight_hh": (4 * hidden, hidden)}
    shapes |= {"bias_ih": (4 * hidden,), "bias_hh": (4 * hidden,)}
    return _uniform({name: (shape, hidden) for name, shape in shapes.items()}, streams, device, dtype)


def columns(x: Tensor) -> Tensor:
    """Samples as columns: [S, ..., in] -> [S, in, M], contiguous, M padded with zeros to `WHOLE_REGISTERS`."""
    x = x.flatten(1, -2).mT
    missing = -x.shape[-1] % WHOLE_REGISTERS
    return pad(x, (0, missing)) if missing else x.contiguous()


def rows(x: Tensor, shape: Sequence[int]) -> Tensor:
    """The inverse: [S, out, M] -> [S, *shape, out], without the padding; a view."""
    return x[..., : math.prod(shape)].unflatten(-1, shape).movedim(1, -1)


def linear(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """[S, out, in] x [S, in, M] + [S, out] -> [S, out, M].

    Width 1 is multiplied and summed. With one input entry, the weight's gradient would take a matrix-vector path for a
    single network; in other BLAS libraries one output would, too (nn.py's `values`). Then a seed's numbers would depend
    on the other seeds.
    """
    if weight.shape[1] == 1:
        return (weight.mT * x).sum(1, keepdim=True) + bias.unsqueeze(-1)
    if weight.shape[2] == 1:
        return weight * x + bias.unsqueeze(-1)
    return affine(weight, bias.unsqueeze(-1), x)


def of_linear(gradient: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """`linear`'s gradients for weight [S, out, in] and bias [S, out], from that of its output [S, out, M].

    With the narrower side first, MKL takes half the time (64 x 1,664 x 13: 42 against 94 us) and gives the same bits.
    """
    if 1 in (gradient.shape[1], x.shape[1]):
        of_weight = (gradient.unsqueeze(2) * x.unsqueeze(1)).sum(-1)
    elif x.shape[1] < gradient.shape[1]:
        of_weight = torch.bmm(x, gradient.mT).mT
    else:
        of_weight = torch.bmm(gradient, x.mT)
    return of_weight, gradient.sum(-1)


def of_input(weight: Tensor, gradient: Tensor) -> Tensor:
    """`linear`'s gradient for its input [S, in, M], from that of its output [S, out, M]."""
    if weight.shape[1] == 1:
        return weight.mT * gradient
    if weight.shape[2] == 1:
        return (weight * gradient).sum(1, keepdim=True)
    return product(weight.mT, gradient)


def mlp(parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Linear layers weight_0, weight_1, ... with ReLU between them: [S, in, M] -> [S, out, M].

    First derivatives only.
    """
    layers = [parameters[f"{kind}_{n}"] for n in range(len(parameters) // 2) for kind in ("weight", "bias")]
    if torch.is_grad_enabled():
        return _MLP.apply(x, *layers)
    return _outputs(x, layers)[-1]


def mlp_of_rows(parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """`mlp` of samples in rows: [S, ..., in] -> [S, ..., out], a view."""
    return rows(mlp(parameters, columns(x)), x.shape[1:-1])


def _outputs(x: Tensor, layers: Sequence[Tensor]) -> list[Tensor]:
    """The input and each layer's output, after ReLU except for the last. layers: weight, bias, weight, ..."""
    found, last = [x], len(layers) // 2 - 1
    for n in range(last + 1):
        y = linear(layers[2 * n], layers[2 * n + 1], found[-1])
        found.append(y if n == last else y.relu_())
    return found


class _MLP(torch.autograd.Function):
    """The same operations as torch's own gradients of `_outputs`, so the same bits, but in one call."""

    @staticmethod
    def forward(ctx, x: Tensor, *layers: Tensor) -> Tensor:
        *inputs, y = _outputs(x, layers)
        ctx.save_for_backward(*inputs, *layers)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        kept = ctx.saved_tensors  # read once: each read makes a checkpointed part recompute them
        count = len(kept) // 3
        inputs, layers = kept[:count], kept[count:]
        found: list[Tensor] = []
        for n in reversed(range(count)):
            found = [*of_linear(gradient, inputs[n]), *found]
            if n == 0 and not ctx.needs_input_grad[0]:
                return None, *found
            gradient = of_input(layers[2 * n], gradient)
            if n > 0:
                torch.ops.aten.threshold_backward.grad_input(gradient, inputs[n], 0, grad_input=gradient)
        return gradient, *found


def every_step(p: Tensor, steps: int) -> Tensor:
    """A parameter [S, ...] for each of T steps, [T * S, ...]; its gradient is the sum of theirs."""
    return _EveryStep.apply(p, steps) if torch.is_grad_enabled() else p.expand(steps, *p.shape).flatten(0, 1)


class _EveryStep(torch.autograd.Function):
    """torch's own gradient would add the steps up in an order that depends on how many seeds there are."""

    @staticmethod
    def forward(ctx, p: Tensor, steps: int) -> Tensor:
        ctx.steps = steps
        return p.expand(steps, *p.shape).flatten(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return gradient.unflatten(0, (ctx.steps, -1)).movedim(0, -1).contiguous().sum(-1), None


def lstm_cell(gates_ih: Tensor, gates_hh: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """torch.nn.LSTMCell: c' = f c + i g and h' = o tanh(c') with i, f, o sigmoids and g a tanh of their gates.

    gates_ih, gates_hh [S, 4H, M]: products of the input's and the hidden state's weights, with biases; c [S, H, M].
    Returns h', c'.
    """
    i, f, g, o = (gates_ih + gates_hh).chunk(4, 1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def part(parameters: Mapping[str, Tensor], prefix: str) -> Parameters:
    """The parameters of one network, those named `prefix.*`, without the prefix."""
    start = f"{prefix}."
    return {name.removeprefix(start): p for name, p in parameters.items() if name.startswith(start)}


def named(prefix: str, parameters: Mapping[str, Tensor]) -> Parameters:
    """The inverse of `part`."""
    return {f"{prefix}.{name}": p for name, p in parameters.items()}


def joined(parameters: Mapping[str, Tensor], names: Sequence[str]) -> Parameters:
    """Several MLPs, given by their parameters' prefixes, joined to one MLP with ReLU between them."""
    stack = [part(parameters, name) for name in names]
    layers = [(p[f"weight_{i}"], p[f"bias_{i}"]) for p in stack for i in range(len(p) // 2)]
    weights = {f"weight_{i}": weight for i, (weight, _) in enumerate(layers)}
    return weights | {f"bias_{i}": bias for i, (_, bias) in enumerate(layers)}


def _uniform(
    shapes: Mapping[str, tuple[tuple[int, ...], int]],
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """Uniform in +-1/sqrt(fan), by name: (shape, fan) -> [S, *shape]."""
    parameters: Parameters = {}
    for name, (shape, fan) in shapes.items():
        drawn, bound = torch.empty(len(streams), *shape, dtype=dtype), 1 / math.sqrt(fan)
        for lane, stream in zip(drawn, streams, strict=True):
            lane.uniform_(-bound, bound, generator=stream["initialisation"])
        parameters[name] = drawn.to(device)
    return parameters
