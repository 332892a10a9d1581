"""QMIX and VDN on one task: lanes, stops, schedules, masks. test_plain_team.py has the arithmetic.

Axes: S seed, E environment copy, B batch, T time step, N agent, A action.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from baselines.learner import Rollout, Seen
from baselines.losses.returns import RewardMoments
from baselines.qmix import qmix
from tests.teams import Watching, assert_same, seen, single, started, toy_rollout, toy_task

KINDS = [
    ("qmix", {}),
    ("vdn", {"obs_last_action": True, "td_steps": None, "td_lambda": 0.6}),
    ("qmix", {"use_rnn": True, "obs_last_action": True, "hypernetwork_layers": 1, "double_q": False}),
    ("vdn", {"obs_agent_id": False, "standardise_rewards": False, "time_limit_terminal": False}),
]


@pytest.mark.parametrize(("mixer", "changes"), KINDS)
def test_a_seeds_numbers_do_not_depend_on_its_companions(mixer, changes):
    """Bit for bit in float32: networks, targets, Adam, moments, losses and actions."""
    h = single(mixer, **changes)
    alone = started(qmix, [toy_task()], h, (3,)).play(8)
    assert sum("td" in seen for seen in alone.seen) == 6
    for seeds in ((0, 1, 2, 3, 4), (3, 8), (4, 9, 3)):
        company = started(qmix, [toy_task()], h, seeds).play(8)
        assert_same(company.lane(seeds.index(3)), alone.lane(0))


def test_nor_at_the_sizes_of_the_particle_tasks():
    sizes = {"hidden_width": 64, "mixing_width": 32, "hypernetwork_width": 64, "batch_size": 32, "replay_size": 40}
    h, task = single("qmix", **sizes, update_episodes=32), toy_task(2, 11, 5, 25)
    alone = started(qmix, [task], h, (3,)).play(2)
    assert_same(started(qmix, [task], h, (1, 0, 3, 2, 4)).play(2).lane(2), alone.lane(0))


@pytest.mark.parametrize(("mixer", "changes"), KINDS[:3])
@pytest.mark.parametrize("task", [toy_task(), toy_task(state_size=4)])
def test_a_stopped_run_ends_as_an_uninterrupted_one(mixer, changes, task):
    """Two runs of other seeds, stopped after the ring has wrapped, go on together."""
    h = single(mixer, **changes)
    whole = started(qmix, [task], h, (0, 1, 2)).play(16)
    parts = [started(qmix, [task], h, seeds).play(12) for seeds in ((0,), (1, 2))]
    joined = started(qmix, [task], h, (0, 1, 2))
    states = [run.learner.state() for run in parts]
    joined.learner.load_state({name: torch.cat([state[name] for state in states]) for name in states[0]})
    for lane, (run, own) in enumerate(((parts[0], 0), (parts[1], 0), (parts[1], 1))):
        joined.streams[lane].load_state(run.streams[own].state())
        replay = run.learner.replays[0]
        assert (replay.first, replay.episodes) == (4, 24)
        for start, stop in ((4, 11), (11, 24)):
            joined.learner.replays[0].restore(lane, start, replay.rows(own, start, stop))
    joined.rounds = 12
    joined.play(4)
    assert_same(joined.learner.state(), whole.learner.state())
    assert_same(
        {str(i): seen["td"] for i, seen in enumerate(joined.seen)},
        {str(i): s["td"] for i, s in enumerate(whole.seen[12:])},
    )


def test_seeds_that_are_not_equally_far_cannot_go_on_together():
    learner = started(qmix, [toy_task()], single(), (0, 1)).play(4).learner
    state = learner.state()
    state["count.updates"][1] += 1
    with pytest.raises(ValueError, match=r"updates: got \[2, 3\]; allowed: the same number"):
        learner.load_state(state)


def test_a_state_is_a_copy():
    run = started(qmix, [toy_task()], single()).play(4)
    state, policy = run.learner.state(), run.learner.policy()
    kept = [{name: x.clone() for name, x in found.items()} for found in (state, policy)]
    run.play(2)
    assert_same(state, kept[0])
    assert_same(policy, kept[1])


@pytest.mark.parametrize(
    ("unit", "interval", "copied_after"), [("updates", 3, [3, 6]), ("episodes", 10, [3, 8]), ("epochs", 11, [4, 10])]
)
def test_targets_are_copied_when_the_interval_is_over(unit, interval, copied_after):
    """Rounds of 2 episodes; the first update comes with the 3rd round. Counted from the last copy on, the first from 0.

    Updates: at the 3rd and 6th, rounds 5 and 8. Episodes: 10 are over after round 5, then after round 10.
    """
    run = started(qmix, [toy_task()], single(target_update_unit=unit, target_update_interval=interval), (0,))
    run.play(2)
    copies = []
    for update in range(1, 11):
        run.play(1)
        state = run.learner.state()
        if torch.equal(state["target.agent.weight_0"], state["online.agent.weight_0"]):
            copies.append(update)
    assert copies[:2] == copied_after


def test_epsilon_falls_by_the_tasks_own_steps():
    """At epsilon 1 all agents explore, at 0 none does: 5 steps an episode, 100 steps to anneal in."""
    learner = started(qmix, [toy_task()], single(epsilon_end=0.0), (0,)).learner
    obs, avail = (
        torch.randn(1, 400, 2, 3, generator=torch.Generator().manual_seed(0)),
        torch.ones(1, 400, 2, 4, dtype=torch.bool),
    )
    best = learner.greedy(0)(seen(obs, avail))
    learner.copies = 400
    agreement = [
        (learner.exploring(0, done)(seen(obs, avail)) == best).all(-1).float().mean().item() for done in (0, 10, 20, 50)
    ]
    assert agreement[0] == pytest.approx(1 / 4, abs=0.06)
    assert agreement[1] == pytest.approx(1 / 2 + 1 / 8, abs=0.06)
    assert agreement[2:] == [1.0, 1.0]


@pytest.mark.parametrize("use_rnn", [False, True])
def test_an_unavailable_action_is_never_taken(use_rnn):
    run = started(qmix, [toy_task()], single(use_rnn=use_rnn, obs_last_action=True), (0, 1)).play(6)
    greedy, g = run.learner.greedy(0), torch.Generator().manual_seed(1)
    for (rollout,) in run.rollouts:
        assert (rollout.actions.sum(-1) == 1).all()
        assert not rollout.actions[~rollout.avail_actions[:, :, :-1]].any()
    for t in range(5):
        avail = torch.rand(2, 7, 2, 4, generator=g) < 0.4
        avail[..., 3] |= ~avail.any(-1)
        assert not greedy(seen(torch.randn(2, 7, 2, 3, generator=g), avail, t))[~avail].any()


@pytest.mark.parametrize("use_rnn", [False, True])
def test_what_is_played_is_what_is_trained(use_rnn):
    """Step by step the agents take the best of the Q-values that an update computes for the whole sequence."""
    h = single("vdn", use_rnn=use_rnn, obs_last_action=True, epsilon_start=0.0, epsilon_end=0.0)
    run = started(qmix, [toy_task()], h, (0, 1), torch.float64).play(4)
    seen = []

    def spy(task, batch, q, loss_td, coefficients):
        seen.append((batch, q.detach()))
        return loss_td, {}

    run.learner._extra_loss = Watching(spy)
    frozen = run.learner.state()
    rollout = toy_rollout(run.learner, 0, run.streams, 8)
    for _ in range(12):
        run.learner.load_state(frozen)
        run.learner.learn(0, rollout, 10)
    batch, q = seen[-1]  # by now the ring holds this round alone, ten times
    best = q[:, :, :-1].masked_fill(~batch.avail_actions[:, :, :-1], -torch.inf).argmax(-1)
    assert torch.equal(best[batch.mask], batch.actions[batch.mask])


def test_what_follows_the_end_changes_nothing():
    """Observations, actions, rewards and availability after a terminal step are padding."""
    runs = [started(qmix, [toy_task(limit=8)], single(mixer), (0, 1)).play(2) for mixer in ("qmix", "qmix")]
    rollout = toy_rollout(runs[0].learner, 0, runs[0].streams, 4)
    rollout.terminated[:, :, 3] = True
    g = torch.Generator().manual_seed(5)
    other = Rollout(
        rollout.obs.clone(),
        rollout.actions.clone(),
        rollout.rewards.clone(),
        rollout.terminated.clone(),
        rollout.avail_actions.clone(),
    )
    other.obs[:, :, 5:] = torch.randn(other.obs[:, :, 5:].shape, generator=g)
    other.actions[:, :, 4:] = other.actions[:, :, 4:].flip(-1)
    other.rewards[:, :, 4:] = 100.0
    other.terminated[:, :, 4:] ^= True
    other.avail_actions[:, :, 5:] = False
    losses = []
    for _ in range(10):
        losses = [run.learner.learn(0, seen, 6) for run, seen in zip(runs, (rollout, other), strict=True)]
    assert torch.equal(losses[0]["td"], losses[1]["td"])
    assert_same(runs[0].learner.state(), runs[1].learner.state())


def test_rewards_are_standardised_for_each_seed_alone():
    """Moments after two batches of the team's rewards in played steps are the running mean and variance of all."""
    run = started(qmix, [toy_task()], single(update_episodes=6, batch_size=6, replay_size=6), (0, 1)).play(2)
    state = run.learner.state()
    for s in range(2):
        moments = RewardMoments.initial(1)
        for (rollout,) in run.rollouts:
            rewards, ends = rollout.rewards[s].sum(-1), rollout.terminated[s]
            mask = torch.tensor([[not ends[e, :t].any() for t in range(5)] for e in range(6)])
            moments = moments.updated(rewards.unsqueeze(0), mask.unsqueeze(0))
        for name, ours in vars(moments).items():
            assert state[f"rewards_0.{name}"][s].item() == pytest.approx(ours.item(), rel=1e-6)
    assert state["rewards_0.mean"][0] != state["rewards_0.mean"][1]


def test_a_common_reward_counts_once():
    own = started(qmix, [toy_task()], single(), (0, 1)).play(4)
    shared = started(qmix, [toy_task(common_reward=True)], single(), (0, 1))
    for i, (rollout,) in enumerate(own.rollouts):
        toy_rollout(shared.learner, 0, shared.streams, 2 * i)  # draws what the other drew
        total = rollout.rewards.sum(-1, keepdim=True).expand_as(rollout.rewards)
        shared.learner.learn(0, replace(rollout, rewards=total), 2 * i + 2)
    assert_same(shared.learner.state(), own.learner.state())


def test_several_tasks_are_not_for_this_learner():
    with pytest.raises(ValueError, match="got 2 tasks; allowed: 1"):
        started(qmix, [toy_task(), toy_task()], single())


def test_a_replay_smaller_than_a_batch_is_refused():
    assert single(batch_size=6, replay_size=5).least(25) == {"replay_size": (5, 6)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mixing_width": None}, 'mixing_width: got None with mixer = "qmix"; allowed: a size; give it'),
        ({"td_lambda": 0.5}, "got td_steps = 1 and td_lambda = 0.5; allowed: one of the two"),
        ({"td_steps": None}, "got td_steps = None and td_lambda = None"),
        ({"use_rnn": True, "hidden_layers": 3}, "hidden_layers: got 3 with use_rnn; allowed: 2"),
    ],
)
def test_settings_must_fit_together(changes, says):
    with pytest.raises(ValueError, match=says):
        single(**changes)


@pytest.mark.parametrize("use_rnn", [False, True])
def test_an_episode_remembers_nothing_of_the_one_before(use_rnn):
    """One policy, two episodes that look alike: the same actions. With memory of the first they would differ."""
    learner = started(qmix, [toy_task()], single(use_rnn=use_rnn, obs_last_action=True), (0, 1)).learner
    obs = torch.randn(5, 2, 50, 2, 3, generator=torch.Generator().manual_seed(0))
    avail = torch.ones(2, 50, 2, 4, dtype=torch.bool)
    act = learner.greedy(0)
    first, second = ([act(seen(obs[t], avail, t)) for t in range(5)] for _ in range(2))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(first, second, strict=True))
    alone = [learner.greedy(0)(seen(obs[t], avail)) for t in range(5)]
    assert not all(torch.equal(ours, theirs) for ours, theirs in zip(first, alone, strict=True))


@pytest.mark.parametrize("use_rnn", [False, True])
def test_an_episode_that_begins_among_others_remembers_nothing(use_rnn):
    """Copy 1 begins anew at step 3, copy 0 goes on: each acts as it would alone."""
    learner = started(qmix, [toy_task()], single(use_rnn=use_rnn, obs_last_action=True), (0, 1)).learner
    obs = torch.randn(6, 2, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    avail = torch.ones(2, 2, 2, 4, dtype=torch.bool)
    act, whole, late = (learner.greedy(0) for _ in range(3))
    begins = torch.zeros(6, 2, 2, dtype=torch.bool)
    begins[0], begins[3, :, 1] = True, True
    for t in range(6):
        actions = act(Seen(obs[t], avail, begins[t]))
        assert torch.equal(actions[:, 0], whole(seen(obs[t], avail, t))[:, 0])
        if t >= 3:
            assert torch.equal(actions[:, 1], late(seen(obs[t], avail, t - 3))[:, 1])
