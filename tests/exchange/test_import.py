"""Imports: what is read, what is refused and why, and that no file causes a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.evidence.measures import Evidence
from bench.exchange import ExchangeError, marl_eval, table
from bench.exchange.accepting import absent, accepted
from bench.exchange.candidates import Candidate, Refused
from bench.exchange.declaration import read_declaration
from bench.exchange.grid import finished_rows, full_grid
from bench.exchange.imported import Import, ImportedRun, Source, imports, read_import, write_import
from bench.store import StoreError, canonical, readable, sha256
from bench.suite import Suite
from tests.exchange.conftest import EVALUATED, score
from tests.exchange.foreign import DECLARED, declared, run


def taken(
    suite: Suite, runs: dict[str, Any] | str, task: str = "two", method: str = "theirs", **changes: Any
) -> tuple[list[ImportedRun], list[str]]:
    """Runs by name (or the file's text) through parser and protocol; refusals as text."""
    text = runs if isinstance(runs, str) else json.dumps({"particle": {task: {method: runs}}})
    own = declared(**changes)
    candidates, unread = marl_eval.parse(text.encode(), "x.json", own.metric_in_file or own.metric)
    found, unfit = accepted(candidates, own, suite)
    return found, [f"{r.place}: {r.why}" for r in (*unread, *unfit)]


def import_of(runs: Sequence[ImportedRun]) -> Import:
    source = Source(file="x.json", format="marl-eval", sha256="0" * 64)
    fixed = {"name": "n", "suite": "tiny", "suite_version": 1, "source": source, "protocol": declared()}
    return Import(**fixed, runs=tuple(runs), refused=())


# ------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("form", ["marl-eval", "csv"])
def test_what_is_exported_comes_back(evidence: Evidence, form: str) -> None:
    if form == "csv":
        content = table.to_csv(finished_rows(evidence), evidence.suite, "full").encode()
        candidates, unread = table.parse(content, "x.csv")
    else:
        content = marl_eval.to_bytes(marl_eval.to_json(full_grid(evidence)))
        candidates, unread = marl_eval.parse(content, "x.json", "step_reward")
    runs, unfit = accepted(candidates, declared(), evidence.suite)
    assert (unread, unfit) == ([], [])
    assert len(runs) == 12
    found = next(r for r in runs if (r.method.lower(), r.scenario, r.seed) == ("fast", "three", 2))
    assert found.mean == tuple(score("Fast", "three", 2, p) for p in range(3))
    assert found.steps == tuple(5 * e for e in EVALUATED)
    assert found.final == score("Fast", "three", 2)


def test_an_import_is_read_as_it_was_written(suite: Suite, tmp_path: Path) -> None:
    runs, _ = taken(suite, {"seed_0": run(1, 2), "seed_2": run(3, 4)})
    source = Source(file="x.json", format="marl-eval", sha256="0" * 64)
    whole = Import(
        name="n", suite="tiny", suite_version=1, source=source, protocol=declared(), runs=tuple(runs), refused=()
    )
    path = write_import(tmp_path, whole)
    assert read_import(path) == whole
    assert imports(tmp_path).of_suite("tiny") == (whole,)
    assert imports(tmp_path).of_suite("another") == ()
    assert whole.final_scores("theirs", "two") == {0: 0.5, 2: 0.5}
    assert whole.label("theirs") == "theirs (imported: n)"
    assert absent(runs, declared()) == ["theirs on two: no seed 1"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"final": 0.5', '"final": 0.6', "content_hash does not match"),
        ('"mean": [1.0, 2.0]', '"mean": [1.0, 2.5]', "content_hash does not match"),
        ("{", "", "not a complete JSON file"),
        (None, "[]", "not imported results"),
        (None, "{}", "content_hash does not match"),
        (None, "\ud800", None),
    ],
)
def test_an_edited_import_is_named_and_not_read(
    suite: Suite, tmp_path: Path, old: str | None, new: str, said: str | None
) -> None:
    runs, _ = taken(suite, {"seed_0": run(1, 2)})
    source = Source(file="x.json", format="marl-eval", sha256="0" * 64)
    whole = Import(
        name="n", suite="tiny", suite_version=1, source=source, protocol=declared(), runs=tuple(runs), refused=()
    )
    path = write_import(tmp_path, whole)
    text = path.read_text() if old else ""
    path.write_bytes((text.replace(old, new, 1) if old else new).encode("utf-8", "surrogatepass"))
    with pytest.raises(StoreError, match=said):
        read_import(path)
    assert imports(tmp_path).sound == ()
    assert str(path) in imports(tmp_path).damaged[path]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda body: body["runs"].append(body["runs"][0]), "each seed of a method in a scenario once"),
        (lambda body: body["runs"][0].update(seed=7), "seed 7 is not among the protocol's"),
        (lambda body: body["runs"][0].update(mean=[1.0]), "increasing steps, and as many means"),
        (lambda body: body["runs"][0].update(steps=[5, 5]), "increasing steps, and as many means"),
    ],
)
def test_a_forged_import_whose_hashes_fit(
    suite: Suite, tmp_path: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    runs, _ = taken(suite, {"seed_0": run(1, 2)})
    path = write_import(tmp_path, import_of(runs))
    body = json.loads(path.read_bytes())
    change(body)
    del body["content_hash"], body["numbers_hash"]
    body |= {"numbers_hash": sha256(canonical(body["runs"]))}
    path.write_bytes(readable(body | {"content_hash": sha256(canonical(body))}))
    with pytest.raises(StoreError, match=says):
        read_import(path)
    path.write_text(path.read_text().replace('"seed"', '"seed": 1, "seed"'))
    with pytest.raises(StoreError, match='the key "seed" occurs twice'):
        read_import(path)


def test_an_import_under_another_name_is_no_import(suite: Suite, tmp_path: Path) -> None:
    write_import(tmp_path, import_of([])).rename(tmp_path / "imported" / "m.json")
    (problem,) = imports(tmp_path).damaged.values()
    assert "contains the import n" in problem


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ({"seed_3": run(1)}, "particle/two/theirs/seed_3: seed 3 is not among the declared seeds 0, 1, 2"),
        ({"first": run(1)}, "must end in its seed"),
        ({"seed_1": run(1), "run_1": run(2)}, "2 runs of the file claim to be theirs on two, seed 1"),
        ({"seed_0": run(1, final=None)}, 'declare final = "last"'),
        ({"seed_0": 3}, "got 3; allowed: an object of steps"),
        ({"seed_0": {"step_0": 3}}, "step_0: got 3; allowed: one object of metrics"),
        (
            {"seed_0": {"step_0": {"step_count": 1.5, "step_reward": [1]}}},
            "step_count: got 1.5; allowed: a whole number",
        ),
        ({"seed_0": {"step_0": {"step_count": 1, "return": [1]}}}, "metrics there: return"),
        ({"seed_0": {"step_0": {"step_count": 1, "step_reward": 1}}}, "step_reward: got 1; allowed: a list of numbers"),
        ({"seed_0": run(1) | {"absolute_metrics": {"step_reward": [None]}}}, "got None; allowed: a finite number"),
        ({"seed_0": run(1) | {"absolute_metrics": {"step_reward": [True]}}}, "got True; allowed: a finite number"),
        ({"seed_0": run(1) | {"absolute_metrics": {"step_reward": [10**400]}}}, "allowed: a finite number"),
        ({"seed_0": run(float("nan"))}, "got nan; allowed: a finite number"),
        ({"seed_0": run(1, 2e150)}, "a value in two is larger than 1e+150, so it is not a score"),
        ({"seed_0": run(1, final=-1e308)}, "a value in two is larger than 1e+150, so it is not a score"),
        (
            {"seed_0": run(1) | {"absolute_metrics": {"step_reward": [1, 2, 3]}}},
            "an evaluation has 3 episodes, but 4 are declared",
        ),
        ({"seed_0": run(1) | {"step_9": {"step_count": 0, "step_reward": [1]}}}, "must be different whole numbers"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_by_name(suite: Suite, runs: dict[str, Any], said: str) -> None:
    found, refused = taken(suite, runs)
    assert found == []
    assert len(refused) == len(runs)
    assert said in refused[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"task": "four"},
            'no scenario "particle/four"; map it in [scenarios] of the protocol to one of "two"',
        ),
        ({"task": "four", "scenarios": {"particle/four": "too"}}, 'which the suite lacks; did you mean "two"?'),
        ({"metric": "return", "metric_in_file": "step_reward"}, "two is scored by step_reward; the file has return"),
        ({"method": "a\nb"}, "must be printable text"),
        ({"method": "x" * 81}, "must be printable text"),
    ],
)
def test_what_is_declared_must_fit_the_suite(suite: Suite, changes: dict[str, Any], said: str) -> None:
    found, (refused,) = taken(suite, {"seed_0": run(1)}, **changes)
    assert found == []
    assert said in refused


def test_a_declared_name_and_factor_are_used(suite: Suite) -> None:
    text = json.dumps({"MPE": {"Spread": {"x": {"seed_0": run(1, 2)}}}}).replace("step_reward", "reward")
    changes = {"scenarios": {"MPE/Spread": "three"}, "metric_in_file": "reward", "factor": 0.01}
    (found,), refused = taken(suite, text, **changes)
    assert (found.scenario, found.mean, found.final, refused) == ("three", (0.01, 0.02), 0.005, [])


def test_percent_are_no_win_rate(suite: Suite) -> None:
    won = suite.scenario[0].model_copy(update={"metric": "win_rate"})
    battles = suite.model_copy(update={"scenario": (won, *suite.scenario[1:])})
    own = {"metric": "win_rate", "metric_in_file": "step_reward"}
    _, (refused,) = taken(battles, {"seed_0": run(50.0)}, **own)
    assert "50 is not a win_rate between 0 and 1; for percent, set factor = 0.01" in refused
    (found,), _ = taken(battles, {"seed_0": run(50.0)}, **own, factor=0.01)
    assert found.mean == (0.5,)


def test_a_copy_under_another_seed_is_no_further_seed(suite: Suite) -> None:
    """A concatenation of files does this to a run that it meets twice."""
    long = run(1, 2, 3, 4, 5)
    (found,), (refused,) = taken(suite, {"seed_0": long, "seed_1": long})
    assert found.seed == 0
    assert "seed_1: the same numbers as theirs on two, seed 0: a copy is not another seed" in refused
    never_won = run(0.0, 0.0, 0.0, 0.0, 0.0, final=0.0)
    assert len(taken(suite, {"seed_0": never_won, "seed_1": never_won})[0]) == 2


def test_a_run_of_an_earlier_import_is_no_further_seed(suite: Suite) -> None:
    runs, _ = taken(suite, {"seed_0": run(1, 2, 3, 4, 5)})
    source = Source(file="x.json", format="marl-eval", sha256="0" * 64)
    first = Import(
        name="n", suite="tiny", suite_version=1, source=source, protocol=declared(), runs=tuple(runs), refused=()
    )
    text = json.dumps({"particle": {"two": {"theirs": {"seed_1": run(1, 2, 3, 4, 5)}}}})
    candidates, _ = marl_eval.parse(text.encode(), "y.json", "step_reward")
    found, (refused,) = accepted(candidates, declared(), suite, [first])
    assert found == []
    assert refused.why == "the same numbers as theirs on two, seed 0 of n: a copy is not another seed"


def test_a_key_that_stands_twice_is_refused(suite: Suite) -> None:
    """Python's parser alone would silently take the last one."""
    one = json.dumps(run(1))
    text = f'{{"particle": {{"two": {{"theirs": {{"seed_0": {one}, "seed_1": {one}, "seed_0": {one}}}}}}}}}'
    found, refused = taken(suite, text)
    assert [r.seed for r in found] == [1]
    assert refused == ["particle/two/theirs/seed_0: the key occurs more than once: it is unclear which one is meant"]


def test_a_factor_makes_no_score_that_has_no_spread(suite: Suite) -> None:
    found, (refused,) = taken(suite, {"seed_0": run(1e100)}, factor=1e60)
    assert (found, "larger than 1e+150" in refused) == ([], True)


def test_an_import_with_such_a_value_is_not_read(suite: Suite, tmp_path: Path) -> None:
    """An import written before such values were refused would break every table that it is in."""
    (sound,), _ = taken(suite, {"seed_0": run(1)})
    path = write_import(tmp_path, import_of([sound.model_copy(update={"final": 1e300})]))
    with pytest.raises(StoreError, match=r"runs.*final"):
        read_import(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("theirs,two,0,evaluation,1.5,1", 'line 2: steps: got "1.5"; allowed: a whole number of at most 2**53'),
        ("theirs,two,0,evaluation,1,", 'line 2: mean: got ""; allowed: a number'),
        ("theirs,two,0,evaluation,1,1_0", 'line 2: mean: got "1_0"; allowed: a number'),
        ("theirs,two,0,evaluation,1,\u0661", "allowed: a number"),
        ("theirs,two,0,evaluation,1.0_0,1", 'line 2: steps: got "1.0_0"; allowed: a whole number of at most 2**53'),
        ("theirs,two,0,evaluation,1,inf", "line 2: mean: got inf; allowed: a finite number"),
        ("theirs,two,0,training,1,1", 'line 2: point: got "training"; allowed: one of "evaluation", "final"'),
        ("theirs,two,0,final,1,1\ntheirs,two,0,final,1,2", "two final evaluations, in lines 2 and 3: two runs"),
        ("theirs,two,0", "3 fields under 6 columns"),
    ],
)
def test_a_row_of_csv_that_cannot_be_read_refuses_its_run(row: str, said: str) -> None:
    text = f"method,scenario,seed,point,steps,mean\n{row}\ntheirs,two,1,final,1,1\n"
    candidates, (refused,) = table.parse(text.encode(), "x.csv")
    assert said in refused.why
    assert [c.seed for c in candidates] == ["1"]


def test_a_run_that_two_experiments_share_counts_once() -> None:
    head = "run,experiment,method,scenario,seed,point,steps,mean\n"
    text = head + "a,one,theirs,two,0,final,1,1\na,another,theirs,two,0,final,1,1\n"
    (candidate,), refused = table.parse(text.encode(), "x.csv")
    assert (candidate.final, refused) == ((1.0,), [])


@pytest.mark.parametrize(("final", "trained"), [("final", 90), ("last", 60)])
def test_the_steps_behind_a_final_score(suite: Suite, final: str, trained: int) -> None:
    """Its own row says how long training was; if the last evaluation is used, training ends there."""
    head = "method,scenario,seed,point,steps,mean\n"
    rows = "theirs,two,0,evaluation,30,1\ntheirs,two,0,evaluation,60,2\ntheirs,two,0,final,90,3\n"
    candidates, _ = table.parse((head + rows).encode(), "x.csv")
    (run_,), refused = accepted(candidates, declared(final=final), suite)
    assert (run_.trained, refused) == (trained, [])


def test_without_any_evaluation_the_steps_are_not_known() -> None:
    run_ = ImportedRun(method="theirs", scenario="two", seed=0, steps=(), mean=(), final=1.0)
    assert run_.trained is None


# ------------------------------------------------------------------------------------------- whole files


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff", b"3", b'"a"', b"9" * 5000, b"[" * 100_000, b""])
def test_a_file_that_is_no_marl_eval_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(ExchangeError, match=r"x\.json: 1 problem"):
        marl_eval.parse(content, "x.json", "return")


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff", b'"', b"method,method,scenario,seed,point,steps,mean\n"]
)
def test_a_file_that_is_no_csv_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(ExchangeError, match=r"x\.csv: 1 problem"):
        table.parse(content, "x.csv")


KEYS = st.sampled_from(["particle", "two", "a", "seed_0", "step_0", "absolute_metrics", "step_count", "step_reward"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=40,
)
FAST = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def import_or_error(parse: Callable[[], tuple[list[Candidate], list[Refused]]], suite: Suite) -> None:
    """Every run of a file is taken or refused with a reason, or the file is one problem; anything else is a bug."""
    try:
        candidates, refused = parse()
    except ExchangeError as error:
        problems = error.problems
    else:
        found, unfit = accepted(candidates, declared(), suite)
        assert len(found) + len(unfit) == len(candidates)
        assert all(r.place.isprintable() and r.why for r in (*refused, *unfit))
        return
    assert len(problems) == 1


@FAST
@given(tree=TREES | TREES.map(lambda t: {"particle": {"two": {"a": {"seed_0": t}}}}))
def test_any_json_is_an_import_or_a_clear_error(suite: Suite, tree: Any) -> None:
    import_or_error(lambda: marl_eval.parse(json.dumps(tree).encode(), "x.json", "step_reward"), suite)


@FAST
@given(content=st.binary(max_size=200))
def test_any_bytes_are_no_traceback(suite: Suite, content: bytes) -> None:
    import_or_error(lambda: marl_eval.parse(content, "x", "step_reward"), suite)
    import_or_error(lambda: table.parse(content, "x"), suite)


CELLS = st.sampled_from(["a", "two", "0", "evaluation", "final", "-1", "1e5", "1e999", "nan", "", '"', "\n", ","])


@FAST
@given(rows=st.lists(st.lists(CELLS, max_size=7).map(",".join), max_size=6))
def test_any_rows_are_an_import_or_a_clear_error(suite: Suite, rows: list[str]) -> None:
    text = "\n".join(["method,scenario,seed,point,steps,mean", *rows])
    import_or_error(lambda: table.parse(text.encode(), "x.csv"), suite)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = [0, 1, 2]", "", 'the key "seeds" with a value'),
        ("seeds = [0, 1, 2]", "seeds = []", "seeds"),
        ("seeds = [0, 1, 2]", "seeds = [0, 1, 0]", "allowed  each seed once"),
        ('steps = "environment"', 'steps = "gradient"', "steps"),
        ("source", "sauce", 'did you mean "source"?'),
        ("=", "", "TOML 1.0"),
    ],
)
def test_a_bad_protocol_is_one_clear_error(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(DECLARED)
    assert read_declaration(path) == declared()
    path.write_text(DECLARED.replace(old, new, 1))
    with pytest.raises(ExchangeError) as error:
        read_declaration(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)
