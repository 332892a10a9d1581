"""Axes: S seed, B batch, T time step, N agent, A action."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines.losses import returns
from baselines.qmix import greedy_values, one_step_targets

GAMMA = 0.5
S, B, T = 3, 6, 7


def episodes() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rewards, terminated, mask and values, float64; episodes end early, in a terminal state or by a time limit.

    Steps that were not played are infinite.
    """
    g = torch.Generator().manual_seed(0)
    rewards = torch.randn(S, B, T, generator=g, dtype=torch.float64)
    values = torch.randn(S, B, T + 1, generator=g, dtype=torch.float64)
    terminated, mask = torch.zeros(S, B, T, dtype=torch.bool), torch.zeros(S, B, T, dtype=torch.bool)
    for s in range(S):
        for b in range(B):
            length = T if b < 2 else 1 + (2 * b + s) % T
            mask[s, b, :length] = True
            terminated[s, b, length - 1] = b % 2 == 0
            rewards[s, b, length:] = float("inf")
            values[s, b, length + 1 :] = float("inf")
    return rewards, terminated, mask, values


def length(mask: Tensor) -> int:
    return int(mask.sum())


def test_one_step_targets_by_hand():
    """The terminal state's value does not count; after a time limit it does."""
    rewards = torch.tensor([[[1.0, 2.0], [1.0, 2.0]]])
    terminated = torch.tensor([[[False, True], [False, False]]])
    values = torch.tensor([[[9.0, 4.0, 8.0], [9.0, 4.0, 8.0]]])
    assert one_step_targets(rewards, terminated, values, GAMMA).tolist() == [[[3.0, 2.0], [3.0, 6.0]]]


def test_double_q_chooses_by_one_network_and_values_by_the_other():
    online = torch.tensor([1.0, 5.0, 9.0]).view(1, 1, 1, 1, 3)
    target = torch.tensor([7.0, 2.0, 8.0]).view(1, 1, 1, 1, 3)
    avail = torch.tensor([True, True, False]).view(1, 1, 1, 1, 3)
    assert [x.item() for x in greedy_values(target, avail, online)] == [2.0, 1]
    assert [x.item() for x in greedy_values(target, avail)] == [7.0, 0]
    nothing, _ = greedy_values(target, torch.zeros_like(avail), online)
    assert torch.isfinite(nothing).all()


def test_td_lambda_by_hand():
    """lambda .5: the last step 2 + .5 * 8, the first 1 + .5 * (.5 * 4 + .5 * 6)."""
    rewards, terminated = torch.tensor([[[1.0, 2.0]]]), torch.zeros(1, 1, 2, dtype=torch.bool)
    mask, values = torch.ones(1, 1, 2, dtype=torch.bool), torch.tensor([[[9.0, 4.0, 8.0]]])
    assert returns.td_lambda_targets(rewards, terminated, mask, values, GAMMA, 0.5).tolist() == [[[3.5, 6.0]]]


def test_td_lambda_zero_is_one_step():
    rewards, terminated, mask, values = episodes()
    ours = returns.td_lambda_targets(rewards, terminated, mask, values, GAMMA, 0.0)
    one_step = one_step_targets(rewards, terminated, values, GAMMA)
    torch.testing.assert_close(ours[mask], one_step[mask], rtol=0, atol=1e-14)
    assert not ours[~mask].any()


def test_td_lambda_one_is_the_discounted_return():
    """Bootstrapped where a time limit ended the episode, not where a terminal state did."""
    rewards, terminated, mask, values = episodes()
    ours = returns.td_lambda_targets(rewards, terminated, mask, values, GAMMA, 1.0)
    for s in range(S):
        for b in range(B):
            end = length(mask[s, b])
            for t in range(end):
                expected = sum(GAMMA ** (k - t) * rewards[s, b, k].item() for k in range(t, end))
                if not terminated[s, b].any():
                    expected += GAMMA ** (end - t) * values[s, b, end].item()
                assert ours[s, b, t].item() == pytest.approx(expected, abs=1e-13)


def n_step(rewards: Tensor, terminated: Tensor, values: Tensor, t: int, n: int) -> float:
    total = sum(GAMMA**k * rewards[t + k].item() for k in range(n))
    return total + (0.0 if terminated[t + n - 1] else GAMMA**n * values[t + n].item())


def test_td_lambda_is_the_mean_of_n_step_returns():
    """The forward view: (1 - lambda) sum lambda^(n-1) G^n, the rest of the weight on the longest."""
    rewards, terminated, mask, values = episodes()
    ours = returns.td_lambda_targets(rewards, terminated, mask, values, GAMMA, 0.6)
    for s in range(S):
        for b in range(B):
            end = length(mask[s, b])
            for t in range(end):
                steps = [n_step(rewards[s, b], terminated[s, b], values[s, b], t, n) for n in range(1, end - t + 1)]
                expected = 0.4 * sum(0.6**i * g for i, g in enumerate(steps[:-1])) + 0.6 ** (len(steps) - 1) * steps[-1]
                assert ours[s, b, t].item() == pytest.approx(expected, abs=1e-13)


def test_n_step_returns_by_hand():
    """Two steps: 1 + .5 * 2 + .25 * 8; 2 + .5 * 4 + .25 * 16, the last state's value; 4 + .5 * 16. Then a terminal end:
    2 + .5 * 4 and 4 alone.
    """
    rewards, values = torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[9.0, 9.0, 8.0, 16.0]]])
    mask, over = torch.ones(1, 1, 3, dtype=torch.bool), torch.tensor([[[False, False, True]]])
    assert returns.n_step_returns(rewards, ~mask, mask, values, GAMMA, 2).tolist() == [[[4.0, 8.0, 12.0]]]
    assert returns.n_step_returns(rewards, over, mask, values, GAMMA, 2).tolist() == [[[4.0, 4.0, 4.0]]]


@pytest.mark.parametrize("steps", [1, 3, T + 5])
def test_n_step_returns_look_as_far_as_the_episode_goes(steps):
    rewards, terminated, mask, values = episodes()
    ours = returns.n_step_returns(rewards, terminated, mask, values, GAMMA, steps)
    assert not ours[~mask].any()
    for s in range(S):
        for b in range(B):
            end = length(mask[s, b])
            for t in range(end):
                expected = n_step(rewards[s, b], terminated[s, b], values[s, b], t, min(steps, end - t))
                assert ours[s, b, t].item() == pytest.approx(expected, abs=1e-13)


def test_value_moments_forget_what_is_long_past():
    """Returns 1 and 3 of seed 0, then 5: means and mean squares decay together, so their ratio is the mean's."""
    mask = torch.tensor([[[True, True, False]], [[True, False, False]]])
    first = torch.tensor([[[1.0, 3.0, 99.0]], [[-4.0, 9.0, 9.0]]]).unsqueeze(-1)
    moments = returns.ValueMoments.initial(2).updated(first, mask)
    assert moments.normalised(first)[0].flatten().tolist()[:2] == pytest.approx([-1, 1], abs=1e-6)
    for _ in range(3):
        moments = moments.updated(torch.full_like(first, 5.0), mask)
    old, new = 0.99999**3, 1 - 0.99999**3
    share = 1e-5 * old / (1e-5 * old + new)
    mean, square = 2 * share + 5 * (1 - share), 5 * share + 25 * (1 - share)
    values = torch.tensor([0.0, 1.0, -2.0]).expand(2, 1, 3).unsqueeze(-1)
    deviation = (square - mean**2) ** 0.5
    expected = [mean, mean + deviation, mean - 2 * deviation]
    assert moments.denormalised(values)[0].flatten().tolist() == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(moments.normalised(moments.denormalised(values)), values, rtol=0, atol=1e-6)


def test_value_moments_start_with_the_least_variance_and_keep_it():
    """on-policy's clamp: a deviation of .1 before anything was seen, and where all returns are the same."""
    ones = torch.ones(1, 1, 2, 1)
    start = returns.ValueMoments.initial(1)
    assert start.denormalised(ones).flatten().tolist() == pytest.approx([0.1, 0.1])
    same = start.updated(7 * ones, torch.ones(1, 1, 2, dtype=torch.bool))
    assert same.denormalised(ones).flatten().tolist() == pytest.approx([7.1, 7.1])


def pymarl2(rewards: Tensor, terminated: Tensor, mask: Tensor, values: Tensor, td_lambda: float) -> Tensor:
    """PyMARL2's recursion, which multiplies by masks."""
    later, found = values[:, :, -1] * (1 - terminated.double().sum(-1)), []
    for t in reversed(range(T)):
        value = (1 - td_lambda) * GAMMA * values[:, :, t + 1] * (1 - terminated[:, :, t].double())
        later = td_lambda * GAMMA * later + mask[:, :, t] * (rewards[:, :, t] + value)
        found.append(later)
    return torch.stack(found[::-1], 2)


def test_td_lambda_agrees_with_pymarl2_but_after_an_early_time_limit():
    rewards, terminated, mask, values = (x.nan_to_num(posinf=3.0) for x in episodes())
    ours = returns.td_lambda_targets(rewards, terminated, mask, values, GAMMA, 0.6)
    theirs = pymarl2(rewards, terminated, mask, values, 0.6)
    same = terminated.any(-1) | mask.all(-1)
    assert same.any()
    assert not same.all()
    torch.testing.assert_close(ours[same], theirs[same], rtol=0, atol=1e-13)
    assert ((ours - theirs)[~same].abs().amax(-1) > 0.01).all()


@pytest.mark.parametrize("gae_lambda", [0.0, 0.95, 1.0])
def test_advantages_are_discounted_sums_of_td_errors(gae_lambda):
    rewards, terminated, mask, values = episodes()
    ours = returns.generalised_advantages(rewards, terminated, mask, values, GAMMA, gae_lambda)
    assert not ours[~mask].any()
    for s in range(S):
        for b in range(B):
            end = length(mask[s, b])
            deltas = [
                n_step(rewards[s, b], terminated[s, b], values[s, b], t, 1) - values[s, b, t].item() for t in range(end)
            ]
            for t in range(end):
                expected = sum((GAMMA * gae_lambda) ** k * d for k, d in enumerate(deltas[t:]))
                assert ours[s, b, t].item() == pytest.approx(expected, abs=1e-13)


def test_advantages_of_each_agent():
    rewards, terminated, mask, values = episodes()
    whole = returns.generalised_advantages(rewards, terminated, mask, values, GAMMA, 0.9)
    two_rewards, two_ends, two_masks, two_values = (
        torch.stack([x, x.flip(1)], -1) for x in (rewards, terminated, mask, values)
    )
    both = returns.generalised_advantages(two_rewards, two_ends, two_masks, two_values, GAMMA, 0.9)
    assert torch.equal(both, torch.stack([whole, whole.flip(1)], -1))


def test_targets_carry_no_gradient():
    rewards, terminated, mask, values = episodes()
    values.requires_grad_()
    assert not one_step_targets(rewards, terminated, values, GAMMA).requires_grad
    assert not returns.td_lambda_targets(rewards, terminated, mask, values, GAMMA, 0.5).requires_grad
    assert not returns.generalised_advantages(rewards, terminated, mask, values, GAMMA, 0.5).requires_grad
    assert not returns.n_step_returns(rewards, terminated, mask, values, GAMMA, 2).requires_grad
    q = torch.randn(1, 1, 1, 1, 3, requires_grad=True)
    assert not greedy_values(q, torch.ones(1, 1, 1, 1, 3, dtype=torch.bool), q)[0].requires_grad


def test_moments_after_many_batches_are_those_of_all_rewards():
    """Batch by batch with the unbiased variance of each batch, so a little above the variance of all."""
    g = torch.Generator().manual_seed(0)
    batches = [torch.randn(2, 3, 5, generator=g) * 4 - 7 for _ in range(40)]
    moments = returns.RewardMoments.initial(2)
    for batch in batches:
        moments = moments.updated(batch, torch.ones_like(batch, dtype=torch.bool))
    seen = torch.stack(batches, 1).flatten(1).double()
    torch.testing.assert_close(moments.mean, seen.mean(1), rtol=1e-5, atol=0)
    means = torch.stack(batches, 1).flatten(2).double().mean(-1)
    within = torch.stack(batches, 1).flatten(2).double().var(-1).mean(1)
    between = means.var(1, unbiased=False)
    torch.testing.assert_close(moments.variance, within + between, rtol=1e-4, atol=0)
    assert moments.count.tolist() == pytest.approx([600 + 1e-4] * 2)


def test_moments_by_hand():
    """Rewards 1, 3 against mean 0 and variance 1 of weight 1e-4: mean 2 * 2 / 2.0001."""
    ones = torch.ones(1, 1, 2, dtype=torch.bool)
    moments = returns.RewardMoments.initial(1).updated(torch.tensor([[[1.0, 3.0]]]), ones)
    assert moments.mean.item() == pytest.approx(4 / 2.0001)
    assert moments.variance.item() == pytest.approx((1e-4 + 2 * 2 + 4 * 2e-4 / 2.0001) / 2.0001)
    standardised = moments.standardised(torch.tensor([[[1.0, 3.0]]]))
    assert standardised.dtype == torch.float32
    assert standardised.tolist()[0][0] == pytest.approx([-0.7070, 0.7072], abs=1e-4)


def test_moments_leave_out_what_the_mask_leaves_out_and_keep_seeds_apart():
    rewards, _, mask, _ = episodes()
    moments = returns.RewardMoments.initial(S).updated(rewards, mask)
    for s in range(S):
        played = rewards[s][mask[s]].view(1, 1, -1)
        alone = returns.RewardMoments.initial(1).updated(played, torch.ones_like(played, dtype=torch.bool))
        assert moments.mean[s].item() == pytest.approx(alone.mean.item(), abs=1e-13)
        assert moments.variance[s].item() == pytest.approx(alone.variance.item(), abs=1e-13)


def test_moments_of_one_reward_and_of_none():
    start = returns.RewardMoments.initial(1)
    one = start.updated(torch.tensor([[[5.0]]]), torch.tensor([[[True]]]))
    assert one.mean.item() == pytest.approx(5, rel=1e-3)
    assert 0 < one.variance.item() < 0.01
    none = start.updated(torch.tensor([[[5.0]]]), torch.tensor([[[False]]]))
    assert (none.mean.item(), none.variance.item(), none.count.item()) == (0, 1, 1e-4)
