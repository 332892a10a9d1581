"""SAC against a plain loop and against stable-baselines3; its lanes, checkpoints and schedule.

Axes: S seed, T step, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Self

import pytest
import torch
from torch import Tensor
from torch.nn import Linear, ReLU, Sequential

from baselines import sac, specs
from baselines.learner import Ensemble, Layout, Seen, Steps, Task
from baselines.losses.gaussian import squashed
from baselines.replay.steps import StepBatch
from baselines.sac import SAC
from baselines.streams import Streams

OBS, ACTIONS, WARMUP, BATCH = 5, 3, 40, 32
SETTINGS: dict[str, Any] = {
    "hidden_layers": 2,
    "hidden_width": 16,
    "activation": "relu",
    "initialization": "glorot_uniform",
    "critics": 2,
    "lr": 3e-3,
    "gamma": 0.9,
    "tau": 0.05,
    "batch_size": BATCH,
    "replay_size": 60,
    "update_steps": 1,
    "warmup_transitions": WARMUP,
    "target_entropy": "-action_size",
    "temperature_start": 0.7,
    "log_std_min": -20,
    "log_std_max": 2,
    "action_range": "[-1, 1]",
    "bootstrap_at_time_limit": True,
    "evaluation_actions": "mean",
}
TASK = Task(1, OBS, ACTIONS, 7, 100, Layout(OBS, tuple(range(OBS))), continuous=True)


class Play:
    """A learner in a world where actions push the observation; episodes end terminally or after seven steps."""

    def __init__(self, seeds: Sequence[int], dtype: torch.dtype = torch.float32, members: int = 1, **changed: object):
        self.streams = [Streams(seed) for seed in seeds]
        self.learner = self._made(dtype, members, SETTINGS | changed)
        self.done, self.losses = 0, list[dict[str, Tensor]]()
        self.obs, self.age = self._starts(), 0

    def _made(self, dtype: torch.dtype, members: int, settings: dict[str, object]) -> SAC:
        own = specs.SAC.model_validate(settings)
        return SAC([TASK], own, self.streams, "cpu", members=members, dtype=dtype)

    def _after_step(self) -> None: ...

    def _starts(self) -> Tensor:
        return torch.stack([torch.randn(OBS, generator=s["environment"]) for s in self.streams])

    def steps(self, count: int) -> Self:
        for _ in range(count):
            obs = self.obs[:, None, None]
            act = self.learner.exploring(0, self.done)
            avail, first = (
                torch.ones(*obs.shape[:3], ACTIONS, dtype=torch.bool),
                torch.full((len(obs), 1), self.age == 0),
            )
            taken = act(Seen(obs, avail, first))
            push = taken[:, 0, 0].float()
            after = 0.8 * self.obs + torch.cat([push, push[:, :2]], -1)
            self.done, self.age = self.done + 1, self.age + 1
            terminal, cut = self.done % 11 == 0, self.age == 7
            shape = (len(obs), 1, 1)
            played = Steps(
                obs=obs.unsqueeze(2),
                avail_actions=torch.ones(*shape, 1, ACTIONS, dtype=torch.bool),
                actions=taken.unsqueeze(2),
                rewards=-after.square().mean(-1).double().view(*shape, 1),
                after=after[:, None, None, None],
                first=torch.zeros(shape, dtype=torch.bool),
                terminated=torch.full(shape, terminal),
                truncated=torch.full(shape, cut and not terminal),
            )
            self.losses.append(self.learner.learn(0, played, self.done))
            self._after_step()
            self.obs, self.age = (self._starts(), 0) if terminal or cut else (after, self.age)
        return self

    def lane(self, lane: int) -> dict[str, Tensor]:
        """The whole state of a seed."""
        own = {name: tensor[lane] for name, tensor in self.learner.state().items()}
        own |= {
            f"stored/{n}": x for n, x in self.learner.replay.rows(lane, self.learner.replay.first, self.done).items()
        }
        return own | {f"{i}.{n}": loss[lane] for i, losses in enumerate(self.losses) for n, loss in losses.items()}


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    differing = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    assert not differing, differing


# ------------------------------------------------------------------------------------------------- its numbers


def network(state: dict[str, Tensor], name: str, place: tuple[int, int]) -> Sequential:
    layers: list[torch.nn.Module] = []
    for n in range(3):
        weight, bias = state[f"{name}.weight_{n}"][place], state[f"{name}.bias_{n}"][place]
        linear = Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, ReLU()]
    return Sequential(*layers[:-1])


class PlainSAC:
    """One member of one seed, samples as rows, in torch.nn, torch.optim and torch.distributions."""

    def __init__(self, state: dict[str, Tensor], seed: int, member: int):
        self.actor = network(state, "actor", (seed, member))
        self.critics = [network(state, "critic", (seed, 2 * member + i)) for i in (0, 1)]
        self.targets = deepcopy(self.critics)
        self.log_alpha = torch.tensor(math.log(0.7), dtype=torch.float64, requires_grad=True)
        self.adams = [torch.optim.Adam(x.parameters(), lr=3e-3) for x in (self.actor, *self.critics)]
        self.adams.append(torch.optim.Adam([self.log_alpha], lr=3e-3))

    def sample(self, obs: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.actor(obs).chunk(2, -1)
        normal = torch.distributions.Normal(mean, log_std.clamp(-20, 2).exp())
        u = mean + normal.stddev * noise
        jacobian = torch.distributions.transforms.TanhTransform().log_abs_det_jacobian(u, u.tanh())
        return u.tanh(), (normal.log_prob(u) - jacobian).sum(-1, keepdim=True)

    def values(self, critics: list[Sequential], obs: Tensor, actions: Tensor) -> list[Tensor]:
        return [q(torch.cat([obs, actions], -1)) for q in critics]

    def update(self, batch: StepBatch, s: int, rows: slice, noise: Tensor) -> dict[str, float]:
        """rows: its own of the batch of seed s. noise [2, A, B]."""
        obs, actions, after = batch.obs[s, rows], batch.actions[s, rows], batch.next_obs[s, rows]
        rewards, goes_on = (x[s, rows, None].double() for x in (batch.rewards, ~batch.terminated))
        alpha = self.log_alpha.exp().item()
        with torch.no_grad():
            following, log_prob = self.sample(after, noise[0].T)
            least = torch.cat(self.values(self.targets, after, following), -1).min(-1, keepdim=True).values
            target = rewards + goes_on * 0.9 * (least - alpha * log_prob)
        critic = sum(((q - target) ** 2).mean() / 2 for q in self.values(self.critics, obs, actions))
        assert isinstance(critic, Tensor)
        self._step(critic, self.adams[1:3])
        chosen, log_prob = self.sample(obs, noise[1].T)
        least = torch.cat(self.values(self.critics, obs, chosen), -1).min(-1, keepdim=True).values
        actor = (alpha * log_prob - least).mean()
        self._step(actor, self.adams[:1])
        temperature = -self.log_alpha.exp() * (log_prob.mean().detach() - ACTIONS)
        self._step(temperature, self.adams[3:])
        for target, online in zip(self.targets, self.critics, strict=True):
            for p, q in zip(target.parameters(), online.parameters(), strict=True):
                p.data = 0.95 * p.data + 0.05 * q.data
        losses = {"critic": critic, "actor": actor, "temperature": temperature}
        return {name: loss.item() for name, loss in losses.items()}

    def _step(self, loss: Tensor, adams: list[torch.optim.Adam]) -> None:
        for adam in adams:
            adam.zero_grad()
        loss.backward(inputs=[p for adam in adams for p in adam.param_groups[0]["params"]])
        for adam in adams:
            adam.step()


@pytest.mark.parametrize("members", [1, 2])
def test_twenty_updates_are_those_of_a_plain_loop(members: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To 1e-12, in float64: losses, networks, targets, temperature."""
    play = Play((0, 5), torch.float64, members).steps(WARMUP - 1)
    plain = {(s, m): PlainSAC(play.learner.state(), s, m) for s in (0, 1) for m in range(members)}
    drawn, said = play.learner._drawn, list[dict[str, Tensor]]()

    def watched() -> Any:
        batch, noise = drawn()
        assert bool(batch.terminated.any())
        found = {
            (s, m): own.update(batch, s, slice(m * BATCH, (m + 1) * BATCH), noise[s, :, m])
            for (s, m), own in plain.items()
        }
        names = ("critic", "actor", "temperature")
        each = {n: [[found[s, m][n] for m in range(members)] for s in (0, 1)] for n in names}
        said.append({n: torch.tensor(x, dtype=torch.float64).mean(-1) for n, x in each.items()})
        return batch, noise

    monkeypatch.setattr(play.learner, "_drawn", watched)
    play.steps(20)
    assert len(said) == 20
    for ours, theirs in zip(play.losses[-20:], said, strict=True):
        for name, loss in theirs.items():
            assert torch.allclose(ours[name], loss, rtol=1e-12, atol=1e-12), name
    state = play.learner.state()
    for (s, m), own in plain.items():
        assert state["temperature.log"][s, m].item() == pytest.approx(own.log_alpha.item(), abs=1e-12)
        for name, networks in (("actor", [own.actor]), ("critic", own.critics), ("target", own.targets)):
            for i, theirs in enumerate(networks):
                ours = network(state, name, (s, len(networks) * m + i))
                for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
                    assert torch.allclose(p, q, rtol=0, atol=1e-12), (s, m, name)


def test_a_likelihood_stays_finite_where_tanh_is_one() -> None:
    """By hand: at u = 30 the derivative of tanh is 4 exp(-60)."""
    mean, zeros = torch.full((1, 1), 30.0, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    action, log_prob = squashed(mean, zeros, zeros)
    assert action.item() == 1
    assert log_prob.item() == pytest.approx(-0.5 * math.log(2 * math.pi) - (math.log(4) - 60), rel=1e-14)


# ------------------------------------------------------------------------------------------- lanes, stops, rounds


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_seed_s_numbers_do_not_depend_on_its_companions(members: int, dtype: torch.dtype) -> None:
    """The ring wraps on the way."""
    alone = Play((3,), dtype, members).steps(WARMUP + 30)
    assert sum(bool(losses) for losses in alone.losses) == 31
    for seeds in ((3, 8), (0, 1, 2, 3, 4)):
        company = Play(seeds, dtype, members).steps(WARMUP + 30)
        same(company.lane(seeds.index(3)), alone.lane(0))


@pytest.mark.parametrize("width", [64, 256])
def test_nor_at_the_size_of_the_paper(width: int) -> None:
    own: dict[str, Any] = {"hidden_width": width, "batch_size": 256, "warmup_transitions": 4}
    alone, company = (Play(seeds, **own).steps(7) for seeds in ((3,), (1, 3, 2)))
    same(company.lane(1), alone.lane(0))


def test_a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one() -> None:
    """Seeds of two runs go on as one; the replay has wrapped when they stop."""
    whole = Play((0, 1, 2)).steps(WARMUP + 45)
    left, right = Play((0, 1)).steps(WARMUP + 28), Play((2,)).steps(WARMUP + 28)
    joined = Play((0, 1, 2))
    states = [run.learner.state() for run in (left, right)]
    joined.learner.load_state({name: torch.cat([state[name] for state in states]) for name in states[0]})
    for lane, (run, source) in enumerate(((left, 0), (left, 1), (right, 0))):
        joined.streams[lane].load_state(run.streams[source].state())
        log = run.learner.replay
        joined.learner.replay.restore(lane, log.first, log.rows(source, log.first, log.entries))
    joined.done, joined.age, joined.obs = left.done, left.age, torch.cat([left.obs, right.obs])
    joined.losses = [{n: torch.cat([a[n], b[n]]) for n in a} for a, b in zip(left.losses, right.losses, strict=True)]
    joined.steps(17)
    for lane in range(3):
        same(joined.lane(lane), whole.lane(lane))


def test_a_state_is_a_copy_that_leads_with_the_seeds() -> None:
    play = Play((0, 1)).steps(WARMUP)
    state = play.learner.state()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    play.steps(2)
    same(state, kept)
    assert {len(tensor) for tensor in state.values()} == {2}
    assert {*play.learner.policy()} == {f"{kind}_{n}" for kind in ("weight", "bias") for n in range(3)}


def test_the_warm_up_is_uniform_and_makes_no_update() -> None:
    """The first update comes with the last transition of the warm-up, the policy acts from the next step on."""
    play = Play(range(30)).steps(WARMUP)
    assert [bool(losses) for losses in play.losses] == [False] * (WARMUP - 1) + [True]
    taken = torch.stack([play.learner.replay.rows(lane, 0, WARMUP)["actions"] for lane in range(30)]).flatten()
    for share in (0.1, 0.5, 0.9):
        assert taken.quantile(share).item() == pytest.approx(2 * share - 1, abs=0.05)
    draws = [s["exploration"].get_state() for s in play.streams]
    play.learner.exploring(0, WARMUP)
    assert all(not torch.equal(s["exploration"].get_state(), old) for s, old in zip(play.streams, draws, strict=True))


def test_evaluations_take_the_mean_of_any_number_of_copies() -> None:
    play = Play((0, 1)).steps(WARMUP)
    obs = torch.randn(2, 20, 1, OBS)
    streams = [s.state() for s in play.streams]
    actions = play.learner.greedy(0)(Seen(obs, torch.ones(2, 20, 1, ACTIONS), torch.ones(2, 20)))
    assert actions.shape == (2, 20, 1, ACTIONS)
    state = {name: p.double() for name, p in play.learner.state().items()}
    for seed in (0, 1):
        mean = network(state, "actor", (seed, 0))(obs[seed, :, 0].double())[:, :ACTIONS]
        assert torch.allclose(actions[seed, :, 0].double(), mean.tanh(), atol=1e-5)
    for stream, before in zip(play.streams, streams, strict=True):
        same(stream.state(), before)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"batch_size": 100}, "multiple of 32"),
        ({"log_std_min": 3}, "below log_std_max"),
        ({"warmup_transitions": 100}, "at most 60, the size of the replay"),
        ({"critics": 1}, "critics"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        specs.SAC.model_validate(SETTINGS | changed)


def test_several_agents_are_refused() -> None:
    team = Task(2, OBS, ACTIONS, 7, 100, Layout(OBS, tuple(range(OBS))), continuous=True)
    with pytest.raises(ValueError, match="allowed: one task, of one agent"):
        SAC([team], specs.SAC.model_validate(SETTINGS), [Streams(0)], "cpu")


# -------------------------------------------------------------------------------------------------- it learns


def reaching(learner: Callable[..., SAC], steps: int = 300, share: bool = False) -> float:
    """Mean reward of the greedy policy; the reward is the nearness of the action to the observation."""
    task = Task(1, 2, 2, 1, steps, Layout(2, (0, 1)), continuous=True)
    settings = specs.SAC.model_validate(SETTINGS | {"replay_size": 1000, "gamma": 0.0, "lr": 1e-2})
    streams = [Streams(seed) for seed in (0, 1)]
    own, goals = learner([task], settings, streams, "cpu"), torch.Generator().manual_seed(1)
    for done in range(steps):
        obs = 1.6 * torch.rand(2, 1, 1, 1, 2, generator=goals) - 0.8
        taken = own.exploring(0, done)(
            Seen(obs[:, :, 0], obs[:, :, 0] > -2, torch.ones(2, 1, dtype=torch.bool))
        ).unsqueeze(2)
        ends = torch.ones(2, 1, 1, dtype=torch.bool)
        rewards = -4 * (taken - obs).square().sum(-1)
        own.learn(0, Steps(obs, obs > -2, taken, rewards, obs, ends, ends, ~ends), done + 1)
        if share and isinstance(own, Ensemble) and own.compares(done + 1):
            own.share()
    seen = 1.6 * torch.rand(2, 50, 1, 2, generator=goals) - 0.8
    return -(own.greedy(0)(Seen(seen, seen > -2, torch.ones(2, 50))) - seen).square().sum(-1).mean().item()


def test_it_learns_what_a_flipped_sign_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros score -0.43, the ends -1.2 or less."""
    assert reaching(SAC) > -0.1
    honest = sac.actor_gradients

    def flipped(q: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        of_q, of_log_prob = honest(q, alpha)
        return -of_q, of_log_prob

    monkeypatch.setattr(sac, "actor_gradients", flipped)
    assert reaching(SAC) < -0.4
