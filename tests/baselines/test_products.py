"""Layers by oneDNN compared with torch's own operations, and the choice of products for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines.kernels import products

BATCH = 1024
SIZES = [(64, 64), (256, 116), (64, 24), (384, 246), (5, 64)]  # M, I: hidden, critics' and actors' first, large, output
USE_ONEDNN = [True, True, False, False, False]


def layer(rows: int, inner: int, batch: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    """Weight, bias and input of three networks; the input's samples are rows in memory."""
    g = torch.Generator().manual_seed(rows + inner)
    weight = torch.randn(3, rows, inner, generator=g) / inner**0.5
    return weight, torch.randn(3, rows, 1, generator=g), torch.randn(3, batch, inner, generator=g).mT


@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_are_baddbmms(size: tuple[int, int]):
    found = []
    for run in (products.affine, lambda weight, bias, x: torch.baddbmm(bias, weight, x)):
        leaves = [t.clone().requires_grad_() for t in layer(*size)]
        out = run(*leaves)
        found.append([out.detach(), *torch.autograd.grad(out.square().mean(), leaves)])
    for ours, torchs in zip(*found, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("size", SIZES)
def test_a_network_is_the_same_alone_and_in_company(size: tuple[int, int]):
    parts = layer(*size)
    stacked = products.affine(*parts)
    for k in range(3):
        assert torch.equal(stacked[k], products.affine(*(p[k : k + 1] for p in parts))[0])


def test_only_what_was_asked_for_gets_a_gradient():
    weight, bias, x = layer(64, 64)
    products.affine(weight, bias.requires_grad_(), x).sum().backward()
    assert bias.grad is not None
    assert (weight.grad, x.grad) == (None, None)
    torch.testing.assert_close(bias.grad, torch.full_like(bias, BATCH))


@pytest.mark.parametrize(("size", "expected"), list(zip(SIZES, USE_ONEDNN, strict=True)))
def test_which_products_go_to_onednn(size: tuple[int, int], expected: bool):
    weight, _, x = layer(*size)
    assert products._suits_onednn(weight, x) == (expected and torch.backends.mkldnn.is_available())
    assert not products._suits_onednn(weight.double(), x.double())
    assert not products._suits_onednn(weight, layer(*size, batch=32)[2])


def test_matrices_with_gaps_in_memory_stay_away_from_onednn():
    weight, _, x = layer(64, 64)
    assert not products._suits_onednn(weight, torch.cat([x, x], -1)[..., ::2])
    assert not products._suits_onednn(torch.cat([weight, weight], -1)[..., :64], x)
