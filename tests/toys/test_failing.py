"""A lane that cannot go on ends alone, as a failed record that says why; the others go on as if alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import bench.envs.registry
from baselines.learner import Rollout, Seen, Steps
from baselines.specs import ALGORITHMS
from baselines.streams import Streams
from bench.envs import checked, make
from bench.envs.one import Diverged, EnvironmentFailed, Given
from bench.envs.several import Several
from bench.store import numbers_hash
from tests.toys.family import ToyOne, ToyParams, families
from tests.toys.learner import TOY_DRIFT, ToyDrift
from tests.toys.test_training import cell, trained

NAN = float("nan")
SPEAKER = {"name": "simple_speaker_listener", "agents": 2, "dynamics": "openai", "reward": "individual"}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.envs.registry, "FAMILIES", families())
    for name in ("toy_drift", "toy_drift_by_steps"):
        monkeypatch.setitem(ALGORITHMS, name, TOY_DRIFT)


def episode(seed: int, number: int) -> int:
    """The environment's seed at a run's training episode of this number, from 1 on."""
    stream = Streams(seed)["environment"]
    return [int(torch.randint(2**31 - 1, (), generator=stream)) for _ in range(number)][-1]


class Bad(ToyOne):
    """Does `how` in the 9th training episode of seed 1 alone: the fifth round of two."""

    how = ""

    def reset(self, seed: int) -> list[np.ndarray]:
        self._bad = seed == episode(1, 9)
        return super().reset(seed)

    def step(self, actions: Sequence[np.ndarray | int]) -> Given:
        given = super().step(actions)
        if not self._bad:
            return given
        match self.how:
            case "reward":
                return Given(given.obs, [1.0, NAN], given.terminated, given.truncated, given.outcome)
            case "observation":
                given.obs[1][2] = np.inf
                return given
            case "rewards of one":
                return Given(given.obs, [5.0], given.terminated, given.truncated, given.outcome)
        raise SystemExit(3)


class Drift(ToyDrift):
    """From its fourth round on, seed 1's weights are NaN, or another fault occurs."""

    how, rounds = "", 0

    def learn(self, task: int, played: Rollout | Steps, episodes_done: int) -> dict[str, Tensor]:
        losses = super().learn(task, played, episodes_done)
        self.rounds += 1
        for lane, streams in enumerate(self._streams):
            if self.rounds == 3 and torch.equal(streams["update"].get_state(), Streams(1)["update"].get_state()):
                if self.how == "ends":
                    raise SystemExit("enough")
                self._weights[lane] = NAN
        return losses

    def _act(self, seen: Seen, noise: Tensor) -> Tensor:
        if self.how == "refuses" and not bool(self._weights.isfinite().all()):
            raise ValueError("loc:\nnan")
        return super()._act(seen, noise)


@pytest.mark.parametrize(
    ("of", "how", "reason"),
    [
        (Bad, "reward", "diverged at step 50: the environment gave agent 1 the reward nan"),
        (Bad, "observation", "diverged at step 50: the environment gave agent 1 an observation whose entry 2 is inf"),
        (Bad, "ends", "its environment failed: SystemExit: 3"),
        (Bad, "rewards of one", "its environment failed: rewards: got shape (1,); declared: (2,), one per agent"),
        (Drift, "", "diverged at step 40: the method gave agent 0 an action whose entry 0 is nan"),
        (Drift, "refuses", "diverged at step 40: its state is not finite, and it raised ValueError: loc: nan"),
        (Drift, "ends", "its method or environment ended the process: SystemExit: enough"),
    ],
)
def test_one_lane_ends_and_the_others_go_on(
    of: type[Bad | Drift], how: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(of, "how", how)
    if of is Bad:
        monkeypatch.setattr("tests.toys.family.one_by_one", lambda params, *_: Several(params, lambda: Bad(params)))
    else:
        own = TOY_DRIFT.model_copy(update={"learner": f"{__name__}:Drift"})
        monkeypatch.setitem(ALGORITHMS, "toy_drift", own)
    together = trained(tmp_path / "together", cell("toy_drift"), (0, 1, 2))
    alone = trained(tmp_path / "alone", cell("toy_drift"), (0,), (1,), (2,))
    assert [together[seed].status for seed in range(3)] == ["finished", "failed", "finished"]
    assert together[1].reason == alone[1].reason == reason
    assert together[1].numbers.scores[0].curves.keys() == {"evaluation", "training", "loss/pull"}
    assert [numbers_hash(together[s]) for s in range(3)] == [numbers_hash(alone[s]) for s in range(3)]


@pytest.mark.parametrize("method", ["toy_drift", "toy_drift_by_steps"])
def test_an_end_before_the_limit_is_declared(method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise the steps after it would count as played: rewards of 0 in scores and batches."""
    monkeypatch.setattr(ToyParams, "ends_early", property(lambda self: False))
    record = trained(tmp_path, cell(method, agents=1), (0,))[0]
    assert record.reason == (
        "its environment failed: an episode ended before the limit; declared: ends_early is False, so none may"
    )


class Long(ToyOne):
    """Its episodes end at the limit."""

    def reset(self, seed: int) -> list[np.ndarray]:
        super().reset(seed)
        self._goal = 5
        return self._seen()


@pytest.mark.parametrize("method", ["toy_drift", "toy_drift_by_steps"])
def test_an_end_at_the_limit_is_not_early(method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ToyParams, "ends_early", property(lambda self: False))
    monkeypatch.setattr(
        ToyOne, "reset", lambda self, seed: setattr(self, "_goal", 5) or setattr(self, "_steps", 0) or self._seen()
    )
    assert trained(tmp_path, cell(method, agents=1), (0,))[0].status == "finished"


def test_an_environment_that_cannot_be_closed_costs_no_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Games whose process has crashed often raise there. The other environments are still closed."""
    closed: list[ToyOne] = []

    def close(self: ToyOne) -> None:
        closed.append(self)
        raise ConnectionResetError("the game is gone")

    expected = trained(tmp_path / "fine", cell("toy_drift"), (0, 1))
    monkeypatch.setattr(ToyOne, "close", close)
    found = trained(tmp_path / "raises", cell("toy_drift"), (0, 1))
    assert {s: numbers_hash(r) for s, r in found.items()} == {s: numbers_hash(r) for s, r in expected.items()}
    assert len(closed) == len({*map(id, closed)}) == 2 * 8
    told = capsys.readouterr().err.splitlines()
    assert told == ["an environment was not closed in order: ConnectionResetError: the game is gone"] * 2 * 8


def test_a_method_s_other_errors_end_the_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are faults of its code: nothing is settled."""

    def broken(*_: Any) -> Any:
        raise ValueError("no such thing")

    monkeypatch.setattr(ToyDrift, "exploring", broken)
    with pytest.raises(ValueError, match="no such thing"):
        trained(tmp_path, cell("toy_drift"), (0, 1))


@pytest.mark.parametrize("place", ["tests.toys.family.one_by_one", "tests.toys.learner.ToyDrift.__init__"])
def test_what_ends_the_process_before_it_begins_is_a_failed_run(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ends(*_: Any) -> Any:
        raise SystemExit(3)

    monkeypatch.setattr(place, ends)
    records = trained(tmp_path, cell("toy_drift"), (0, 1))
    assert {record.reason for record in records.values()} == {
        "its method or environment ended the process: SystemExit: 3"
    }
    assert [records[seed].status for seed in (0, 1)] == ["failed"] * 2


FINE: dict[str, Any] = {"obs": [np.zeros(2), np.zeros(3)], "rewards": [0.0, 0.0], "outcome": {"won": 0.0}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rewards": [5.0]}, r"rewards: got shape \(1,\); declared: \(2,\), one per agent"),
        ({"rewards": 5.0}, r"rewards: got shape \(\); declared: \(2,\)"),
        ({"rewards": ["a", "b"]}, "ValueError: could not convert string to float"),
        ({"obs": [np.zeros(1), np.zeros(3)]}, r"obs: agent 0: got shape \(1,\); declared: \(2,\)"),
        ({"obs": [np.zeros(3), np.zeros(2)]}, r"obs: agent 0: got shape \(3,\); declared: \(2,\)"),
        ({"obs": [np.zeros((2, 1)), np.zeros(3)]}, r"obs: agent 0: got shape \(2, 1\); declared: \(2,\)"),
        ({"obs": [np.zeros(2)]}, "obs: got 1 entries; declared: 2, one per agent"),
        ({"outcome": {"wo": 1.0}}, r"outcome: got \['wo'\]; declared: \['won'\], in every step"),
        ({"terminated": [True, False]}, "terminated: got list; declared: one bool"),
        ({"truncated": {"agent_0": True}}, "truncated: got dict; declared: one bool"),
    ],
)
def test_what_a_step_gives_is_what_its_scenario_declares(
    changed: Mapping[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = checked("toy_one", {"name": "toy", "agents": 2})
    environment = make("toy_one", params)
    environment.reset([torch.Generator() for _ in range(2)], 1)
    act = torch.eye(4)[0].expand(2, 1, 2, 4)
    given = iter([Given(**FINE), Given(**{**FINE, **changed})])
    monkeypatch.setattr(ToyOne, "step", lambda self, actions: next(given))
    with pytest.raises(EnvironmentFailed, match=f"^{said}") as failed:
        environment.step(act)
    assert failed.value.lane == 1


@pytest.mark.parametrize(
    ("what", "given", "said"),
    [
        ("reset", [np.zeros(2)], "obs: got 1 entries; declared: 2"),
        ("reset", [np.zeros(2), np.zeros(4)], r"obs: agent 1: got shape \(4,\); declared: \(3,\)"),
        ("avail_actions", [[True] * 3], "avail_actions: got 1 entries; declared: 2"),
        ("avail_actions", [[True] * 3] * 2, r"avail_actions: agent 1: got shape \(3,\); declared: \(4,\)"),
    ],
)
def test_so_is_what_an_episode_begins_with(what: str, given: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = make("toy_one", checked("toy_one", {"name": "toy", "agents": 2}))
    monkeypatch.setattr(ToyOne, what, lambda *_: given)
    with pytest.raises(EnvironmentFailed, match=said):
        environment.reset([torch.Generator()], 1)


def test_a_first_observation_that_is_not_finite_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = make("toy_one", checked("toy_one", {"name": "toy"}))
    monkeypatch.setattr(ToyOne, "reset", lambda *_: [np.array([0.0, NAN])])
    with pytest.raises(Diverged, match="the environment gave agent 0 an observation whose entry 1 is nan"):
        environment.reset([torch.Generator()], 1)


@pytest.mark.parametrize(("family", "params"), [("toy_one", {"name": "toy"}), ("particle", SPEAKER)])
def test_an_action_of_nan_is_a_divergence_not_a_wrong_choice(family: str, params: dict[str, Any]) -> None:
    """Also if it is among actions that an agent does not have."""
    environment = make(family, params)
    environment.reset([torch.Generator() for _ in range(2)], 1)
    actions = torch.eye(environment.action_size)[0].repeat(2, 1, environment.agents, 1)
    actions[1, 0, 0] = NAN
    with pytest.raises(Diverged, match="the method gave agent 0 an action whose entry 0 is nan") as failed:
        environment.step(actions)
    assert failed.value.lane == 1
