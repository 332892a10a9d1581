"""The command line from a user's view: its output and exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.plan import Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from tests.conftest import ROOT, Bench
from tests.synthetic import fill
from tests.test_verdict import levels

SELECTED = ("--only", "target", "--seeds", "3")


@pytest.fixture
def results(tiny: Suite, tmp_path: Path) -> Path:
    """A results folder in which the student is better."""
    folder = tmp_path / "results"
    fill(Store(folder), make_plan(tiny, Selection()), levels(student=-7.0, base=-8.0, init=-8.0))
    return folder


def test_validate(bench: Bench, bench_here: Bench, tiny_file: Path) -> None:
    done = bench_here("validate")
    assert (done.returncode, "knowru: sound" in done.stdout) == (0, True)
    (found,) = json.loads(bench_here("validate", tiny_file, "--json").stdout)
    (warning,) = found.pop("warnings")
    assert (found, warning[:41]) == (
        {"suite": "tiny", "version": 1, "problems": []},
        "base, init, student: the file does not sa",
    )
    tiny_file.write_text(tiny_file.read_text().replace("year = 2026", 'year = "2026"'))
    done = bench_here("validate", "knowru", tiny_file, "--json")
    assert done.returncode == 2
    sound, bad = json.loads(done.stdout)
    assert sound["problems"] == []
    problem = {
        "key": "paper.year",
        "got": '"2026"',
        "allowed": "a whole number, without quotes",
        "mend": "correct the value",
    }
    assert bad["problems"] == [problem]
    assert "1 problem(s)" in bench_here("validate", tiny_file).stdout
    assert bench("--version").stdout.startswith("marl-distill-bench 0.")


def test_plan_shows_the_dag_what_is_left_and_what_it_costs(bench_here: Bench, tiny_file: Path, results: Path) -> None:
    done = bench_here("plan", tiny_file, "--results", results)
    assert done.returncode == 0, done.stderr
    for words in ("student on three", "base on two", "12 runs, 9 done", "of memory", "this cell's runs"):
        assert words in done.stdout
    assert re.search(r"about [\d,]+ MiB of memory and \d+ MiB of checkpoints at most", done.stdout)
    shown = json.loads(bench_here("plan", tiny_file, "--results", results, "--json").stdout)
    assert shown["memory_bytes"] > 2**28
    assert all(cell["checkpoint_bytes"] > 0 for cell in shown["cells"])
    assert sum(run["done"] for run in shown["runs"]) == 9
    assert shown["left_s"] > 0
    student = next(cell for cell in shown["cells"] if cell["method"] == "student")
    assert student["teachers"] == [next(c["key"] for c in shown["cells"] if c["training_set"] == "two")]


def test_check_prints_one_row_a_claim(bench_here: Bench, tiny_file: Path, results: Path) -> None:
    done = bench_here("check", tiny_file, "--results", results)
    assert done.returncode == 0, done.stderr
    for words in ("the student is better", "the order is shown", "counts: 1 reproduced", "assumed:", "erratum:"):
        assert words in done.stdout
    assert "Sec. 1" not in done.stdout
    long = bench_here("check", tiny_file, "--results", results, "--long").stdout
    for words in ("Sec. 1", "1 assumed", "1 erratum", "r = ", "untrained team"):
        assert words in " ".join(long.split())
    shown = json.loads(bench_here("check", tiny_file, "--results", results, "--json").stdout)
    assert {"suite", "version", "verdicts", "counts"} <= shown.keys()
    (row,) = shown["verdicts"]
    assert list(row) == [
        "id", "kind", "where", "experiment", "scenario", "method", "says", "printed", "found", "interval", "verdict",
        "reason", "seeds", "seeds_to_decide", "deviations", "ours", "p", "p_against", "headline", "paired", "r",
        "margin", "typical", "compatible", "tags", "placebo", "computed", "clearly", "direction", "look", "declared",
        "readings", "implementation", "sentence", "holds_in", "turned", "difference",
    ]  # fmt: skip
    assert (row["sentence"], row["difference"]) == ("the order is shown", row["found"])
    assert row["placebo"] == {"untrained": "no", "random": "no"}
    assert (row["id"], row["kind"], row["verdict"], row["seeds"]) == ("better", "ordering", "reproduced", 3)
    assert row["found"] == pytest.approx(1.0)
    assert row["interval"][0] < 1 < row["interval"][1]
    assert row["deviations"][0].keys() == {"id", "class", "says"}
    assert shown["counts"]["reproduced"] == 1


def test_check_of_nothing_is_no_success(bench_here: Bench, tiny_file: Path) -> None:
    done = bench_here("check", tiny_file)
    assert done.returncode == 4
    assert "not_run" in done.stdout
    assert "nothing was run" in done.stderr
    assert bench_here("report", tiny_file).returncode == 4


def test_a_damaged_record_is_named_and_not_counted(bench_here: Bench, tiny_file: Path, results: Path) -> None:
    victim = sorted((results / "records").glob("*.json"))[0]
    victim.write_bytes(victim.read_bytes()[:100])
    for verb in (("check",), ("report",), ("report", "--format", "csv"), ("plan",)):
        done = bench_here(*verb, tiny_file, "--results", results)
        assert done.returncode == 0
        assert done.stderr.count(f"not counted: {victim}") == 1
    assert "8 done" in done.stdout


def test_report(bench_here: Bench, tiny_file: Path, results: Path) -> None:
    done = bench_here("report", tiny_file, "--results", results)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.removeprefix("report: ").strip())
    text = path.read_text()
    for words in (
        "# Tiny",
        "## Verdicts",
        "| the student is better | target |",
        "## Transfer metrics",
        "a sign",
    ):
        assert words in text
    svg, png = path.with_name("curves-target.svg"), path.with_name("curves-target.png")
    assert svg.read_bytes()[:5] == b"<?xml"
    assert png.read_bytes()[:4] == b"\x89PNG"
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    bench_here("report", tiny_file, "--results", results)
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "knowro"], ["suite", '"knowro"', 'did you mean "knowru"']),
        (["run", "knowru", "--set", "lrr=1"], ["--set lrr", 'did you mean "lr"']),
        (["run", "knowru", "--device", "tpu"], ["--device", '"tpu"']),
        (["run", "knowru", "--seeds", "many"], ["--seeds", '"many"', "e.g. --seeds 5"]),
        (["run", "knowru", "--seeds", "0"], ["--seeds", '"0"']),
        (["run", "knowru", "--seeds", "0-999999999999"], ["--seeds", "at most 10000"]),
        (["run", "knowru", "--profile", "fulll"], ["--profile", 'did you mean "full"']),
        (["run", "knowru", "--only", "spread/2"], ["--only", '"spread/2"', '"spread/II"']),
        (["run", "knowru", "--results", "in_the_way/x"], ["in_the_way/x", "cannot be written", "--results"]),
        (["run", "knowru", "--jobs", "0"], ["--jobs"]),
        (["validate", "broken.toml"], ["broken.toml", "(file)", "UTF-8"]),
        (["validate", "list.toml"], ["list.toml", "(file)", "line 1"]),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    bench_here: Bench, tmp_path: Path, arguments: list[str], said: list[str]
) -> None:
    (tmp_path / "in_the_way").write_text("a file")
    (tmp_path / "broken.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "list.toml").write_text("= 1")
    refused(bench_here(*arguments), said)


def refused(done: subprocess.CompletedProcess[str], said: list[str]) -> None:
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    for words in said:
        assert words in done.stderr + done.stdout


def test_a_device_that_is_not_there(bench_here: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine that has one."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    refused(bench_here("run", "knowru", "--device", "cuda"), ["--device", '"cuda"', '"cpu"', "CUDA build"])


def test_run_with_report_from_nothing_to_a_verdict(bench_here: Bench, tiny_file: Path, tmp_path: Path) -> None:
    text = tiny_file.read_text()
    tiny_file.write_text(text.replace('["base", "init", "student"]', '["base", "student"]'))  # a process less
    done = bench_here("run", tiny_file, *SELECTED, "--jobs", "1", "--report")
    assert done.returncode == 0, done.stderr
    assert "9 runs: 9 trained now, 0 there before" in done.stdout
    assert "counts: " in done.stdout
    path = tmp_path / done.stdout.strip().splitlines()[-1].removeprefix("report: ")
    assert path.is_file()
    again = bench_here("run", tiny_file, *SELECTED, "--json")
    assert len(json.loads(again.stdout)["run"]["before"]) == 9


def test_ctrl_c_stops_within_five_seconds_and_says_how_to_go_on(tiny_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", str(tiny_file), "--only", "source", "--seeds", "1"]
    command += ["--set", "budget.episodes=100000", "--checkpoint-every", "0"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background shell ignores it
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/checkpoints/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    try:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "the same command goes on from the last checkpoints" in errors
