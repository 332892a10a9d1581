"""One group of lanes from where they are to their records.

Axes: S seed (lane), E episode copy, P scenario (place), trained ones first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from baselines.learner import Ensemble, Learner, Phased, Rollout, Steps
from baselines.streams import Streams
from bench.envs import described, packages_of
from bench.plan import Run, spans
from bench.run.boundary import cache, first_phase, is_kept, name_of
from bench.run.clock import Clock
from bench.run.counting import Counts, alone
from bench.run.curves import CurveLog, bounded
from bench.run.evaluating import Evaluations, played_in
from bench.run.job import Job, Write
from bench.run.members import compared
from bench.run.restoring import NotRestored, arrays_of, check, check_log, out_of_memory, reason, under
from bench.run.scoring import ended_score, played_scores
from bench.run.stepping import Stepping
from bench.run.tasks import Place, make_learner, make_teachers, places, teacher_refs
from bench.store import Numbers, Scores, Store, sha256
from bench.store.checkpoints import Checkpoint, append_replay, has_checkpoint, packed_weights, save_checkpoint
from bench.store.provenance import provenance

Event = dict[str, Any]


class Stopped(Exception):
    """Training was asked to stop; every lane has a checkpoint."""


class Training:
    """One group of lanes from where they are to their records."""

    def __init__(
        self,
        job: Job,
        store: Store,
        runs: Sequence[Run],
        checkpoints: Sequence[Checkpoint | None],
        report: Callable[[Event], None],
        write: Write,
        learner: Learner | None = None,
    ):
        """write: gets each run's record and weights.

        learner: an existing one, perhaps in another process; None: the cell's learner is made here.
        Raises NotRestored if the checkpoints cannot be restored. Nothing of them is used then.
        """
        self.job, self.store, self.runs, self.report, self.write = job, store, runs, report, write
        self.budget, self.alone = job.cell.settings["budget"], alone(job.cell)
        self.device = torch.device(job.device)
        self.places = places(job.cell, self.device)
        self.trained = [place for place in self.places if place.scored.trained]
        self.streams = [Streams(run.seed, self.device) for run in runs]
        self.teachers = [teacher_refs(store, run) for run in runs]
        self.learner = self._own_learner() if learner is None else learner
        self.ensemble = self.learner if isinstance(self.learner, Ensemble) and not job.cell.guest else None
        self.evaluations = Evaluations(runs, self.learner, self.ensemble)
        self.members: list[np.ndarray] = []  # an ensemble's final scores [M, S, E] in each place
        self.logs = [[CurveLog() for _ in self.places] for _ in runs]  # [S][P]
        self.counts = Counts(job.cell, self.learner, len(runs))
        self.first_update: int | None = None
        self.stepping: dict[int, Stepping] = {}  # open episodes by task, for a learner that plays steps
        self.pending: list[list[dict[str, Tensor]]] = [[] for _ in self.places]  # losses of the current point
        self.diverged: list[str | None] = [None for _ in runs]  # "step 100"
        self.saved_entries = 0  # of the replays
        self.anew = [0 for _ in runs]
        self.phase, self.turned = first_phase(job.cell), False  # the first of two; whether it is over
        self.spans = spans(job.cell.settings)
        self.in_order = any(start for start, _ in self.spans)
        self.saved_at = time.monotonic()
        self.others: dict[str, str] = {}  # versions of packages that environments or a guest load
        for place in self.places:
            self.others |= {**packages_of(place.scored.family), **described(place.scored.family, place.params)}
        self.remarks: list[str] = []  # about a guest
        self.clock = Clock([c.progress if c else {"wall_s": 0.0, "cpu_s": 0.0} for c in checkpoints])
        if checkpoints[0] is not None:
            try:
                self._restore([c for c in checkpoints if c is not None])
            except Exception as error:  # any error: a checkpoint must not block its run for ever
                self.close()
                if out_of_memory(error):
                    raise
                raise NotRestored(reason(error)) from error

    def finish(self, returns: Sequence[np.ndarray], policy: Mapping[str, Tensor]) -> None:
        """`conclude`. Raises Stopped after a checkpoint."""
        try:
            self.conclude(returns, policy)
        except Stopped:  # the process that writes them is gone
            self._checkpoint()
            raise

    def train(self, stop: Callable[[], bool]) -> list[np.ndarray]:
        """Train to the end of the budget; final evaluation's scores [P][S, E]. Raises Stopped after a checkpoint."""
        if self.counts.rounds == 0:
            self._evaluate(0)
        self.saved_at = time.monotonic()
        while self.counts.done < self.job.cell.whole:
            self._turn_if_due(stop)
            self._round()
            self._pause(stop)
        return self.evaluated()

    def to_the_turn(self, stop: Callable[[], bool]) -> None:
        """Train to the end of the first of two phases, no further. Raises Stopped after a checkpoint."""
        while not self.turned:
            self._turn_if_due(stop)
            if not self.turned:
                self._round()
                self._pause(stop)

    def _pause(self, stop: Callable[[], bool]) -> None:
        """Write a checkpoint if one is due. Raises Stopped after one, if asked to stop."""
        if stop():
            self._checkpoint()
            raise Stopped
        if time.monotonic() - self.saved_at >= self.job.checkpoint_s:
            self._checkpoint()
            self.saved_at = time.monotonic()

    def evaluated(self) -> list[np.ndarray]:
        """Scores of the final evaluation [P][S, E]. A second call gives the same scores for the same policy."""
        returns, self.members = self.evaluations.final(self.places, self.budget["final_evaluation_episodes"])
        return returns

    def conclude(self, returns: Sequence[np.ndarray], policy: Mapping[str, Tensor]) -> None:
        """Hand over the records. returns: [P][S, E]. policy: the learner's, every tensor leading with [S]."""
        for lane in range(len(self.runs)):
            own = [scores[lane] for scores in returns]
            self._watch(lane, all(map(bounded, own)))
            reason = "" if self.diverged[lane] is None else self.diverged_at(lane)
            weights = packed_weights(arrays_of({name: tensor[lane] for name, tensor in policy.items()}))
            self._write(lane, own, weights, reason)

    def close(self) -> None:
        """End the environments."""
        for place in self.places:
            place.close()

    def give_up(self, reason: str, lanes: Iterable[int] | None = None) -> None:
        """Hand over the records of failed runs: curves so far, no final score, no weights. lanes: None means all."""
        for lane in range(len(self.runs)) if lanes is None else lanes:
            self._write(lane, [np.zeros(0) for _ in self.places], None, reason)

    # ------------------------------------------------------------------------------------------- training

    def _own_learner(self) -> Learner:
        teachers = make_teachers(self.store, self.job.cell, self.trained, self.teachers, self.device)
        bound = self.job.replay_bytes
        return make_learner(self.job.cell, self.places, teachers, self.streams, self.device, bound)

    def _round(self) -> None:
        """One round of every task, then updates and curve points that are due."""
        learner, counts = self.learner, self.counts
        before, played_before = counts.done, counts.played
        counts.rounds += 1
        for p, place in enumerate(self.trained):
            start, end = self.spans[p]
            if not start <= before < end:
                continue
            played = self._explore(p, place, played_before) if learner.copies else None
            losses = learner.learn(place.task, played, counts.played)
            if losses:
                self.pending[p].append(losses)
                self.first_update = self.first_update or max(1, counts.done)
        if self.ensemble is not None and self.ensemble.compares(counts.played):
            self._compare(self.ensemble)
        if due := self._due("record_every", before):
            self._close_point(due)
        if due := self._due("evaluate_every", before):
            self._evaluate(due)

    def _turn_if_due(self, stop: Callable[[], bool]) -> None:
        """At the end of the first phase: keep the state, then let the learner do its work between both phases.

        Right after that it is evaluated, with as many episodes as at the end. Raises Stopped after a checkpoint.
        """
        if self.turned or self.phase is None or self.counts.done < self.phase.end:
            return
        learner = cast(Phased, self.learner)
        while not learner.ready():
            self._pause(stop)
        folder = cache(self.store)
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        names = {lane: name for lane, run in enumerate(self.runs) if (name := name_of(self.job.cell, run))}
        self._save(folder, {lane: name for lane, name in names.items() if not has_checkpoint(folder, name)})
        for name, losses in learner.turn().items():
            for lane, loss in enumerate(losses.double().tolist()):
                self._watch(lane, bool(np.isfinite(loss)))
                self.logs[lane][0].point(f"loss/{name}", self.counts.at(lane, 0, self.counts.done), np.array([loss]))
        self.turned = True
        for p, place in enumerate(self.places if self.in_order else ()):
            found = self.evaluations.at_the_turn(place, self.budget["final_evaluation_episodes"])
            self._add_points(p, self.counts.done, found)
        self.report({"event": "turned", "runs": [run.id for run in self.runs]})

    def _due(self, key: str, before: int) -> int | None:
        """The place in the budget where `key` has come due since `before`; None if it has not."""
        every, done = self.budget[key], min(self.counts.done, self.job.cell.whole)
        return done // every * every if done // every > before // every else None

    def _explore(self, p: int, place: Place, done: int) -> Rollout | Steps:
        """Play one round of one task, and add the scores of the episodes that ended in it to the curves."""
        learner = self.learner
        generators, act = [stream["environment"] for stream in self.streams], learner.exploring(place.task, done)
        if learner.steps is None:
            found = played_in(place, place.environment, generators, learner.copies, act, self.alone)
            played, scores = found.rollout, played_scores(place, found)
            lengths = np.full(len(self.runs), learner.copies * place.scored.episode_limit)
            steps = lengths if played.mask is None else played.mask.sum((1, 2)).cpu().numpy()
        else:
            if p not in self.stepping:
                limit, early = place.scored.episode_limit, place.params.ends_early
                self.stepping[p] = Stepping(place.environment, generators, learner.copies, limit, early)
            played, ended = self.stepping[p].play(learner.steps, act)
            scores = [[ended_score(place, one) for one in own] for own in ended]
            steps = np.full(len(self.runs), self.counts.round_size)
        self.counts.add(p, [len(own) for own in scores], steps)
        for logs, own in zip(self.logs, scores, strict=True):
            logs[p].add("training", own)
        return played

    def _close_point(self, done: int) -> None:
        """End a curve point. Losses are copied from the device once per point; diverged lanes are noticed here."""
        for p, pending in enumerate(self.pending):
            for name in pending[0] if pending else ():
                values = torch.stack([losses[name] for losses in pending]).double().cpu().numpy()
                for lane, logs in enumerate(self.logs):
                    logs[p].add(f"loss/{name}", values[:, lane])
            pending.clear()
        for lane, logs in enumerate(self.logs):
            self._watch(lane, all(log.bounded() for log in logs))
            for p, log in enumerate(logs):
                log.close(self.counts.at(lane, p, done))
        lanes = range(len(self.runs))
        taken = {"wall_s": [self.clock.wall(s) for s in lanes], "cpu_s": [self.clock.cpu(s) for s in lanes]}
        self.report({"event": "progress", "runs": [run.id for run in self.runs], "done": self.counts.done} | taken)

    def _evaluate(self, done: int) -> None:
        """A greedy evaluation. It plays the same episodes every time and for every method."""
        for p, place in enumerate(self.places):
            start, end = self.spans[p]
            if not (start < done <= end or done == start == 0):
                continue
            found = self.evaluations.curves(place, "evaluation", self.budget["evaluation_episodes"])
            self._add_points(p, done, found)

    def _compare(self, ensemble: Ensemble) -> None:
        """Compare an ensemble's members, which may then learn from one of them."""
        for p, place in enumerate(self.trained):
            found = compared(ensemble, place.task, self.evaluations.player(place), self.budget["evaluation_episodes"])
            self._add_points(p, self.counts.done, found)

    def _add_points(self, p: int, done: int, curves: Mapping[str, np.ndarray]) -> None:
        """Add a point to each of these curves, from values [S, E]."""
        for name, scores in curves.items():
            for lane, (logs, own) in enumerate(zip(self.logs, scores, strict=True)):
                self._watch(lane, bounded(own))
                logs[p].point(name, self.counts.at(lane, p, done), own)

    def _watch(self, lane: int, finite: bool) -> None:
        """Note where a lane's numbers first were not finite, or out of bounds."""
        if not finite and self.diverged[lane] is None:
            cell, done = self.job.cell, self.counts.done
            self.diverged[lane] = f"update {done}" if cell.unit == "updates" else f"step {cell.steps_of(done)}"

    def diverged_at(self, lane: int, says: str = "") -> str:
        """The reason for a lane that diverged: where it was first seen (here if never before), and what showed it."""
        self._watch(lane, False)
        return f"diverged at {self.diverged[lane]}" + (f": {says}" if says else "")

    # ----------------------------------------------------------------------------- checkpoints and records

    def _checkpoint(self) -> None:
        own = {lane: run.id for lane, run in enumerate(self.runs)}
        self.saved_entries = self._save(self.store, own, self.saved_entries)

    def _save(self, store: Store, names: Mapping[int, str], saved_entries: int = 0) -> int:
        """Save these lanes under their names, except replay entries that are saved already. Returns the new count."""
        state = {f"learner/{name}": tensor for name, tensor in self.learner.state().items()}
        first = min((replay.first for replay in self.learner.replays), default=0)
        end = min((replay.entries for replay in self.learner.replays), default=0)
        part = min((replay.part_entries for replay in self.learner.replays), default=1)
        for lane, name in names.items():
            for start in range(max(saved_entries, first), end, part):
                stop = min(start + part, end)
                append_replay(store, name, start, stop, self._replay_rows(lane, start, stop))
            streams = {f"stream/{name}": tensor for name, tensor in self.streams[lane].state().items()}
            own = {name: tensor[lane] for name, tensor in state.items()}
            progress = {
                "device": self.device.type,
                "done": self.counts.done,
                **self.counts.state(lane),
                "replay_first": first,
                "replay_stop": end,
                "first_update": self.first_update,
                "wall_s": self.clock.wall(lane),
                "cpu_s": self.clock.cpu(lane),
                "lanes": len(self.runs),
                "checkpoint_s": self.job.checkpoint_s,
                "diverged": self.diverged[lane],
                "turned": self.turned,
                "anew": self.anew[lane],
                "curves": [log.state() for log in self.logs[lane]],
                "losses": [
                    [{name: loss[lane].item() for name, loss in losses.items()} for losses in pending]
                    for pending in self.pending
                ],
            }
            opened = {f"open/{p}/{n}": a for p, own_ in self.stepping.items() for n, a in own_.state(lane).items()}
            save_checkpoint(store, name, {**arrays_of({**own, **streams}), **opened}, progress)
        return end

    def _replay_rows(self, lane: int, start: int, stop: int) -> dict[str, np.ndarray]:
        """A part of the replay log: entries of every task's replay, named "<task>/<name>"."""
        rows: dict[str, Tensor] = {}
        for k, replay in enumerate(self.learner.replays):
            rows |= {f"{k}/{name}": tensor for name, tensor in replay.rows(lane, start, stop).items()}
        return arrays_of(rows)

    def _restore(self, checkpoints: Sequence[Checkpoint]) -> None:
        check(checkpoints, self.learner.state(), len(self.places))
        first = checkpoints[0].progress
        self.counts.load_state([c.progress for c in checkpoints])
        own = not any(is_kept(c, run) for c, run in zip(checkpoints, self.runs, strict=True))
        self.saved_entries = first["replay_stop"] if own else 0  # a run's own replay log does not hold the kept state's
        self.anew = [c.progress["anew"] for c in checkpoints]
        self.first_update, self.turned = first["first_update"], first["turned"]
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
            for part in checkpoint.replay:
                rows = part.read()
                for k, replay in enumerate(self.learner.replays):
                    own = {n.removeprefix(f"{k}/"): a for n, a in rows.items() if n.startswith(f"{k}/")}
                    replay.restore(lane, part.start, {n: torch.from_numpy(a) for n, a in own.items()})
        check_log(self.learner.replays, first["replay_stop"])
        for p, place in enumerate(self.trained):
            states = [under(f"open/{p}/", checkpoint.arrays) for checkpoint in checkpoints]
            if not any(states):  # no step of it has been played
                continue
            if not place.params.repeats:  # `_explore` begins other episodes
                self.anew = [already + 1 for already in self.anew]
            else:
                generators = [stream["environment"] for stream in self.streams]
                limit, early = place.scored.episode_limit, place.params.ends_early
                self.stepping[p] = Stepping.resumed(place.environment, generators, states, limit, early)

    def _pending(self, lanes: Sequence[Mapping[str, float]]) -> dict[str, Tensor]:
        return {
            name: torch.tensor([own[name] for own in lanes], dtype=torch.float64, device=self.device)
            for name in lanes[0]
        }

    def _stacked(self, checkpoints: Sequence[Checkpoint], name: str) -> Tensor:
        return torch.from_numpy(np.stack([c.arrays[name] for c in checkpoints])).to(self.device)

    def _write(self, lane: int, returns: Sequence[np.ndarray], weights: bytes | None, reason: str) -> None:
        run = self.runs[lane]
        numbers = Numbers(
            scores=tuple(self._lane_scores(lane, p, own) for p, own in enumerate(returns)),
            first_update=self.first_update,
            weights=sha256(weights or b""),
        )
        origin = provenance(
            started=self.clock.started,
            wall_s=self.clock.wall(lane),
            cpu_s=self.clock.cpu(lane),
            lanes=len(self.runs),
            device=self.device.type,
            accelerator=torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None,
            others=self.others,
            anew=self.anew[lane],
        )
        self.write(self.job.record(run, self.teachers[lane], numbers, reason, origin, self.remarks), weights)

    def _lane_scores(self, lane: int, p: int, returns: np.ndarray) -> Scores:
        members = [own.tolist() for own in self.members[p][:, lane]] if self.members and len(returns) else ()
        return Scores.of(self.logs[lane][p].curves(), returns.tolist(), members)
