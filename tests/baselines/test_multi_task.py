"""QMIX and VDN on several tasks: lanes, stops, what a task's update moves, and that all tasks are learned.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action; K task.
"""

from __future__ import annotations

import pytest
import torch

from baselines.kernels.layers import joined
from baselines.kernels.optim import TeamAdam
from baselines.mkt_marl import embedded_state
from baselines.networks.agents import agent_inputs, mlp_q
from baselines.networks.mixers import QMIX, Chosen
from baselines.qmix_multi import qmix_multi
from tests.teams import assert_same, seen, several, started, toy_task

TASKS = [toy_task(), toy_task(2, 5, 3, 7, state_size=4), toy_task(2, 1, 6, 2)]
UNEQUAL = [toy_task(), toy_task(3, 2, 3, 4), toy_task(1, 4, 5, 3)]
KINDS = [("qmix", TASKS), ("vdn", UNEQUAL)]


@pytest.mark.parametrize(("mixer", "tasks"), KINDS)
def test_a_seeds_numbers_do_not_depend_on_its_companions(mixer, tasks):
    h = several(mixer, obs_last_action=mixer == "vdn")
    alone = started(qmix_multi, tasks, h, (3,)).play(6)
    assert sum("td" in seen for seen in alone.seen) == 3 * 4
    for seeds in ((0, 1, 2, 3, 4), (3, 8), (4, 9, 3)):
        company = started(qmix_multi, tasks, h, seeds).play(6)
        assert_same(company.lane(seeds.index(3)), alone.lane(0))


@pytest.mark.parametrize(("mixer", "tasks"), KINDS)
def test_a_stopped_run_ends_as_an_uninterrupted_one(mixer, tasks):
    h = several(mixer, target_update_unit="epochs", target_update_interval=5)
    whole = started(qmix_multi, tasks, h, (0, 1, 2)).play(13)
    first = started(qmix_multi, tasks, h, (2, 0, 1)).play(11)
    second = started(qmix_multi, tasks, h, (0, 1, 2))
    order = [1, 2, 0]
    second.learner.load_state({name: x[order] for name, x in first.learner.state().items()})
    for lane, own in enumerate(order):
        second.streams[lane].load_state(first.streams[own].state())
        for new, old in zip(second.learner.replays, first.learner.replays, strict=True):
            new.restore(lane, old.first, old.rows(own, old.first, old.episodes))
    second.rounds = 11
    assert_same(second.play(2).learner.state(), whole.learner.state())


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Networks whose weights changed."""
    changed = (n for n, x in before.items() if n.startswith("online.") and not torch.equal(x, after[n]))
    return {".".join(name.split(".")[1:-1]) for name in changed}


def test_a_tasks_update_moves_its_own_layers_and_the_shared_ones():
    """Adam leaves the rest alone; with a gradient of zero its momentum would move them on."""
    run = started(qmix_multi, TASKS, several(), (0, 1)).play(4)
    shared = {"agent.F", "mixer.hyper_w_1", "mixer.hyper_w_final", "mixer.hyper_b_1", "mixer.V"}
    for task, rollout in enumerate(run.rollouts[-1]):
        before = run.learner.state()
        run.learner.learn(task, rollout, 10)
        after = run.learner.state()
        assert moved(before, after) == shared | {f"agent.E_{task}", f"agent.EA_{task}", f"mixer.SE_{task}"}
    steps = {name: x[0].item() for name, x in run.learner.state().items() if name.startswith("adam.step.")}
    assert steps["adam.step.agent.F.weight_0"] == 3 * 3
    assert steps["adam.step.agent.E_1.weight_0"] == steps["adam.step.mixer.SE_2.bias_0"] == 3


def test_an_adam_of_some_tensors_is_torchs_with_gradients_of_none():
    """50 steps in turn on two tasks, clipped by one norm over what a task's loss reaches; float64, each seed alone."""
    g = torch.Generator().manual_seed(0)
    shapes = {"shared": (3, 2), "own_0": (2, 4), "own_1": (5, 2)}
    start = {name: torch.randn(2, *shape, generator=g, dtype=torch.float64) for name, shape in shapes.items()}
    ours = {name: p.clone() for name, p in start.items()}
    adam = TeamAdam(ours, lr=0.01, grad_clip=1.0)
    theirs = [{name: p[s].clone().requires_grad_() for name, p in start.items()} for s in range(2)]
    references = [torch.optim.Adam(own.values(), lr=0.01) for own in theirs]

    def loss(p: dict[str, torch.Tensor], task: int, x: torch.Tensor) -> torch.Tensor:
        out = p["shared"] @ (p["own_0"] @ x).split(2, -1)[0].unsqueeze(-1) if task == 0 else p["own_1"] @ p["shared"].mT
        return (out * 3 - x[0]).square().flatten(-2).sum(-1)

    for i in range(50):
        x = torch.randn(4, generator=g, dtype=torch.float64)
        task = 0 if i % 3 else 1
        adam.step(loss(adam.leaves, task, x))
        for own, reference in zip(theirs, references, strict=True):
            reference.zero_grad(set_to_none=True)
            loss(own, task, x).backward()
            torch.nn.utils.clip_grad_norm_(own.values(), 1.0)
            reference.step()
    for s, own in enumerate(theirs):
        for name, p in own.items():
            torch.testing.assert_close(ours[name][s], p.detach(), rtol=1e-12, atol=1e-14)


def test_the_networks_are_those_of_equations_1_2_and_4():
    """Q_i and Q_tot of task 1, put together from agents.py, mixers.py and mkt_marl.py."""
    run = started(qmix_multi, TASKS, several(), (0, 1), torch.float64).play(5)
    learner, own = run.learner, {}
    for name, x in learner.state().items():
        if name.startswith("online."):
            _, network, key = name.split(".", 2)
            own.setdefault(network, {})[key] = x
    batch = learner.replays[1].sample(6)
    q = mlp_q(joined(own["agent"], ("E_1", "F", "EA_1")), agent_inputs(batch.obs))
    acting = learner.greedy(1)(seen(batch.obs[:, :, 0].float(), batch.avail_actions[:, :, 0]))
    best = q[:, :, 0].masked_fill(~batch.avail_actions[:, :, 0], -torch.inf).argmax(-1)
    assert torch.equal(acting.argmax(-1), best)
    taken = q[:, :, :-1].gather(-1, batch.actions.unsqueeze(-1)).squeeze(-1)
    chosen = Chosen(taken, batch.actions, embedded_state(own["mixer"], batch.state, 1)[:, :, :-1])
    expected = QMIX(2, 6, 8, 2, 8).q_tot(own["mixer"], chosen)
    torch.testing.assert_close(
        learner._q_tot(learner._online, learner._taken(1, batch, q)), expected, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("unit", "interval", "copied"),
    [("updates", 4, {(3, 0), (4, 1), (5, 2)}), ("episodes", 20, {(3, 0)}), ("epochs", 8, {(3, 2)})],
)
def test_targets_are_copied_when_the_interval_is_over(unit, interval, copied):
    """Rounds 0, 1, ... of 2 episodes of 3 tasks; updates from round 2 on; (round, task) of the copies up to round 5.

    Updates: the 4th is task 0's in round 3, the 8th task 1's in round 4, the 12th task 2's in round 5. Episodes: 6 a
    round, so 20 are over with task 0's in round 3. Epochs: 8 are over with round 3.
    """
    h = several(target_update_unit=unit, target_update_interval=interval)
    run = started(qmix_multi, TASKS, h, (0,)).play(6)
    again, found = started(qmix_multi, TASKS, h, (0,)), set()
    for i, rollouts in enumerate(run.rollouts):
        for task, rollout in enumerate(rollouts):
            again.learner.learn(task, rollout, 2 * i + 2)
            state = again.learner.state()
            if i >= 2 and torch.equal(state["target.agent.F.weight_0"], state["online.agent.F.weight_0"]):
                found.add((i, task))
    assert found == copied


def test_epsilon_counts_each_tasks_own_steps():
    """100 steps to anneal in are 20 episodes of 5 steps and 50 of 2."""
    learner = started(qmix_multi, TASKS, several(epsilon_end=0.0), (0,)).learner
    learner.copies = 500
    for task, share in ((0, 0.0), (2, 0.6)):  # of agents that explore
        own, g = TASKS[task], torch.Generator().manual_seed(0)
        obs = torch.randn(1, 500, 2, own.obs_size, generator=g)
        avail = torch.ones(1, 500, 2, own.action_size, dtype=torch.bool)
        differ = learner.exploring(task, 20)(seen(obs, avail)) != learner.greedy(task)(seen(obs, avail))
        others = 1 - 1 / own.action_size
        assert differ.any(-1).float().mean().item() == pytest.approx(share * others, abs=0.05 * (share > 0))


def test_unequal_teams_are_for_vdn_alone():
    with pytest.raises(ValueError, match=r"got \[2, 3, 1\]; allowed: equal numbers, or VDN"):
        started(qmix_multi, UNEQUAL, several())


@pytest.mark.parametrize("name", ["separate_state_embedding", "state_embedding_width"])
def test_qmix_needs_its_state_embedding_and_vdn_has_none(name: str):
    with pytest.raises(ValueError, match=f'{name}: got None with mixer = "qmix"; allowed: a value; give it'):
        several("qmix", **{name: None})
    with pytest.raises(ValueError, match=f'{name}: got .* with mixer = "vdn"; allowed: none; leave it out'):
        several("vdn", **{name: 1 if "width" in name else True})
