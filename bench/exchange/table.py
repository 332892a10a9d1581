"""CSV: one row per run, scenario and evaluation, the final evaluation last. Columns: docs/formats.md."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from bench.exchange import ExchangeError
from bench.exchange.candidates import Candidate, Point, Refusal, Refused, decimal, number, place_of, whole
from bench.exchange.grid import Row
from bench.output.escaping import spreadsheet
from bench.suite import Suite
from bench.suite.explain import Problem, listed

COLUMNS = (
    "suite", "suite_version", "profile", "experiment", "training_set", "method", "scenario", "seed", "run",
    "point", "episodes", "steps", "metric", "mean", "sd", "n",
)  # fmt: skip
NOTHING: Mapping[str, str] = MappingProxyType({})
NEEDED = ("method", "scenario", "seed", "point", "steps", "mean")
CURVE = ("episodes", "steps", "mean", "sd", "n")
POINTS = ("evaluation", "final")
Key = tuple[str, str, str]  # method, scenario, seed


def to_csv(rows: Iterable[Row], suite: Suite, profile: str) -> str:
    """Every row's evaluations and its final one. A value that is not finite becomes an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        head = (suite.id, suite.version, profile, row.experiment, row.training_set, row.method, row.scenario.id)
        for point in _points(row):
            writer.writerow(map(spreadsheet, (*head, row.seed, row.score.run, *point)))
    return text.getvalue()


def _points(row: Row) -> Iterator[tuple[str | int | float | None, ...]]:
    """The columns from "point" on: for the evaluations, then for the final one."""
    metric, scores, budget = row.scenario.metric, row.score.scores, row.score.budget
    if curve := scores.curves.get("evaluation"):
        for episodes, steps, mean, sd, n in zip(*(getattr(curve, c) for c in CURVE), strict=True):
            yield "evaluation", episodes, steps, metric, mean, sd, n
    episodes, steps = {"episodes": (budget, budget * row.scenario.steps), "steps": (None, budget)}.get(
        row.score.unit, (None, None)
    )
    yield "final", episodes, steps, metric, scores.final, None, len(scores.returns)


def parse(
    content: bytes,
    source: str | Path,
    columns: Mapping[str, str] = NOTHING,
    given: Mapping[str, str] = NOTHING,
    final: bool = True,
) -> tuple[list[Candidate], list[Refused]]:
    """The runs of a CSV file, and its refused parts. Raises ExchangeError. Extra columns are allowed.

    columns: the file's name for each of our names. With any, the file is a log: if it has no column `point`, all rows
    with a mean are evaluations, and the others are skipped. given: values that the file need not state. final: whether
    to read final rows. One unreadable row refuses its whole run. A row that occurs twice with the same `run` id counts
    once.
    """
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, line) for line in reader if line]
    except (UnicodeDecodeError, csv.Error) as error:
        problem = Problem("(file)", f"not CSV: {error}", "comma-separated UTF-8 text", "save it in this form")
        raise ExchangeError(source, [problem]) from None
    head = lines[0][1] if lines else []
    optional = ("point",) if columns and "point" not in columns else ()
    needed = [columns.get(name, name) for name in NEEDED if name not in (*given, *optional)]
    if len(set(head)) < len(head) or not {*needed, *columns.values()} <= {*head}:
        mend = "rename the columns, or list their names in [columns] of the protocol"
        allowed = f"{listed(dict.fromkeys((*needed, *columns.values())))}, each once"
        problem = Problem("(header)", listed(head), allowed, mend)
        raise ExchangeError(source, [problem])
    known = (*NEEDED, *columns) if columns else (*NEEDED, "n", "run")
    read = {name: head.index(columns.get(name, name)) for name in known if columns.get(name, name) in head}
    runs: dict[Key, list[tuple[int, dict[str, str]]]] = {}
    refused: list[Refused] = []
    seen: set[tuple[str, ...]] = set()
    for line, cells in lines[1:]:
        if len(cells) != len(head):
            refused.append(Refused(place=f"line {line}", why=f"{len(cells)} fields under {len(head)} columns"))
            continue
        row = dict.fromkeys(optional, "evaluation") | {name: cells[i] for name, i in read.items()} | {**given}
        own = tuple(row.get(column, "") for column in ("run", *NEEDED))
        if own[0] and own in seen:  # two experiments share the run
            continue
        seen.add(own)
        runs.setdefault((row["method"], row["scenario"], row["seed"]), []).append((line, row))
    candidates = []
    for key, rows in runs.items():
        try:
            candidates.append(_candidate(key, rows, bool(columns), final))
        except Refusal as why:
            refused.append(Refused(place=place_of(key), why=str(why)))
    return candidates, refused


def _candidate(key: Key, rows: list[tuple[int, dict[str, str]]], log: bool, asked: bool) -> Candidate:
    points, finals, without = [], [], 0
    for line, row in rows:
        if row["point"] not in POINTS:
            raise Refusal(f'line {line}: point: got "{row["point"]:.20}"; allowed: one of {listed(POINTS)}')
        if row["point"] == "final" and not asked:
            continue
        if log and not row["mean"].strip():
            without += 1
            continue
        point = _point(f"line {line}", row)
        (finals if row["point"] == "final" else points).append((line, point))
    if len(finals) > 1:
        both = " and ".join(str(line) for line, _ in finals[:2])
        raise Refusal(f"two final evaluations, in lines {both}: two runs under one name")
    final = finals[0][1] if finals else None
    own = tuple(point for _, point in points)
    if final is None:
        return Candidate(place_of(key), *key, own, None, without_mean=without)
    return Candidate(place_of(key), *key, own, final.values, final.n, final.steps, without)


def _point(place: str, row: dict[str, str]) -> Point:
    n = whole(f"{place}: n", row["n"]) if row.get("n") else None
    return Point(whole(f"{place}: steps", row["steps"]), (_mean(place, row["mean"]),), n)


def _mean(place: str, text: str) -> float:
    try:
        return number(f"{place}: mean", decimal(text))
    except ValueError:
        raise Refusal(f'{place}: mean: got "{text:.40}"; allowed: a number') from None
