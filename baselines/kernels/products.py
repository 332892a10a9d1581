"""A stack's layers by the faster of torch's two CPU libraries, with the same result to the last bit.

Axes: K network (a stack of seeds and agents); M entry of a layer's output, I of its input; B batch.

torch uses MKL for float32 products. oneDNN also comes with torch and takes half of MKL's time on an AMD EPYC with
AVX-512 (64 x 64 x 1,024: 48 against 85 us; 256 x 116 x 1,024: 243 against 530 us). There both give the same bits if an
entry is a sum of up to `ONE_BLOCK` terms: for every such I, with 5 to 512 rows (torch 2.13.0, MKL 2024.2). MKL splits
longer sums in its own way, so these products stay with MKL: the gradients of weights, and the critics' first layer for
five or more agents. On a processor where both differ, a run's last bits depend on the library that multiplies, as they
depend on the processor anyway. A seed's bits never depend on other seeds, since each network is a separate call.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ONE_BLOCK = 192
# No public function reaches oneDNN as directly. A torch without this one uses MKL, which is slower.
HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
WORTH_CALLING = 2**21  # M x I x B of a network; below this, one batched call is no slower than separate calls


def affine(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """weight [K, M, I] x [K, I, B] + bias [K, M, 1] -> [K, M, B], with gradients: torch.baddbmm(bias, weight, x)."""
    if torch.is_grad_enabled():
        return _Affine.apply(weight, bias, x)
    return _affine(weight, bias, x)


class _Affine(torch.autograd.Function):
    """The same operations as torch's own gradients of baddbmm, so the same bits. First derivatives only."""

    @staticmethod
    def forward(ctx, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(weight, x)
        return _affine(weight, bias, x)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        weight, x = ctx.saved_tensors
        of_weight, of_bias, of_x = ctx.needs_input_grad
        return (
            torch.bmm(gradient, x.mT) if of_weight else None,
            gradient.sum(-1, keepdim=True) if of_bias else None,
            product(weight.mT, gradient) if of_x else None,
        )


def product(left: Tensor, right: Tensor) -> Tensor:
    """[K, M, I] x [K, I, B] -> [K, M, B]: torch.bmm(left, right), no gradients."""
    if not _suits_onednn(left, right):
        return torch.bmm(left, right)
    return torch.stack([_onednn(a, b) for a, b in zip(left.unbind(), right.unbind(), strict=True)])


def _affine(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    if not _suits_onednn(weight, x):
        return torch.baddbmm(bias, weight, x)
    out = x.new_empty(*weight.shape[:2], x.shape[2])
    for place, w, own, columns in zip(out.unbind(), weight.unbind(), bias.unbind(), x.unbind(), strict=True):
        torch.add(_onednn(w, columns), own, out=place)
    return out


def _onednn(left: Tensor, right: Tensor) -> Tensor:
    """The product by torch.compile's operator for a linear layer: x, weight -> x weight^T."""
    return torch.ops.mkldnn._linear_pointwise(left, right.mT, None, "none", [], "")


def _suits_onednn(left: Tensor, right: Tensor) -> bool:
    """Whether oneDNN pays off. Memory must have no gaps: oneDNN's path for gaps takes seconds."""
    rows, inner, columns = left.shape[1], left.shape[2], right.shape[2]
    return (
        rows * inner * columns >= WORTH_CALLING
        and inner <= ONE_BLOCK
        and left.device.type == "cpu"
        and left.dtype == torch.float32
        and HAS_ONEDNN
        and all(m.is_contiguous() or m.mT.is_contiguous() for m in (left, right))
    )
