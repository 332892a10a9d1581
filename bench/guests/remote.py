"""A learner in a process of its own: to the harness it is a `Learner`, and each call asks a question of messages.py.

Axes: S = 1 seed, E episode copy, T step, N agent, O observation entry, A action entry.

No answer is a score. Actions are checked before an environment sees them, everything else before it enters a record. A
wrong answer ends the run (Foul).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from baselines.learner import Acting, Replay, Rollout, Seen
from bench.guests.answers import foul, versions, whole
from bench.guests.messages import packed, unpacked
from bench.guests.process import MethodProcess
from bench.plan import Cell
from bench.run.tasks import copies_problem

SLACK = 1e-4  # tolerance of a soft action's sum: float32 shares of 1,000 actions are off by at most 1,000 * 6e-8
MOST_LOSSES, LETTERS = 100, 100  # names of losses become names of curves


class RemoteLearner:
    """A learner in another process. waiting: called before each question and while waiting for the answer; may raise.

    Every call except the constructor may raise Foul. copies: known after `meet`. packages: versions that the process
    claims, known after `policy`.
    """

    def __init__(self, process: MethodProcess, waiting: Callable[[], None]):
        self._process, self._waiting = process, waiting
        self.copies = 0
        self.steps: int | None = None  # it plays whole episodes
        self.replays: Sequence[Replay] = ()
        self._losses: dict[int, list[str]] = {}  # their names, by task
        self._episodes = 0
        self.packages: dict[str, str] = {}

    def meet(self, cell: Cell) -> None:
        """Wait until the learner is made, and ask how many episodes it plays in a round."""
        message, _ = self._ask({"ask": "copies"})
        if (steps := message.get("steps")) is not None:
            foul(f"steps: got {str(steps)[:LETTERS]}; allowed: None, since learners from elsewhere play whole episodes")
        self.copies = whole(message, "copies", 1, cell.whole)
        if problem := copies_problem(cell, self.copies):
            foul(problem)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        self._episodes = episodes_done
        return self._acting("exploring", task)

    def greedy(self, task: int) -> Acting:
        return self._acting("greedy", task)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        self._episodes = episodes_done
        parts = {part.name: getattr(rollout, part.name) for part in fields(rollout)}
        question = {"ask": "learn", "task": task, "episodes": episodes_done}
        _, losses = self._ask(question, {name: tensor for name, tensor in parts.items() if tensor is not None})
        if losses:
            self._check_losses(losses, self._losses.setdefault(task, sorted(losses)))
        return {name: loss.double() for name, loss in losses.items()}

    def policy(self) -> dict[str, Tensor]:
        message, policy = self._ask({"ask": "policy"})
        for name, tensor in policy.items():
            if tensor.shape[:1] != (1,):
                foul(f"policy[{name[:LETTERS]}]: got shape {tuple(tensor.shape)}; allowed: [1, ...], one seed's")
        self.packages = versions(message.get("packages"))
        return policy

    def state(self) -> dict[str, Tensor]:
        raise NotImplementedError("a run of a learner from elsewhere keeps no checkpoint")

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        raise NotImplementedError("a run of a learner from elsewhere keeps no checkpoint")

    def _acting(self, policy: str, task: int) -> Acting:
        self._ask({"ask": policy, "task": task, "episodes": self._episodes})
        episodes, calls = self._episodes, itertools.count()

        def act(seen: Seen) -> Tensor:
            parts = {part.name: getattr(seen, part.name) for part in fields(seen)}
            _, answer = self._ask({"ask": "act"}, {name: own for name, own in parts.items() if own is not None})
            if list(answer) != ["actions"]:
                foul(f"act: got {_listed(answer)}; allowed: actions")
            doing = "an evaluation" if policy == "greedy" else "training"
            where = f"after {episodes} episodes, step {next(calls)} of {doing}"
            return _checked(answer["actions"], seen.avail_actions, where, one_hot=policy == "greedy")

        return act

    def _ask(
        self, question: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        self._waiting()
        self._process.send(question, packed(tensors) if tensors else b"", self._waiting)
        message, content = self._process.receive(self._waiting)
        if message.get("do") != "answer":
            foul(f"it answered {message.get('do')!r} when it was asked for {question['ask']}")
        try:
            return message, unpacked(content)
        except (SafetensorError, KeyError, ValueError) as error:
            foul(f"{question['ask']}: the answer's tensors cannot be read: {error}")

    def _check_losses(self, losses: Mapping[str, Tensor], expected: Sequence[str]) -> None:
        if sorted(losses) != expected or len(losses) > MOST_LOSSES:
            foul(f"losses: got {_listed(losses)}; allowed: the same each time, at most {MOST_LOSSES}: {expected}")
        for name, loss in losses.items():
            if not name.isprintable() or len(name) > LETTERS:
                foul(f"losses: got the name {name[:LETTERS]!r}; allowed: up to {LETTERS} printable letters")
            if loss.shape != (1,) or not loss.is_floating_point():
                foul(f"losses[{name}]: got {_described(loss)}; allowed: floats of shape (1,), one for each seed")


def _checked(actions: Tensor, avail_actions: Tensor, where: str, one_hot: bool) -> Tensor:
    """Actions [S, E, N, A] that an environment accepts: each a one-hot vector, or shares, over available actions.

    Raises Foul. An action that is not finite means that the learner diverged.
    """
    if actions.dtype not in (torch.float32, torch.float64) or actions.shape != avail_actions.shape:
        allowed = f"float32 or float64 of shape {tuple(avail_actions.shape)}"
        foul(f"illegal action {where}: got {_described(actions)}; allowed: {allowed}")
    if not bool(actions.isfinite().all()):
        foul(f"diverged {where}: an action is not finite")
    legal = (actions >= 0) & (avail_actions | (actions == 0))
    if one_hot:
        legal &= (actions == 0) | (actions == 1)
    total = actions.sum(-1, keepdim=True, dtype=torch.float64)
    wrong = ~(legal & ((total - 1).abs() <= SLACK)).all(-1)
    if bool(wrong.any()):
        _, episode, agent = wrong.nonzero()[0].tolist()
        got = [round(value, 6) for value in actions[0, episode, agent].tolist()]
        allowed = "one available action, 1 among zeros" if one_hot else "shares of available actions, with sum 1"
        foul(f"illegal action {where}: agent {agent}: got {got}; allowed: {allowed}")
    return actions


def _listed(tensors: Mapping[str, Tensor]) -> list[str]:
    return [name[:LETTERS] for name in sorted(tensors)[:MOST_LOSSES]]


def _described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
