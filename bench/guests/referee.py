"""One run of a training function from elsewhere, from its start to its record.

Axes: E episode copy, N agent, A action entry. One seed, so S = 1.

The referee has the environments, the count of steps, the evaluations and the scores. The method's process sees
observations and rewards and gives actions. Anything else that it does ends the run and becomes the record's reason.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.learner import Seen
from baselines.streams import generator
from baselines.teachers import Teaching, teaching
from bench.envs import Environment, make, packages_of
from bench.envs.one import Diverged, EnvironmentFailed
from bench.envs.scores import episode_scores
from bench.guests.actions import KINDS, IllegalAction, check
from bench.guests.answers import CHANGES, foul, versions, whole
from bench.guests.method import EARLY
from bench.guests.process import Foul, MethodProcess
from bench.plan import Run
from bench.run.counting import At
from bench.run.curves import CurveLog, bounded
from bench.run.failing import environment_failed
from bench.run.job import Job, Write
from bench.run.playing import parts, play
from bench.run.tasks import make_teachers, places, teacher_refs
from bench.run.training import Event, Stopped
from bench.store import Numbers, Record, Scores, Store, sha256
from bench.store.provenance import cpu_seconds, provenance
from bench.suite.assets import everywhere

MOST_ENVIRONMENTS = 256  # in one run: each one takes memory of the harness
MOST_TAUGHT = 2**20  # observations in one question to the teacher


@dataclass
class _Episode:
    """A training environment and its episode. rewards: of each step so far, [N] each; None: no episode is running."""

    environment: Environment
    stream: torch.Generator
    rewards: list[Tensor] | None = None


def play_run(
    job: Job, store: Store, run: Run, stop: Callable[[], bool], report: Callable[[Event], None], write: Write
) -> None:
    """Play one run of a method from elsewhere and pass its record to `write`. Raises Stopped: nothing of it is kept."""
    referee = Referee(job, store, run, report)
    try:
        record = referee.finish(stop)
    finally:
        referee.close()
    write(record, None)


class Referee:
    """Plays one run. `steps` counts environment steps over all environments of the method."""

    def __init__(self, job: Job, store: Store, run: Run, report: Callable[[Event], None]):
        self.job, self.store, self.run, self.report = job, store, run, report
        self.budget = job.cell.settings["budget"]
        self.place, *others = places(job.cell, torch.device("cpu"))
        if others:
            raise ValueError(f"{job.cell.label}: a training function learns one scenario, this has {1 + len(others)}")
        self.refs = teacher_refs(store, run)
        self.teacher: Teaching | None = None
        if self.refs:
            (found,) = make_teachers(store, job.cell, [self.place], [self.refs], torch.device("cpu"))
            own = self.place.environment
            self.teacher = teaching(found, own.agents, own.action_size, self.place.params.kinds)
        self.log, self.steps = CurveLog(), 0
        self.limit = self.place.scored.episode_limit
        self.size = self.limit if job.cell.unit == "episodes" else 1  # environment steps per unit of the budget
        self.episodes: dict[int, _Episode] = {}
        self.training: dict[int, list[float]] = {}  # scores of training episodes, by their curve point
        self.next_evaluation, self.reported = 0, False
        self.packages: dict[str, str] = {}
        self.played = np.zeros(0)  # actions of the last evaluation
        self.remarks: list[str] = []
        self.started, self.began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
        self.cpu_before = cpu_seconds()

    def finish(self, stop: Callable[[], bool]) -> Record:
        """Play to the end. Raises Stopped: nothing of the run is kept."""
        log = self.store.root / "logs" / f"{self.run.id}.log"
        log.parent.mkdir(exist_ok=True)
        returns, reason = np.zeros(0), ""

        def waiting() -> None:
            if stop():
                raise Stopped

        try:
            with MethodProcess(self._order(), self.job.limits, log, here=self.job.here) as self.process:
                self.waiting = waiting
                try:
                    returns = self._play()
                finally:
                    self.remarks += self.process.left()
        except Foul as foul:
            reason = str(foul)
        except Diverged as error:
            reason = f"diverged at step {self.steps}: {error}"
        except EnvironmentFailed as error:
            reason = environment_failed(error)
        return self._record(returns, reason)

    def close(self) -> None:
        """Close the environments."""
        self.place.close()
        for episode in self.episodes.values():
            episode.environment.close()

    # -------------------------------------------------------------------------------------------- the game

    def _order(self) -> dict[str, Any]:
        params, settings = self.place.params, self.job.cell.settings
        return {
            "order": "train",
            "target": settings["algorithm"]["name"],
            "agents": params.agent_names,
            "obs_sizes": params.obs_sizes,
            "action_sizes": params.action_sizes,
            "continuous": params.continuous,
            "seed": self.run.seed,
            "budget": self.job.cell.steps,
            "episode_limit": self.limit,
            "name": self.job.cell.scenarios[0],
            "hyperparameters": settings["hyperparameters"],
            "teacher": self.teacher is not None,
        }

    def _play(self) -> np.ndarray:
        """Answer the method until it has finished. Returns the scores of the final evaluation [E]."""
        moves = {"reset": self._reset, "step": self._step, "report": self._report, "teach": self._teach}
        while True:
            message, array = self.process.receive(self.waiting)
            if message.get("do") == "finished":
                break
            move = moves.get(str(message.get("do")))
            if move is None:
                foul(f"an unknown message: {message}")
            move(message, array)
        self.packages = versions(message.get("packages"))
        if not self.reported:
            foul("reported no policy: task.report(step, policy) was never called")
        returns = self._evaluation("final evaluation", self.budget["final_evaluation_episodes"])
        if self.job.cell.steps - self.steps >= self.limit:
            self.remarks.append(f"{EARLY} {self.steps:,} of {self.job.cell.steps:,} steps")
        if self._repeats():
            self.process.send({"is": "done"})
        return returns

    def _repeats(self) -> bool:
        """Play the final evaluation again, and add a remark if actions differ. False: this ended the method.

        The first evaluation counts in any case.
        """
        first = self.played
        try:
            self._evaluation("final evaluation", self.budget["final_evaluation_episodes"])
        except Foul as foul:
            self.remarks.append(f"{CHANGES}: asked again, it failed: {foul}")
            return False
        finally:
            again, self.played = self.played, first
        differ = first != again
        differ = differ.any(-1) if self.place.params.continuous else differ
        if differing := int(differ.sum()):
            self.remarks.append(f"{CHANGES}: {differing:,} of {differ.size:,} actions differ")
        return True

    def _reset(self, message: dict[str, Any], _: bytes) -> None:
        copy = whole(message, "copy", 0, MOST_ENVIRONMENTS)
        if copy not in self.episodes:
            purpose = f"environment/{copy}" if copy else "environment"
            self.episodes[copy] = _Episode(self._environment(), generator(self.run.seed, purpose))
        episode = self.episodes[copy]
        obs = episode.environment.reset([episode.stream], copies=1)
        episode.rewards = []
        self.process.send({"is": "reset", "steps": self.steps}, _floats(obs))

    def _step(self, message: dict[str, Any], array: bytes) -> None:
        episode = self.episodes.get(whole(message, "copy", 0, MOST_ENVIRONMENTS))
        if episode is None or episode.rewards is None:
            foul("stepped an environment in which no episode is running")
        actions = self._actions(array, 1)
        if self.steps >= self.job.cell.steps:
            self.process.send({"is": "spent"})
            return
        self.steps += 1
        given = episode.environment.step(actions)
        obs, rewards = given.obs, given.rewards
        episode.rewards.append(rewards[0, 0])
        done = bool(given.terminated.item())
        over = len(episode.rewards) >= self.limit or bool(given.truncated.item())
        if over or done:
            self._training_episode(torch.stack(episode.rewards)[None, None], given.outcome)
            episode.rewards = None
        flags = {"is": "step", "steps": self.steps, "terminated": done, "truncated": over}
        self.process.send(flags, rewards[0, 0].double().numpy().tobytes() + _floats(obs))

    def _report(self, message: dict[str, Any], _: bytes) -> None:
        if message.get("step") != self.steps:
            foul(f"reported step {message.get('step')}, but the environment counted {self.steps}")
        self.reported = True
        done = self.steps // self.size
        if done >= self.next_evaluation:
            every = self.budget["evaluate_every"]
            self.next_evaluation = (done // every + 1) * every
            scores = self._evaluation("evaluation", self.budget["evaluation_episodes"])
            self.log.point("evaluation", self._at(done, sum(map(len, self.training.values()))), scores)
        self.process.send({"is": "done"})

    def _teach(self, message: dict[str, Any], array: bytes) -> None:
        if self.teacher is None:
            foul("asked a teacher that this run does not have")
        episodes, t = whole(message, "episodes", 0, MOST_TAUGHT), whole(message, "t", 0, self.limit)
        shape = (episodes, self.place.environment.agents, self.place.environment.obs_size)
        if len(array) != 4 * math.prod(shape):
            foul(f"asked the teacher with {len(array)} bytes, but announced {4 * math.prod(shape)}")
        values = self.teacher(torch.from_numpy(np.frombuffer(array, np.float32).reshape(shape).copy()), t)
        self.process.send({"is": "taught"}, _floats(values), self.waiting)

    # ---------------------------------------------------------------------------------------------- scores

    def _training_episode(self, rewards: Tensor, outcome: Mapping[str, Tensor]) -> None:
        """Add the score of a whole training episode, rewards [1, 1, T, N], to the point in which the episode ends.

        Points lie at the same environment steps as those of all methods. Abandoned episodes count by their steps.
        """
        every = self.budget["record_every"]
        point = -(-self.steps // (every * self.size)) * every
        if point not in self.training:
            taken = {"wall_s": [time.monotonic() - self.began], "cpu_s": [cpu_seconds() - self.cpu_before]}
            at = {"runs": [self.run.id], "done": self.steps // self.size}
            self.report({"event": "progress"} | at | taken)
        self.training.setdefault(point, []).extend(self._scores(rewards, None, outcome).tolist())

    def _evaluation(self, purpose: str, episodes: int) -> np.ndarray:
        """Scores [E] of the reported policy. Every method is evaluated on the same episodes at this seed."""
        start, at_once = [generator(self.run.seed, purpose)], self.place.params.episodes_at_once
        found = [self._evaluated(start, some) for some in parts(episodes, at_once)]
        self.played = np.concatenate([played for played, _ in found], 1)
        scores = np.concatenate([own for _, own in found])
        if not bounded(scores):
            foul(f"diverged at step {self.steps}: a score is not finite, or beyond bounds")
        return scores

    def _evaluated(self, start: Sequence[torch.Generator], episodes: int) -> tuple[np.ndarray, np.ndarray]:
        """The actions of this many episodes in parallel, and their scores [E]."""
        calls = itertools.count()

        def act(seen: Seen) -> Tensor:
            told = {"is": "act", "t": next(calls), "episodes": episodes}
            self.process.send(told, _floats(seen.obs), self.waiting)
            while True:
                message, array = self.process.receive(self.waiting)
                if message.get("do") == "teach":  # a policy may ask its teacher
                    self._teach(message, array)
                elif message.get("do") == "act":
                    return self._actions(array, episodes)
                else:
                    foul(f"in an evaluation it answered {message.get('do')!r} instead of actions")

        played = play(self.place.apart, start, episodes, self.limit, act, self.place.params.ends_early)
        rollout = played.rollout
        taken = rollout.actions if self.place.params.continuous else rollout.actions.argmax(-1).to(torch.uint8)
        return taken.numpy(), self._scores(rollout.rewards, rollout.mask, played.outcome)

    def _actions(self, array: bytes, episodes: int) -> Tensor:
        """Received actions, int64 [E, N] or float64 [E, N, A], checked: [1, E, N, A]. Raises Foul."""
        environment, params = self.place.environment, self.place.params
        shape = (episodes, environment.agents, *[environment.action_size] * params.continuous)
        if len(array) != 8 * math.prod(shape):
            foul(f"actions: got {len(array)} bytes; allowed: {8 * math.prod(shape)}")
        actions = np.frombuffer(array, KINDS[params.continuous]).reshape(shape).copy()
        try:
            check(actions, params.agent_names, environment.action_sizes, params.continuous)
        except IllegalAction as illegal:
            foul(f"illegal action at step {self.steps}: {illegal}")
        chosen = torch.from_numpy(actions)[None]
        return chosen if params.continuous else torch.nn.functional.one_hot(chosen, environment.action_size).double()

    def _environment(self) -> Environment:
        own = self.place.scored
        return make(own.family, own.params, "cpu", everywhere())

    def _at(self, done: int, ended: int) -> At:
        """Where the point at `done` of the budget lies. ended: training episodes that have ended by then."""
        return At(done, done * self.limit) if self.size == self.limit else At(ended, done)

    def _scores(self, rewards: Tensor, mask: Tensor | None, outcome: Mapping[str, Tensor]) -> np.ndarray:
        return episode_scores(self.place.scored.metric, self.place.params, rewards, mask, outcome)[0].numpy()

    # ---------------------------------------------------------------------------------------------- record

    def _record(self, returns: np.ndarray, reason: str) -> Record:
        ended = 0
        for point, values in self.training.items():
            ended += len(values)
            self.log.point("training", self._at(min(point, self.job.cell.whole), ended), np.array(values))
        scores = Scores.of(self.log.curves(), returns.tolist())
        origin = provenance(
            started=self.started,
            wall_s=time.monotonic() - self.began,
            cpu_s=cpu_seconds() - self.cpu_before,
            lanes=1,
            device="cpu",
            accelerator=None,
            others={**self.packages, **packages_of(self.place.scored.family)},
        )
        numbers = Numbers(scores=(scores,), first_update=None, weights=sha256(self.played.tobytes()))
        for remark in self.remarks:
            self.report({"event": "remark", "says": f"run {self.run.id}: {remark}"})
        return self.job.record(self.run, self.refs, numbers, reason, origin, self.remarks)


def _floats(values: Tensor) -> bytes:
    return values.float().contiguous().numpy().tobytes()
