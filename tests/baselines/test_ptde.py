"""PTDE: what GIU and GIP make of the state, how it is distilled, and that a team learns with it what it cannot without.

Axes: S seed, B episode, T time step, N agent, O observation entry, X state entry, A action, Z entry of z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.csrl import Commander, csrl
from baselines.kernels.layers import part
from baselines.learner import Layout, Learner, Rollout, Seen, Task, Teacher
from baselines.networks.agents import recurrent_q
from baselines.networks.team import InformedNetwork
from baselines.ptde import GIP, GIU, Gaussian, personal, stage_1
from baselines.ptde_distill import Stage2
from baselines.qmix import ValueDecomposition
from baselines.streams import Streams
from tests.teams import MIXING, SETTINGS

INFORMED = SETTINGS | MIXING | {"use_rnn": True, "mixer": "qmix", "z_width": 6, "z_head": "additive"}
STAGE_1 = INFORMED | {
    "encoder_width": 8,
    "variance_floor": 0.01,
    "z_distribution": "gaussian",
    "z_execution": "sample",
}
STAGE_2 = {
    "distill_loss": "mse",
    "distill_batch_size": 256,
    "distill_episodes": 200,
    "distill_round_episodes": 50,
    "distill_epsilon": 0.05,
    "distill_padding": True,
    "held_out_share": 0.2,
    "student": "mlp",
    "student_hidden_width": 32,
    "student_hidden_layers": 2,
    "student_variance": 0.01,
    "distill_optimizer": "adam",
    "distill_lr": 0.003,
}
Started = tuple[Any, Task, list[Streams]]  # a learner, its task and its streams
States = Callable[[Tensor, torch.Generator], Tensor]  # obs [B, T+1, N, O] -> state [B, T+1, X]


def a_task(agents: int = 2, obs: int = 3, state: int = 5, teacher: Teacher | None = None, steps: int = 3) -> Task:
    layout = Layout(obs, tuple(range(obs)))
    return Task(agents, obs, 4, steps, 10**4, layout, teacher, state_size=state, common_reward=True)


def in_a_row(obs: Tensor, stream: torch.Generator) -> Tensor:
    return obs.flatten(-2)


def unseen(size: int) -> States:
    return lambda obs, stream: torch.randn(*obs.shape[:2], size, generator=stream)


def played(learner: Learner, task: Task, streams: Sequence[Streams], state: States, cut: bool = False) -> Rollout:
    """A round of a world in which every seed's numbers come from its own stream. cut: its episodes end early."""
    copies, steps = learner.copies, task.episode_limit
    act, seen_, states, actions = learner.exploring(0, 0), [], [], []
    for s in streams:
        g = s["environment"]
        seen_.append(torch.randn(copies, steps + 1, task.agents, task.obs_size, generator=g))
        states.append(state(seen_[-1], g))
    obs, state_ = torch.stack(seen_), torch.stack(states)
    avail = torch.ones(*obs.shape[:4], task.action_size, dtype=torch.bool)
    for t in range(steps):
        first = torch.full(obs.shape[:2], t == 0)
        actions.append(act(Seen(obs[:, :, t], avail[:, :, t], first, state_[:, :, t])))
    given = torch.stack(actions, 2)
    rewards = (given.argmax(-1) == 1).float()
    mask = torch.ones(obs.shape[0], copies, steps, dtype=torch.bool)
    if cut:
        mask[:, ::2, 1:] = False
    ends = torch.zeros_like(mask)
    return Rollout(obs, given, rewards, ends, avail, state_, mask)


def of_stage_1(kind: str, seeds: Sequence[int], task: Task | None = None, **changes: object) -> Started:
    """A learner, its task and its streams."""
    h = specs.Personal.model_validate(STAGE_1 | {"information": kind} | changes)
    streams, own = [Streams(seed) for seed in seeds], task or a_task()
    return stage_1([own], h, streams, "cpu"), own, streams


def trained(learner: Any, task: Task, streams: Sequence[Streams], rounds: int, state: States) -> Any:
    for r in range(rounds):
        learner.learn(0, played(learner, task, streams, state), (r + 1) * learner.copies)
    return learner


def of_stage_2(seeds: Sequence[int], state: States, size: int, agents: int = 2, **changes: object) -> Started:
    """A learner that has played its episodes with an untrained team of stage 1, its task and streams."""
    team, task, _ = of_stage_1("gip", seeds, a_task(agents, state=size))
    assert isinstance(team, ValueDecomposition)
    teacher = Teacher(team.policy(), task.layout, lambda obs: obs, STAGE_1 | {"information": "gip"})
    streams, task = [Streams(seed) for seed in seeds], a_task(agents, state=size, teacher=teacher)
    learner = Stage2([task], specs.PTDE.model_validate(STAGE_2 | changes), streams, "cpu")
    while learner.copies:
        learner.learn(0, played(learner, task, streams, state, cut=True), 0)
    return learner, task, streams


def lane(state: Mapping[str, Tensor], i: int) -> dict[str, Tensor]:
    return {name: tensor[i] for name, tensor in state.items()}


def assert_same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if not torch.equal(ours[name], theirs[name])]


# ---------------------------------------------------------------------------------------------- the module


def drawn(module: GIU | GIP, agents: int = 4, seed: int = 0) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Parameters, inputs [1, B, T, N, I] and state [1, B, T, X], float64."""
    g = torch.Generator().manual_seed(seed)
    parameters = module.initial([Streams(seed)], "cpu", torch.float64)
    inputs = torch.randn(1, 3, 5, agents, 7, generator=g, dtype=torch.float64)
    return parameters, inputs, torch.randn(1, 3, 5, 9, generator=g, dtype=torch.float64)


def test_giu_tells_all_agents_alike_and_gip_each_its_own() -> None:
    """Means and variances; samples differ between agents in both, as each draws its own noise."""
    gaussian = Gaussian(8, 6, 0.01)
    for module, alike in ((GIU(9, gaussian), True), (GIP(7, 9, 8, gaussian), False)):
        parameters, inputs, state = drawn(module)
        for told in module.distribution(parameters, inputs, state):
            same = (told - told[:, :, :, :1]).abs().amax(-1) == 0
            assert bool(same.all()) if alike else not bool(same[:, :, :, 1:].any())
            assert told.shape == (1, 3, 5, 4, 6)
        z = module.z(parameters, inputs, state, torch.randn(1, 3, 5, 4, 6, dtype=torch.float64))
        assert not bool((z[:, :, :, 0] == z[:, :, :, 1]).any())


def test_a_variance_has_a_floor() -> None:
    gaussian = Gaussian(8, 6, 0.3)
    _, variance = GIU(9, gaussian).distribution(*drawn(GIU(9, gaussian)))
    lifted = gaussian.of(gaussian.initial([Streams(0)], "cpu", torch.float64), torch.zeros(1, 8, 32).double())[1]
    assert variance.min() == 0.3 or variance.min() > 0.3
    assert lifted.min() >= 0.3


def test_the_product_with_generated_weights_is_the_papers() -> None:
    """Eq. 2 with weights that stand in memory, agent by agent, from the same numbers; one agent's step at a time."""
    module = GIP(7, 9, 8, Gaussian(8, 6, 0.01))
    parameters, inputs, state = drawn(module)
    ours = personal(parameters, inputs, state)
    matrix, vector = parameters["matrix"][0].view(8, 8, 9), parameters["vector"][0]  # [j, k, x], [k, x]
    generator, bias = part(parameters, "generator"), part(parameters, "bias")
    for b, t, n in ((0, 0, 0), (2, 4, 3), (1, 2, 1)):
        o, s = inputs[0, b, t, n], state[0, b, t]
        hidden = (generator["weight_0"][0] @ o + generator["bias_0"][0]).relu()
        weights = torch.einsum("jkx,j->xk", matrix, hidden) + vector.mT  # W(o), [X, H]
        expected = torch.nn.functional.elu(s @ weights + bias["weight_0"][0] @ o + bias["bias_0"][0])
        torch.testing.assert_close(ours[0, b, t, n], expected, rtol=0, atol=1e-12)


def test_in_parts_it_is_the_same_with_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for at_once in (4096, 6):  # five steps at once, or two
        monkeypatch.setattr("baselines.ptde.AT_ONCE", at_once)
        parameters, inputs, state = drawn(GIP(7, 9, 8, Gaussian(8, 6, 0.01)))
        leaves = {name: p.requires_grad_() for name, p in parameters.items() if not name.startswith(("mean", "var"))}
        z = personal(leaves, inputs, state)
        found.append([z.detach(), *torch.autograd.grad(z.square().sum(), list(leaves.values()))])
        with torch.no_grad():
            torch.testing.assert_close(personal(leaves, inputs, state), z, rtol=0, atol=1e-12)
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("head", ["additive", "mlp"])
def test_without_weights_of_z_it_is_the_base_with_that_head(head) -> None:
    """Whatever z says, Q_i is what the same network says without it; with weights it is not."""
    network = InformedNetwork(7, 8, 4, 6, head)
    agent = network.initial([Streams(0)], "cpu", torch.float64)
    inputs = torch.randn(1, 2, 5, 3, 7, dtype=torch.float64)
    z, other = torch.randn(2, 1, 2, 5, 3, 6, dtype=torch.float64).unbind()
    assert not torch.equal(recurrent_q(agent, inputs, z=z)[0], recurrent_q(agent, inputs, z=other)[0])
    agent["out.weight_0"][:, :, 8:] = 0
    q = recurrent_q(agent, inputs, z=z)[0]
    assert torch.equal(q, recurrent_q(agent, inputs, z=other)[0])
    base = {name: p[:, :, :8] if name == "out.weight_0" else p for name, p in agent.items()}
    empty = torch.zeros(1, 2, 5, 3, 0, dtype=torch.float64)
    torch.testing.assert_close(q, recurrent_q(base, inputs, z=empty)[0], rtol=0, atol=1e-12)


def test_z_is_added_as_released() -> None:
    """Q(h, z) - Q(h, 0) does not depend on h; in the paper's words, an MLP on both, it does."""
    for head, added in (("additive", True), ("mlp", False)):
        agent = InformedNetwork(7, 8, 4, 6, head).initial([Streams(0)], "cpu", torch.float64)  # type: ignore[arg-type]
        one, other = torch.randn(2, 1, 1, 1, 3, 7, dtype=torch.float64).unbind()
        z = torch.randn(1, 1, 1, 3, 6, dtype=torch.float64)
        gains = [recurrent_q(agent, i, z=z)[0] - recurrent_q(agent, i, z=0 * z)[0] for i in (one, other)]
        assert torch.allclose(*gains, rtol=0, atol=1e-12) is added


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_the_td_loss_trains_all_of_it(kind) -> None:
    """After one update every parameter has moved, those that generate weights among them."""
    learner, task, streams = of_stage_1(kind, (0,), replay_size=4, batch_size=4, target_update_interval=99)
    before = learner.state()
    trained(learner, task, streams, 2, unseen(5))
    after = learner.state()
    online = [name for name in before if name.startswith("online.")]
    assert not [name for name in online if torch.equal(before[name], after[name])]
    assert any("information" in name for name in online)


# ------------------------------------------------------------------------------------- lanes and resuming


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_a_seeds_numbers_are_its_own_in_stage_1(kind) -> None:
    learner, task, streams = of_stage_1(kind, (3,))
    alone = lane(trained(learner, task, streams, 6, unseen(5)).state(), 0)
    for seeds in ((3, 8), (1, 5, 3, 2)):
        learner, task, streams = of_stage_1(kind, seeds)
        assert_same(lane(trained(learner, task, streams, 6, unseen(5)).state(), seeds.index(3)), alone)


def test_a_seeds_numbers_are_its_own_in_stage_2() -> None:
    found = []
    for seeds in ((3,), (1, 3)):
        learner, *_ = of_stage_2(seeds, unseen(5), 5, distill_batch_size=250)
        losses = [learner.learn(0, None, 0) for _ in range(4)][-1]
        found.append(lane(learner.state() | losses, seeds.index(3)))
    assert_same(*found)


def test_stage_1_goes_on_as_if_it_had_not_stopped() -> None:
    learner, task, streams = of_stage_1("gip", (0, 1))
    trained(learner, task, streams, 4, unseen(5))
    again, _, _ = of_stage_1("gip", (0, 1))
    again.load_state(learner.state())
    for i in range(2):
        again.replays[0].restore(i, 0, learner.replays[0].rows(i, 0, learner.replays[0].entries))
    kept = [stream.state() for stream in streams]
    trained(learner, task, streams, 2, unseen(5))
    others = [Streams(seed) for seed in (0, 1)]
    again._streams = others
    again.replays[0]._generators = [s["replay"] for s in others]
    for stream, state in zip(others, kept, strict=True):
        stream.load_state(state)
    trained(again, task, others, 2, unseen(5))
    assert_same(again.state(), learner.state())


# ---------------------------------------------------------------------------------------------- stage 2


def explained(learner: Stage2) -> float:
    """R2 of the student on what is held out."""
    pairs = learner._known()
    chosen = pairs.held_out[0]
    inputs, taught = pairs.inputs[:, chosen], pairs.taught[:, chosen]
    learnt = learner._student.mean({n: p.detach() for n, p in learner._adam.leaves.items()}, inputs.mT).mT
    return 1 - float((taught - learnt).square().sum() / (taught - taught.mean(1, keepdim=True)).square().sum())


def test_the_student_learns_what_its_inputs_tell() -> None:
    """One agent whose observation is the state: what is taught is a function of the local input."""
    learner, *_ = of_stage_2((0,), in_a_row, 3, agents=1, distill_padding=False)
    assert explained(learner) < 0.2
    for _ in range(1200):
        learner.learn(0, None, 0)
    assert explained(learner) > 0.95


def test_it_cannot_learn_what_they_do_not_tell() -> None:
    """A state of which no observation tells anything: the held-out loss stays at the conditional variance."""
    learner, _task, _ = of_stage_2((0,), unseen(5), 5, distill_padding=False, distill_episodes=400)
    for _ in range(400):
        learner.learn(0, None, 0)
    losses = torch.stack([learner.learn(0, None, 0)["held_out"][0] for _ in range(50)])
    team, pairs = learner._team, learner._known()
    inputs = pairs.inputs[:, pairs.held_out[0][:300]].view(1, 1, -1, 1, pairs.inputs.shape[-1])
    states = torch.randn(1, 1, 200, 5, generator=torch.Generator().manual_seed(1))
    means = torch.stack(
        [
            team.information.distribution(team.module, i.expand(1, 1, 200, 1, -1).contiguous(), states)[0][0, 0, :, 0]
            for i in inputs.unbind(2)
        ]
    )  # [local input, state, Z]
    variance = means.var(1).sum(-1).mean()
    assert losses.mean() == pytest.approx(variance.item(), rel=0.15)


def test_no_gradient_reaches_the_frozen_team() -> None:
    learner, *_ = of_stage_2((0,), unseen(5), 5)
    team = learner._team
    before = {name: p.clone() for name, p in (team.agent | team.module).items()}
    for _ in range(3):
        learner.learn(0, None, 0)
    assert_same(team.agent | team.module, before)
    assert not any(p.requires_grad for p in (*team.agent.values(), *team.module.values()))
    assert all(name.split(".")[0] in ("student", "adam", "count") for name in learner.state())


def test_padding_is_zeros_and_the_agents_number() -> None:
    """As released: half of the episodes end after a step of three, and of each four steps are pairs."""
    kept, *_ = of_stage_2((0,), unseen(5), 5)
    played_alone, *_ = of_stage_2((0,), unseen(5), 5, distill_padding=False)
    (learnt,), (held_out,) = kept._known().learnt, kept._known().held_out
    assert (len(learnt), len(held_out)) == (200 * 4 * 2 * 4 // 5, 200 * 4 * 2 // 5)
    rows = kept._known().inputs.view(200, 4, 2, -1)
    assert not bool(rows[::2, 2:, :, :3].any())
    assert torch.equal(rows[0, 3, :, 3:], torch.eye(2))
    assert sum(map(len, (*played_alone._known().learnt, *played_alone._known().held_out))) == 100 * 2 * (1 + 3)


def test_it_executes_on_local_inputs_alone() -> None:
    """Another state, the same actions; of the stage-1 team it changes them."""
    learner, _task, _ = of_stage_2((0,), unseen(5), 5)
    g = torch.Generator().manual_seed(3)
    obs, first = torch.randn(1, 500, 2, 3, generator=g), torch.ones(1, 500, dtype=torch.bool)
    avail = torch.ones(1, 500, 2, 4, dtype=torch.bool)
    states = 9 * torch.randn(2, 1, 500, 5, generator=g)
    ours = [learner.greedy(0)(Seen(obs, avail, first, state)) for state in states]
    theirs = [learner.exploring(0, 0)(Seen(obs[:, :50], avail[:, :50], first[:, :50], s[:, :50])) for s in states]
    assert torch.equal(*ours)
    assert not torch.equal(*theirs)


def test_a_team_without_z_cannot_be_distilled() -> None:
    task = a_task()
    streams = [Streams(0)]
    with pytest.raises(ValueError, match="needs a teacher"):
        Stage2([task], specs.PTDE.model_validate(STAGE_2), streams, "cpu")
    teacher = Teacher({}, task.layout, lambda obs: obs, {"use_rnn": True})
    with pytest.raises(ValueError, match="'no z'; allowed: 'gip'"):
        Stage2([a_task(teacher=teacher)], specs.PTDE.model_validate(STAGE_2), streams, "cpu")


# ---------------------------------------------------------------------------------------------- learning


def test_a_team_learns_what_the_state_alone_tells() -> None:
    """Agent i is to name the i-th half of the state, which it does not see: GIP does, its student cannot."""
    changes = {"batch_size": 32, "replay_size": 200, "update_episodes": 8, "lr": 0.01, "grad_clip": 10.0}
    changes |= {"epsilon_anneal_steps": 400, "target_update_interval": 20, "hidden_width": 32, "encoder_width": 16}
    task = a_task(agents=2, obs=2, state=8, steps=1)
    learner, _, streams = of_stage_1("gip", (0, 1), task, **changes)

    def told(streams: Sequence[Streams], copies: int) -> tuple[Tensor, Tensor]:
        named = torch.stack([torch.randint(4, (copies, 2), generator=s["environment"]) for s in streams])
        return named, torch.nn.functional.one_hot(named, 4).float().flatten(-2)

    def asked(act, named: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        obs = torch.zeros(*named.shape, 2)
        avail = torch.ones(*named.shape, 4, dtype=torch.bool)
        actions = act(Seen(obs, avail, torch.ones(named.shape[:2], dtype=torch.bool), state))
        return actions, (actions.argmax(-1) == named).float().mean(-1)

    for r in range(250):
        named, state = told(streams, learner.copies)
        actions, right = asked(learner.exploring(0, 8 * r), named, state)
        obs, avail = torch.zeros(2, 8, 2, 2, 2), torch.ones(2, 8, 2, 2, 4, dtype=torch.bool)
        rewards = right[:, :, None, None].expand(-1, -1, 1, 2)
        ended = torch.ones(2, 8, 1, dtype=torch.bool)
        both = state.unsqueeze(2).expand(-1, -1, 2, -1)
        learner.learn(0, Rollout(obs, actions.unsqueeze(2), rewards, ended, avail, both), 8 * (r + 1))
    named, state = told(streams, 200)
    share = asked(learner.greedy(0), named, state)[1].mean(-1)
    assert bool((share > 0.6).all()), share  # a quarter by chance


@pytest.mark.parametrize("head", ["additive", "mlp"])
@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_what_it_executes_with_is_counted_without_torch(kind, head) -> None:
    task = a_task(agents=2, obs=3, state=6)  # the state counts as all observations in a row
    learner, _, _ = of_stage_1(kind, (0,), task, z_head=head)
    sizes = specs.TaskSizes(task.agents, task.obs_size, task.action_size, task.episode_limit)
    assert learner.hyperparameters.policy_size([sizes]) == sum(p.numel() for p in learner.policy().values())


def test_csrls_commander_is_gip_without_its_distribution() -> None:
    """The same numbers from the same parameters, no noise; a seed's own in company; counted without torch."""
    module = GIP(7, 9, 8, Gaussian(8, 6, 0.01))
    parameters, inputs, state = drawn(module)
    commander, nothing = Commander(7, 9, 8), torch.zeros(1, 3, 5, 4, 0)
    assert torch.equal(commander.z(parameters, inputs, state, nothing), personal(parameters, inputs, state))
    h, found = specs.CSRL.model_validate(INFORMED | {"commander_interval": 1}), []
    for seeds in ((3,), (5, 3)):
        streams, task = [Streams(seed) for seed in seeds], a_task(state=6)
        learner = csrl([task], h, streams, "cpu")
        found.append(lane(trained(learner, task, streams, 5, unseen(6)).state(), seeds.index(3)))
        sizes = specs.TaskSizes(task.agents, task.obs_size, task.action_size, task.episode_limit)
        assert h.policy_size([sizes]) * len(seeds) == sum(p.numel() for p in learner.policy().values())
    assert_same(*found)


@pytest.mark.parametrize("rounds", [2, 4])
def test_stage_2_goes_on_as_if_it_had_not_stopped(rounds) -> None:
    """Stopped while the team still plays its episodes, or among updates: the pairs are made again of the replay."""
    team, task, _ = of_stage_1("gip", (0, 1))
    teacher = Teacher(team.policy(), task.layout, lambda obs: obs, STAGE_1 | {"information": "gip"})
    h, task = specs.PTDE.model_validate(STAGE_2 | {"distill_episodes": 150}), a_task(teacher=teacher)

    def gone_on(learner: Stage2, streams: Sequence[Streams], first: int, last: int) -> None:
        for _ in range(first, last):
            learner.learn(0, played(learner, task, streams, unseen(5)) if learner.copies else None, 0)

    streams, others = [Streams(0), Streams(1)], [Streams(0), Streams(1)]
    learner, again = Stage2([task], h, streams, "cpu"), Stage2([task], h, others, "cpu")
    gone_on(learner, streams, 0, rounds)
    again.load_state(learner.state())
    for i in range(2):
        again.replays[0].restore(i, 0, learner.replays[0].rows(i, 0, learner.replays[0].entries))
        others[i].load_state(streams[i].state())
    gone_on(learner, streams, rounds, 7)
    gone_on(again, others, rounds, 7)
    assert learner.updates == 4
    assert_same(again.state(), learner.state())
