"""The output of widely used tools: best episodes as final evaluations, floats for counts, a file per seed, logs."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bench.compare.imported import origin
from bench.exchange import ExchangeError, marl_eval, table
from bench.exchange.accepting import accepted, remarks
from bench.exchange.declaration import read_declaration
from bench.exchange.files import gather
from bench.exchange.imported import Import, ImportedRun, Source, imports
from bench.suite import Suite
from tests.conftest import Bench
from tests.exchange.foreign import DECLARED, declared, run

EPISODES = [[-13.0, -12.0, -11.0], [-12.0, -9.0, -12.0]]  # means -12 and -11; the best single episode is -9


def written(final: float | list[float], episodes: list[list[float]] = EPISODES) -> dict[str, Any]:
    """A run in marl-eval's form with every episode of its evaluations."""
    steps = {f"step_{i}": {"step_count": 10 * i, "step_reward": own} for i, own in enumerate(episodes)}
    return steps | {"absolute_metrics": {"step_reward": final if isinstance(final, list) else [final]}}


def taken(suite: Suite, runs: dict[str, Any], **changes: Any) -> tuple[list[ImportedRun], list[str]]:
    own = declared(**changes)
    text = json.dumps({"particle": {"two": {"theirs": runs}}}).encode()
    candidates, unread = marl_eval.parse(text, "x.json", own.column, own.final == "final")
    found, unfit = accepted(candidates, own, suite)
    return found, [r.why for r in (*unread, *unfit)]


@pytest.mark.parametrize("final", [-9.0, -9.0002, -8.5, [-9.0, -9.0, -9.0, -9.0]])
@pytest.mark.parametrize("asked", [1, 4])
def test_the_best_single_episode_is_no_final_evaluation(suite: Suite, final: float | list[float], asked: int) -> None:
    """Neither is its rounded value, a value above it, or the same value several times."""
    found, (why,) = taken(suite, {"seed_0": written(final)}, final_evaluation_episodes=asked)
    assert found == []
    for words in ("reaches the greatest single episode", f"{asked} episodes", 'final = "last"'):
        assert words in why


@pytest.mark.parametrize(
    ("changes", "final"), [({"final": "last"}, -11.0), ({"final_is": "mean"}, -9.0), ({"final_is": "best_episode"}, -9)]
)
def test_unless_the_declaration_says_so(suite: Suite, changes: dict[str, str], final: float) -> None:
    (found,), refused = taken(suite, {"seed_0": written(-9.0)}, **changes)
    assert (found.final, refused) == (final, [])


def test_a_declared_best_episode_is_compared_with_no_mean(suite: Suite) -> None:
    own = declared(final_is="best_episode")
    found, _ = taken(suite, {"seed_0": written(-9.0)}, final_is="best_episode")
    source = Source(file="x.json", format="marl-eval", sha256="0" * 64)
    whole = Import(name="n", suite="tiny", suite_version=1, source=source, protocol=own, runs=tuple(found), refused=())
    assert origin(whole, "theirs", "two").protocol == "greedy, best single episode"


@pytest.mark.parametrize(
    ("final", "episodes", "asked"),
    [
        (-9.5, EPISODES, 4),  # no episode's value
        ([-9.0, -8.0, -9.0, -10.0], EPISODES, 4),  # an evaluation of its own
        (-9.0, [[-9.0, -9.0, -9.0]], 4),  # a mean as high: nothing tells it from a policy that is always the same
        (-9.0, [[-12.0], [-9.0]], 4),  # means alone
        (-9.5, EPISODES, 1),  # the one episode that is declared, which is not the best
    ],
)
def test_what_may_be_a_final_evaluation_is_taken(
    suite: Suite, final: float | list[float], episodes: list[list[float]], asked: int
) -> None:
    (found,), refused = taken(suite, {"seed_0": written(final, episodes)}, final_evaluation_episodes=asked)
    assert (found.final, refused) == (final if isinstance(final, float) else -9.0, [])


@pytest.mark.parametrize("count", [10**400, 2**53 + 1, -(10**400)])
def test_counts_are_bounded(suite: Suite, count: int) -> None:
    own = written(-9.5)
    own["step_1"]["step_count"] = count
    found, (why,) = taken(suite, {"seed_0": own})
    assert found == []
    assert "step_1: step_count: got" in why
    assert "allowed: a whole number of at most 2**53" in why
    held = {"method": "m", "scenario": "two", "seed": 0, "steps": (abs(count),), "mean": (1.0,), "final": 1.0}
    with pytest.raises(ValidationError):
        ImportedRun.model_validate(held)


def test_a_folder_that_cannot_be_walked_is_one_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(_: Path, __: str) -> Iterator[Path]:
        yield tmp_path
        raise PermissionError(13, "Permission denied", "/closed")

    monkeypatch.setattr(Path, "rglob", walk)
    with pytest.raises(ExchangeError, match=r"/closed: Permission denied"):
        gather(tmp_path, "csv", declared())
    monkeypatch.setattr(Path, "rglob", lambda folder, _: itertools.repeat(folder))
    with pytest.raises(ExchangeError, match="more than 200,000 files"):
        gather(tmp_path, "csv", declared())


@pytest.mark.parametrize("absolute", [{}, {"step_reward": []}, {"return": [1.0]}, 3])
def test_the_last_evaluation_needs_no_absolute_metric(suite: Suite, absolute: Any) -> None:
    (found,), refused = taken(suite, {"seed_0": run(-13.0, -10.0) | {"absolute_metrics": absolute}}, final="last")
    assert (found.final, refused) == (-10.0, [])


def test_final_rows_are_not_read_where_the_last_evaluation_is_meant(suite: Suite) -> None:
    text = "method,scenario,seed,point,steps,mean\nm,two,0,evaluation,10,-10\nm,two,0,final,,\n"
    candidates, unread = table.parse(text.encode(), "x.csv", final=False)
    (found,), unfit = accepted(candidates, declared(final="last"), suite)
    assert (found.final, unread, unfit) == (-10.0, [], [])


def test_whole_numbers_that_are_written_as_floats(suite: Suite) -> None:
    steps = {"step_0": {"step_count": 125000.0, "step_reward": [-10.0]}}
    (found,), _ = taken(suite, {"seed_0": steps}, final="last")
    assert found.steps == (125000,)
    head = "method,scenario,seed,point,steps,mean,n\n"
    candidates, _ = table.parse((head + "m,two,0.0,final,1000000.0,0.5,4.0\n").encode(), "x.csv")
    (found,), _ = accepted(candidates, declared(), suite)
    assert (found.seed, found.trained) == (0, 1_000_000)


@pytest.mark.parametrize("steps", ["1.5", "1e300", "nan", "-", "", "0x10"])
def test_other_text_is_no_whole_number(steps: str) -> None:
    text = f"method,scenario,seed,point,steps,mean\nm,two,0,final,{steps},0.5\n"
    _, (refused,) = table.parse(text.encode(), "x.csv")
    assert "allowed: a whole number of at most 2**53" in refused.why


def test_shares_that_were_divided_twice_are_remarked(suite: Suite) -> None:
    won = suite.model_copy(update={"scenario": (suite.scenario[0].model_copy(update={"metric": "win_rate"}),)})
    changes = {"metric": "win_rate", "metric_in_file": "step_reward", "factor": 0.01}
    for values, count in (((0.2, 0.9, 0.5), 1), ((20.0, 90.0, 50.0), 0)):
        found, refused = taken(won, {"seed_0": run(*values[:2], final=values[2])}, **changes)
        assert (len(found), refused) == (1, [])
        assert len(remarks(found, [], declared(**changes))) == count
    (said,) = remarks([found[0].model_copy(update={"mean": (0.009,), "final": 0.0})], [], declared(**changes))
    assert said.startswith("with factor = 0.01 every win_rate is below 0.01, the greatest 0.009; remove the factor")


# ------------------------------------------------------------------------------------------- folders


def one_seed(folder: Path, seed: int, *means: float) -> None:
    """In Mava's form: a file with one run, which names its seed."""
    path = folder / "theirs" / f"seed_{seed}" / "metrics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"particle": {"two": {"theirs": {f"seed_{seed}": run(*means)}}}}))


def test_a_folder_of_one_seed_files_is_one_import(bench_here: Bench, grid_file: Path, tmp_path: Path) -> None:
    folder, results = tmp_path / "logs", tmp_path / "results"
    for seed in (0, 1):
        one_seed(folder, seed, seed, 2.0)
    (folder / "config.json").write_text('{"lr": 0.1}')
    (folder / "broken.json").write_text("{")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.json")
    with (folder / "vast.json").open("wb") as file:
        file.truncate(2**26 + 1)
    (tmp_path / "logs.toml").write_text(DECLARED)
    done = bench_here("import", "marl-eval", folder, "--suite", grid_file, "--results", results)
    assert done.returncode == 0, done.stderr
    (found,) = imports(results).sound
    assert (found.name, found.source.file, [r.seed for r in found.runs]) == ("logs", "logs", [0, 1])
    assert [r.place for r in found.refused] == ["broken.json", "config.json: lr", "pipe.json", "vast.json"]
    again = bench_here("import", "marl-eval", folder, "--suite", grid_file, "--results", results, "--name", "n")
    assert "each file once for a metric and a suite" in again.stderr


def test_a_seed_in_two_files_counts_for_neither(suite: Suite, tmp_path: Path) -> None:
    one_seed(tmp_path, 0, 1.0)
    one_seed(tmp_path, 1, 1.0)
    (tmp_path / "copy.json").write_text(json.dumps({"particle": {"two": {"theirs": {"seed_0": run(3.0)}}}}))
    there = gather(tmp_path, "marl-eval", declared())
    found, refused = accepted(there.candidates, declared(), suite)
    assert [r.seed for r in found] == [1]
    assert [r.place.partition(":")[0] for r in refused] == ["copy.json", "theirs/seed_0/metrics.json"]
    assert "2 runs of the file claim to be theirs on two, seed 0" in refused[0].why


LOG = """
path = "{method}/s{seed}/*.csv"
[columns]
steps = "time/total"
mean = "eval/return"
[fixed]
scenario = "two"
"""


def test_logs_with_declared_columns(suite: Suite, tmp_path: Path) -> None:
    for seed in (0, 2):
        path = tmp_path / "logs" / "ppo" / f"s{seed}" / "progress.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"time/total,loss,eval/return\n0.0,,-5\n50.0,0.3,\n100.0,0.2,-{seed}.5\n")
    (tmp_path / "logs" / "ppo" / "notes.csv").write_text("a,b\n")  # the path does not name it
    (tmp_path / "logs.toml").write_text(DECLARED.replace('"final"', '"last"') + LOG)
    own = read_declaration(tmp_path / "logs.toml")
    there = gather(tmp_path / "logs", "csv", own)
    found, refused = accepted(there.candidates, own, suite)
    assert (there.refused, refused) == ([], [])
    assert [(r.place, r.steps, r.final) for r in found] == [
        ("ppo on two, seed 0", (0, 100), -0.5),
        ("ppo on two, seed 2", (0, 100), -2.5),
    ]
    assert remarks(found, there.candidates, own) == [
        "2 rows without a mean were skipped, as lines of a log between evaluations"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("eval/return", "return"), 'allowed: "time/total", "return", each once'),
        (('scenario = "two"', ""), 'allowed: "scenario", "time/total"'),
    ],
)
def test_a_log_that_lacks_a_column_is_refused_by_name(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "logs" / "ppo" / "s0").mkdir(parents=True)
    (tmp_path / "logs" / "ppo" / "s0" / "a.csv").write_text("time/total,eval/return\n0,1\n")
    (tmp_path / "logs.toml").write_text(DECLARED.replace('"final"', '"last"') + LOG.replace(*change))
    there = gather(tmp_path / "logs", "csv", read_declaration(tmp_path / "logs.toml"))
    assert there.candidates == []
    assert there.refused[0].place == "ppo/s0/a.csv"
    assert said in there.refused[0].why


@pytest.mark.parametrize("path", ["{method}/{method}.csv", "{steps}.csv", "{}"])
def test_a_path_names_what_a_file_need_not_say(tmp_path: Path, path: str) -> None:
    (tmp_path / "p.toml").write_text(DECLARED + f'path = "{path}"\n')
    with pytest.raises(ExchangeError, match=r"\{method\}, \{scenario\} and \{seed\}"):
        read_declaration(tmp_path / "p.toml")


def test_a_column_means_one_thing(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(DECLARED + LOG.replace("eval/return", "time/total"))
    with pytest.raises(ExchangeError, match="each column of the file under only one of our names"):
        read_declaration(tmp_path / "p.toml")


@pytest.mark.parametrize("path", ["**/a/**/b", "**/*a*a*a*b", "{method}{scenario}{seed}*"])
def test_a_path_that_takes_for_ever_to_match(tmp_path: Path, path: str) -> None:
    (tmp_path / "p.toml").write_text(DECLARED + f'path = "{path}"\n')
    with pytest.raises(ExchangeError, match=r"\*\*/ at most once, and at most 3 of \*"):
        read_declaration(tmp_path / "p.toml")


def test_a_folder_without_such_files(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"0 files like \*\*/\*\.json among 0"):
        gather(tmp_path, "marl-eval", declared())


def test_one_file_for_two_metrics(bench_here: Bench, grid_file: Path, tmp_path: Path) -> None:
    runs = {"seed_0": {"step_0": {"step_count": 100, "a": [0.5], "b": [0.7]}}}
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"particle": {"two": {"m": runs}}}))
    results, text = tmp_path / "r", DECLARED.replace('"final"', '"last"')
    for metric in ("a", "b"):
        path.with_suffix(".toml").write_text(f'metric_in_file = "{metric}"\n{text}')
        done = bench_here("import", "marl-eval", path, "--suite", grid_file, "--results", results, "--name", metric)
        assert done.returncode == 0, done.stderr
    assert [own.runs[0].final for own in imports(results).sound] == [0.5, 0.7]
    again = bench_here("import", "marl-eval", path, "--suite", grid_file, "--results", results, "--name", "c")
    assert (again.returncode, "each file once for a metric and a suite" in again.stderr) == (2, True)
