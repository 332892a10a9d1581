"""NDCG (Jarvelin & Kekalainen 2002) with the gain of the ranking literature, 2^relevance - 1. Only formulas.

Axes: N document.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ndcg(scores: Tensor, relevance: Tensor, places: int) -> Tensor:
    """NDCG@k of lists sorted by score, highest first: [..., N] x2 -> [...] float64; 0 if nothing is relevant.

    DCG@k is the sum over the first k places i = 1, 2, ... of (2^relevance - 1) / log2(i + 1). NDCG@k divides it by the
    greatest possible value. places: k. Equal scores keep the order in which they are given.
    """
    gains = torch.exp2(relevance.double()) - 1
    got = gains.gather(-1, scores.argsort(dim=-1, descending=True, stable=True))
    best = gains.sort(dim=-1, descending=True).values
    ideal = _discounted(best, places)
    return torch.where(ideal > 0, _discounted(got, places) / ideal.clamp(min=1), torch.zeros_like(ideal))


def _discounted(gains: Tensor, places: int) -> Tensor:
    """The discounted sum, added place by place: a list's sum does not depend on the lists beside it."""
    discounts = torch.arange(2, places + 2, dtype=gains.dtype).log2().tolist()
    total = torch.zeros_like(gains[..., 0])
    for gain, discount in zip(gains[..., :places].unbind(-1), discounts, strict=True):
        total = total + gain / discount
    return total
