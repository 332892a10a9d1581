"""Runs a cell's seeds together. The one place that joins methods and environments.

Axes: S seed (lane), E episode copy, T step, N agent, O observation entry, A action entry.

All lanes of a group are equally far. Each lane has its own random streams, curves and checkpoint, so that any seeds
can be grouped anew after a stop, and each ends with the numbers of its solo run.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from baselines.learner import Layout, Learner, Rollout, Task, Teacher
from baselines.specs import ALGORITHMS
from baselines.streams import Streams, generator
from bench.checkpoints import Checkpoint, append_replay, load_checkpoint, load_weights, save_checkpoint, save_weights
from bench.curves import CurveLog
from bench.envs import checked, make
from bench.envs.scores import episode_scores
from bench.explain import Problem
from bench.plan import Cell, Run
from bench.provenance import provenance
from bench.store import Numbers, Record, Store, StoreError, TeacherRef

Event = dict[str, Any]
REPLAY_PART = 256  # episodes in a file of the replay log: what is written costs memory three times over


class Job(BaseModel):
    """Runs of one cell, for one process."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cell: Cell
    runs: tuple[Run, ...]
    suite_version: int
    profile: str
    device: str = "cpu"
    checkpoint_s: float = 30.0  # seconds between checkpoints


class Stopped(Exception):
    """Asked to stop; every lane has been checkpointed."""


class DeviceMissing(Exception):
    """The device asked for is not here."""

    def __init__(self, device: str):
        got = f'"{device}", but torch {torch.__version__} finds no such device'
        mend = "leave --device out, or install a CUDA build of torch on a machine with a GPU"
        self.problem = Problem("--device", got, ", ".join(f'"{d}"' for d in devices()), mend)
        super().__init__(str(self.problem))


def devices() -> list[str]:
    """The devices that torch can use here."""
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


def check_device(device: str) -> None:
    """Raises DeviceMissing when torch cannot use the device."""
    if device != "cpu" and (device if ":" in device else f"{device}:0") not in devices():
        raise DeviceMissing(device)


def run_job(job: Job, store: Store, stop: Callable[[], bool], report: Callable[[Event], None]) -> None:
    """Train every run of the job that has no record and that no other process holds.

    Reports {"event": "busy" | "progress" | "finished" | "failed", "runs" or "run": ids, ...}; "elsewhere" where another
    process made the record. Raises Stopped, StoreError, OSError.
    """
    with contextlib.ExitStack() as claims:
        mine = []
        for run in job.runs:
            if not claims.enter_context(store.claim(run.id)):
                report({"event": "busy", "run": run.id})
                continue
            store.tidy(run.id)
            if record := store.settled(run.id):
                report({"event": record.status, "run": run.id, "reason": record.reason, "elsewhere": True})
            else:
                mine.append(run)
        groups: dict[int, list[tuple[Run, Checkpoint | None]]] = defaultdict(list)
        for run in mine:
            checkpoint = load_checkpoint(store, run.id)
            if checkpoint and checkpoint.progress["device"] != torch.device(job.device).type:
                store.drop_checkpoint(run.id)
                checkpoint = None
            groups[checkpoint.progress["episodes"] if checkpoint else 0].append((run, checkpoint))
        for _, group in sorted(groups.items(), reverse=True):
            runs, checkpoints = zip(*group, strict=True)
            Training(job, store, runs, checkpoints, report).finish(stop)


class Training:
    """One group of lanes from where they are to their records."""

    def __init__(
        self,
        job: Job,
        store: Store,
        runs: Sequence[Run],
        checkpoints: Sequence[Checkpoint | None],
        report: Callable[[Event], None],
    ):
        self.job, self.store, self.runs, self.report = job, store, runs, report
        settings = job.cell.settings
        self.budget, self.limit = settings["budget"], settings["scenario"]["episode_limit"]
        self.device = torch.device(job.device)
        family, self.metric = settings["scenario"]["family"], settings["scenario"]["metric"]
        self.params = checked(family, settings["scenario"]["params"])
        self.environment = make(family, self.params, self.device)
        self.streams = [Streams(run.seed, self.device) for run in runs]
        self.teachers = [_teacher_ref(store, run) for run in runs]
        self.learner = _learner(settings, self.environment, self.streams, self.device, self._teacher())
        self.logs = [CurveLog() for _ in runs]
        self.episodes, self.first_update = 0, None
        self.pending_losses: list[dict[str, Tensor]] = []
        self.diverged: list[int | None] = [None for _ in runs]
        self.saved_episodes = 0
        self.clock = _Clock([c.progress if c else {"wall_s": 0.0, "cpu_s": 0.0} for c in checkpoints])
        if checkpoints[0] is not None:
            self._restore([c for c in checkpoints if c is not None])

    def finish(self, stop: Callable[[], bool]) -> None:
        """Train to the end of the budget, evaluate, write the records. Raises Stopped after a checkpoint."""
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
        returns = self._play_greedily("final evaluation", self.budget["final_evaluation_episodes"])
        for lane, run in enumerate(self.runs):
            self._watch(lane, bool(np.isfinite(returns[lane]).all()))
            record = self._record(lane, run, returns[lane])
            self.store.write_record(record)
            self.store.drop_checkpoint(run.id)
            self.report({"event": record.status, "run": run.id, "reason": record.reason})

    # ------------------------------------------------------------------------------------------- training

    def _round(self) -> None:
        """One round of episodes, an update when due, and the curve points that fall due."""
        learner = self.learner
        noise = learner.exploration_noise()
        rollout = play(
            self.environment,
            [s["environment"] for s in self.streams],
            learner.copies,
            self.limit,
            lambda obs, t: learner.explore(obs, noise[t]),
        )
        self.episodes += learner.copies
        losses = learner.learn(rollout, self.episodes)
        if losses:
            self.pending_losses.append(losses)
            self.first_update = self.first_update or self.episodes
        for log, scores in zip(self.logs, self._scores(rollout), strict=True):
            log.add("training", scores)
        if self.episodes % self.budget["record_every"] == 0 or self.episodes >= self.budget["episodes"]:
            self._close_point()
        if self.episodes % self.budget["evaluate_every"] == 0:
            self._evaluate()

    def _close_point(self) -> None:
        """End a curve point: losses come from the device once a point, and a lane that diverged is noticed."""
        for name in self.pending_losses[0] if self.pending_losses else ():
            values = torch.stack([losses[name] for losses in self.pending_losses]).double().cpu().numpy()
            for lane, log in enumerate(self.logs):
                log.add(f"loss/{name}", values[:, lane])
        self.pending_losses = []
        for lane, log in enumerate(self.logs):
            self._watch(lane, log.finite())
            log.close(self.episodes)
        lanes = range(len(self.runs))
        taken = {"wall_s": [self.clock.wall(s) for s in lanes], "cpu_s": [self.clock.cpu(s) for s in lanes]}
        self.report({"event": "progress", "runs": [run.id for run in self.runs], "episodes": self.episodes} | taken)

    def _evaluate(self) -> None:
        """A greedy evaluation on the same episodes every time, the same for every method."""
        scores = self._play_greedily("evaluation", self.budget["evaluation_episodes"])
        for lane, (log, own) in enumerate(zip(self.logs, scores, strict=True)):
            self._watch(lane, bool(np.isfinite(own).all()))
            log.point("evaluation", self.episodes, own)

    def _watch(self, lane: int, finite: bool) -> None:
        """Note the environment step at which a lane's numbers were first seen not to be finite."""
        if not finite and self.diverged[lane] is None:
            self.diverged[lane] = self.episodes * self.limit

    def _play_greedily(self, purpose: str, episodes: int) -> np.ndarray:
        """Episodes' scores [S, E] under the greedy policy, on a stream that only the seed and purpose decide."""
        generators = [generator(run.seed, purpose) for run in self.runs]
        rollout = play(self.environment, generators, episodes, self.limit, lambda obs, _: self.learner.greedy(obs))
        return self._scores(rollout)

    def _scores(self, rollout: Rollout) -> np.ndarray:
        return episode_scores(self.metric, self.params, rollout.rewards).cpu().numpy()  # [S, E], float64

    # ----------------------------------------------------------------------------- checkpoints and records

    def _checkpoint(self) -> None:
        state = {f"learner/{name}": tensor for name, tensor in self.learner.state().items()}
        for lane, run in enumerate(self.runs):
            for start in range(max(self.saved_episodes, self.learner.replay.first), self.episodes, REPLAY_PART):
                stop = min(start + REPLAY_PART, self.episodes)
                append_replay(self.store, run.id, start, stop, _arrays(self.learner.replay.rows(lane, start, stop)))
            streams = {f"stream/{name}": tensor for name, tensor in self.streams[lane].state().items()}
            own = {name: tensor[lane] for name, tensor in state.items()}
            pending = {
                name: [losses[name][lane].item() for losses in self.pending_losses]
                for name in (self.pending_losses[0] if self.pending_losses else ())
            }
            progress = {
                "device": self.device.type,
                "episodes": self.episodes,
                "replay_first": self.learner.replay.first,
                "first_update": self.first_update,
                "wall_s": self.clock.wall(lane),
                "cpu_s": self.clock.cpu(lane),
                "lanes": len(self.runs),
                "checkpoint_s": self.job.checkpoint_s,
                "diverged": self.diverged[lane],
                "curves": self.logs[lane].state(),
                "losses": pending,
            }
            save_checkpoint(self.store, run.id, _arrays({**own, **streams}), progress)
        self.saved_episodes = self.episodes

    def _restore(self, checkpoints: Sequence[Checkpoint]) -> None:
        first = checkpoints[0].progress
        self.episodes = self.saved_episodes = first["episodes"]
        self.first_update = first["first_update"]
        self.diverged = [c.progress["diverged"] for c in checkpoints]
        self.logs = [CurveLog.from_state(c.progress["curves"]) for c in checkpoints]
        names = [n.removeprefix("learner/") for n in checkpoints[0].arrays if n.startswith("learner/")]
        self.learner.load_state({n: self._stacked(checkpoints, f"learner/{n}") for n in names})
        for name, values in first["losses"].items():
            for k in range(len(values)):
                if k == len(self.pending_losses):
                    self.pending_losses.append({})
                lanes = [c.progress["losses"][name][k] for c in checkpoints]
                self.pending_losses[k][name] = torch.tensor(lanes, dtype=torch.float64, device=self.device)
        for lane, checkpoint in enumerate(checkpoints):
            streams = {n.removeprefix("stream/"): a for n, a in checkpoint.arrays.items() if n.startswith("stream/")}
            self.streams[lane].load_state({n: torch.from_numpy(a.copy()) for n, a in streams.items()})
            for start, part in checkpoint.replay.items():
                self.learner.replay.restore(lane, start, {n: torch.from_numpy(a) for n, a in part.items()})

    def _stacked(self, checkpoints: Sequence[Checkpoint], name: str) -> Tensor:
        return torch.from_numpy(np.stack([c.arrays[name] for c in checkpoints])).to(self.device)

    def _record(self, lane: int, run: Run, returns: np.ndarray) -> Record:
        job, diverged = self.job, self.diverged[lane]
        policy = {name: tensor[lane] for name, tensor in self.learner.policy().items()}
        final = float(np.mean(returns))
        numbers = Numbers(
            curves=self.logs[lane].curves(self.limit),
            returns=tuple(r if math.isfinite(r) else None for r in returns.tolist()),
            final=final if math.isfinite(final) else None,
            first_update=self.first_update,
            weights=save_weights(self.store, run.id, _arrays(policy)),
        )
        return Record(
            run=run.id,
            cell=job.cell.key,
            suite=job.cell.suite,
            suite_version=job.suite_version,
            experiment=job.cell.experiment,
            method=job.cell.method,
            training_set=job.cell.training_set,
            profile=job.profile,
            seed=run.seed,
            settings=job.cell.settings,
            teacher=self.teachers[lane],
            notes=job.cell.notes,
            status="finished" if diverged is None else "failed",
            reason="" if diverged is None else f"diverged at step {diverged}",
            numbers=numbers,
            provenance=provenance(
                started=self.clock.started,
                wall_s=self.clock.wall(lane),
                cpu_s=self.clock.cpu(lane),
                lanes=len(self.runs),
                device=self.device.type,
                accelerator=torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None,
            ),
        )

    def _teacher(self) -> Teacher | None:
        """The teachers of all lanes, stacked, and how they read this task's observations."""
        references = [t for t in self.teachers if t is not None]
        if not references:
            return None
        weights = [load_weights(self.store, t.run, t.weights) for t in references]
        stacked = {name: torch.from_numpy(np.stack([w[name] for w in weights])).to(self.device) for name in weights[0]}
        taught = self.store.record(references[0].run)
        if taught is None:
            raise StoreError(f"{self.store.record_path(references[0].run)}: the teacher's record has vanished")
        hyperparameters, agents = taught.settings["hyperparameters"], taught.settings["scenario"]["params"]["agents"]
        layout_agents = hyperparameters["layout_agents"] or agents
        environment = self.environment
        if self.job.cell.settings["hyperparameters"].get("teacher_view") == "nearest":
            layout = Layout(environment.layout_width(agents), tuple(range(environment.layout_width(agents))))
            return Teacher(stacked, layout, functools.partial(environment.nearest_view, teacher_agents=agents))
        slots = environment.observation_slots(layout_agents)
        return Teacher(stacked, Layout(environment.layout_width(layout_agents), slots), lambda obs: obs)


class _Clock:
    """Seconds of each lane: wall time, and its share of the group's CPU time. before: what earlier processes spent."""

    def __init__(self, before: Sequence[Mapping[str, float]]):
        self.started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._before, self._wall, self._cpu = before, time.monotonic(), time.process_time()

    def wall(self, lane: int) -> float:
        return self._before[lane]["wall_s"] + time.monotonic() - self._wall

    def cpu(self, lane: int) -> float:
        return self._before[lane]["cpu_s"] + (time.process_time() - self._cpu) / len(self._before)


@torch.inference_mode()
def play(
    environment: Any,
    generators: Sequence[torch.Generator],
    copies: int,
    steps: int,
    act: Callable[[Tensor, int], Tensor],
) -> Rollout:
    """Episodes of every seed side by side, seed s starting from generators[s]. act: obs [S, E, N, O], t -> actions.

    In inference mode, where calling an operation costs a sixth less: no gradient flows through what comes back.
    """
    obs = environment.reset(generators, copies).float()
    seen, actions, rewards, terminated = [obs], [], [], []
    for t in range(steps):
        actions.append(act(obs, t))
        obs, reward, over = environment.step(actions[-1])
        obs = obs.float()
        seen.append(obs)
        rewards.append(reward)
        terminated.append(over)
    return Rollout(
        obs=torch.stack(seen, 2),
        actions=torch.stack(actions, 2),
        rewards=torch.stack(rewards, 2),
        terminated=torch.stack(terminated, 2),
    )


def _learner(
    settings: dict[str, Any], environment: Any, streams: list[Streams], device: torch.device, teacher: Teacher | None
) -> Learner:
    algorithm = ALGORITHMS[settings["algorithm"]["name"]]
    hyperparameters = algorithm.hyperparameters.model_validate(settings["hyperparameters"])
    layout_agents = settings["hyperparameters"].get("layout_agents", 0) or environment.agents
    task = Task(
        agents=environment.agents,
        obs_size=environment.obs_size,
        action_size=environment.action_size,
        episode_limit=settings["scenario"]["episode_limit"],
        episodes=settings["budget"]["episodes"],
        layout=Layout(environment.layout_width(layout_agents), environment.observation_slots(layout_agents)),
        teacher=teacher,
    )
    module, _, name = algorithm.learner.partition(":")
    return getattr(importlib.import_module(module), name)(task, hyperparameters, streams, device)


def _teacher_ref(store: Store, run: Run) -> TeacherRef | None:
    """The run a student learns from. Raises StoreError where it has not finished."""
    if run.teacher is None:
        return None
    record = store.record(run.teacher)
    if record is None or record.status != "finished":
        raise StoreError(f"{store.record_path(run.teacher)}: the teacher of run {run.id} has not finished")
    return TeacherRef(run=run.teacher, weights=record.numbers.weights)


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
