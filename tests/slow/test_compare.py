"""The guide followed literally, and the examples' learning, at the length of the smoke profile and beyond."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compare.conftest import EXAMPLES
from tests.compare.test_guide import code

ROOT = EXAMPLES.parent


def bench(command: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A command of the guide, in a folder of its own."""
    words = shlex.split(command)
    assert words[0] == "bench"
    environment = os.environ | {"PYTHONPATH": f"{EXAMPLES}:{ROOT}"}
    call = [sys.executable, "-m", "bench", *words[1:], *more]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_guide_followed_literally(tmp_path: Path) -> None:
    (text,) = code("python")
    new, first, second = (line.strip() for line in code("sh"))
    assert bench(new, tmp_path).returncode == 0
    (tmp_path / "my_method.py").write_text(text)
    done = bench(first, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "missing: maddpg in spread/II, 3 seeds; bench run knowru --profile smoke --only spread/II" in done.stderr
    done = bench(second, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "missing" not in done.stderr
    again = bench(second, tmp_path, "--json")
    assert "0 trained now" in again.stderr
    found = json.loads(again.stdout)
    assert {d["against"] for d in found["differences"]} == {"maddpg", "knowru"}
    assert Path(tmp_path / found["written"]).is_file()


@pytest.mark.parametrize(("name", "needs"), [("ippo", "torch"), ("sb3_ppo", "stable_baselines3")])
def test_an_example_learns(name: str, needs: str, tmp_path: Path) -> None:
    """Its greedy policy after 1,000 episodes of spread/I against its first, by more than a tenth of the scale."""
    pytest.importorskip(needs)
    command = f"bench compare {name}:train --suite knowru --profile nightly --only spread/I --seeds 0,1 --json"
    done = bench(command, tmp_path)
    assert done.returncode == 0, done.stderr
    records = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "records").glob("*.json")]
    assert len(records) == 2
    for record in records:
        (scores,) = record["numbers"]["scores"]
        evaluations = scores["curves"]["evaluation"]["mean"]
        assert scores["final"] > evaluations[0] + 0.1 * (13.66 - 6.49)


def test_stable_baselines3_s_sac_is_compared_on_continuous_tasks(tmp_path: Path) -> None:
    """On HalfCheetah alone, at the length of the smoke profile: it runs, and is scored."""
    for needed in ("stable_baselines3", "mujoco"):
        pytest.importorskip(needed)
    command = "bench compare sb3_sac:train --suite cikd --profile smoke --only dominance/vanilla --seeds 1 --json"
    done = bench(command, tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "runs" / "records").glob("*.json")
    record = json.loads(path.read_text())
    assert record["status"] == "finished", record["reason"]
    assert len(record["numbers"]["scores"][0]["curves"]["evaluation"]["mean"]) >= 2
