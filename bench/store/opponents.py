"""Opponents from finished runs: one agent of a trained team, for other teams to play against.

Axes: N agent of the team, I entry of an actor's input, H hidden unit, A action entry.

    <folder>/<sha256>.safetensors    the tensors, named by the hash of the file: a scenario's opponent_sha256
    <folder>/<sha256>.json           where they come from

An opponent is a file of the project, like a suite file. A run's id contains its hash, so its play cannot change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from bench.envs import checked
from bench.envs.particle.params import SimpleAdversaryParams
from bench.plan import COMMAND_LINE, scored
from bench.store import Record, Store, StoreError, numbers_hash, sha256, write_atomically
from bench.store.checkpoints import load_weights
from bench.suite import SuiteError
from bench.suite.explain import Problem, listed, shown

SCHEMA = 1  # of the JSON file
ALGORITHMS = ("maddpg",)  # those whose policy is one MLP per agent, which `from_team` reads


@dataclass(frozen=True)
class Opponent:
    """A trained agent as files. content: safetensors. origin: the content of the JSON file."""

    content: bytes
    origin: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        return sha256(self.content)

    def write(self, folder: Path) -> Path:
        """Write both files, the tensors last. Returns their path. Raises StoreError if the folder is not writable."""
        path = folder / f"{self.sha256}.safetensors"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.origin, indent=1, sort_keys=True, allow_nan=False) + "\n"
            write_atomically(path.with_suffix(".json"), text.encode())
            write_atomically(path, self.content)
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror}; name a writable folder with --out DIR") from error
        return path


def from_team(weights: Mapping[str, np.ndarray], agent: int, inputs: int) -> dict[str, np.ndarray]:
    """One agent's actor of a MADDPG team, as an opponent's MLP: weight_i [N, out, in], bias_i [N, out] without N.

    inputs: entries of the agent's own observation, which come first. The padding after them is always zero, so its
    weights are left out without changing the actor's outputs. float32.
    """
    own = {name: np.ascontiguousarray(tensor[agent], np.float32) for name, tensor in weights.items()}
    return own | {"weight_0": np.ascontiguousarray(own["weight_0"][:, :inputs])}


def opponent_of(store: Store, record: Record, agent: int) -> Opponent:
    """Agent number `agent` of a finished run, as an opponent.

    Raises SuiteError if the team or the agent cannot be an opponent, StoreError if weights are missing or damaged.
    """
    params = _played(record)
    if not 0 <= agent < params.adversaries:
        allowed = f"0 to {params.adversaries - 1}, the adversaries of {params.name!r}"
        raise _refused("--agent", shown(agent), allowed, "name an adversary: they come first")
    weights = load_weights(store, record.run, record.numbers.weights)
    content = save(from_team(weights, agent, params.obs_sizes[agent]))
    origin = {
        "schema_version": SCHEMA,
        "sha256": sha256(content),
        "agent": agent,
        "agent_name": params.agent_names[agent],
        "run": record.run,
        "seed": record.seed,
        "numbers_hash": numbers_hash(record),
        "weights": record.numbers.weights,
        "final": record.numbers.scores[0].final,
        "suite": record.suite,
        "suite_version": record.suite_version,
        "experiment": record.experiment,
        "method": record.method,
        "profile": record.profile,
        "settings": record.settings,
        "provenance": record.provenance.model_dump(mode="json"),
    }
    return Opponent(content, origin)


def _played(record: Record) -> SimpleAdversaryParams:
    """The scenario that the run's team was trained on. Raises SuiteError if no side of it can be an opponent."""
    if record.status != "finished":
        raise _refused("RUN", f"{record.run}, which {record.status}", "a finished run", f"it says: {record.reason}")
    algorithm, trained = record.settings["algorithm"]["name"], scored(record.settings)
    if algorithm not in ALGORITHMS:
        raise _refused("RUN", f"{record.run}, trained by {shown(algorithm)}", listed(ALGORITHMS), "name such a run")
    if (activation := record.settings["hyperparameters"].get("activation", "relu")) != "relu":
        raise _refused("RUN", f"{record.run}, with activation = {shown(activation)}", "relu", "name such a run")
    params = checked(trained[0].family, trained[0].params)
    if not isinstance(params, SimpleAdversaryParams) or params.controlled != "all":
        got, allowed = f"{record.run}, trained on {trained[0].params}", 'simple_adversary with controlled = "all"'
        raise _refused("RUN", got, allowed, "name a run in which both sides learn")
    return params


def _refused(key: str, got: str, allowed: str, mend: str) -> SuiteError:
    return SuiteError(COMMAND_LINE, [Problem(key, got, allowed, mend)])
