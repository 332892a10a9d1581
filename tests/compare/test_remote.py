"""What the harness accepts from a learner's process, and what it refuses. The answers here are written by hand.

Axes: S = 1 seed, E = 2 episode copies, N = 2 agents, A = 3 action entries, the last of which agent 1 does not have.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines.learner import Rollout, Seen
from bench.guests.messages import packed, unpacked
from bench.guests.process import Foul, MethodProcess, OnWait
from bench.guests.remote import RemoteLearner
from bench.plan import Selection, make_plan
from bench.processes.channel import Channel
from bench.suite.loading import load

AVAILABLE = torch.tensor([[True, True, True], [True, True, False]]).expand(1, 2, 2, 3)
OBS = torch.arange(8, dtype=torch.float32).reshape(1, 2, 2, 2)
LEGAL = torch.tensor([[[[1.0, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]]]])


class Scripted(MethodProcess):
    """Gives answers from a list, and keeps the questions."""

    def __init__(self, *answers: tuple[dict[str, Any], bytes]):
        self.questions: list[tuple[Mapping[str, Any], dict[str, Tensor]]] = []
        self._answers = list(answers)

    def send(self, message: Mapping[str, Any], array: bytes = b"", on_wait: OnWait = None) -> None:
        self.questions.append((message, unpacked(array)))

    def receive(self, on_wait: OnWait = None) -> tuple[dict[str, Any], bytes]:
        return self._answers.pop(0)


SEEN = Seen(OBS, AVAILABLE, torch.ones(1, 2, dtype=torch.bool))


def remote(*answers: tuple[dict[str, Any], bytes]) -> RemoteLearner:
    return RemoteLearner(Scripted(*answers), lambda: None)


def answer(tensors: Mapping[str, Tensor] | None = None, **message: Any) -> tuple[dict[str, Any], bytes]:
    return {"do": "answer", **message}, packed(tensors) if tensors else b""


def rollout() -> Rollout:
    seen, could = torch.stack([OBS, OBS + 1], 2), torch.stack([AVAILABLE, AVAILABLE], 2)
    rewards = torch.tensor([[[[-1.5, 2.0]], [[0.25, -3.0]]]], dtype=torch.float64)
    return Rollout(seen, LEGAL.unsqueeze(2), rewards, torch.zeros(1, 2, 1, dtype=torch.bool), could)


def changed(episode: int, agent: int, action: list[float]) -> Tensor:
    actions = LEGAL.clone()
    actions[0, episode, agent] = torch.tensor(action)
    return actions


def acts(policy: str, actions: Tensor) -> Tensor:
    learner = remote(answer(), answer({"actions": actions}))
    act = learner.greedy(0) if policy == "greedy" else learner.exploring(0, 8)
    return act(SEEN)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool, torch.int64])
def test_tensors_come_as_they_went(dtype: torch.dtype) -> None:
    sent = torch.tensor([[0, 1, 3], [7, 0, 2]]).to(dtype).mT
    (found,) = unpacked(packed({"a name": sent})).values()
    assert (found.dtype, found.shape) == (dtype, (3, 2))
    assert torch.equal(found, sent)


@pytest.mark.parametrize("policy", ["greedy", "exploring"])
def test_one_hot_actions_pass_unchanged(policy: str) -> None:
    found = acts(policy, LEGAL.double())
    assert found.dtype == torch.float64
    assert torch.equal(found, LEGAL.double())


def test_soft_actions_pass_in_training_alone() -> None:
    soft = changed(1, 0, [0.2, 0.3, 0.5])
    assert torch.equal(acts("exploring", soft), soft)
    with pytest.raises(Foul) as foul:
        acts("greedy", soft)
    assert str(foul.value) == (
        "illegal action after 0 episodes, step 0 of an evaluation: agent 0: got [0.2, 0.3, 0.5]; "
        "allowed: one available action, 1 among zeros"
    )


@pytest.mark.parametrize("policy", ["greedy", "exploring"])
@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (changed(1, 0, [2, 0, 0]), "agent 0: got [2.0, 0.0, 0.0]"),
        (changed(0, 1, [1, 1, 0]), "agent 1: got [1.0, 1.0, 0.0]"),
        (changed(0, 1, [0, 0, 0]), "agent 1: got [0.0, 0.0, 0.0]"),
        (changed(0, 0, [-9, 10, 0]), "agent 0: got [-9.0, 10.0, 0.0]"),
        (changed(0, 1, [0, 0, 1]), "agent 1: got [0.0, 0.0, 1.0]"),
        (changed(0, 0, [0, torch.nan, 1]), "an action is not finite"),
        (changed(0, 0, [0, torch.inf, 0]), "an action is not finite"),
        (LEGAL.long(), "got int64 of shape (1, 2, 2, 3); allowed: float32 or float64 of shape (1, 2, 2, 3)"),
        (LEGAL[:, :1], "got float32 of shape (1, 1, 2, 3); allowed: float32 or float64 of shape (1, 2, 2, 3)"),
        (LEGAL.argmax(-1).float(), "got float32 of shape (1, 2, 2)"),
    ],
)
def test_other_actions_never_reach_an_environment(policy: str, actions: Tensor, said: str) -> None:
    with pytest.raises(Foul) as foul:
        acts(policy, actions)
    assert said in str(foul.value)


def test_a_learner_is_asked_what_the_protocol_asks() -> None:
    process = Scripted(answer(), answer({"actions": LEGAL}), answer({"td": torch.tensor([0.5])}))
    learner = RemoteLearner(process, lambda: None)
    learner.exploring(2, 8)(SEEN)
    losses = learner.learn(2, rollout(), 12)
    assert {name: loss.tolist() for name, loss in losses.items()} == {"td": [0.5]}
    asked, seen, taught = process.questions
    assert asked == ({"ask": "exploring", "task": 2, "episodes": 8}, {})
    assert seen[0] == {"ask": "act"}
    assert torch.equal(seen[1]["obs"], OBS)
    assert torch.equal(seen[1]["avail_actions"], AVAILABLE)
    assert taught[0] == {"ask": "learn", "task": 2, "episodes": 12}
    assert set(taught[1]) == {"obs", "actions", "rewards", "terminated", "avail_actions"}
    assert torch.equal(taught[1]["rewards"], rollout().rewards)
    assert taught[1]["rewards"].dtype == torch.float64


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (({"do": "finished", "final": 1e9}, b""), "it answered 'finished' when it was asked for learn"),
        (({"do": "answer"}, b"\xff" * 64), "learn: the answer's tensors cannot be read"),
        (answer({"td": torch.zeros(2)}), "losses[td]: got float32 of shape (2,); allowed: floats of shape (1,)"),
        (answer({"td": torch.zeros(1, dtype=torch.int64)}), "losses[td]: got int64 of shape (1,)"),
        (answer({"other": torch.zeros(1)}), "losses: got ['other']; allowed: the same each time"),
        (answer({"td": torch.zeros(1), "b": torch.zeros(1)}), "losses: got ['b', 'td']; allowed: the same each time"),
    ],
)
def test_other_losses_end_the_run(said: tuple[dict[str, Any], bytes], reason: str) -> None:
    learner = remote(answer(), answer({"td": torch.zeros(1)}), answer({"mean": torch.zeros(1)}), said)
    assert learner.learn(0, rollout(), 2) == {}  # no update was due
    assert list(learner.learn(0, rollout(), 4)) == ["td"]
    assert list(learner.learn(1, rollout(), 4)) == ["mean"]  # another task has losses of its own
    with pytest.raises(Foul) as foul:
        learner.learn(0, rollout(), 6)
    assert str(foul.value).startswith(reason)


@pytest.mark.parametrize("name", ["a\nb", "a" * 101])
def test_a_loss_s_name_can_be_shown(name: str) -> None:
    with pytest.raises(Foul, match="allowed: up to 100 printable letters"):
        remote(answer({name: torch.zeros(1)})).learn(0, rollout(), 2)


def test_a_type_that_numpy_does_not_have_ends_the_run() -> None:
    head = b'{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    content = len(head).to_bytes(8, "little") + head + bytes(2)
    with pytest.raises(Foul, match="the answer's tensors cannot be read"):
        remote(({"do": "answer"}, content)).policy()


def test_a_policy_leads_with_its_seed() -> None:
    learner = remote(answer({"w": torch.ones(1, 3)}, packages={"torch": "2.0"}), answer({"w": torch.ones(3)}))
    assert learner.policy()["w"].tolist() == [[1.0, 1.0, 1.0]]
    assert learner.packages == {"torch": "2.0"}
    with pytest.raises(Foul, match=r"policy\[w\]: got shape \(3,\); allowed: \[1, ...\], one seed's"):
        learner.policy()


@pytest.mark.parametrize(
    ("copies", "reason"),
    [
        (4, "copies: got 4; allowed: a divisor of [6, 2, 3] episodes"),
        (0, "copies: got 0; allowed: 1 to 6"),
        (10**9, "copies: got 1000000000; allowed: 1 to 6"),
        (True, "copies: got True; allowed: 1 to 6"),
        (None, "copies: got None; allowed: 1 to 6"),
    ],
)
def test_the_harness_looks_at_the_round_itself(copies: Any, reason: str) -> None:
    plan = make_plan(load("knowru"), Selection(profile="smoke", only=("spread/I",)))
    cell = plan.cells[0]
    budget = cell.settings["budget"] | {"episodes": 6, "record_every": 2, "evaluate_every": 3}
    cell = cell.model_copy(update={"settings": cell.settings | {"budget": budget}})
    with pytest.raises(Foul) as foul:
        remote(answer(copies=copies)).meet(cell)
    assert str(foul.value).endswith(reason)


def test_a_learner_that_asks_for_steps_is_told_that_it_gets_episodes() -> None:
    plan = make_plan(load("knowru"), Selection(profile="smoke", only=("spread/I",)))
    with pytest.raises(Foul, match="steps: got 5; allowed: None, since learners from elsewhere play whole episodes"):
        remote(answer(copies=1, steps=5)).meet(plan.cells[0])


def test_every_question_asks_whether_to_go_on() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RemoteLearner(Scripted(answer()), stop).greedy(0)


def test_an_end_that_reads_nothing_does_not_hold_the_harness() -> None:
    ours, theirs = socket.socketpair()

    def give_up() -> None:
        raise TimeoutError("over the time limit")

    with ours, theirs, pytest.raises(TimeoutError, match="over the time limit"):
        Channel(ours).send({}, bytes(2**26), give_up)


def test_an_end_that_reads_late_gets_all() -> None:
    ours, theirs = socket.socketpair()
    waited, content = threading.Event(), bytes(range(256)) * 2**14
    found: list[bytes] = []

    def read() -> None:
        waited.wait()
        found.append(Channel(theirs).receive()[1])

    reader = threading.Thread(target=read)
    reader.start()
    with ours, theirs:
        Channel(ours).send({"a": 1}, content, waited.set)
        reader.join()
    assert found == [content]
