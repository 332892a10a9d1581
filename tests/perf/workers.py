"""Processes that are measured by turns: each with the environment variables that its code would have in real use.

A worker reads the name of a part a line, runs it once and answers with its milliseconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence

import torch

from bench.executors.local import ENVIRONMENT
from tests.conftest import ROOT
from tests.perf.measure import SuiteWork, milliseconds
from tests.perf.naive import NaiveMADDPG

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Worker:
    """One process at work. allocator: whether it gets the settings that `bench run` starts its processes with.

    SuiteWork's arguments, or for naive=True NaiveMADDPG's, go by name.
    """

    def __init__(self, allocator: bool, **arguments: object):
        bare = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
        options = [f"--{name}={value}" for name, value in arguments.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.perf.workers", *options],
            cwd=ROOT,
            env=bare | (ENVIRONMENT if allocator else ONE_THREAD),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--naive", default="False")
    parser.add_argument("--own_batches", default="False")
    parser.add_argument("--agents", type=int)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--stored", type=int)
    parser.add_argument("--method", default="maddpg")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.naive == "True":
        naive = NaiveMADDPG(options.agents, seed=0, own_batches=options.own_batches == "True")
        naive.replay.fill(options.stored * 25)
        parts = {"rollout": naive.episode, "update": naive.update}
    else:
        work = SuiteWork(options.agents, options.seeds, options.stored, options.method, options.device)
        parts = {"rollout": work.rollout, "update": work.update, "products": work.products}
    for run in parts.values():
        run()
    for line in sys.stdin:
        print(milliseconds(parts[line.strip()], options.device), flush=True)


if __name__ == "__main__":
    main()
