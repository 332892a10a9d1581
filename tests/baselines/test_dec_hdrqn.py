"""Dec-HDRQN: seeds in company, continuation, acting, masks and teachers.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import LSTM
from torch.nn.functional import one_hot

from baselines import specs
from baselines.dec_hdrqn import DecHDRQN
from baselines.learner import Layout, Rollout, Seen, Task, Teacher
from baselines.streams import Streams
from tests.distilled import SETTINGS, TEACHER, linear_of, toy
from tests.teams import seen


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# ------------------------------------------------------------------------------------------------ lanes


@pytest.mark.parametrize(
    "changed",
    [{}, {"observation_embedding_width": 64, "hidden_width": 64, "recurrent_width": 64, "batch_size": 8}],
    ids=["odd", "wide"],
)
def test_a_seed_is_the_same_in_any_company(changed):
    """Bit for bit: actions, losses, network and optimiser after 6 rounds."""
    alone = toy((3,), **changed).play(6).lane(0)
    assert "5.1.kl" in alone
    for seeds, place in (((3, 8), 0), ((1, 3, 2), 1), ((0, 1, 2, 3), 3), ((4, 0, 3, 7, 1), 2)):
        company = toy(seeds, **changed).play(6).lane(place)
        assert company.keys() == alone.keys()
        differing = [name for name, x in company.items() if not torch.equal(x, alone[name])]
        assert not differing, (seeds, differing)


def test_a_run_goes_on_from_its_state():
    """Network, optimiser, replays and streams, loaded into a new learner, give the same continuation."""
    whole = toy().play(3)
    again = toy()
    again.learner.load_state(whole.learner.state())
    again.rounds = whole.rounds
    for mine, theirs in zip(again.streams, whole.streams, strict=True):
        mine.load_state(theirs.state())
    for mine, theirs in zip(again.learner.replays, whole.learner.replays, strict=True):
        for lane in range(3):
            mine.restore(lane, theirs.first, theirs.rows(lane, theirs.first, theirs.episodes))
    whole.play(4)
    again.play(4)
    assert "6.1.kl" in again.seen
    for name, x in (again.learner.state() | again.seen).items():
        assert torch.equal(x, (whole.learner.state() | whole.seen)[name]), name


def test_a_state_is_a_copy():
    run = toy().play(3)
    state = run.learner.state()
    before = {name: x.clone() for name, x in state.items()}
    run.play(1)
    assert all(torch.equal(x, before[name]) for name, x in state.items())


# ------------------------------------------------------------------------------------- acting and masks


def test_acting_remembers_its_episode():
    """Step by step its choices are those of the whole sequence; a new episode starts without the last one's memory."""
    torch.manual_seed(0)
    run = toy(dtype=torch.float64)
    task = run.learner.tasks[0]
    # Large weights and no biases: choices then hang on what was seen before.
    large = {n: torch.randn_like(p) * ("bias" not in n) for n, p in run.learner.policy().items()}
    run.learner.load_state(run.learner.state() | {f"agent.{n}": p for n, p in large.items()})
    weights = run.learner.policy()
    obs = torch.randn(3, 5, task.episode_limit, task.agents, task.obs_size, dtype=torch.float64)
    free = torch.ones(3, 5, task.agents, task.action_size, dtype=torch.bool)
    expected = torch.empty(3, 5, task.episode_limit, task.agents, dtype=torch.int64)
    for s in range(3):
        lstm = LSTM(6, 5, batch_first=True).double()
        lstm.load_state_dict({f"{n[5:]}_l0": p[s] for n, p in weights.items() if n.startswith("lstm.")})
        layer = {n: linear_of(weights[f"{n}.weight_0"][s], weights[f"{n}.bias_0"][s]) for n in ("E_0", "F", "EA_0")}
        for i in range(task.agents):
            identity = one_hot(torch.tensor(i), task.agents).expand(5, task.episode_limit, -1)
            x = torch.cat([obs[s, :, :, i], identity.double()], -1)
            q = layer["EA_0"](lstm(layer["F"](layer["E_0"](x).relu()).relu())[0])
            expected[s, :, :, i] = q.argmax(-1)
    policy = run.learner.greedy(0)
    for _ in range(2):
        chosen = torch.stack([policy(seen(obs[:, :, t], free, t)) for t in range(task.episode_limit)], 2)
        assert torch.equal(chosen.argmax(-1), expected)
        assert chosen.sum(-1).eq(1).all()
    forgetful = torch.stack([policy(seen(obs[:, :, t], free)) for t in range(task.episode_limit)], 2).argmax(-1)
    assert torch.equal(forgetful[:, :, 0], expected[:, :, 0])
    assert (forgetful != expected).double().mean() > 0.05
    limit, moved = task.episode_limit, torch.arange(task.episode_limit).roll(2)  # copy 1 begins anew at step 2
    obs[:, 1], begins = obs[:, 1, moved], torch.zeros(limit, 3, 5, dtype=torch.bool)
    begins[0], begins[2, :, 1] = True, True
    mixed = torch.stack([policy(Seen(obs[:, :, t], free, begins[t])) for t in range(limit)], 2).argmax(-1)
    assert torch.equal(mixed[:, 1, 2:], expected[:, 1, : limit - 2])
    assert torch.equal(mixed[:, [0, 2, 3, 4]], expected[:, [0, 2, 3, 4]])


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0])
def test_unavailable_actions_are_never_taken(epsilon):
    torch.manual_seed(0)
    run = toy(epsilon_start=epsilon, epsilon_end=epsilon)
    for k, task in enumerate(run.learner.tasks):
        only = torch.randint(task.action_size, (3, 2, task.episode_limit, task.agents))
        avail = one_hot(only, task.action_size).bool()
        for policy in (run.learner.exploring(k, 0), run.learner.greedy(k)):
            for t in range(task.episode_limit):
                obs = torch.randn(3, 2, task.agents, task.obs_size)
                assert torch.equal(policy(seen(obs, avail[:, :, t], t)).argmax(-1), only[:, :, t])


def test_epsilon_falls_with_the_tasks_own_steps():
    """Task 0's episodes have 6 steps, so 40 steps are over after 7 episodes; then a tenth of actions is random."""
    run = toy(epsilon_start=1.0, epsilon_end=0.1, update_episodes=400)
    obs, free = torch.zeros(3, 400, 3, 4), torch.ones(3, 400, 3, 3, dtype=torch.bool)
    best = run.learner.greedy(0)(seen(obs, free)).argmax(-1)
    shares = {}
    for done in (0, 3, 7, 100):
        chosen = run.learner.exploring(0, done)(seen(obs, free)).argmax(-1)
        shares[done] = (chosen != best).double().mean().item()
    # 3,600 draws; of those left to chance two thirds differ from the best; .03 is 4 standard errors at least
    for done, epsilon in ((0, 1.0), (3, 1 - 0.9 * 18 / 40), (7, 0.1), (100, 0.1)):
        assert shares[done] == pytest.approx(2 / 3 * epsilon, abs=0.032)


def test_what_was_not_played_and_what_is_unavailable_changes_nothing():
    """Neither steps after a terminal one nor the teacher's values of unavailable actions."""
    runs = [toy(batch_size=2) for _ in range(2)]
    rollouts = [run.rollout(0) for run in runs]
    played = rollouts[0].terminated.cumsum(-1) - rollouts[0].terminated.long() == 0
    assert not played.all()
    obs, avail = rollouts[1].obs.clone(), rollouts[1].avail_actions.clone()
    obs[:, :, :-1][~played] = 1e6
    avail[:, :, :-1][~played] = False
    rollouts[1] = replace(rollouts[1], obs=obs, avail_actions=avail)
    losses = [run.learner.learn(0, rollout, 2)["kl"] for run, rollout in zip(runs, rollouts, strict=True)]
    assert torch.equal(*losses)
    states = [run.learner.state() for run in runs]
    assert all(torch.equal(x, states[1][name]) for name, x in states[0].items())
    assert losses[0].gt(0).all()


def test_a_task_leaves_the_others_layers_alone():
    run = toy(batch_size=2)
    before = run.learner.policy()
    run.learner.learn(0, run.rollout(0), 2)
    moved = {name.split(".")[0] for name, p in run.learner.policy().items() if not torch.equal(p, before[name])}
    assert moved == {"E_0", "F", "lstm", "EA_0"}


# -------------------------------------------------------------------------------------------- teachers


def perfect_teacher(seeds: int, agents: int, obs_size: int, action_size: int) -> Teacher:
    """Values 8 for the action whose observation entry is set, 0 for others."""
    chooses = torch.eye(action_size, obs_size + agents)
    weights = {"weight_0": chooses, "bias_0": torch.zeros(action_size)}
    weights |= {"weight_1": 8 * torch.eye(action_size), "bias_1": torch.zeros(action_size)}
    copies = {name: p.expand(seeds, *p.shape) for name, p in weights.items()}
    return Teacher(copies, Layout(obs_size, tuple(range(obs_size))), lambda x: x, TEACHER)


def agreement(learner: DecHDRQN, k: int, goals: Tensor) -> float:
    """Share of greedy choices, all steps of episodes of goals [S, E, T, N], that name the goal that is seen."""
    task, policy, right = learner.tasks[k], learner.greedy(k), []
    free = torch.ones(*goals.shape[:2], task.agents, task.action_size, dtype=torch.bool)
    for t in range(goals.shape[2]):
        obs = one_hot(goals[:, :, t], task.obs_size).float()
        right.append(policy(seen(obs, free, t)).argmax(-1) == goals[:, :, t])
    return torch.stack(right).double().mean().item()


def test_it_learns_two_tasks_from_perfect_teachers():
    """150 rounds: untrained it is right in about 1 of 3 and 1 of 5 choices, trained in more than 19 of 20."""
    tasks = [
        Task(n, o, a, 6, 400, Layout(o, tuple(range(o))), perfect_teacher(2, n, o, a))
        for n, o, a in ((2, 4, 3), (3, 5, 5))
    ]
    widths = dict.fromkeys(("observation_embedding_width", "hidden_width", "recurrent_width"), 16)
    more = {"batch_size": 16, "replay_size": 400, "grad_clip": 10.0, "distill_temperature": 1.0} | widths
    h = specs.DecHDRQN.model_validate(SETTINGS | more)
    learner = DecHDRQN(tasks, h, [Streams(0), Streams(1)], "cpu")
    drawn = torch.Generator().manual_seed(7)
    tests = [torch.randint(task.action_size, (2, 20, 6, task.agents), generator=drawn) for task in tasks]
    untrained = [agreement(learner, k, goals) for k, goals in enumerate(tests)]
    for done in range(2, 301, 2):
        for k, task in enumerate(tasks):
            goals = torch.randint(task.action_size, (2, 2, 7, task.agents), generator=drawn)
            obs, policy = one_hot(goals, task.obs_size).float(), learner.exploring(k, done - 2)
            avail = torch.ones(2, 2, 7, task.agents, task.action_size, dtype=torch.bool)
            actions = torch.stack([policy(seen(obs[:, :, t], avail[:, :, t], t)) for t in range(6)], 2)
            ends = torch.zeros(2, 2, 6, dtype=torch.bool)
            learner.learn(k, Rollout(obs, actions, torch.zeros(2, 2, 6, task.agents), ends, avail), done)
    trained = [agreement(learner, k, goals) for k, goals in enumerate(tests)]
    assert max(untrained) < 0.6
    assert min(trained) > 0.95


def test_a_task_without_a_teacher_is_refused():
    first, second = toy().learner.tasks
    with pytest.raises(ValueError, match="needs one teacher per task: task 1"):
        DecHDRQN([first, replace(second, teacher=None)], specs.DecHDRQN.model_validate(SETTINGS), [Streams(0)], "cpu")


def test_the_teacher_reads_its_own_view_of_the_observation():
    """A view that swaps two entries has the same effect as a teacher whose weights are swapped."""
    losses: list[Tensor] = []
    swap = torch.tensor([1, 0, 2, 3])
    for way in ("view", "weights"):
        run = toy(batch_size=2)
        teacher = run.learner.tasks[0].teacher
        assert teacher is not None
        if way == "view":
            teacher = replace(teacher, view=lambda x: x[..., swap])
        else:
            entries = torch.cat([swap, torch.arange(4, 7)])
            first = teacher.weights["weight_0"][..., entries].contiguous()
            teacher = replace(teacher, weights={**teacher.weights, "weight_0": first})
        tasks = [replace(run.learner.tasks[0], teacher=teacher), run.learner.tasks[1]]
        run.learner = DecHDRQN(tasks, run.learner.hyperparameters, [Streams(s) for s in range(3)], "cpu")
        losses.append(run.learner.learn(0, run.rollout(0), 2)["kl"])
    torch.testing.assert_close(*losses)
    assert not torch.allclose(losses[0], toy(batch_size=2).play(1).seen["0.0.kl"])
