"""Processes that are measured in turns, each with the environment variables that its code would have in real use.

A worker reads the name of a part per line, runs it once and answers with its milliseconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import torch

from bench.processes.starting import TRAINING
from tests.conftest import ROOT
from tests.perf.maac import MAACWork, NaiveMAAC
from tests.perf.masac import MASACWork
from tests.perf.measure import SuiteWork, TeamWork, milliseconds
from tests.perf.naive import NaiveMADDPG
from tests.perf.naive_qmix import NaiveQMIX
from tests.perf.naive_sac import NaiveSAC
from tests.perf.sac import STEPS, Distilling, LibrarySAC, SACWork

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Worker:
    """One process at work. allocator: whether it gets the settings that `bench run` starts its processes with.

    kind: "maddpg" or "knowru" (arguments of SuiteWork), "naive", "naive_own_batches", "qmix", "naive_qmix",
    "naive_qmix_whole", "sac", "masac", "maac", "naive_maac", "distilling", "sb3_sac" or "naive_sac". command: instead,
    of another process that answers the same way; with noise, after a line "ready".
    """

    def __init__(self, allocator: bool, command: Sequence[str] = (), noise: bool = False, **arguments: object):
        bare = {name: value for name, value in os.environ.items() if name not in TRAINING}
        options = [f"--{name}={value}" for name, value in arguments.items()]
        self._process = subprocess.Popen(
            command or [sys.executable, "-m", "tests.perf.workers", *options],
            cwd=ROOT,
            env=bare | (TRAINING if allocator else ONE_THREAD),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if noise:
            assert self._process.stdout is not None
            while self._process.stdout.readline() != "ready\n":
                pass

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, part: str) -> None:
        """Start a turn. Several workers asked before any answers work at once."""
        assert self._process.stdin is not None
        print(part, file=self._process.stdin, flush=True)

    def answer(self) -> float:
        """Its milliseconds."""
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())

    def turn(self, part: str) -> Callable[[], float]:
        def take() -> float:
            self.ask(part)
            return self.answer()

        return take


def at_once(workers: Sequence[Worker], part: str) -> float:
    """The same part in all of them at the same time; their mean."""
    for worker in workers:
        worker.ask(part)
    return sum([worker.answer() for worker in workers]) / len(workers)


def _parts(options: argparse.Namespace) -> dict[str, Callable[[], object]]:
    match options.kind:
        case "naive" | "naive_own_batches":
            naive = NaiveMADDPG(options.agents, seed=0, own_batches=options.kind == "naive_own_batches")
            naive.replay.fill(options.stored * 25)
            return {"rollout": naive.episode, "update": naive.update}
        case "naive_qmix" | "naive_qmix_whole":
            plain = NaiveQMIX(seed=0, whole=options.kind == "naive_qmix_whole")
            plain.fill(options.stored)
            return {"rollout": plain.episode, "update": plain.update}
        case "qmix":
            team = TeamWork(options.seeds, options.stored, options.device)
            return {"rollout": team.rollout, "update": team.update}
        case "maac":
            return {"update": MAACWork(options.seeds, options.device).update}
        case "naive_maac":
            return {"update": NaiveMAAC().update}
        case "sac":
            sac = SACWork(options.stored, options.members)
            return {"steps": sac.steps, "updates": sac.updates, "parts": sac.parts, "products": sac.products}
        case "masac":
            team = MASACWork(options.agents)
            return {"updates": team.updates, "products": team.products}
        case "distilling":
            return {"distil": Distilling(options.stored).distil}
        case "sb3_sac":
            return {"steps": LibrarySAC(options.stored).steps}
        case "naive_sac":
            own = NaiveSAC(seed=0, stored=options.stored)
            return {"steps": lambda: own.steps(STEPS)}
        case _:
            work = SuiteWork(options.agents, options.seeds, options.stored, options.kind, options.device)
            return {"rollout": work.rollout, "update": work.update, "products": work.products}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="maddpg")
    parser.add_argument("--agents", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--stored", type=int)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = _parts(options)
    for run in parts.values():
        run()
    for line in sys.stdin:
        print(milliseconds(parts[line.strip()], options.device), flush=True)


if __name__ == "__main__":
    main()
