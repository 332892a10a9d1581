"""The choice of engine, differences between machines, a job's luggage: without Ray and Slurm themselves."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.commands.engines import engine
from bench.envs import FAMILIES
from bench.executors import local
from bench.executors.nodes import Node, differences, this_node
from bench.executors.relay import Relay, contents, needed
from bench.executors.slurm import asked_of
from bench.plan import Selection, make_plan
from bench.run.job import Job
from bench.store import Store, sha256
from bench.suite import Suite, SuiteError
from tests.conftest import ROOT
from tests.synthetic import fill


@pytest.mark.parametrize(
    ("name", "address", "slurm", "says"),
    [
        ("rya", "", [], '"ray"'),
        ("local", "10.0.0.1:6379", [], "--executor ray"),
        ("ray", "", ["partition=gpu"], "--executor slurm"),
        ("slurm", "", ["partition"], "partition"),
        ("slurm", "", ["minutes=soon"], "minutes=soon"),
        ("slurm", "", ["cluster=cloud"], '"slurm", or "local"'),
    ],
)
def test_a_wrong_engine_or_option_is_refused(name: str, address: str, slurm: list[str], says: str) -> None:
    with pytest.raises(SuiteError) as caught:
        engine(name, address, "", slurm)
    assert says in str(caught.value)


def test_engines_are_found_and_options_named_as_submitit_names_them() -> None:
    assert engine("local", "", "", []) is local.execute
    asked = asked_of(["partition=gpu", "minutes=90", "memory_gb=4"])
    assert asked == {"slurm_partition": "gpu", "timeout_min": 90, "mem_gb": 4}


@pytest.mark.parametrize(("module", "option"), [("ray", "ray"), ("submitit", "slurm")])
def test_an_engine_that_is_not_installed_says_how_to_get_it(
    module: str, option: str, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SuiteError, match=rf"pip install 'marl-distill-bench\[{option}\]'"):
        CliRunner().invoke(
            app,
            ["run", str(tiny_file), "--executor", option, "--results", str(tmp_path)],
            catch_exceptions=False,
            standalone_mode=False,
        )


def test_a_machine_with_other_code_or_packages_differs_by_name() -> None:
    own = this_node()
    assert not [*differences(own, Node.model_validate(json.loads(own.model_dump_json())))]
    other = own.model_copy(update={"code": "0" * 64, "commit": "abc", "packages": own.packages | {"torch": "1.0"}})
    says = [*differences(own, other)]
    assert says == [
        f"different code of bench (commit abc, here {own.commit})",
        f"torch 1.0, here {own.packages['torch']}",
    ]
    elsewhere = own.model_copy(update={"platform": "another class", "host": "b", "lacks": ("mujoco",)})
    assert not [*differences(own, elsewhere)]  # its runs count: records name their class


def test_a_job_takes_its_teachers_along(tiny: Suite, tmp_path: Path) -> None:
    """Weights and the records that prove them, and only those that are not there yet."""
    plan, store = make_plan(tiny, Selection(seeds=(0,))), Store(tmp_path / "here")
    fill(store, plan, lambda cell, seed: [-8.0])
    run = next(run for run in plan.runs if run.teachers)
    for teacher in run.teachers:
        store.weights_path(teacher).write_bytes(b"a policy")
    job = Job(cell=plan.cell(run.cell), runs=(run,), suite_version=1, profile="full")
    files, relay = needed(store, job), Relay(tmp_path / "there", scratch=True)
    assert {path.partition("/")[0] for path in files} == {"records", "weights"}
    assert files[f"weights/{run.teachers[0]}.safetensors"] == sha256(b"a policy")
    assert relay.lacks(files) == [*files]
    relay.take(contents(store, files))
    assert relay.lacks(files) == []
    relay.store.weights_path(run.teachers[0]).write_bytes(b"another")
    assert relay.lacks(files) == [f"weights/{run.teachers[0]}.safetensors"]
    assert all(relay.store.record(teacher) for teacher in run.teachers)


def test_the_doctor_says_what_is_missing_and_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries a step of a family; a version other than the declared one does not work, nor does one that fails."""
    from bench.commands import doctor

    there = CliRunner().invoke(app, ["doctor", "particle"])
    assert (there.exit_code, "took a step" in there.stdout) == (0, True)
    monkeypatch.setattr("bench.envs.trial.step_once", lambda *_: "no such game")
    fails = CliRunner().invoke(app, ["doctor", "particle"])
    assert (fails.exit_code, "family particle   fails: no such game" in fails.stdout) == (4, True)
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    lacks = CliRunner().invoke(app, ["doctor", "slurm"])
    assert lacks.exit_code == 4
    assert "missing: submitit\n       pip install 'marl-distill-bench[slurm]'" in lacks.stdout
    monkeypatch.setattr(doctor, "_version", lambda package: "0.1")
    (found,) = json.loads(CliRunner().invoke(app, ["doctor", "slurm", "--json"]).stdout)["parts"]
    assert (found["works"], found["others"]) == (False, ["submitit 0.1, needed >=1.5.4"])
    with pytest.raises(SuiteError, match='"mujoco"'):
        CliRunner().invoke(app, ["doctor", "mujocco"], catch_exceptions=False, standalone_mode=False)


def test_the_doctor_counts_a_familys_canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.commands import doctor

    (path, *_) = sorted((ROOT / "results" / "canaries").iterdir())
    monkeypatch.setattr(doctor, "canary_path", lambda *_: path)
    parts = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)["parts"]
    counts = {part["name"]: part["canaries"] for part in parts if part["kind"] == "family"}
    stored = json.loads(path.read_text())["canaries"].values()
    own = [json.dumps(canary["settings"]) for canary in stored]
    assert counts["particle"] == sum('"family": "particle"' in text for text in own) > 0
    assert counts["mujoco"] == sum('"family": "mujoco"' in text for text in own)


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_a_family_that_is_not_installed_is_named_before_anything_runs(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    """On this machine; on a cluster each machine is asked."""
    asked = ["run", str(tiny_file), "--results", str(tmp_path / "runs"), "--executor", executor]
    absent = dataclasses.replace(FAMILIES["particle"], packages=("no-such-package",))
    monkeypatch.setitem(FAMILIES, "particle", absent)
    monkeypatch.setitem(sys.modules, "ray", None)
    says = "then: bench doctor particle" if executor == "local" else "then: bench doctor ray"
    with pytest.raises(SuiteError, match=says):
        CliRunner().invoke(app, asked, catch_exceptions=False, standalone_mode=False)
