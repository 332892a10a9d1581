"""Slurm: jobs that are ready go out as one array, through submitit. Each runs the same worker as `executors.local`.

Every machine sees the results folder, which has claims and checkpoints. A task also writes its events there:

    slurm/jobs/                  submitit's own files and logs
    slurm/said/<token>.jsonl     events, one per line, as they come
    slurm/returned/<run>.json    a run's result, until the command has taken it
    slurm/stop/<token>           asks the task to write a checkpoint and end

So results outlive the command: the next command takes what was returned meanwhile. A task that is preempted or runs out
of time writes a checkpoint and goes back into the queue.
"""

from __future__ import annotations

import collections
import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.executors.dispatch import Dispatcher, End, Event, Options, Outcome
from bench.executors.relay import Relay
from bench.plan import COMMAND_LINE, Plan
from bench.plan.sizes import job_bytes
from bench.run.job import Job
from bench.store import Store
from bench.store.files import write_atomically
from bench.suite import SuiteError
from bench.suite.explain import Problem, listed, shown

INSTALL = "pip install 'marl-distill-bench[slurm]'; then: bench doctor slurm"
MOST_JOBS = 1000  # of an array: Slurm's own limit, unless its administrator has raised it
MOST_LOSSES = 8  # times that a run begins again after its job vanished
POLL_S = 1.0
MARGIN = 1.5  # requested memory over the plan's estimate
Hear = Callable[[Event | None], None]

ASKED = {  # what a user may request from Slurm, by submitit's names; True: a number
    "partition": ("slurm_partition", False),
    "account": ("slurm_account", False),
    "qos": ("slurm_qos", False),
    "constraint": ("slurm_constraint", False),
    "minutes": ("timeout_min", True),
    "memory_gb": ("mem_gb", True),
    "cluster": ("cluster", False),
}


def asked_of(options: Iterable[str]) -> dict[str, str | int]:
    """KEY=VALUE options in submitit's form. Raises SuiteError."""
    found: dict[str, str | int] = {}
    for option in options:
        key, _, value = option.partition("=")
        name, number = ASKED.get(key, ("", False))
        if not name or not value or (number and not (value.isdecimal() and int(value) > 0)):
            allowed = f"KEY=VALUE of {listed(ASKED)}; minutes and memory_gb are whole numbers above 0"
            raise SuiteError(COMMAND_LINE, [Problem("--slurm", shown(option), allowed, "write e.g. partition=gpu")])
        found[name] = int(value) if number else value
    if found.get("cluster", "slurm") not in ("slurm", "local"):
        allowed = '"slurm", or "local" (processes of this machine, to try it out)'
        raise SuiteError(COMMAND_LINE, [Problem("--slurm cluster", shown(found["cluster"]), allowed, "remove it")])
    return found


def execute(
    plan: Plan, store: Store, options: Options, report: Callable[[Event], None], asked: dict[str, str | int]
) -> Outcome:
    """Train the runs left of a plan as Slurm jobs. options.jobs 0: as many at once as Slurm allows.

    Raises SuiteError if submitit or Slurm is missing.
    """
    own = Options(**{**vars(options), "jobs": options.jobs or MOST_JOBS})
    return Dispatcher(plan, store, own, report, SlurmWorkers(store.root.absolute(), own, asked)).drain()


class SlurmWorkers:
    """Jobs of a Slurm cluster as `Workers`. Jobs that start together are one array."""

    def __init__(self, results: Path, options: Options, asked: dict[str, str | int]):
        self.results, self.losses = results, collections.Counter[str]()
        self._waiting: list[SlurmWorker] = []
        for part in ("jobs", "said", "returned", "stop"):
            (folder(results) / part).mkdir(parents=True, exist_ok=True)
        more = {"cpus_per_task": 1, "gpus_per_node": 0 if options.device == "cpu" else 1, "timeout_min": 24 * 60}
        self._asked = more | {key: value for key, value in asked.items() if key != "cluster"}
        self._executor = _executor(folder(results) / "jobs", str(asked.get("cluster", "slurm")))
        self._at_once = options.jobs

    def start(self, job: Job, log: Path, hear: Hear) -> SlurmWorker:
        log.write_text(f"it ran as a Slurm job; its log is in {folder(self.results) / 'jobs'}\n")
        worker = SlurmWorker(self, job, hear)
        if worker.take_returned():
            self._waiting.append(worker)
        return worker

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        yield
        own, self._waiting = self._waiting, []
        if not own:
            return
        needs = max(job_bytes(w.job.cell.settings, len(w.job.runs)) for w in own)
        asked = {"mem_gb": -(-int(needs * MARGIN) // 2**30), "slurm_array_parallelism": self._at_once}
        self._executor.update_parameters(**(asked | self._asked))
        with self._executor.batch():
            submitted = [
                self._executor.submit(Task(w.job.model_dump(mode="json"), str(self.results), w.token)) for w in own
            ]
        for worker, job in zip(own, submitted, strict=True):
            worker.follow(job)


class SlurmWorker:
    """One job. A thread reads its task's events."""

    def __init__(self, workers: SlurmWorkers, job: Job, hear: Hear):
        self.job, self.token = job, uuid.uuid4().hex
        self._workers, self._hear = workers, hear
        self._submitted: Any = None
        self._over: set[str] = set()
        self._end = End(True, "all its results had been returned before")
        self._asked_to_end = False

    def take_returned(self) -> bool:
        """Take results that were returned while no command listened. Whether runs are left to train."""
        back = [run for run in self.job.runs if self._returned(run.id).exists()]
        for run in back:
            self._hear_result(run.id)
        self.job = self.job.model_copy(update={"runs": tuple(run for run in self.job.runs if run not in back)})
        if not self.job.runs:
            self._hear(None)
        return bool(self.job.runs)

    def refuse(self, reason: str) -> None:
        self._end = End(True, reason)
        self._hear({"event": "error", "reason": reason})
        self._hear(None)

    def follow(self, submitted: Any) -> None:
        self._submitted = submitted
        threading.Thread(target=self._listen, daemon=True).start()

    def acknowledge(self, run: str) -> None:
        self._over.add(run)
        self._returned(run).unlink(missing_ok=True)

    def stop(self) -> None:
        self._asked_to_end = True
        (folder(self._workers.results) / "stop" / self.token).touch()

    def kill(self) -> None:
        self._asked_to_end = True
        for run in self.job.runs:
            self._returned(run.id).unlink(missing_ok=True)  # an invalid result is not read again
        if self._submitted is not None:
            self._submitted.cancel()

    def wait(self) -> End:
        for path in (self._said, folder(self._workers.results) / "stop" / self.token):
            path.unlink(missing_ok=True)
        return self._end

    def _listen(self) -> None:
        read = 0
        while True:
            done = self._submitted.done()  # asked before reading, so the last events are not missed
            text = self._said.read_bytes() if self._said.exists() else b""
            lines = text[read : text.rfind(b"\n") + 1]
            read += len(lines)
            for line in lines.splitlines():
                if self._heard(json.loads(line)):
                    self._hear(None)
                    self._let_go()
                    return
            if done:
                self._vanished()
                self._hear(None)
                return
            time.sleep(POLL_S)

    def _let_go(self) -> None:
        """Wait for a task after its last event. With submitit's local engine it is a process that must be reaped."""
        for _ in range(60):
            if self._submitted.done():
                return
            time.sleep(POLL_S)

    def _heard(self, event: Event) -> bool:
        """Pass on an event. Whether it was the last."""
        if event["event"] == "end":
            self._end = End(event["orderly"], event["says"])
            if not event["orderly"]:
                self._begin_again(event["says"])
            return True
        if event["event"] == "returned":
            self._hear_result(event["run"])
            return False
        if event["event"] in ("busy", "finished", "failed"):
            self._over.add(event["run"])
        self._hear(event)
        return False

    def _hear_result(self, run: str) -> None:
        try:
            self._hear(json.loads(self._returned(run).read_bytes()))
        except (OSError, ValueError) as error:
            self._hear({"event": "error", "reason": f"{self._returned(run)}: not a result: {error}"})

    def _vanished(self) -> None:
        self._end = End(False, f"Slurm job {self._submitted.job_id} ended as {self._submitted.state} without an event")
        self._begin_again(self._end.says)

    def _begin_again(self, why: str) -> None:
        if self._asked_to_end:
            return
        for run in (run.id for run in self.job.runs if run.id not in self._over):
            self._workers.losses[run] += 1
            if self._workers.losses[run] <= MOST_LOSSES:
                self._hear({"event": "lost", "run": run})
        self._hear({"event": "remark", "says": f"{self.job.cell.label}: {why}"})

    def _returned(self, run: str) -> Path:
        return folder(self._workers.results) / "returned" / f"{run}.json"

    @property
    def _said(self) -> Path:
        return folder(self._workers.results) / "said" / f"{self.token}.jsonl"


class Task:
    """The task that Slurm runs. submitit stores it in a file, so it holds only plain values."""

    def __init__(self, job: dict[str, Any], results: str, token: str):
        self.job, self.results, self.token = job, results, token

    def __call__(self) -> None:
        root = folder(Path(self.results))
        if not (root / "said").is_dir():
            raise FileNotFoundError(f"this machine does not see the results folder {self.results}")
        relay = Relay(Path(self.results), scratch=False)
        _RUNNING.append(relay)
        relay.start(Job.model_validate(self.job))
        with (root / "said" / f"{self.token}.jsonl").open("a") as said:
            while self._pass_on(relay, root, said):
                if (root / "stop" / self.token).exists():
                    relay.stop()

    def checkpoint(self) -> Any:
        """submitit calls it when the job is preempted or out of time: the worker ends with a checkpoint."""
        from submitit.helpers import DelayedSubmission

        for relay in _RUNNING:
            relay.stop()
            relay.end()
        return DelayedSubmission(Task(self.job, self.results, self.token))

    def _pass_on(self, relay: Relay, root: Path, said: Any) -> bool:
        """Write down the worker's events. Whether more will come."""
        for event in relay.events():
            if event is None:
                orderly, says = relay.end()
                event = {"event": "end", "orderly": orderly, "says": says}
            elif event["event"] == "result":
                write_atomically(root / "returned" / f"{event['run']}.json", json.dumps(event).encode())
                relay.acknowledge(event["run"])
                event = {"event": "returned", "run": event["run"]}
            said.write(json.dumps(event) + "\n")
            said.flush()
            if event["event"] == "end":
                return False
        return True


_RUNNING: list[Relay] = []  # in a task's process: its only relay


def folder(results: Path) -> Path:
    return results / "slurm"


def _executor(jobs: Path, cluster: str) -> Any:
    try:
        import submitit
    except ImportError:
        problem = Problem("--executor", '"slurm", but submitit is not installed', "an installed engine", INSTALL)
        raise SuiteError(COMMAND_LINE, [problem]) from None
    try:
        return submitit.AutoExecutor(folder=jobs, cluster=cluster)
    except RuntimeError as error:  # no srun here
        mend = "run it on a machine that can submit jobs, or try it out with --slurm cluster=local"
        raise SuiteError(COMMAND_LINE, [Problem("--executor", f'"slurm": {error}', "Slurm's commands", mend)]) from None
