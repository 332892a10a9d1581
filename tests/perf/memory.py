"""Memory of KnowRU's largest cell, MADDPG on simple_spread task III (8 agents), and its causes. Linux only.

    python -m tests.perf.memory [--episodes 5000] [--seeds 10] [--jobs 2]

Trains the cell for this many episodes in the processes that `bench run` would start, and samples them twice a second.
PSS counts a page that processes share (torch's code) once; VmHWM is a process's own peak, which sampling cannot miss.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import threading
from pathlib import Path

from bench.executors.dispatch import Options
from bench.executors.local import execute
from bench.plan import Cell, Plan, Selection, make_plan
from bench.plan.sizes import work
from bench.store import Store
from bench.suite.loading import load

MIB = 2**20
LOOK_S = 0.5
EPISODES = 5000  # of the full budget


def only_maddpg(episodes: int, seeds: int) -> tuple[Plan, Cell]:
    """Task III without transfer: no teacher has to be trained first."""
    wanted = Selection(only=("spread/III",), seeds=tuple(range(seeds)), settings=(f"budget.episodes={episodes}",))
    plan = make_plan(load("knowru"), wanted)
    cell = next(cell for cell in plan.cells if cell.label == "maddpg on spread/III")
    return plan.model_copy(update={"cells": (cell,), "runs": tuple(r for r in plan.runs if r.cell == cell.key)}), cell


def children() -> list[Path]:
    """The folders under /proc of this process's own processes."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            found += [folder] if int(parent) == os.getpid() else []
    return found


def kibibytes(path: Path, key: str) -> int:
    """One `key:  123 kB` line of a file under /proc; 0 where the process has ended."""
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return 0


class Watch:
    """The largest sum of the workers' PSS, and each worker's peak resident size, in MiB."""

    def __init__(self):
        self.pss, self.peaks = 0.0, {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            folders = children()
            self.pss = max(self.pss, sum(kibibytes(f / "smaps_rollup", "Pss") for f in folders) * 1024 / MIB)
            for folder in folders:
                peak = kibibytes(folder / "status", "VmHWM") * 1024 / MIB
                self.peaks[folder.name] = max(self.peaks.get(folder.name, 0.0), peak)


def replay_bytes(settings: dict, episodes: int) -> int:
    """The size of one seed's ring after this many episodes: steps [E, T+1, D] and rewards [E, T, N] float32, a flag."""
    n, limit = settings["scenario"]["params"]["agents"], settings["scenario"]["episode_limit"]
    return episodes * (4 * (limit + 1) * n * (6 * n + 5) + 4 * limit * n + limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    plan, cell = only_maddpg(options.episodes, options.seeds)
    with tempfile.TemporaryDirectory() as folder, Watch() as watch:
        store = Store(folder)
        store.open_for_writing()
        outcome = execute(plan, store, Options(jobs=options.jobs), lambda event: None)
    full = EPISODES
    rings = [options.seeds * replay_bytes(cell.settings, episodes) / MIB for episodes in (options.episodes, full)]
    print(f"{len(outcome.finished)} of {options.seeds} seeds, {options.episodes} episodes, {options.jobs} processes")
    print(
        f"peak of the sum of PSS {watch.pss:,.0f} MiB; VmHWM of each "
        + ", ".join(f"{p:,.0f}" for p in watch.peaks.values())
    )
    print(f"replay of all seeds: {rings[0]:,.0f} MiB here, {rings[1]:,.0f} MiB after {full} episodes")
    print(f"peak at {full} episodes, replay extrapolated: {watch.pss + rings[1] - rings[0]:,.0f} MiB")
    print(f"bench plan's count of a seed: {sum(w.bytes for w in work(cell.settings)) / MIB:,.0f} MiB")


if __name__ == "__main__":
    main()
