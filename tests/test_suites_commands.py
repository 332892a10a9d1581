"""`bench ls`, `bench audit` and `bench validate --schema`: their output and exit codes."""

from __future__ import annotations

import copy
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bench.audit import audit
from bench.report.audit import audit_json, audit_markdown, audit_table
from bench.report.listing import COLUMNS, KINDS, listing_table
from bench.suite.shipped import available, folder
from tests.conftest import ROOT, TINY, Bench
from tests.printed import claim, table, text_with, with_tables

PUBLISHED_KEYS = {
    *("suite", "id", "where", "experiment", "group", "method", "scenario", "metric", "protocol", "budget"),
    *("value", "spread", "spread_type", "seeds", "derived"),
    *("unit", "decimals", "bold", "budget_kind"),  # what the value alone does not say
}
AUDIT_KEYS = {"suite", "where", "id", "says", "printed", "recomputed", "holds", "cells", "from_digits"}


@pytest.fixture
def printed_file(tmp_path: Path) -> Path:
    """A suite with one table in two groups, spreads, a retention with a dash, and claims of every outcome."""
    rule = {"kind": "retention", "student": "student", "teacher": "base", "from": "narrow"}
    ordering = {"kind": "ordering", "greater": ["student:final"], "less": ["base:final"]}
    rows = {"two": "**0.50±0.10** 0.20±0.00 0.40±0.25", "three": "0.00±0.00 **0.90±0.05** 0.00±0.00"}
    text = text_with(
        table("narrow", rows, group="narrow", spread="std", bold="best", seeds=3),
        table("wide", {"two": "0.50 0.20 0.50"}, group="wide", budgets=["5M", "5M", "10M"]),
        table("kept", {"student": "80.0% -"}, "two", "three", group="narrow", metric="kept", derived=rule),
        claims=(
            claim(ordering, id="ahead"),
            claim(ordering, id="level", groups=["wide"], scenarios=["two"]),
            claim({"kind": "untestable", "because": "it is [a] matter of taste"}, id="nice", says="a [nice] method"),
        ),
    )
    path = tmp_path / "printed.toml"
    path.write_text(text)
    return path


def rows_of(bench_here: Bench, *arguments: str | Path) -> list[dict[str, Any]]:
    done = bench_here("ls", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ls_published_has_326_values(bench_here: Bench) -> None:
    rows = rows_of(bench_here, "published")
    assert len(rows) == 326
    assert all({*row} == PUBLISHED_KEYS for row in rows)
    tables = Counter((row["suite"], row["where"].partition(",")[0], row["derived"]) for row in rows)
    assert tables == {
        ("ptde", "Table 2", False): 42,
        ("ptde", "Table 2", True): 6,
        ("ptde", "Table 3", False): 20,
        ("ptde", "Table 3", True): 5,
        ("ptde", "Table 4", False): 8,
        ("ptde", "Table 5", False): 8,
        ("ptde", "Table 6", False): 12,
        ("ptde", "Table 6", True): 6,
        ("mkt_marl", "Table I", False): 150,
        ("mkt_marl", "Table II", False): 18,
        ("mkt_marl", "Table IV", True): 12,
        ("mkt_marl", "Table V", False): 30,
        ("mkt_marl", "Table VI", False): 9,
    }
    assert [row["id"] for row in rows if row["value"] is None] == ["table-6/prr-ctds/smac/3s5z_vs_3s7z/ctds_student"]
    spread = [row for row in rows if row["spread"] is not None]
    assert {(row["suite"], row["spread_type"]) for row in spread} == {("ptde", "std")}
    assert len(spread) == 42 + 20


def test_ls_published_says_what_is_printed(bench_here: Bench, printed_file: Path) -> None:
    rows = {row["id"]: row for row in rows_of(bench_here, "published", printed_file)}
    assert rows["narrow/two/student"] == {
        "suite": "tiny",
        "id": "narrow/two/student",
        "where": "Table narrow",
        "experiment": "tabled",
        "group": "narrow",
        "method": "student",
        "scenario": "two",
        "metric": "win_rate",
        "protocol": "greedy",
        "budget": "2,000 steps",  # of its training set
        "budget_kind": "stated",
        "value": 0.4,
        "unit": None,
        "decimals": 2,
        "spread": 0.25,
        "spread_type": "std",
        "seeds": 3,
        "derived": False,
        "bold": False,
    }
    assert rows["narrow/two/base"]["bold"] is True
    assert [rows[f"wide/two/{m}"]["budget"] for m in ("base", "student")] == ["5M epochs", "10M epochs"]
    kept, dash = rows["kept/two/student"], rows["kept/three/student"]
    assert (kept["value"], kept["unit"], kept["derived"], kept["metric"]) == (80.0, "%", True, "kept")
    assert (dash["value"], dash["unit"], dash["spread"], dash["seeds"]) == (None, None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_ls_lists_every_kind(bench_here: Bench, printed_file: Path, kind: str) -> None:
    suite = "knowru" if kind == "readings" else "ptde"
    everything, one = rows_of(bench_here, kind), rows_of(bench_here, kind, suite)
    assert {row["suite"] for row in everything} >= {suite}
    assert one == [row for row in everything if row["suite"] == suite]
    assert all({*COLUMNS[kind]} <= {*row} for row in everything)
    done = bench_here("ls", kind, printed_file)
    assert (done.returncode, done.stdout.split("\n")[0].strip()) == (0, kind)
    assert ("tiny" in done.stdout) == (kind != "readings")


def test_ls_alone_lists_the_suites(bench_here: Bench) -> None:
    rows = rows_of(bench_here)
    assert [row["suite"] for row in rows] == available()
    assert {row["suite"]: row["published"] for row in rows if row["published"]} == {"ptde": 107, "mkt_marl": 219}
    assert "PTDE" in bench_here("ls").stdout


def test_ls_shows_dashes_units_and_what_waits(bench_here: Bench, printed_file: Path) -> None:
    shown = bench_here("ls", "published", printed_file).stdout
    for words in ("80%", "derived", "0.25", " - "):
        assert words in shown
    experiments = {row["id"]: row for row in rows_of(bench_here, "experiments", printed_file)}
    assert (experiments["tabled"]["status"], experiments["target"]["status"]) == ("waits", "ready")
    assert experiments["tabled"]["waiting"] == dict.fromkeys(("base", "init", "student"), "a machine")
    claims = {row["id"]: row["status"] for row in rows_of(bench_here, "claims", printed_file)}
    assert claims == {"better": "ready", "ahead": "waits", "level": "waits", "nice": "untestable"}
    settings = {row["id"]: row["hyperparameters"] for row in rows_of(bench_here, "methods", printed_file)}
    assert settings["student"]["lr"] == {"value": 0.01, "source": "a", "kind": "stated"}  # taken over


def test_words_in_brackets_are_no_markup(bench_here: Bench, printed_file: Path) -> None:
    assert "a [nice] method" in bench_here("ls", "claims", printed_file).stdout
    shown = bench_here("audit", printed_file, "--all").stdout
    assert "a [nice] method" in shown
    assert "it is [a] matter" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ls", "publishd"), ["kind", '"publishd"', 'did you mean "published"']),
        (("ls", "published", "ptd"), ["suite", '"ptd"', 'did you mean "ptde"']),
        (("audit", "ptd"), ["suite", '"ptd"', 'did you mean "ptde"']),
        (("audit", "ptde", "--fail-on", "undefine"), ["--fail-on", '"undefine"', 'did you mean "undefined"']),
    ],
)
def test_what_is_not_there_is_one_error(bench_here: Bench, arguments: tuple[str, ...], said: list[str]) -> None:
    done = bench_here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "1 problem(s)" in done.stderr
    for words in (*said, "got ", "allowed ", "mend "):
        assert words in done.stderr


def test_audit_json(bench_here: Bench, printed_file: Path) -> None:
    done = bench_here("audit", printed_file, "--json")
    assert done.returncode == 0
    found = {f["id"]: f for f in json.loads(done.stdout)}
    assert all({*f} == AUDIT_KEYS for f in found.values())
    assert found["kept/two/student"] == {
        "suite": "tiny",
        "where": "Table kept",
        "id": "kept/two/student",
        "says": "kept of two: student / base",
        "printed": "80.0%",
        "recomputed": "80.0000%",
        "holds": "yes",
        "from_digits": True,
        "cells": ["Table narrow, narrow: student on two = 0.40±0.25", "Table narrow, narrow: base on two = 0.50±0.10"],
    }
    outcomes = {id_: f["holds"] for id_, f in found.items()}
    assert outcomes == {
        "kept/two/student": "yes",
        "kept/three/student": "undefined",
        "narrow/bold": "yes",
        "narrow/spreads": "yes",
        "better": "not_checkable",
        "ahead": "no",
        "level": "tie",
        "nice": "not_checkable",
    }


@pytest.mark.parametrize(
    ("holds", "code"), [("no", 1), ("tie", 1), ("undefined", 1), ("not_checkable", 1), ("yes", 1), (None, 0)]
)
@pytest.mark.parametrize("form", ["--json", "--markdown", None])
def test_audit_fails_only_where_it_is_asked_to(
    bench_here: Bench, printed_file: Path, holds: str | None, code: int, form: str | None
) -> None:
    asked = ["--fail-on", holds] if holds else []
    done = bench_here("audit", printed_file, *asked, *([form] if form else []))
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout


def test_audit_does_not_fail_on_what_is_not_there(bench_here: Bench) -> None:
    assert bench_here("audit", "dvm", "--fail-on", "no", "--fail-on", "tie").returncode == 0
    assert bench_here("audit", "ptde", "--fail-on", "tie", "--fail-on", "undefined").returncode == 1


def test_audit_in_a_terminal_counts(bench_here: Bench) -> None:
    shown = bench_here("audit", "ptde").stdout
    last = shown.strip().split("\n")[-1]
    assert last.startswith("53 holds, 3 does not hold, 1 tie, 2 undefined, 11 the code does otherwise, 19 not")


def test_audit_markdown(bench_here: Bench, printed_file: Path) -> None:
    page = bench_here("audit", printed_file, "--markdown").stdout
    assert "| tiny | 3 | 1 | 1 | 1 | 0 | 2 |" in page
    titles = [line for line in page.split("\n") if line.startswith("#")]
    assert titles == [
        "# Audit: each paper against its own tables",
        "## Failed, tied or undefined",
        "### Tiny (`tiny`)",
        "## Holds",
        "### Tiny (`tiny`)",
        "## Not checkable from print",
        "### Tiny (`tiny`)",
    ]
    row = "| Sec. 3 | so |  | 0 of 3 | does not hold | Table narrow, narrow: two: student 0.40±0.25, base 0.50±0.10"
    assert row in page


def test_long_findings_are_cut_in_tables_and_whole_in_json() -> None:
    scenarios = [{**tomllib.loads(TINY)["scenario"][0], "id": f"s{i}"} for i in range(9)]
    there = {"id": "many", "where": "Table 9", "says": "many", "methods": ["base", "student"], "waits_for": "time"}
    sets = [{"id": "all", "scenarios": [s["id"] for s in scenarios]}]
    numbers = {"seeds": {"value": 1, "source": "a"}, "budget": {"unknown": True, "source": "not stated"}}
    ordering = {"kind": "ordering", "greater": ["student:final"], "less": ["base:final"]}
    suite = with_tables(
        table("9", {s["id"]: "0.5 0.4" for s in scenarios}, "base", "student", experiment="many"),
        claims=(claim(ordering, experiments=["many"]),),
        scenario=scenarios,
        experiment=[there | numbers | {"training_sets": sets}],
    )
    found = audit(suite)
    assert len(next(f for f in audit_json(found) if f["id"] == "said")["cells"]) == 9
    page = audit_markdown([(suite, found)])
    assert "and 3 more" in page
    assert "s6: student" not in page
    assert audit_table(found, True).row_count == len(found)
    assert listing_table("published", KINDS["published"](suite)).row_count == 18


def test_the_page_in_the_docs_is_the_audit(bench_here: Bench) -> None:
    """Made by `bench audit --markdown > docs/audit.md`."""
    assert (ROOT / "docs" / "audit.md").read_text() == bench_here("audit", "--markdown").stdout


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    from bench.suite.loading import schema

    made = json.loads(json.dumps(schema()))
    Draft202012Validator.check_schema(made)
    return Draft202012Validator(made)


def test_validate_prints_the_schema(bench_here: Bench, validator: Draft202012Validator) -> None:
    done = bench_here("validate", "--schema")
    assert (done.returncode, json.loads(done.stdout)) == (0, validator.schema)


def test_the_schema_describes_every_key() -> None:
    """Except `kind`, if it only says which entry this is."""
    from bench.suite.loading import schema

    made = schema()
    models = {"": made, **made["$defs"]}
    keys = [(m, name, key) for m, model in models.items() for name, key in model.get("properties", {}).items()]
    assert len(keys) > 200
    assert [(m, name) for m, name, key in keys if "description" not in key and "const" not in key] == []


@pytest.mark.parametrize("suite", available())
def test_every_shipped_suite_is_of_the_schema(validator: Draft202012Validator, suite: str) -> None:
    tables = tomllib.loads((folder() / f"{suite}.toml").read_text())
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(tables)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 0),
        (("scenario", 0, "famly"), "x"),
        (("scenario", 0, "metric"), "loss"),
        (("scenario", 0, "episode_limit"), "five"),
        (("experiment", 0, "budget", "episodes"), 0),
        (("claim", 0, "over"), "some"),
        (("claim", 0, "test", "kind"), "order"),
        (("claim", 0, "test", "less"), ["base"]),
        (("published", 0, "rows"), ["0.5"]),
        (("published", 0, "spread"), "range"),
        (("profile",), None),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(
    validator: Draft202012Validator, path: tuple[str | int, ...], value: Any
) -> None:
    tables = tomllib.loads(text_with(table("1", {"two": "0.4 0.5 0.6"})))
    assert validator.is_valid(tables)
    broken = copy.deepcopy(tables)
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    assert not validator.is_valid(broken)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "td_steps = { value = 5,",
            'gae_lambda = { value = 0.95, source = "x", kind = "assumed" }\ntd_steps = { value = 5,',
            "method[mappo_multi].hyperparameters\n    got      td_steps = 5 and gae_lambda = 0.95\n"
            "    allowed  one of the two\n    mend     remove the other\n",
        ),
        (
            'use_rnn = { value = false, source = "Table III" }\nhidden_layers = { value = 2',
            'use_rnn = { value = true, source = "Table III" }\nhidden_layers = { value = 3',
            "method[qmix_teacher].hyperparameters.hidden_layers\n    got      3 with use_rnn\n"
            "    allowed  2 (a Linear and the GRU)\n    mend     correct one of them\n",
        ),
        (
            'mixing_width = { value = 32, source = "Table III, mixing embed dim" }\n',
            "",
            'method[qmix_teacher].hyperparameters.mixing_width\n    got      None with mixer = "qmix"\n'
            "    allowed  a size\n    mend     give it\n",
        ),
    ],
)
def test_hyperparameters_that_do_not_fit_together_are_said_as_others_are(
    bench_here: Bench, tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = (folder() / "mkt_marl.toml").read_text()
    assert old in text
    path = tmp_path / "mkt_marl.toml"
    path.write_text(text.replace(old, new, 1))
    done = bench_here("validate", path)
    assert done.returncode == 2
    assert problem in done.stdout + done.stderr


def test_validate_refuses_a_claim_that_compares_a_run_with_itself(bench_here: Bench, tmp_path: Path) -> None:
    twin = '[[method]]\nid = "twin"\nwhere = "here"\nsays = "base again"\nalgorithm = "maddpg"\nextends = "base"\n'
    text = TINY.replace("[[experiment]]", f"{twin}\n[[experiment]]", 1)
    text = text.replace('methods = ["base", "init", "student"]', 'methods = ["base", "init", "student", "twin"]')
    claim = 'greater = ["student:overall"], less = ["base:overall"]'
    assert claim in text
    for sides, code in ((claim, 0), ('greater = ["student:overall", "twin:overall"], less = ["base:overall"]', 2)):
        (tmp_path / "own.toml").write_text(text.replace(claim, sides))
        done = bench_here("validate", "own.toml")
        assert done.returncode == code
    for words in ("claim[better].test", "twin:overall and base:overall", "the same run in target", "another setting"):
        assert words in done.stdout
