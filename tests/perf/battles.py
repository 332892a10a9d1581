"""Memory of a replay of battles on SMAC's largest map, as SMAX has its sizes. Linux only.

    python -m tests.perf.battles [--map 27m_vs_30m] [--limit 180] [--episodes 200] [--length 60]

Stores random battles of that length, as a learner stores a round of 8, and prints what one battle takes, what the
process held at its peak, and what 5,000 battles of the map's limit would take.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from baselines.learner import Layout, Rollout, Task
from baselines.replay.episodes import WholeEpisodes
from baselines.streams import Streams
from bench.envs import checked
from tests.perf.memory import MIB, kibibytes

ROUND, STORED = 8, 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--map", default="27m_vs_30m")
    parser.add_argument("--limit", type=int, default=180)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--length", type=int, default=60)
    options = parser.parse_args()
    params = checked("smax", {"name": options.map})
    n, o, a, x, t = len(params.obs_sizes), params.obs_size, params.action_size, params.state_size, options.limit
    layout = Layout(o, tuple(range(o)))
    task = Task(n, o, a, t, STORED, layout, state_size=x, common_reward=True, alone=True)
    replay = WholeEpisodes(task, STORED, [Streams(0)], "cpu", torch.float32)
    mask = (torch.arange(t) < options.length).expand(1, ROUND, t)
    before = kibibytes(Path(f"/proc/{os.getpid()}/status"), "VmRSS")
    for _ in range(options.episodes // ROUND):
        lead = (1, ROUND)
        replay.append(
            Rollout(
                torch.rand(*lead, t + 1, n, o),
                torch.nn.functional.one_hot(torch.randint(a, (*lead, t, n)), a).float(),
                torch.rand(*lead, t, n),
                torch.zeros(*lead, t, dtype=torch.bool),
                torch.ones(*lead, t + 1, n, a, dtype=torch.bool),
                torch.rand(*lead, t + 1, x),
                mask,
            )
        )
    row = replay._ragged[0].row_bytes
    held = kibibytes(Path(f"/proc/{os.getpid()}/status"), "VmRSS") - before
    peak = kibibytes(Path(f"/proc/{os.getpid()}/status"), "VmHWM")
    print(f"{options.map}: {n} agents, {o} entries of an observation, {x} of the state; {row:,} bytes a step")
    print(f"{replay.episodes} battles of {options.length} steps: {replay.bytes / MIB:,.0f} MiB stored, ", end="")
    print(f"{held / 1024:,.0f} MiB more held than before, {peak / 1024:,.0f} MiB at the peak")
    print(f"{STORED:,} of {t} steps: {STORED * (t + 1) * row / 2**30:,.1f} GiB, worked out")


if __name__ == "__main__":
    main()
