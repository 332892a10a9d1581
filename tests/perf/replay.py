"""A replay of a million transitions in a checkpoint: seconds, bytes and peak memory. Linux only.

    python -m tests.perf.replay [--transitions 1000000] [--seeds 1] [--folder DIR]

For HalfCheetah's and Humanoid's sizes (gymnasium, v4). Two processes, started as `bench run` starts its own, are
measured whole. One fills the replay, saves it whole, adds SAC's steps of some 30 s and saves the increment; the
other loads the checkpoint. The state beside the replay is as large as SAC's (two layers of 256, two critics with
targets, Adam). The store's own code writes and reads, hashes and syncs included; entries are cut into parts as
bench/run/training.py does.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from baselines.replay.steps import Shapes, StepReplay, Steps
from baselines.streams import Streams
from bench.processes.starting import TRAINING, command, environment
from bench.store import Store
from bench.store.checkpoints import append_replay, load_checkpoint, save_checkpoint

INCREMENT = 3_000  # transitions: 30 s of SAC at 100 updates a second
BATCH, TURNS, BLOCK = 256, 300, 1_000


@dataclass(frozen=True)
class Size:
    """obs, actions: entries. episode: steps; Humanoid falls early while it is untrained."""

    obs: int
    actions: int
    episode: int


SIZES = {"HalfCheetah": Size(17, 6, 1000), "Humanoid": Size(376, 17, 50)}


def made(size: Size, capacity: int, seeds: int) -> StepReplay:
    streams = [Streams(seed) for seed in range(seeds)]
    return StepReplay(Shapes((size.obs,), (size.actions,)), capacity, streams, "cpu")


def played(size: Size, first: int, count: int, seeds: int) -> Steps:
    """Synthetic: numbers of a normal distribution."""
    seen = torch.randn(seeds, count + 1, size.obs)
    ends = (torch.arange(first + 1, first + count + 1) % size.episode == 0).expand(seeds, count)
    return Steps(
        obs=seen[:, :-1],
        actions=torch.randn(seeds, count, size.actions),
        rewards=torch.randn(seeds, count),
        next_obs=seen[:, 1:],
        terminated=ends,
        truncated=torch.zeros_like(ends),
    )


def state(size: Size) -> dict[str, np.ndarray]:
    """As large as SAC's: the actor with Adam's moments, two critics with those and a target."""
    actor = (size.obs + 1) * 256 + 257 * 256 + 257 * 2 * size.actions
    critic = (size.obs + size.actions + 1) * 256 + 257 * 256 + 257
    return {"learner/all": np.zeros(3 * actor + 8 * critic, np.float32)}


def saved(store: Store, replay: StepReplay, size: Size, since: int, seeds: int) -> dict[str, float]:
    """Writes every seed's checkpoint: seconds, and bytes of log and state, per seed."""
    began, bytes_ = time.perf_counter(), 0
    for lane in range(seeds):
        run = f"{lane:016x}"
        for start in range(max(since, replay.first), replay.entries, replay.part_entries):
            stop = min(start + replay.part_entries, replay.entries)
            rows = {f"0/{name}": x.numpy() for name, x in replay.rows(lane, start, stop).items()}
            append_replay(store, run, start, stop, rows)
            bytes_ += (store.checkpoints / run / f"{start:09d}-{stop:09d}.safetensors").stat().st_size
        counts = {"done": 1, "replay_first": replay.first, "replay_stop": replay.entries}
        save_checkpoint(store, run, state(size), counts)
        bytes_ += (store.checkpoints / f"{run}.safetensors").stat().st_size
    return {"s": (time.perf_counter() - began) / seeds, "bytes": bytes_ / seeds}


def peak() -> int:
    """The most bytes that this process held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def fill(store: Store, size: Size, capacity: int, seeds: int) -> Mapping[str, object]:
    replay = made(size, capacity, seeds)
    for first in range(0, capacity, BLOCK):
        replay.append(played(size, first, BLOCK, seeds))
    filled = peak()
    whole = saved(store, replay, size, 0, seeds)
    single = [played(size, capacity + k, 1, seeds) for k in range(INCREMENT)]
    began = time.perf_counter()
    for steps in single:
        replay.append(steps)
    append_s = (time.perf_counter() - began) / INCREMENT
    began = time.perf_counter()
    for _ in range(TURNS):
        replay.sample(BATCH)
    sample_s = (time.perf_counter() - began) / TURNS
    increment = saved(store, replay, size, capacity, seeds)
    times = {"append_us": 1e6 * append_s, "sample_us": 1e6 * sample_s}
    return times | {"filled": filled, "whole": whole, "increment": increment, "peak": peak()}


def resume(store: Store, size: Size, capacity: int, seeds: int) -> Mapping[str, object]:
    replay = made(size, capacity, seeds)
    before, began = peak(), time.perf_counter()
    for lane in range(seeds):
        found = load_checkpoint(store, f"{lane:016x}", print)
        assert found is not None
        for part in found.replay:
            rows = {name.removeprefix("0/"): torch.from_numpy(x) for name, x in part.read().items()}
            replay.restore(lane, part.start, rows)
    seconds = (time.perf_counter() - began) / seeds
    assert replay.entries == capacity + INCREMENT
    return {"s": seconds, "before": before, "peak": peak()}


def child(what: str, folder: str, name: str, capacity: int, seeds: int) -> None:
    torch.set_num_threads(1)
    store = Store(folder)
    store.open_for_writing()
    print(json.dumps({"fill": fill, "resume": resume}[what](store, SIZES[name], capacity, seeds)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transitions", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folder", help="where checkpoints are written; default: a temporary folder")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "FOLDER", "NAME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        what, folder, name = given.child
        child(what, folder, name, given.transitions, given.seeds)
        return
    for name in SIZES:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            for what in ("fill", "resume"):
                sizes = ("--transitions", str(given.transitions), "--seeds", str(given.seeds))
                done = subprocess.run(
                    command("tests.perf.replay", *sizes, "--child", what, folder, name),
                    env=environment(**TRAINING, PYTHONPATH=str(Path(__file__).parents[2])),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                print(name, what, done.stdout.strip() or done.stderr.strip(), flush=True)


if __name__ == "__main__":
    main()
