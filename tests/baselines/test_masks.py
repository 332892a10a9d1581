"""Axes: S seed, B batch, T time step, N agent, A action."""

import torch

from baselines.losses import masks


def test_means_are_each_seeds_own():
    """The second seed played one step of four: its mean is that step's, not a share of a pooled count."""
    x = torch.tensor([[[1.0, 2.0], [3.0, 6.0]], [[5.0, float("inf")], [float("nan"), 7.0]]])
    mask = torch.tensor([[[True, True], [True, True]], [[True, False], [False, False]]])
    assert masks.reduced(x, mask, "mean").tolist() == [3.0, 5.0]
    assert masks.reduced(x, mask, "sum").tolist() == [12.0, 5.0]


def test_agents_count_one_by_one():
    x = torch.tensor([[[[1.0, 3.0], [10.0, 20.0]]]])
    mask = torch.tensor([[[True, False]]])
    assert masks.reduced(x, mask, "mean").tolist() == [2.0]
    assert masks.reduced(x, mask, "sum").tolist() == [4.0]


def test_nothing_played_is_zero_and_has_no_gradient():
    x = torch.ones(1, 2, 3, requires_grad=True)
    loss = masks.reduced(x, torch.zeros(1, 2, 3, dtype=torch.bool), "mean")
    assert loss.tolist() == [0.0]
    assert not torch.autograd.grad(loss.sum(), x)[0].any()


def test_unavailable_actions_lose_and_get_no_gradient():
    q = torch.tensor([[[[[1.0, 5.0, 2.0]]]]], requires_grad=True)
    masked = masks.available_q(q, torch.tensor([[[[[True, False, True]]]]]))
    assert masked.argmax(-1).item() == 2
    assert masked[..., 1].item() == -9_999_999
    assert torch.autograd.grad(masked.sum(), q)[0].flatten().tolist() == [1, 0, 1]
