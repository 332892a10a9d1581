"""MAPPO on one task and on several: losses, sampling, lanes, stops. test_plain_mappo.py has the arithmetic.

Axes: S seed, E environment copy, B batch, T time step, N agent, A action; K task.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from baselines.mappo import SampledPlay, entropy, gumbel, log_policy, mappo, policy_loss, standardised, value_loss
from baselines.mappo_multi import mappo_multi
from baselines.specs import TaskSizes
from tests.teams import assert_same, ppo, seen, several_ppo, started, toy_rollout, toy_task

TASKS = [toy_task(), toy_task(3, 5, 3, 7, state_size=4), toy_task(1, 1, 6, 2)]
ON_POLICY: dict[str, Any] = {
    "td_steps": None,
    "gae_lambda": 0.95,
    "tau": 1.0,
    "value_normalisation": True,
    "advantage_critic": "target",
    "standardise_advantages": True,
    "clip_values": True,
    "huber_delta": 0.5,
}
KINDS = {
    "epymarl": (mappo, TASKS[:1], ppo()),
    "on-policy": (mappo, TASKS[1:2], ppo(**ON_POLICY, use_rnn=True, critic_use_rnn=True)),
    "several tasks": (mappo_multi, TASKS, several_ppo(value_normalisation=True, time_limit_terminal=True)),
}


def row(*numbers: float) -> torch.Tensor:
    """[1, 1, T, 1]: one seed's episode of one agent."""
    return torch.tensor(numbers, dtype=torch.float64).view(1, 1, -1, 1)


def test_a_ratio_pays_up_to_the_clip():
    """Gains min(r A, clip(r) A): 1.1, 1.2 (r = 1.5 is clipped), -1.5 (not), -.8 (r = .5 is clipped); what comes after
    the end does not count, were its ratio infinite. The mean is 0.
    """
    old, advantages = row(0, 0, 0, 0, -1e4), row(1, 1, -1, -1, 1)
    taken = row(1.1, 1.5, 1.5, 0.5, 1).log().requires_grad_()
    mask = torch.tensor([[[True, True, True, True, False]]])
    loss = policy_loss(taken, old, advantages, 0.2, mask)
    assert loss.item() == pytest.approx(-(1.1 + 1.2 - 1.5 - 0.8) / 4)
    (gradient,) = torch.autograd.grad(loss.sum(), taken)
    assert gradient.flatten().tolist() == pytest.approx([-1.1 / 4, 0, 1.5 / 4, 0, 0])


def test_value_losses():
    """Errors 3 and .5 and one that does not count; squares, Huber beyond 1, and values held to within 1 of old ones."""
    values, targets, old = row(0, 2, 9), row(3, 2.5, 0), row(-2, 2, 0)
    mask = torch.tensor([[[True, True, False]]])
    assert value_loss(values, old, targets, mask, None, None).item() == pytest.approx((9 + 0.25) / 2)
    assert value_loss(values, old, targets, mask, None, 1.0).item() == pytest.approx((2.5 + 0.125) / 2)
    assert value_loss(values, old, targets, mask, 1.0, None).item() == pytest.approx((16 + 0.25) / 2)


def test_entropy_counts_available_actions_alone():
    avail = torch.tensor([[True, True, False], [False, True, False]]).view(1, 1, 1, 2, 3)
    log_pi = log_policy(torch.tensor([5.0, 5.0, 9.0, 1.0, 2.0, 3.0]).view(1, 1, 1, 2, 3), avail)
    assert entropy(log_pi, torch.ones(1, 1, 1, dtype=torch.bool)).item() == pytest.approx(0.693147 / 2)


def test_advantages_are_standardised_by_the_steps_played():
    """Mean 2, deviation 1 of 1 and 3; to five digits, because 1e-5 is added."""
    scaled = standardised(row(1, 3, 100), torch.tensor([[[True, True, False]]]))
    assert scaled.flatten().tolist()[:2] == pytest.approx([-1, 1], abs=2e-5)


def test_sampled_actions_follow_the_policy():
    """Logits 0, log 2, log 5 and one not available: 1/8, 2/8, 5/8 of 40,000 actions, to .01 (four deviations)."""
    actor = {"weight_0": torch.zeros(1, 4, 2), "bias_0": torch.tensor([[1.0, 2.0, 5.0, 99.0]]).log()}
    noise = gumbel((1, 1, 20_000, 2, 4), torch.Generator().manual_seed(0), torch.device("cpu"), torch.float32)
    avail = torch.tensor([True, True, True, False]).expand(1, 20_000, 2, 4)
    actions = SampledPlay(actor, False, False, noise)(seen(torch.zeros(1, 20_000, 2, 2), avail))
    assert actions.sum(-1).eq(1).all()
    assert actions.mean((0, 1, 2)).tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8, 0], abs=0.01)


@pytest.mark.parametrize("name", KINDS)
def test_unavailable_actions_are_never_taken(name):
    kind, tasks, h = KINDS[name]
    run = started(kind, tasks, h).play(3)
    for rollouts in run.rollouts:
        for k, rollout in enumerate(rollouts):
            assert rollout.actions.sum(-1).eq(1).all()
            assert (rollout.avail_actions[:, :, :-1] | (rollout.actions == 0)).all()
            best = run.learner.greedy(k)(seen(rollout.obs[:, :, 0], rollout.avail_actions[:, :, 0]))
            assert (rollout.avail_actions[:, :, 0] | (best == 0)).all()


@pytest.mark.parametrize("name", KINDS)
def test_a_seeds_numbers_do_not_depend_on_its_companions(name):
    """Bit for bit in float32: networks, targets, Adam, moments, losses and actions."""
    kind, tasks, h = KINDS[name]
    alone = started(kind, tasks, h, (3,)).play(4)
    for seeds in ((0, 1, 2, 3, 4), (3, 8), (4, 9, 3)):
        assert_same(started(kind, tasks, h, seeds).play(4).lane(seeds.index(3)), alone.lane(0))


@pytest.mark.parametrize("changes", [{}, ON_POLICY])
def test_nor_at_the_sizes_of_the_particle_tasks(changes):
    h, task = ppo(hidden_width=64, update_episodes=10, **changes), toy_task(2, 11, 5, 25)
    alone = started(mappo, [task], h, (3,)).play(2)
    assert_same(started(mappo, [task], h, (1, 0, 3, 2, 4)).play(2).lane(2), alone.lane(0))


@pytest.mark.parametrize("name", KINDS)
def test_a_stopped_run_ends_as_an_uninterrupted_one(name):
    """Seeds are stopped in one order and go on in another."""
    kind, tasks, h = KINDS[name]
    whole = started(kind, tasks, h, (0, 1, 2)).play(6)
    first = started(kind, tasks, h, (2, 0, 1)).play(4)
    second, order = started(kind, tasks, h, (0, 1, 2)), [1, 2, 0]
    second.learner.load_state({name: x[order] for name, x in first.learner.state().items()})
    for lane, own in enumerate(order):
        second.streams[lane].load_state(first.streams[own].state())
    second.rounds = 4
    assert_same(second.play(2).learner.state(), whole.learner.state())
    assert [seen.keys() for seen in second.seen] == [seen.keys() for seen in whole.seen[4 * len(tasks) :]]


def test_a_state_is_a_copy():
    run = started(mappo, TASKS[:1], ppo()).play(1)
    state, policy = run.learner.state(), run.learner.policy()
    kept = [{name: x.clone() for name, x in found.items()} for found in (state, policy)]
    run.play(1)
    assert_same(state, kept[0])
    assert_same(policy, kept[1])


def test_a_round_that_was_played_in_inference_mode_is_learnt_from():
    run, again = (started(mappo, TASKS[:1], ppo()) for _ in range(2))
    with torch.inference_mode():
        rollout = toy_rollout(run.learner, 0, run.streams, 0)
    losses = run.learner.learn(0, rollout, 3)
    assert losses.keys() == {"policy", "value", "entropy"}
    assert_same(losses, again.learner.learn(0, toy_rollout(again.learner, 0, again.streams, 0), 3))


def test_a_tasks_update_moves_its_own_layers_and_the_shared_ones():
    run = started(mappo_multi, TASKS, several_ppo(), (0, 1)).play(2)
    for task, rollout in enumerate(run.rollouts[-1]):
        before = run.learner.state()
        run.learner.learn(task, rollout, 9)
        after = run.learner.state()
        moved = {n.rpartition(".")[0] for n, x in before.items() if not torch.equal(x, after[n])}
        networks = {name for name in moved if name.startswith(("actor.", "critic."))}
        own = {f"actor.E_{task}", f"actor.EA_{task}", f"critic.SE_{task}"}
        assert networks == own | {"actor.F", "critic.V"}
        assert {name for name in moved if name.startswith(("rewards_", "values_"))} == {f"rewards_{task}"}


def test_one_task_is_for_mappo_and_several_for_its_other_form():
    with pytest.raises(ValueError, match="got 3 tasks; allowed: 1"):
        started(mappo, TASKS, ppo())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gae_lambda": 0.9}, "got td_steps = 2 and gae_lambda = 0.9; allowed: one of the two"),
        ({"td_steps": None}, "got td_steps = None and gae_lambda = None"),
        ({"critic_use_rnn": True, "hidden_layers": 3}, "hidden_layers: got 3 with a recurrent network; allowed: 2"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        ppo(**changes)


def test_an_update_costs_its_products():
    """By hand: 10 episodes of 2 steps, 2 agents; 3 observations, 4 actions. An actor of (3 + 2 + 4) * 16 + 16^2, a
    critic of (6 + 2 + 1) * 16 + 16^2; 3 passes of 3 products each, one more of the old policy, the target, and to act.
    """
    assert ppo().work(TaskSizes(2, 3, 4, 2), 10).operations == 2 * 10 * 2 * 2 * (400 * (9 + 2) + 400 * (9 + 1))
    actor, critic = 5 * 12 + (12 + 4) * 16 + 256, 8 * 10 + (10 + 1) * 16 + 256
    assert several_ppo().work(TaskSizes(2, 3, 4, 2), 10).operations == 2 * 10 * 2 * 2 * (actor * 11 + critic * 10)
