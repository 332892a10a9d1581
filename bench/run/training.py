"""One group of lanes from where they are to their records.

Axes: S seed (lane), E episode copy, P scenario (place), those that are trained on first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baselines.learner import Acting, Learner, Rollout
from baselines.streams import Streams, generator
from bench.checkpoints import Checkpoint, append_replay, save_checkpoint, save_weights
from bench.curves import CurveLog
from bench.envs.scores import episode_scores
from bench.plan import Run
from bench.provenance import cpu_seconds, provenance
from bench.run.job import Job
from bench.run.playing import play
from bench.run.tasks import Place, make_learner, make_teachers, places, teacher_refs
from bench.store import Numbers, Scores, Store, sha256

Event = dict[str, Any]
REPLAY_PART = 256  # episodes in a file of the replay log: what is written costs memory three times over


class Stopped(Exception):
    """Asked to stop; every lane has been checkpointed."""


class Training:
    """One group of lanes from where they are to their records. `episodes`: of each task, done."""

    def __init__(
        self,
        job: Job,
        store: Store,
        runs: Sequence[Run],
        checkpoints: Sequence[Checkpoint | None],
        report: Callable[[Event], None],
        learner: Learner | None = None,
    ):
        """learner: one that is made already, in another process perhaps; nothing: the cell's is made here."""
        self.job, self.store, self.runs, self.report = job, store, runs, report
        self.budget = job.cell.settings["budget"]
        self.device = torch.device(job.device)
        self.places = places(job.cell, self.device)
        self.trained = [place for place in self.places if place.scored.trained]
        self.streams = [Streams(run.seed, self.device) for run in runs]
        self.teachers = [teacher_refs(store, run) for run in runs]
        self.learner = self._own_learner() if learner is None else learner
        self.logs = [[CurveLog() for _ in self.places] for _ in runs]  # [S][P]
        self.episodes, self.first_update = 0, None
        self.pending: list[list[dict[str, Tensor]]] = [[] for _ in self.places]  # losses of the point under way
        self.diverged: list[int | None] = [None for _ in runs]
        self.saved_episodes = 0
        self.others: Mapping[str, str] = {}  # versions of packages that a learner from elsewhere loads
        self.clock = _Clock([c.progress if c else {"wall_s": 0.0, "cpu_s": 0.0} for c in checkpoints])
        if checkpoints[0] is not None:
            self._restore([c for c in checkpoints if c is not None])

    def finish(self, stop: Callable[[], bool]) -> None:
        """Train to the end of the budget, evaluate, write the records. Raises Stopped after a checkpoint."""
        returns = self.train(stop)
        self.conclude(returns, self.learner.policy())

    def train(self, stop: Callable[[], bool]) -> list[np.ndarray]:
        """To the end of the budget: scores of the final evaluation [P][S, E]. Raises Stopped after a checkpoint."""
        if self.episodes == 0:
            self._evaluate()
        last_save = time.monotonic()
        while self.episodes < self.budget["episodes"]:
            self._round()
            if stop():
                self._checkpoint()
                raise Stopped
            if time.monotonic() - last_save >= self.job.checkpoint_s:
                self._checkpoint()
                last_save = time.monotonic()
        episodes = self.budget["final_evaluation_episodes"]
        return [self._play_greedily(place, "final evaluation", episodes) for place in self.places]

    def conclude(self, returns: Sequence[np.ndarray], policy: Mapping[str, Tensor]) -> None:
        """Write the records. returns [P][S, E]; policy: as the learner gives it, every tensor leading with [S]."""
        for lane, run in enumerate(self.runs):
            own = [scores[lane] for scores in returns]
            self._watch(lane, all(bool(np.isfinite(scores).all()) for scores in own))
            diverged = self.diverged[lane]
            weights = save_weights(self.store, run.id, _arrays({name: tensor[lane] for name, tensor in policy.items()}))
            self._write(lane, own, weights, "" if diverged is None else f"diverged at step {diverged}")

    def give_up(self, reason: str) -> None:
        """Write records of runs that failed: their curves so far, no final score, no weights."""
        for lane in range(len(self.runs)):
            self._write(lane, [np.zeros(0) for _ in self.places], sha256(b""), reason)

    # ------------------------------------------------------------------------------------------- training

    def _own_learner(self) -> Learner:
        teachers = make_teachers(self.store, self.job.cell, self.trained, self.teachers, self.device)
        return make_learner(self.job.cell, self.places, teachers, self.streams, self.device)

    def _round(self) -> None:
        """One round of every task, updates when due, and the curve points that fall due."""
        learner, done = self.learner, self.episodes
        self.episodes += learner.copies
        for p, place in enumerate(self.trained):
            generators = [stream["environment"] for stream in self.streams]
            rollout = self._play(place, generators, learner.copies, learner.exploring(place.task, done))
            losses = learner.learn(place.task, rollout, self.episodes)
            if losses:
                self.pending[p].append(losses)
                self.first_update = self.first_update or self.episodes
            for logs, scores in zip(self.logs, _scores(place, rollout), strict=True):
                logs[p].add("training", scores)
        if self.episodes % self.budget["record_every"] == 0 or self.episodes >= self.budget["episodes"]:
            self._close_point()
        if self.episodes % self.budget["evaluate_every"] == 0:
            self._evaluate()

    def _close_point(self) -> None:
        """End a curve point: losses come from the device once a point, and a lane that diverged is noticed."""
        for p, pending in enumerate(self.pending):
            for name in pending[0] if pending else ():
                values = torch.stack([losses[name] for losses in pending]).double().cpu().numpy()
                for lane, logs in enumerate(self.logs):
                    logs[p].add(f"loss/{name}", values[:, lane])
            pending.clear()
        for lane, logs in enumerate(self.logs):
            self._watch(lane, all(log.finite() for log in logs))
            for log in logs:
                log.close(self.episodes)
        lanes = range(len(self.runs))
        taken = {"wall_s": [self.clock.wall(s) for s in lanes], "cpu_s": [self.clock.cpu(s) for s in lanes]}
        self.report({"event": "progress", "runs": [run.id for run in self.runs], "episodes": self.episodes} | taken)

    def _evaluate(self) -> None:
        """A greedy evaluation on the same episodes every time, the same for every method."""
        for p, place in enumerate(self.places):
            scores = self._play_greedily(place, "evaluation", self.budget["evaluation_episodes"])
            for lane, (logs, own) in enumerate(zip(self.logs, scores, strict=True)):
                self._watch(lane, bool(np.isfinite(own).all()))
                logs[p].point("evaluation", self.episodes, own)

    def _watch(self, lane: int, finite: bool) -> None:
        """Note the environment step at which a lane's numbers were first seen not to be finite."""
        if not finite and self.diverged[lane] is None:
            self.diverged[lane] = self.episodes * self.job.cell.round_steps

    def _play_greedily(self, place: Place, purpose: str, episodes: int) -> np.ndarray:
        """Episodes' scores [S, E] under the greedy policy, on a stream that only the seed and purpose decide."""
        generators = [generator(run.seed, purpose) for run in self.runs]
        return _scores(place, self._play(place, generators, episodes, self.learner.greedy(place.task)))

    def _play(self, place: Place, generators: Sequence[torch.Generator], copies: int, act: Acting) -> Rollout:
        return play(place.environment, generators, copies, place.scored.episode_limit, act)

    # ----------------------------------------------------------------------------- checkpoints and records

    def _checkpoint(self) -> None:
        state = {f"learner/{name}": tensor for name, tensor in self.learner.state().items()}
        first = min((replay.first for replay in self.learner.replays), default=self.episodes)
        for lane, run in enumerate(self.runs):
            for start in range(max(self.saved_episodes, first), self.episodes, REPLAY_PART):
                stop = min(start + REPLAY_PART, self.episodes)
                append_replay(self.store, run.id, start, stop, self._replay_rows(lane, start, stop))
            streams = {f"stream/{name}": tensor for name, tensor in self.streams[lane].state().items()}
            own = {name: tensor[lane] for name, tensor in state.items()}
            progress = {
                "device": self.device.type,
                "episodes": self.episodes,
                "replay_first": first,
                "first_update": self.first_update,
                "wall_s": self.clock.wall(lane),
                "cpu_s": self.clock.cpu(lane),
                "lanes": len(self.runs),
                "checkpoint_s": self.job.checkpoint_s,
                "diverged": self.diverged[lane],
                "curves": [log.state() for log in self.logs[lane]],
                "losses": [
                    [{name: loss[lane].item() for name, loss in losses.items()} for losses in pending]
                    for pending in self.pending
                ],
            }
            save_checkpoint(self.store, run.id, _arrays({**own, **streams}), progress)
        self.saved_episodes = self.episodes

    def _replay_rows(self, lane: int, start: int, stop: int) -> dict[str, np.ndarray]:
        """A part of the replay log: the rows of every task's replay, named "<task>/<name>"."""
        rows: dict[str, Tensor] = {}
        for k, replay in enumerate(self.learner.replays):
            rows |= {f"{k}/{name}": tensor for name, tensor in replay.rows(lane, start, stop).items()}
        return _arrays(rows)

    def _restore(self, checkpoints: Sequence[Checkpoint]) -> None:
        first = checkpoints[0].progress
        self.episodes = self.saved_episodes = first["episodes"]
        self.first_update = first["first_update"]
        self.diverged = [c.progress["diverged"] for c in checkpoints]
        self.logs = [[CurveLog.from_state(state) for state in c.progress["curves"]] for c in checkpoints]
        names = [n.removeprefix("learner/") for n in checkpoints[0].arrays if n.startswith("learner/")]
        self.learner.load_state({n: self._stacked(checkpoints, f"learner/{n}") for n in names})
        self.pending = [
            [self._pending([c.progress["losses"][p][k] for c in checkpoints]) for k in range(len(losses))]
            for p, losses in enumerate(first["losses"])
        ]
        for lane, checkpoint in enumerate(checkpoints):
            streams = {n.removeprefix("stream/"): a for n, a in checkpoint.arrays.items() if n.startswith("stream/")}
            self.streams[lane].load_state({n: torch.from_numpy(a.copy()) for n, a in streams.items()})
            for start, part in checkpoint.replay.items():
                for k, replay in enumerate(self.learner.replays):
                    own = {n.removeprefix(f"{k}/"): a for n, a in part.items() if n.startswith(f"{k}/")}
                    replay.restore(lane, start, {n: torch.from_numpy(a) for n, a in own.items()})

    def _pending(self, lanes: Sequence[Mapping[str, float]]) -> dict[str, Tensor]:
        return {
            name: torch.tensor([own[name] for own in lanes], dtype=torch.float64, device=self.device)
            for name in lanes[0]
        }

    def _stacked(self, checkpoints: Sequence[Checkpoint], name: str) -> Tensor:
        return torch.from_numpy(np.stack([c.arrays[name] for c in checkpoints])).to(self.device)

    def _write(self, lane: int, returns: Sequence[np.ndarray], weights: str, reason: str) -> None:
        run = self.runs[lane]
        numbers = Numbers(
            scores=tuple(self._lane_scores(lane, p, own) for p, own in enumerate(returns)),
            first_update=self.first_update,
            weights=weights,
        )
        origin = provenance(
            started=self.clock.started,
            wall_s=self.clock.wall(lane),
            cpu_s=self.clock.cpu(lane),
            lanes=len(self.runs),
            device=self.device.type,
            accelerator=torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None,
            others=self.others,
        )
        record = self.job.record(run, self.teachers[lane], numbers, reason, origin)
        self.store.write_record(record)
        self.store.drop_checkpoint(run.id)
        self.report({"event": record.status, "run": run.id, "reason": record.reason})

    def _lane_scores(self, lane: int, p: int, returns: np.ndarray) -> Scores:
        final = float(np.mean(returns)) if len(returns) else math.nan
        return Scores(
            curves=self.logs[lane][p].curves(self.places[p].scored.episode_limit),
            returns=tuple(r if math.isfinite(r) else None for r in returns.tolist()),
            final=final if math.isfinite(final) else None,
        )


class _Clock:
    """Seconds of each lane: wall time, and its share of the group's CPU time. before: what earlier processes spent."""

    def __init__(self, before: Sequence[Mapping[str, float]]):
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._before, self._wall, self._cpu = before, time.monotonic(), cpu_seconds()

    def wall(self, lane: int) -> float:
        return self._before[lane]["wall_s"] + time.monotonic() - self._wall

    def cpu(self, lane: int) -> float:
        return self._before[lane]["cpu_s"] + (cpu_seconds() - self._cpu) / len(self._before)


def _scores(place: Place, rollout: Rollout) -> np.ndarray:
    """[S, E], float64."""
    return episode_scores(place.scored.metric, place.params, rollout.rewards).cpu().numpy()


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
