"""Ray: each job is an actor on a machine of a cluster. The actor runs the same worker as `executors.local`.

An actor is a relay (`executors.relay`); training is a separate process beside it. The driver is the command that the
user typed. It places actors, receives their events and writes every record. Machines need no common folder. If a
machine is lost, or an actor or a worker is killed, its current runs begin again elsewhere. Finished runs are safe.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from bench.executors.dispatch import Dispatcher, End, Event, Options, Outcome
from bench.executors.nodes import Node, differences, this_node
from bench.executors.relay import Relay, contents, needed
from bench.plan import COMMAND_LINE, Plan
from bench.plan.sizes import job_bytes
from bench.processes.starting import TRAINING
from bench.run.job import Job
from bench.store import Store, StoreError, sha256
from bench.suite import SuiteError
from bench.suite.explain import Problem

INSTALL = "pip install 'marl-distill-bench[ray]'; then: bench doctor ray"
MOST_LOSSES = 8  # times that a run begins again after its machine or process was lost
Hear = Callable[[Event | None], None]


class Cluster(BaseModel):
    """How to reach a cluster. address: "" means RAY_ADDRESS, else a cluster that runs here, else a new one of this
    machine alone.

    scratch: a folder on each machine for runs in progress; "": the results folder if the machine sees it, else a
    temporary folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    address: str = ""
    scratch: str = ""


def execute(
    plan: Plan, store: Store, options: Options, report: Callable[[Event], None], cluster: Cluster | None = None
) -> Outcome:
    """Train the runs left of a plan on a Ray cluster. options.jobs 0: one job per core of every admitted machine.

    Raises SuiteError if Ray is not installed or not reachable, or no machine is admitted.
    """
    with _connected(cluster or Cluster()) as ray:
        workers = RayWorkers(ray, store, cluster or Cluster(), report)
        try:
            jobs = options.jobs or workers.cores(options.device)
            own = Options(**{**vars(options), "jobs": jobs})
            return Dispatcher(plan, store, own, report, workers).drain()
        finally:
            workers.close()


class RayWorkers:
    """Machines of a cluster as `Workers`. Those with other code or packages than the driver's are refused by name."""

    def __init__(self, ray: Any, store: Store, cluster: Cluster, report: Callable[[Event], None]):
        self.ray, self.store, self.report = ray, store, report
        self.own = this_node()
        self.scratch = cluster.scratch
        self.nodes: dict[str, Node | None] = {}  # by Ray's id; None: refused
        self.losses: collections.Counter[str] = collections.Counter()  # by run
        self.placed: dict[str, list[RayWorker]] = collections.defaultdict(list)
        self.mark = store.root.absolute() / "locks" / f"seen-{uuid.uuid4().hex}"
        self.mark.touch()
        self.actor = ray.remote(max_concurrency=4, max_restarts=0)(Relayed)
        if not self._admitted():
            got = "; ".join(f"{n['NodeManagerHostname']} refused" for n in self._alive()) or "no machine"
            mend = f"install marl-distill-bench {self.own.commit or ''} with the packages of this machine on each"
            raise SuiteError(COMMAND_LINE, [Problem("--executor", f"ray: {got}", "an admitted machine", mend)])

    def cores(self, device: str) -> int:
        """Jobs that fit at once: one per core, or one per GPU."""
        kind = "CPU" if device == "cpu" else "GPU"
        return max(1, int(sum(entry["Resources"].get(kind, 0) for entry in self._admitted())))

    def start(self, job: Job, log: Path, hear: Hear) -> RayWorker:
        worker = RayWorker(self, job, log, hear)
        asked = resources(job)
        fitting = [entry for entry in self._admitted() if not _short(entry, asked)]
        with_families = [entry for entry in fitting if not self._lacks(entry, job)]
        if not fitting or not with_families:
            worker.refuse(self._why_not(job, asked))
            return worker
        entry = min(with_families, key=lambda e: len(self.placed[e["NodeID"]]) / (e["Resources"].get("CPU") or 1))
        worker.begin(entry, asked)
        self.placed[entry["NodeID"]].append(worker)
        return worker

    def together(self) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()

    def close(self) -> None:
        self.mark.unlink(missing_ok=True)

    def lost(self, run: str) -> bool:
        """Count a loss of a run. Whether the run begins again."""
        self.losses[run] += 1
        return self.losses[run] <= MOST_LOSSES

    def pinned(self, entry: Mapping[str, Any]) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node_id=entry["NodeID"], soft=False)

    def _alive(self) -> list[Mapping[str, Any]]:
        return [entry for entry in self.ray.nodes() if entry["Alive"] and entry["Resources"].get("CPU")]

    def _admitted(self) -> list[Mapping[str, Any]]:
        """Machines that may work. New ones are asked for their description."""
        alive = self._alive()
        asked = {
            entry["NodeID"]: self.ray.remote(_describe)
            .options(num_cpus=0, scheduling_strategy=self.pinned(entry), max_retries=0)
            .remote()
            for entry in alive
            if entry["NodeID"] not in self.nodes
        }
        for entry in alive:
            if (key := entry["NodeID"]) in asked:
                self._ask(entry, asked[key])
        return [entry for entry in alive if self.nodes.get(entry["NodeID"])]

    def _ask(self, entry: Mapping[str, Any], answer: Any) -> None:
        name = entry["NodeManagerHostname"]
        try:
            node = Node.model_validate(self.ray.get(answer))
        except (self.ray.exceptions.RayError, ValueError) as error:  # no bench there, another version, or just lost
            self.nodes[entry["NodeID"]] = None
            self._remark(f"machine {name} is not used: {str(error).strip().splitlines()[-1]}")
            return
        if wrong := "; ".join(differences(self.own, node)):
            self.nodes[entry["NodeID"]] = None
            self._remark(f"machine {name} is refused: {wrong}")
            return
        self.nodes[entry["NodeID"]] = node
        if node.platform != self.own.platform:
            self._remark(f"machine {name} is of class {node.platform}: runs repeat to the last bit only within a class")

    def _lacks(self, entry: Mapping[str, Any], job: Job) -> bool:
        node = self.nodes[entry["NodeID"]]
        return node is None or any(own.family in node.lacks for own in job.cell.scored)

    def _why_not(self, job: Job, asked: Mapping[str, float]) -> str:
        if not self._admitted():
            return "the cluster has no machine left that may work"
        if any(not _short(entry, asked) for entry in self._admitted()):
            families = ", ".join(sorted({own.family for own in job.cell.scored}))
            return f"no machine has the packages of family {families}; bench doctor says how to get them"
        needs = ", ".join(f"{name} {amount:g}" for name, amount in asked.items())
        return f"no machine is large enough: the job needs {needs}"

    def _remark(self, says: str) -> None:
        self.report({"event": "remark", "says": says})


def resources(job: Job) -> dict[str, float]:
    """What a job needs: cores, GPUs, and bytes of memory by the plan's estimate."""
    gpus = 0 if job.device == "cpu" else 1
    return {"CPU": 1, "GPU": gpus, "memory": job_bytes(job.cell.settings, len(job.runs))}


def _short(entry: Mapping[str, Any], asked: Mapping[str, float]) -> bool:
    return any(entry["Resources"].get(name, 0) < amount for name, amount in asked.items())


class RayWorker:
    """One job on one machine. A thread receives its relay's events."""

    def __init__(self, workers: RayWorkers, job: Job, log: Path, hear: Hear):
        self._workers, self._job, self._log, self._hear = workers, job, log, hear
        self._ray = workers.ray
        self._actor: Any = None
        self._where = ""
        self._over: set[str] = set()  # runs that it is done with
        self._end = End(True, "it did not begin")
        self._asked_to_end = False

    def refuse(self, reason: str) -> None:
        self._hear({"event": "error", "reason": reason})
        self._hear(None)

    def begin(self, entry: Mapping[str, Any], asked: Mapping[str, float]) -> None:
        self._where = f"{entry['NodeManagerHostname']} ({entry['NodeID'][:8]})"
        self._log.write_text(f"it ran on {self._where}; its log is there\n")
        own = {name: 1 for name in {s.family for s in self._job.cell.scored} if name in entry["Resources"]}
        self._actor = self._workers.actor.options(
            num_cpus=asked["CPU"],
            num_gpus=asked["GPU"],
            memory=int(asked["memory"]),
            resources=own,
            scheduling_strategy=self._workers.pinned(entry),
            runtime_env={"env_vars": TRAINING},
        ).remote(str(self._workers.mark), self._workers.scratch)
        threading.Thread(target=self._follow, daemon=True).start()

    def acknowledge(self, run: str) -> None:
        self._over.add(run)
        self._actor.acknowledge.remote(run)

    def stop(self) -> None:
        self._asked_to_end = True
        if self._actor is not None:
            self._actor.stop.remote()

    def kill(self) -> None:
        self._asked_to_end = True
        if self._actor is not None:
            self._ray.kill(self._actor)

    def wait(self) -> End:
        if self._actor is not None:
            self._ray.kill(self._actor)
        for placed in self._workers.placed.values():
            if self in placed:
                placed.remove(self)
        return self._end

    def _follow(self) -> None:
        try:
            with contextlib.ExitStack() as claims:
                self._play(claims)
        except self._ray.exceptions.RayError as error:
            self._end = End(False, f"its machine was lost: {str(error).strip().splitlines()[0]}")
        except StoreError as error:
            self._hear({"event": "error", "reason": str(error)})
        if not self._end.orderly and not self._asked_to_end:
            self._begin_again()
        self._hear(None)

    def _play(self, claims: contextlib.ExitStack) -> None:
        """Send the job and the files that it needs, then receive its events to the end. Runs are claimed here if the
        worker does not see the results folder, since it cannot claim them there.
        """
        job, store = self._job, self._workers.store
        if not self._ray.get(self._actor.sees_results.remote()):
            held = [run for run in job.runs if not claims.enter_context(store.claim(run.id))]
            for run in held:
                self._heard({"event": "busy", "run": run.id})
            job = job.model_copy(update={"runs": tuple(run for run in job.runs if run not in held)})
            if not job.runs:
                return
            lacks = self._ray.get(self._actor.lacks.remote(files := needed(store, job)))
            if lacks:
                self._ray.get(self._actor.take.remote(contents(store, [path for path in files if path in lacks])))
        self._ray.get(self._actor.start.remote(job.model_dump(mode="json")))
        over = False
        while not over:
            for event in self._ray.get(self._actor.events.remote()):
                over = event is None
                if event is not None:
                    self._heard(event)
        self._end = End(*self._ray.get(self._actor.end.remote()))

    def _heard(self, event: Event) -> None:
        if event["event"] in ("busy", "finished", "failed"):
            self._over.add(event["run"])
        if event["event"] == "broken":  # the other machine's disk failed, not ours
            event = {"event": "error", "reason": f"on {self._where}: {event['reason']}"}
        self._hear(event)

    def _begin_again(self) -> None:
        left = [run.id for run in self._job.runs if run.id not in self._over]
        again = [run for run in left if self._workers.lost(run)]
        for run in again:
            self._hear({"event": "lost", "run": run})
        if again:
            says = f"{self._job.cell.label} on {self._where} begins again: {self._end.says}"
            self._hear({"event": "remark", "says": says})


class Relayed:
    """The actor. Its methods return at once, except `events`, which waits up to a second."""

    def __init__(self, mark: str, scratch: str):
        """mark: a file in the driver's results folder. A machine that finds it sees the same folder."""
        results = Path(mark).parent.parent
        self._sees = not scratch and Path(mark).exists()
        self._relay = Relay(results if self._sees else _own_folder(results, scratch), scratch=not self._sees)

    def sees_results(self) -> bool:
        return self._sees

    def lacks(self, files: dict[str, str]) -> list[str]:
        return self._relay.lacks(files)

    def take(self, files: dict[str, bytes]) -> None:
        self._relay.take(files)

    def start(self, job: dict[str, Any]) -> None:
        self._relay.start(Job.model_validate(job))

    def events(self) -> list[Event | None]:
        return self._relay.events()

    def acknowledge(self, run: str) -> None:
        self._relay.acknowledge(run)

    def stop(self) -> None:
        self._relay.stop()

    def end(self) -> tuple[bool, str]:
        return self._relay.end()


def _own_folder(results: Path, scratch: str) -> Path:
    """The machine's own folder for this results folder."""
    import ray

    parent = Path(scratch or tempfile.gettempdir()) / f"marl-distill-bench-{os.getuid()}"
    name = f"{results.name}-{sha256(str(results).encode())[:16]}"
    return parent / ray.get_runtime_context().get_node_id()[:16] / name


def _describe() -> dict[str, Any]:
    return this_node().model_dump(mode="json")


@contextlib.contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Ray, connected. A connection made here is closed at the end. Raises SuiteError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError:
        problem = Problem("--executor", '"ray", but Ray is not installed', "an installed engine", INSTALL)
        raise SuiteError(COMMAND_LINE, [problem]) from None
    mine = not ray.is_initialized()
    if mine:
        try:
            ray.init(address=cluster.address or None, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            got = f"{cluster.address or 'no address'}: {str(error).strip().splitlines()[0]}"
            mend = "start one with `ray start --head`, and give the address that it prints"
            raise SuiteError(COMMAND_LINE, [Problem("--address", got, "a Ray cluster that answers", mend)]) from None
    try:
        yield ray
    finally:
        if mine:
            ray.shutdown()
