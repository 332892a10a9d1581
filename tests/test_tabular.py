"""The paper's tables as Markdown, LaTeX, CSV and JSON: literal answers, and texts from outside stay texts."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.report.boards import Final, boards
from bench.report.latex import escaped
from bench.report.papertables import paper_tables
from bench.report.tabular import FORMATS, Tables
from bench.suite import Suite
from bench.verdict import judge, transfer_metrics
from tests.made_site import HOSTILE, LEVELS, TABLE
from tests.several import BETTER, claim, evidence_of, suite_of

NASTY = r"50% of $x_1$ & \input{secrets} #1 {~^} | <b> [q] ] ± π " + HOSTILE


def judged(suite: Suite, folder: Path) -> Tables:
    evidence = evidence_of(suite, folder, LEVELS)
    verdicts = judge(evidence, suite.experiment)
    return Tables(
        paper_tables(suite, suite.experiment, verdicts),
        [v for v in verdicts if v.kind != "published"],
        [board for board in boards(evidence, False) if "joint" in board.experiments],
        transfer_metrics(evidence, suite["experiment", "joint"]),
    )


@pytest.fixture
def tables(tmp_path: Path, several_tasks: None) -> Tables:
    """student ends at -3 +- .1 on "two", where -3.0 is printed, and at -4 on "three", where -9.9 is."""
    return judged(suite_of(TABLE, claim(BETTER)), tmp_path)


@pytest.fixture
def nasty(tmp_path: Path, several_tasks: None) -> Tables:
    suite = suite_of(TABLE, claim(BETTER))
    own = suite.claim[0].model_copy(update={"says": NASTY, "where": "=cmd()"})
    return judged(suite.model_copy(update={"claim": (own,)}), tmp_path)


def test_tables_have_the_shape_of_the_paper(tables: Tables) -> None:
    (own,) = tables.tables
    assert (own.rows, own.columns, own.columns_are) == (("two", "three", "odd"), ("base", "student"), "methods")
    assert [[e.printed.text for e in line] for line in own.entries] == [["-4.5", "-3.0"], ["-7", "-9.9"], ["-5", "-"]]


def test_what_is_compatible_has_a_column_of_its_own(tables: Tables) -> None:
    """After each column of values; a dash, and a table about which nothing is known, have none."""
    (own,) = tables.tables
    head, rows = own.laid_out(lambda entry: entry.printed.text)
    assert head == ["", "base", "compatible", "student", "compatible"]
    assert rows == [
        ["two", "-4.5", "yes", "-3.0", "yes"],
        ["three", "-7", "yes", "-9.9", "no"],
        ["odd", "-5", "yes", "-", ""],
    ]
    unknown = tuple(
        tuple(replace(e, verdict=replace(e.verdict, compatible=None)) for e in line) for line in own.entries
    )
    head, rows = replace(own, entries=unknown).laid_out(lambda entry: entry.printed.text)
    assert (head, rows[1]) == (["", "base", "student"], ["three", "-7", "-9.9"])
    latex = FORMATS["latex"](tables)
    assert r" & base & compatible & student & compatible \\" in latex
    assert r"not\_\allowbreak{}reproduced & no \\" in latex


def test_markdown(tables: Tables) -> None:
    lines = FORMATS["md"](tables).splitlines()
    assert lines[0] == "## The paper's tables"
    assert "### Table 2" in lines
    assert "|  | base | compatible | student | compatible |" in lines
    assert any(
        line.startswith("| two | -4.5 ") and "**-3.0** \\| -3 [-3.25, -2.75] \\| inconclusive" in line for line in lines
    )
    assert any(line.endswith("-9.9 \\| -4 [-4.25, -3.75] \\| not_reproduced | no |") for line in lines)
    assert any("so it is" in line and "reproduced" in line for line in lines)
    assert "## Methods side by side: joint" in lines
    assert "| method | base | student |" in lines  # more places than methods
    assert "| two, all | -4.5 [-4.75, -4.25] | -3 [-3.25, -2.75] |" in lines
    assert any(line.startswith("| joint | two | student | jump start | -4 | base | -5.5 | 1.5 ") for line in lines)


def test_a_board_runs_down_the_page(tables: Tables) -> None:
    """However many places or methods there are, and however long the text on what a cell waits for."""
    (board,) = tables.boards
    waiting = Final(None, None, 0, 0, "waits for the StarCraft environments: StarCraft II and SMAC's maps")
    rows = tuple(replace(row, finals=(row.finals[0], waiting)) for row in board.rows)
    few = replace(board, places=board.places[:2], counted=(True, False), rows=rows)
    shown = replace(tables, boards=(few,))
    lines = FORMATS["md"](shown).splitlines()
    head = "| method | aggregate [95% interval] | rank | two, all | three, all (not in the aggregate) |"
    assert head in lines
    assert lines[lines.index(head) + 2].endswith("| -4.5 [-4.75, -4.25] | cannot run yet |")
    finals = [row for row in json.loads(FORMATS["json"](shown))["rows"] if row["kind"] == "final"]
    assert [row["reason"] or None for row in finals] == [None, waiting.state] * 2
    outside = tuple(
        replace(row, outside=True, finals=(row.finals[0], replace(waiting, state="not entered"))) for row in rows
    )
    lines = FORMATS["md"](replace(tables, boards=(replace(few, rows=outside),))).splitlines()
    assert lines[lines.index(head) + 2].endswith("| -4.5 [-4.75, -4.25] | not entered |")


def test_json_has_a_row_a_value_and_a_claim(tables: Tables) -> None:
    rows = json.loads(FORMATS["json"](tables))["rows"]
    kinds = ["published"] * 6 + ["ordering"] + (["aggregate"] + ["final"] * 3) * 2 + ["transfer"] * 12
    assert [row["kind"] for row in rows] == kinds
    two = next(r for r in rows if (r["kind"], r["method"], r["scenario"]) == ("final", "student", "two"))
    assert (two["ours"], two["seeds"]) == (pytest.approx(-3), 3)
    best = next(r for r in rows if (r["kind"], r["method"]) == ("aggregate", "student"))
    assert (best["rank"], best["rank_low"], best["rank_high"]) == (1, 1, 1)
    row = next(r for r in rows if r["id"] == "t/three/student")
    assert (row["printed"], row["verdict"], row["seeds"], row["printed_seeds"]) == (-9.9, "not_reproduced", 3, 3)
    assert row["ours"] == pytest.approx(-4)
    assert row["found"] == pytest.approx(5.9)


def test_csv_says_the_same_as_json(tables: Tables) -> None:
    rows = json.loads(FORMATS["json"](tables))["rows"]
    read = [*csv.DictReader(io.StringIO(FORMATS["csv"](tables)))]
    assert [row["id"] or None for row in read] == [row["id"] for row in rows]
    assert [row["verdict"] or None for row in read] == [row["verdict"] for row in rows]
    assert [row["reason"] or None for row in read] == [row["reason"] or None for row in rows]
    assert any(row["reason"] for row in rows)
    assert [float(row["printed"]) for row in read if row["printed"]] == [
        row["printed"] for row in rows if row["printed"] is not None
    ]


def test_a_spreadsheet_computes_nothing(nasty: Tables) -> None:
    read = [*csv.DictReader(io.StringIO(FORMATS["csv"](nasty)))]
    (claim_row,) = [row for row in read if row["kind"] == "ordering"]
    assert claim_row["where"] == "'=cmd()"
    assert claim_row["says"] == NASTY


def test_markdown_holds_no_markup_of_outsiders(nasty: Tables) -> None:
    assert "<" not in FORMATS["md"](nasty)


def test_latex_escapes_every_special_character() -> None:
    assert escaped("50% a_b & $x$ #1 {y}") == r"50\% a\_\allowbreak{}b \& \$x\$ \#1 \{y\}"
    assert escaped("\\input{x}") == r"\textbackslash{}input\{x\}"
    assert escaped("é π [") == r"é {[}U+03C0{]} {[}"


def test_latex_is_of_one_shape(nasty: Tables) -> None:
    text = FORMATS["latex"](nasty)
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") == 4
    assert text.count(r"\toprule") == text.count(r"\midrule") == text.count(r"\bottomrule") == 4
    assert "\\input{" not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(nasty: Tables, tmp_path: Path) -> None:
    (tmp_path / "t.tex").write_text(FORMATS["latex"](nasty), encoding="utf-8")
    command: Sequence[str] = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


def test_report_prints_or_writes(bench_here, tiny_file: Path, tmp_path: Path) -> None:
    printed = bench_here("report", tiny_file, "--format", "csv")
    assert printed.returncode == 4  # nothing was run, and the claim says so
    assert "not_run" in printed.stdout
    written = bench_here("report", tiny_file, "--format", "csv", "--out", tmp_path / "new" / "t.csv")
    assert written.returncode == 4
    assert (tmp_path / "new" / "t.csv").read_text() == printed.stdout


def test_report_refuses_what_it_cannot_write(bench_here, tiny_file: Path) -> None:
    refused = bench_here("report", tiny_file, "--format", "markdwn")
    assert refused.returncode == 2
    assert 'got      "markdwn"' in refused.stderr
    refused = bench_here("report", tiny_file, "--out", "x.md")
    assert refused.returncode == 2
    assert "name a --format" in refused.stderr
    (tiny_file.parent / "folder").mkdir()
    for out in (".", "/", tiny_file.parent / "folder", tiny_file / "below"):
        refused = bench_here("report", tiny_file, "--format", "csv", "--out", out)
        assert refused.returncode == 2
        assert f"{out}: 1 problem(s)\n  --out\n" in refused.stderr
