"""Shared by all tests: a tiny suite that trains in seconds, and the places of tools."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from baselines.specs import ALGORITHMS
from bench.cli import main
from bench.store import Record
from bench.store import folder as store
from bench.suite import Suite, loading
from bench.suite.loading import load
from bench.suite.shipped import folder
from tests.warm import Mother

ROOT = Path(__file__).parent.parent
Bench = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = """
schema = 2
version = 1
profile.full.says = "all there is"
profile.half = { says = "half of it", budget = { episodes = 8 } }

[paper]
id = "tiny"
title = "Tiny"
authors = "Nobody"
year = 2026

[[scenario]]
id = "two"
where = "here"
says = "two agents"
family = "particle"
params = { name = "simple_spread", agents = 2, dynamics = "openai" }
anchors = { random = -6.0, no_information = -5.0, good = -3.0, measured = "made up for tests" }
episode_limit = 5
metric = "step_reward"

[[scenario]]
id = "three"
where = "here"
says = "three agents"
family = "particle"
params = { name = "simple_spread", agents = 3, dynamics = "openai" }
anchors = { random = -10.0, no_information = -9.0, good = -4.0, measured = "made up for tests" }
episode_limit = 5
metric = "step_reward"

[[method]]
id = "base"
where = "here"
says = "the baseline"
algorithm = "maddpg"
[method.hyperparameters]
hidden_layers = { value = 2, source = "a" }
hidden_width = { value = 8, source = "a" }
lr = { value = 0.01, source = "a" }
gamma = { value = 0.95, source = "a" }
tau = { value = 0.01, source = "a" }
batch_size = { value = 16, source = "a" }
replay_size = { value = 1000, source = "a" }
warmup_transitions = { value = 20, source = "a guess", kind = "assumed" }
update_episodes = { value = 2, source = "a" }
grad_clip = { value = 0.5, source = "a" }
logit_penalty = { value = 0.001, source = "a" }
temperature = { value = 1.0, source = "a" }
layout_agents = { value = 3, source = "a" }

[[method]]
id = "init"
where = "here"
says = "starts from the teacher"
algorithm = "maddpg_initialized"
extends = "base"
hyperparameters.copied = { value = "actor", source = "a" }

[[method]]
id = "student"
where = "here"
says = "learns from the teacher"
algorithm = "knowru"
extends = "base"
[method.hyperparameters]
alpha_start = { value = 0.5, source = "a" }
alpha_end = { value = 0.02, source = "a" }
anneal_fraction = { value = 1.0, source = "a" }
reuse_loss = { value = "mse", source = "a" }
reuse_scale = { value = "order_of_magnitude", source = "a" }
teacher_view = { value = "same", source = "a" }

[[experiment]]
id = "source"
where = "Table 1"
says = "the source task"
methods = ["base"]
training_sets = [{ id = "two", scenarios = ["two"] }]
seeds = { value = 3, source = "Table 1" }
budget = { episodes = 16, source = "Table 1" }
[experiment.recording]
record_every = 2
evaluate_every = 8
evaluation_episodes = 3
final_evaluation_episodes = 4
source = "Table 1"

[[experiment]]
id = "target"
where = "Table 1"
says = "the target task"
methods = ["base", "init", "student"]
teachers = { experiment = "source", method = "base", pairing = "same seed" }
baseline = "base"
training_sets = [{ id = "three", scenarios = ["three"] }]
seeds = { value = 3, source = "Table 1" }
budget = { episodes = 16, source = "Table 1" }
[experiment.recording]
record_every = 2
evaluate_every = 8
evaluation_episodes = 3
final_evaluation_episodes = 4
source = "Table 1"

[[measure]]
id = "overall"
says = "all of training"
kind = "window"
series = "training"
window = [0.0, 1.0]

[[measure]]
id = "reach"
says = "when"
kind = "first_reach"
series = "training"
level = "base:overall"
below = { share_of_scale = 0.1 }
smooth = 2
hold = 1

[transfer]
jump_start = "overall"
time_to_threshold = "reach"
asymptote = "overall"
area = "overall"

[[claim]]
id = "better"
where = "Sec. 1"
says = "the student is better"
experiments = ["target"]
protocol = "training"
margin = { share_of_scale = 0.1 }
test = { kind = "ordering", greater = ["student:overall"], less = ["base:overall"] }

[[deviation]]
id = "odd"
class = "erratum"
applies_to = ["student"]
says = "a sign"
"""


def pytest_configure() -> None:
    """One thread, set before torch is loaded: with two, sums differ from those of a worker.

    Byte code is written, whatever the machine's habit: dozens of processes of a session load the same modules.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ.pop("COLUMNS", None)  # pytest's workers and tox set it: what bench prints would be as narrow
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    loading.parse = parsed_once(loading.parse)
    store.read_record = read_once(store.read_record)


def parsed_once(parse: Callable[[bytes, str | Path, bool], Suite]) -> Callable[[bytes, str | Path, bool], Suite]:
    """Shipped suites, which no test changes: `load` gives the same frozen suite each time.

    `parse`, and `load` of a suite in another folder, read it anew.
    """
    known: dict[tuple[bytes, str, bool], Suite] = {}

    def remembered(content: bytes, source: str | Path, need_anchors: bool = True) -> Suite:
        if Path(source).parent != folder():
            return parse(content, source, need_anchors)
        key = (content, str(source), need_anchors)
        return known[key] if key in known else known.setdefault(key, parse(content, source, need_anchors))

    return remembered


def read_once(read: Callable[[Path], Record]) -> Callable[[Path], Record]:
    """Published records, which no test changes: the same contents give the same frozen record each time.

    Verifying them, and `read_record`, read them anew.
    """
    known: dict[tuple[str, int, int], Record] = {}

    def remembered(path: Path) -> Record:
        if path.parent != ROOT / "results" / "records":
            return read(path)
        found = path.stat()
        key = (path.name, found.st_mtime_ns, found.st_size)
        return known[key] if key in known else known.setdefault(key, read(path))

    return remembered


def pytest_collection_finish() -> None:
    """Imported objects stay to the end. Searching them for garbage took 0.3 s each time."""
    gc.freeze()


@pytest.fixture
def tiny_file(tmp_path: Path) -> Path:
    """The tiny suite as a file."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny(tiny_file: Path) -> Suite:
    return load(str(tiny_file))


@pytest.fixture
def several_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the available algorithms could learn several tasks; plans and verdicts do not depend on it."""
    for name in ("maddpg", "knowru"):
        monkeypatch.setitem(ALGORITHMS, name, ALGORITHMS[name].model_copy(update={"several_tasks": True}))


@pytest.fixture(scope="session")
def knowru() -> Suite:
    return load("knowru")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Runs `python -m bench ...` in an empty folder, as a user would."""

    def call(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bench", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def mother() -> Iterator[Mother]:
    with Mother() as forks:
        yield forks


@pytest.fixture
def warm_workers(monkeypatch: pytest.MonkeyPatch, mother: Mother) -> None:
    """Workers need not each load torch: for tests that are not about how processes start."""
    monkeypatch.setattr("bench.executors.local.subprocess", SimpleNamespace(Popen=mother.start, PIPE=subprocess.PIPE))


@pytest.fixture
def bench_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], warm_workers: None
) -> Bench:
    """The same in this process: quicker, for tests that need no process of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr("sys.argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return subprocess.CompletedProcess(arguments, code if isinstance(code, int) else 0, *capsys.readouterr())

    return call
