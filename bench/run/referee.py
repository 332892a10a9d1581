"""One run of a training function from elsewhere, from its start to its record.

Axes: E episode copy, N agent, A action entry. One seed, so S = 1.

Here are the environments, the count of steps, the evaluations and the scores; the method's process sees observations
and rewards and gives actions. Whatever it does that is no move of the game ends the run, and is the record's reason.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.streams import generator
from bench.curves import CurveLog
from bench.envs import Environment, make
from bench.envs.particle.opponents import named_opponent
from bench.envs.scores import episode_scores
from bench.outside.actions import IllegalAction, check
from bench.outside.process import Foul, MethodProcess
from bench.plan import Run
from bench.provenance import cpu_seconds, provenance
from bench.run.answers import foul, versions, whole
from bench.run.job import Job
from bench.run.playing import play
from bench.run.tasks import make_teachers, places, teacher_refs
from bench.run.teaching import Teaching, teaching
from bench.run.training import Event, Stopped
from bench.store import Numbers, Record, Scores, Store, sha256
from bench.suite.loading import opponents

MOST_ENVIRONMENTS = 256  # of one run: each is an object of ours
MOST_TAUGHT = 2**20  # observations of one question to the teacher


@dataclass
class _Episode:
    """A training environment and the episode in it. rewards: of each step so far, [N] each; None: none is running."""

    environment: Environment
    stream: torch.Generator
    rewards: list[Tensor] | None = None


def play_run(job: Job, store: Store, run: Run, stop: Callable[[], bool], report: Callable[[Event], None]) -> None:
    """One run of a method from elsewhere to its record. Raises Stopped: nothing of the run is kept."""
    Referee(job, store, run, report).finish(stop)


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
            self.teacher = teaching(found, self.place)
        self.log, self.steps = CurveLog(), 0
        self.limit = self.place.scored.episode_limit
        self.episodes: dict[int, _Episode] = {}
        self.training: dict[int, list[float]] = {}  # scores of training episodes, by the point that they belong to
        self.next_evaluation, self.reported = 0, False
        self.packages: dict[str, str] = {}
        self.played = b""
        self.started, self.began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), time.monotonic()
        self.cpu_before = cpu_seconds()

    def finish(self, stop: Callable[[], bool]) -> None:
        """Play to the end and write the record. Raises Stopped: nothing of the run is kept."""
        log = self.store.root / "logs" / f"{self.run.id}.log"
        log.parent.mkdir(exist_ok=True)
        returns, reason = np.zeros(0), ""

        def waiting() -> None:
            if stop():
                raise Stopped

        try:
            with MethodProcess(self._order(), self.job.limits, log) as self.process:
                self.waiting = waiting
                returns = self._play()
        except Foul as foul:
            reason = str(foul)
        record = self._record(returns, reason)
        self.store.write_record(record)
        self.report({"event": record.status, "run": self.run.id, "reason": record.reason})

    # -------------------------------------------------------------------------------------------- the game

    def _order(self) -> dict[str, Any]:
        params, settings = self.place.params, self.job.cell.settings
        return {
            "order": "train",
            "target": settings["algorithm"]["name"],
            "agents": params.agent_names,
            "obs_sizes": params.obs_sizes,
            "action_sizes": params.action_sizes,
            "seed": self.run.seed,
            "budget": self.job.cell.steps,
            "episode_limit": self.limit,
            "name": self.job.cell.scenarios[0],
            "hyperparameters": settings["hyperparameters"],
            "teacher": self.teacher is not None,
        }

    def _play(self) -> np.ndarray:
        """Answer the method until it has finished; the scores of the final evaluation [E]."""
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
        self.process.send({"is": "done"})
        return returns

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
        actions = self._one_hot(array, 1)
        if self.steps >= self.job.cell.steps:
            self.process.send({"is": "spent"})
            return
        self.steps += 1
        obs, rewards, terminated = episode.environment.step(actions)
        episode.rewards.append(rewards[0, 0])
        over, done = len(episode.rewards) >= self.limit, bool(terminated.item())
        if over or done:
            self._training_episode(torch.stack(episode.rewards)[None, None])
            episode.rewards = None
        flags = {"is": "step", "steps": self.steps, "terminated": done, "truncated": over}
        self.process.send(flags, rewards[0, 0].double().numpy().tobytes() + _floats(obs))

    def _report(self, message: dict[str, Any], _: bytes) -> None:
        if message.get("step") != self.steps:
            foul(f"reported step {message.get('step')}, where the environment counted {self.steps}")
        self.reported = True
        episodes = self.steps // self.limit
        if episodes >= self.next_evaluation:
            every = self.budget["evaluate_every"]
            self.next_evaluation = (episodes // every + 1) * every
            self.log.point("evaluation", episodes, self._evaluation("evaluation", self.budget["evaluation_episodes"]))
        self.process.send({"is": "done"})

    def _teach(self, message: dict[str, Any], array: bytes) -> None:
        if self.teacher is None:
            foul("asked a teacher that this run does not have")
        episodes, t = whole(message, "episodes", 0, MOST_TAUGHT), whole(message, "t", 0, self.limit)
        shape = (episodes, self.place.environment.agents, self.place.environment.obs_size)
        if len(array) != 4 * math.prod(shape):
            foul(f"asked the teacher with {len(array)} bytes, where {4 * math.prod(shape)} were announced")
        values = self.teacher(torch.from_numpy(np.frombuffer(array, np.float32).reshape(shape).copy()), t)
        self.process.send({"is": "taught"}, _floats(values), self.waiting)

    # ---------------------------------------------------------------------------------------------- scores

    def _training_episode(self, rewards: Tensor) -> None:
        """Take up the score of a whole training episode, rewards [1, 1, T, N]; it belongs to the point that it ends in.

        Points lie where those of all methods lie, by environment steps: episodes that were left count by their steps.
        """
        every = self.budget["record_every"]
        point = -(-self.steps // (every * self.limit)) * every
        if point not in self.training:
            taken = {"wall_s": [time.monotonic() - self.began], "cpu_s": [cpu_seconds() - self.cpu_before]}
            at = {"runs": [self.run.id], "episodes": self.steps // self.limit}
            self.report({"event": "progress"} | at | taken)
        self.training.setdefault(point, []).extend(self._scores(rewards).tolist())

    def _evaluation(self, purpose: str, episodes: int) -> np.ndarray:
        """Scores [E] of the reported policy on the episodes that every method of this seed is evaluated on."""

        def act(obs: Tensor, _: Tensor, t: int) -> Tensor:
            self.process.send({"is": "act", "t": t, "episodes": episodes}, _floats(obs), self.waiting)
            while True:
                message, array = self.process.receive(self.waiting)
                if message.get("do") == "teach":  # a policy may ask its teacher
                    self._teach(message, array)
                elif message.get("do") == "act":
                    return self._one_hot(array, episodes)
                else:
                    foul(f"in an evaluation it answered {message.get('do')!r}, where actions were asked for")

        rollout = play(self._environment(), [generator(self.run.seed, purpose)], episodes, self.limit, act)
        self.played = rollout.actions.argmax(-1).to(torch.uint8).numpy().tobytes()
        scores = self._scores(rollout.rewards)
        if not np.isfinite(scores).all():
            foul(f"diverged at step {self.steps}: a score is not finite")
        return scores

    def _one_hot(self, array: bytes, episodes: int) -> Tensor:
        """Actions as they came, [E, N] int64, checked: [1, E, N, A]. Raises Foul."""
        environment, names = self.place.environment, self.place.params.agent_names
        if len(array) != 8 * episodes * environment.agents:
            foul(f"actions: got {len(array)} bytes; allowed: {8 * episodes * environment.agents}")
        actions = np.frombuffer(array, np.int64).reshape(episodes, environment.agents).copy()
        try:
            check(actions, names, environment.action_sizes)
        except IllegalAction as illegal:
            foul(f"illegal action at step {self.steps}: {illegal}")
        return torch.nn.functional.one_hot(torch.from_numpy(actions), environment.action_size).double()[None]

    def _environment(self) -> Environment:
        own = self.place.scored
        return make(own.family, own.params, "cpu", named_opponent(own.params, opponents()))

    def _scores(self, rewards: Tensor) -> np.ndarray:
        return episode_scores(self.place.scored.metric, self.place.params, rewards)[0].numpy()

    # ---------------------------------------------------------------------------------------------- record

    def _record(self, returns: np.ndarray, reason: str) -> Record:
        for point, values in self.training.items():
            self.log.point("training", min(point, self.budget["episodes"]), np.array(values))
        scores = Scores(
            curves=self.log.curves(self.limit),
            returns=tuple(returns.tolist()),
            final=float(np.mean(returns)) if len(returns) else None,
        )
        origin = provenance(
            started=self.started,
            wall_s=time.monotonic() - self.began,
            cpu_s=cpu_seconds() - self.cpu_before,
            lanes=1,
            device="cpu",
            accelerator=None,
            others=self.packages,
        )
        numbers = Numbers(scores=(scores,), first_update=None, weights=sha256(self.played))
        return self.job.record(self.run, self.refs, numbers, reason, origin)


def _floats(values: Tensor) -> bytes:
    return values.float().contiguous().numpy().tobytes()
