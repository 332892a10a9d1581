"""Linear - ReLU - GRU over whole sequences, with gradients: one autograd function that goes step by step.

Axes: S seed, T time step, M sample, a column (see layers.py), I input entry, H hidden unit.

The GRU is torch.nn.GRUCell's: h' = (1 - u) n + u h with n = tanh(i_n + r h_n), r = sigmoid(i_r + h_r), u likewise,
where i = W_ih x + b_ih and h_. = W_hh h + b_hh. Everything of a step is computed together, while its numbers are in the
cache: for 64 x 384 columns and 151 steps the input's product W_ih x took 37 ms for all steps at once, and 15 ms step by
step (AMD EPYC with AVX-512, one thread, 2026-12-01).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

# The first layer's, then torch.nn.GRUCell's with its rows: reset, update, new.
NAMES = ("in.weight_0", "in.bias_0", "gru.weight_ih", "gru.bias_ih", "gru.weight_hh", "gru.bias_hh")


def gru_states(
    parameters: Mapping[str, Tensor],
    x: Tensor,
    hidden: Tensor,
    begins: Tensor | None = None,
    active: Sequence[int] | None = None,
) -> Tensor:
    """The hidden state after every step, [T, S, H, M], from inputs [T, S, M, I] and a hidden state [S, H, M].

    I: the first layer's, padded with zeros at the end; I and M are multiples of `layers.WHOLE_REGISTERS`.
    begins [T, S, M] bool: a sample's hidden state is zero before this step. active: for each step, how many of the
    first columns go on: a multiple like M that never grows. The other columns are zero from there on.
    First derivatives only.
    """
    assert not x.requires_grad, "inputs get no gradient"
    first, *others = (parameters[name] for name in NAMES)
    weights = [pad(first, (0, x.shape[-1] - first.shape[-1])), *others]
    columns = [x.shape[2]] * len(x) if active is None else active
    if torch.is_grad_enabled():
        return _GRU.apply(x, hidden, begins, columns, *weights)
    return _forward(x, hidden, begins, columns, weights)[0]


def _forward(
    x: Tensor, hidden: Tensor, begins: Tensor | None, columns: Sequence[int], weights: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Hidden states, and for each step the GRU's input, its gates r, u and n in one tensor, and h_n."""
    first, first_bias, weight_ih, bias_ih, weight_hh, bias_hh = weights
    width = weight_hh.shape[-1]
    states = x.new_empty(*x.shape[:2], width, x.shape[2])
    bias = bias_ih + pad(bias_hh[:, : 2 * width], (0, width))
    of_both, of_new = weight_hh.split([2 * width, width], 1)
    first_bias, bias, new_bias = (b.unsqueeze(-1) for b in (first_bias, bias, bias_hh[:, 2 * width :]))
    kept: list[Tensor] = []
    for t, (state, m) in enumerate(zip(states.unbind(), columns, strict=True)):
        hidden = _kept(hidden, begins, t)[..., :m]
        seen = torch.baddbmm(first_bias, first, x[t, :, :m].mT).relu_()
        gates = torch.baddbmm(bias, weight_ih, seen)
        both, new = gates.split([2 * width, width], 1)
        reset, update = both.baddbmm_(of_both, hidden).sigmoid_().chunk(2, 1)
        own_new = torch.baddbmm(new_bias, of_new, hidden)
        new.addcmul_(reset, own_new).tanh_()
        kept += [seen, gates, own_new]
        state[..., m:] = 0
        hidden = torch.lerp(new, hidden, update, out=state[..., :m])
    return states, kept


def _kept(hidden: Tensor, begins: Tensor | None, t: int) -> Tensor:
    """The hidden state that step t reads; in the backward pass its gradient."""
    return hidden if begins is None else hidden.masked_fill(begins[t].unsqueeze(1), 0)


class _GRU(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x: Tensor, hidden: Tensor, begins: Tensor | None, columns: Sequence[int], *weights: Tensor
    ) -> Tensor:
        states, kept = _forward(x, hidden, begins, columns, weights)
        ctx.begins, ctx.columns = begins, columns
        ctx.save_for_backward(x, hidden, states, *weights, *kept)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, initial, states, *saved = ctx.saved_tensors
        weights, kept = saved[:6], saved[6:]
        weight_ih, weight_hh = weights[2], weights[4]
        width = weight_hh.shape[-1]
        sums = [torch.zeros_like(p) for p in weights]
        of_first, of_first_bias, of_weight_ih, of_bias_ih, of_weight_hh, of_bias_hh = sums
        carried = initial[..., :0]
        for t, m in reversed([*enumerate(ctx.columns)]):
            seen, gates, own_new = kept[3 * t : 3 * t + 3]
            hidden = _kept(states[t - 1] if t else initial, ctx.begins, t)[..., :m]
            both, new = gates.split([2 * width, width], 1)
            reset, update = both.chunk(2, 1)
            later, carried = carried, gradient[t, ..., :m].clone()
            carried[..., : later.shape[-1]] += later
            passed = carried * update
            of_gates = torch.empty_like(gates)  # of what r, u and n are functions of
            of_both, of_new = of_gates.split([2 * width, width], 1)
            torch.ops.aten.tanh_backward.grad_input(carried - passed, new, grad_input=of_new)
            torch.mul(of_new, own_new, out=of_both[:, :width])
            torch.mul(hidden - new, carried, out=of_both[:, width:])
            torch.ops.aten.sigmoid_backward.grad_input(of_both, both, grad_input=of_both)
            of_own_new = of_new * reset
            of_seen = torch.bmm(weight_ih.mT, of_gates)
            torch.ops.aten.threshold_backward.grad_input(of_seen, seen, 0, grad_input=of_seen)
            of_first.baddbmm_(of_seen, x[t, :, :m])
            of_first_bias.add_(of_seen.sum(-1))
            of_weight_ih.baddbmm_(of_gates, seen.mT)
            of_bias_ih.add_(of_gates.sum(-1))
            of_weight_hh[:, : 2 * width].baddbmm_(of_both, hidden.mT)
            of_weight_hh[:, 2 * width :].baddbmm_(of_own_new, hidden.mT)
            of_bias_hh[:, 2 * width :].add_(of_own_new.sum(-1))
            passed.baddbmm_(weight_hh[:, : 2 * width].mT, of_both)
            carried = _kept(passed.baddbmm_(weight_hh[:, 2 * width :].mT, of_own_new), ctx.begins, t)
        of_bias_hh[:, : 2 * width] = of_bias_ih[:, : 2 * width]
        of_hidden = pad(carried, (0, initial.shape[-1] - carried.shape[-1]))
        return None, of_hidden, None, None, *sums
