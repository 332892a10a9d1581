"""A comparison as Markdown, which the terminal shows too, and as JSON: higher, lower or undecided, and by how much."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bench
from bench.compare import Comparison, ImportedComparison
from bench.compare.figures import profiles
from bench.compare.findings import Difference, Findings, Origin, Over
from bench.compare.imported import between
from bench.evidence.measures import Evidence
from bench.exchange.declaration import in_words
from bench.output.escaping import markdown
from bench.report.numbers import METRICS, counted, effect, estimate, interval, number, seeds_compared, typical_seed
from bench.report.tables import table
from bench.stats.estimates import MINIMUM_SEEDS
from bench.stats.intervals import Interval
from bench.store import readable, write_atomically
from bench.suite import PRIMARY
from bench.verdict import TransferMetric

SEEDS = "seeds that would settle it"
SIDES = ("against", "seeds", "this method", "the other", "difference", "typical seed", "finding", SEEDS)
DIFFERENCE = ("experiment", "scenario", *SIDES)
COMMON = (
    "scores",
    "differences",
    "over",
    "lacking",
    "untrained",
    "shortened",
)  # an imported method's comparison has these too


def comparison_lines(evidence: Evidence, found: Comparison) -> Iterator[str]:
    """Markdown, line by line."""
    yield from _head(evidence, found)
    yield from _scores(found)
    yield from _differences(found)
    yield from _imported(found)
    yield from _over(found)
    yield from _transfer(found)
    yield from _retention(found)
    yield from _costs(found)
    if found.failures:
        yield from ("", "## Failed runs", "", *(f"- {markdown(line)}" for line in found.failures), "")
        yield "The same command with `--retry-failed` makes them again."
    if remarks := _remarks(evidence, found):
        yield from ("", "## Remarks", "", *(f"- {markdown(line)}" for line in remarks))
    yield from _lacking(found)


def imported_lines(evidence: Evidence, found: ImportedComparison) -> Iterator[str]:
    """Markdown on an imported method: the same sections, as far as its results allow."""
    own, method = found.entered.own, found.entered.method
    yield f"# {markdown(own.label(method))} on {evidence.suite.id}, {_selected(evidence)}"
    yield ""
    yield from _warnings(found)
    yield "Nothing was run: these results were made elsewhere, on episodes of their own. Declared: "
    yield f"{markdown(in_words(own.protocol))}."
    refused = f"{len(own.refused)} of its runs were refused"
    yield f"File: {markdown(own.source.file)}, SHA-256 {own.source.sha256[:16]}; {refused}."
    yield from _scores(found)
    yield from _differences(found)
    yield from _origins(found.differences, own.label(method))
    yield from _over(found)
    yield from _lacking(found)


def comparison_json(evidence: Evidence, found: Comparison) -> dict[str, Any]:
    method, selection = found.entry.method, evidence.selection
    entrants = ("imported", "transfer", "retention", "costs", "failures", "tuned_on")
    return {
        "method": method.model_dump(mode="json"),
        "implementation": "guest",
        "suite": evidence.suite.id,
        "suite_version": evidence.suite.version,
        "bench": bench.__version__,
        "profile": selection.profile,
        "reading": selection.reading,
        "cells": {c.cell.key: c.cell.label for c in found.entry.contests},
        "seeds": sorted({seed for c in found.entry.contests for seed in c.cell.seeds}),
        "remarks": _remarks(evidence, found),
        **_parts(found, *COMMON, *entrants),
    }


def imported_json(evidence: Evidence, found: ImportedComparison) -> dict[str, Any]:
    own = found.entered.own
    about = own.model_dump(mode="json", include={"source", "protocol", "refused"})
    return {
        "method": {"imported": own.name, "name": found.entered.method, **about},
        "implementation": "imported",
        "suite": evidence.suite.id,
        "suite_version": evidence.suite.version,
        "bench": bench.__version__,
        "profile": evidence.selection.profile,
        "reading": evidence.selection.reading,
        **_parts(found, *COMMON),
    }


def _selected(evidence: Evidence) -> str:
    selection = evidence.selection
    return f"profile {selection.profile}" + (f", reading {selection.reading}" if selection.reading != PRIMARY else "")


def _parts(found: Findings, *names: str) -> dict[str, Any]:
    return {name: _jsonable(getattr(found, name)) for name in names}


def write_comparison(name: str, found: Findings, text: Iterable[str], numbers: dict[str, Any], folder: Path) -> Path:
    """comparison.md, comparison.json and the performance profiles; the path of the first. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [profiles(name, over, folder) for over in found.over]
    lines = [*text, "", *(f"![performance profile]({path.name})" for path in drawn)]
    write_atomically(folder / "comparison.json", readable(numbers))
    write_atomically(folder / "comparison.md", "\n".join([*lines, ""]).encode())
    return folder / "comparison.md"


def _head(evidence: Evidence, found: Comparison) -> Iterator[str]:
    method, suite = found.entry.method, evidence.suite
    declared, tuning = method.declaration, method.declaration.tuning
    yield f"# {markdown(method.name)} on {suite.id}, {_selected(evidence)}"
    yield ""
    yield from _warnings(found)
    yield f"What it is: {markdown(declared.says)}. Code: `{method.target}`, SHA-256 {method.source[:16]}."
    yield f"Tuning, by its author's declaration: {counted(tuning.runs, 'run')}, {tuning.steps:,} environment steps, "
    yield f"{'seeds ' + ', '.join(map(str, tuning.seeds)) if tuning.seeds else 'no seeds'}: {markdown(tuning.says)}."
    if found.tuned_on:
        seeds = ", ".join(map(str, found.tuned_on))
        yield f"**Tuned on seeds that are compared here ({seeds}): its scores are too favourable.**"
    settings = ", ".join(f"{name} = {value}" for name, value in declared.hyperparameters.items())
    yield f"Hyperparameters: {markdown(settings) or 'none declared'}."
    yield "The harness counted the steps and evaluated every policy, on the same episodes for every method of a seed."
    notes = dict.fromkeys(n.says for c in found.entry.contests for n in c.cell.notes if n.class_ != "assumed")
    yield from (f"Differs from the paper: {markdown(says)}." for says in notes)


def _warnings(found: Findings) -> Iterator[str]:
    """First of all: why the numbers below do not mean much."""
    if found.shortened:
        yield f"**Shows that everything runs; decides nothing: {markdown('; '.join(found.shortened))}.**"
        yield ""
    if found.untrained:
        names = markdown(", ".join(found.untrained))
        yield f"**Never updated within this budget: {names}. Each is an untrained team; its rows say nothing about what"
        yield "the method learns.**"
        yield ""


def _scores(found: Findings) -> Iterator[str]:
    if not found.scores:
        return
    yield from ("", "## Its own scores", "")
    yield "Means of the final scores over seeds, with 95% intervals. Normalised: 0 is the random policy, 1 the good"
    yield "script."
    yield ""
    head = ("experiment", "scenario", "seeds finished", "mean", "normalised")
    rows = (
        (s.experiment or "-", s.scenario, f"{s.finished} of {s.asked}", estimate(s.mean), estimate(s.normalised))
        for s in found.scores
    )
    yield from table(head, rows)


def _differences(found: Findings) -> Iterator[str]:
    if not found.differences:
        return
    yield from ("", "## Final scores, scenario by scenario", "")
    yield "Difference: this method minus the other, with its 90% interval, whose ends are the one-sided 95% bounds of t"
    yield "tests. Finding: after Holm's correction over all rows. Scores: with 95% intervals. Pairs: seeds that"
    yield "finished on both sides, with their correlation r. Typical seed: the share of seeds on which this method"
    yield "scores higher, with its 90% interval."
    if any(d.look for d in found.differences):
        yield "The suite declares looks: a row is judged at the last look that is reached, on its seeds, at its level."
    yield ""
    yield from table(DIFFERENCE, map(_difference_row, found.differences))


def _imported(found: Comparison) -> Iterator[str]:
    if not found.imported:
        return
    yield from ("", "## Against imported results", "")
    yield "These were made elsewhere, by the protocol declared for them, on episodes of their own. They have a Holm"
    yield "correction of their own."
    yield ""
    yield from table(DIFFERENCE, map(_difference_row, found.imported))
    yield from _origins(found.imported)


def _origins(differences: Sequence[Difference], label: str = "") -> Iterator[str]:
    """How imported results were made, one line per scenario. label: theirs, if not the side compared against."""
    lines = dict.fromkeys(
        f"- {markdown(f'{label or d.against} on {d.scenario}: {made(d.origin)}')}" for d in differences if d.origin
    )
    if lines:
        yield from ("", "How the imported results were made, as declared:", "", *lines)


def made(origin: Origin) -> str:
    """How imported results were made, as declared, in a line."""
    steps = "steps not known" if origin.steps is None else f"{between(origin.steps)} {origin.counts}"
    how = f"protocol {origin.protocol}, {steps}, {origin.episodes:,} episodes for the final score"
    return f"{how}; {origin.environment}; from {origin.source}"


def _difference_row(d: Difference) -> tuple[str, ...]:
    decision = d.decision
    open_ = decision.outcome == "undecided" and not d.incomparable
    open_ = open_ and not d.untrained
    enough = min(decision.n, default=0) >= MINIMUM_SEEDS
    seeds = "" if not (open_ and enough) else str(decision.seeds_to_decide or "more than 1,000, or none")
    level = ""
    if d.look is not None:
        seeds = "" if not open_ else f"look at {d.look.next}" if d.look.next else "no look is left"
        level = f" at {d.look.asked.level:.1%}" if decision.low is not None else ""
    gap = number(decision.estimate) + interval(decision.low, decision.high) + level
    finding = f"{d.finding}: {decision.reason}"
    tagged = "; ".join([finding, *decision.tags])
    where = (d.experiment, d.scenario, d.against, seeds_compared(decision))
    return (*where, estimate(d.ours), estimate(d.theirs), gap, typical_seed(decision.typical), tagged, seeds)


def _over(found: Findings) -> Iterator[str]:
    if not found.over:
        return
    yield from ("", "## Over scenarios", "")
    yield "Normalised by each scenario's anchors: 0 is the random policy, 1 the good script. Intervals are at 95%. The"
    yield "second line of a row, marked rliable-compatible, has n draws, as in rliable 1.2.0; these intervals are too"
    yield "narrow."
    yield ""
    gaps = ("optimality gap", "the other's gap")
    head = ("against", "scenarios", "seeds", "IQM", "the other's IQM", *gaps, "P(improvement)", "draws")
    yield from table(head, (row for over in found.over for row in _over_rows(over)))
    yield from ("", "Performance profile: share of runs above a normalised score.", "")
    for over in found.over:
        ours, theirs = over.profiles
        points = zip(ours.thresholds, ours.estimate, theirs.estimate, strict=True)
        shares = [f"{tau:g}: {own:.2f} and {other:.2f}" for tau, own, other in points]
        yield f"- with {over.against}: " + "; ".join(shares[::4])


def _over_rows(over: Over) -> Iterator[tuple[str, ...]]:
    place = (over.against, ", ".join(over.tasks), " and ".join(map(str, over.seeds)))
    yield (*place, *map(_explained, (*over.iqm, *over.gap, over.improvement)), "n - 1")
    yield (*place, *map(_explained, over.rliable), "n, rliable-compatible")


def _explained(found: Interval) -> str:
    """An interval with the remark on it, if any: an interval of zero width does not mean certainty."""
    return estimate(found) + (f" ({found.reason})" if found.reason else "")


def _transfer(found: Comparison) -> Iterator[str]:
    known = [m for m in found.transfer if m.student_mean is not None]  # for the others `lacking` says why
    if not known:
        return
    yield from ("", "## Transfer, against the experiment's baseline", "")
    yield "Intervals are at 95%. Each metric is read off the named curve. A training curve shows what the method did"
    yield "while exploring; final scores do not. A learner's windows count from its first update, a training"
    yield "function's from the start."
    yield ""
    sides = ("baseline", "this method", "baseline's", "difference, or ratio")
    head = ("experiment", "scenario", "metric", "read off", *sides, "remark")
    yield from table(head, map(_transfer_row, known))


def _transfer_row(m: TransferMetric) -> tuple[str, ...]:
    means = number(m.student_mean), number(m.baseline_mean)
    return m.experiment, m.scenario, METRICS[m.metric], m.read_off, m.baseline, *means, effect(m), m.remark


def _retention(found: Comparison) -> Iterator[str]:
    if not found.retention:
        return
    yield from ("", "## Performance retention (PRR), student over teacher", "")
    rows = ((k.experiment, k.scenario, estimate(k.interval), k.remark) for k in found.retention)
    yield from table(("experiment", "scenario", "PRR, 95% interval", "remark"), rows)


def _costs(found: Comparison) -> Iterator[str]:
    if not found.costs:
        return
    yield from ("", "## Costs of a run, on average", "")
    rows = (
        (c.experiment, c.training_set, c.method, str(c.seeds), number(c.steps), number(c.cpu_s), number(c.wall_s))
        for c in found.costs
    )
    head = ("experiment", "trained on", "method", "seeds", "environment steps", "CPU seconds", "wall seconds")
    yield from table(head, rows)


def _remarks(evidence: Evidence, found: Comparison) -> list[str]:
    """Remarks on the method's runs, beside their numbers; one line per run and remark."""
    records = {
        record.run: record
        for contest in found.entry.contests
        for record in evidence.found(contest.cell).records.values()
    }
    return [f"run {run}, seed {r.seed}: {remark}" for run, r in records.items() for remark in r.remarks]


def _lacking(found: Findings) -> Iterator[str]:
    if found.lacking:
        yield from ("", "## Not compared", "", *(f"- {markdown(line)}" for line in found.lacking))


def _jsonable(value: Any) -> Any:
    """Dataclasses as tables, arrays and tuples as lists, numbers that are not finite as null."""
    if isinstance(value, Difference):
        return {"finding": value.finding} | _jsonable(dataclasses.asdict(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _jsonable(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {key: _jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_jsonable(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
