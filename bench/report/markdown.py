"""The report of a suite as Markdown with figures. Deterministic: the same results give the same bytes."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from bench.evidence.measures import Evidence
from bench.output.escaping import markdown
from bench.plan import Note
from bench.report.figures import COLOURS, LearningCurves, learning_curves
from bench.report.members import Timeline, timeline
from bench.report.numbers import (
    METRICS,
    classes,
    compatible,
    compatible_known,
    effect,
    estimate,
    found,
    improvements,
    number,
    retention_columns,
    seeds_judged,
    seeds_to_decide,
    several_scenarios,
)
from bench.report.papertables import paper_tables
from bench.report.readings import reading_sections
from bench.report.tables import printed_tables, table
from bench.report.terminal import family_lines
from bench.report.words import details, sentence
from bench.store import Record, write_atomically
from bench.suite import PRIMARY, Experiment, Place
from bench.verdict import Aggregate, TransferMetric, Verdict, counts
from bench.verdict.retention import Retained, retentions

FIGURES = 4  # of one experiment
Figures = Mapping[tuple[str, Place], LearningCurves]  # by experiment and place
Timelines = Mapping[tuple[str, Place], Timeline]
THIN = {
    "student": "Thin: every seed; bold: mean with its 95% interval.",
    "bootstrap": "Thin: every seed; bold: mean with a 95% bootstrap interval, as the paper shades. "
    "Its level is assumed, and with few seeds it is too narrow.",
}
HALVED = " Below: mean and half a standard deviation of the seeds, as the paper shades; that is no confidence interval."


@contextlib.contextmanager
def drawn(
    evidence: Evidence, experiments: Sequence[Experiment], folder: Path, pool: Executor | None = None
) -> Iterator[None]:
    """Make a report's folder and draw its figures there: in a pool while the block runs, or without one before it."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = [*_figures(evidence, experiments, folder).values(), *_timelines(evidence, experiments, folder).values()]
    drawing = [pool.submit(figure.draw) if pool else figure.draw() for figure in figures]
    yield
    for one in drawing:
        if one is not None:
            one.result()


def write_report(
    evidence: Evidence,
    experiments: Sequence[Experiment],
    verdicts: Sequence[Verdict],
    transfer: Sequence[TransferMetric],
    aggregated: Sequence[Aggregate],
    folder: Path,
) -> Path:
    """Write report.md into a folder, where `drawn` draws its figures; the path of report.md."""
    figures = _figures(evidence, experiments, folder)
    timelines = _timelines(evidence, experiments, folder)
    parts = [
        *_head(evidence),
        *_verdicts(verdicts),
        *reading_sections(evidence.suite, verdicts, folder),
        *printed_tables(paper_tables(evidence.suite, experiments, verdicts)),
        *_transfer(transfer),
        *_retention([kept for e in experiments for kept in retentions(evidence, e)]),
        *_aggregates(aggregated),
        *_curves(evidence, experiments, figures, timelines),
        *_deviations(verdicts),
        *_provenance(evidence),
    ]
    path = folder / "report.md"
    write_atomically(path, ("\n".join(parts) + "\n").encode())
    return path


def _head(evidence: Evidence) -> Iterator[str]:
    paper, selection = evidence.suite.paper, evidence.selection
    yield f"# {markdown(paper.title)}"
    yield ""
    yield f"By {markdown(paper.authors)}, {paper.year}. Suite `{paper.id}` version {evidence.suite.version}, "
    yield f"profile `{selection.profile}`: {markdown(evidence.suite.profile[selection.profile].says)}."
    yield ""
    options = [f"--profile {selection.profile}", *(f"--only {e}" for e in selection.only)]
    options += [f"--reading {selection.reading}"] * (selection.reading != PRIMARY)
    options += [f"--set {s}" for s in selection.settings]
    if selection.seeds:
        options.append("--seeds " + ",".join(map(str, selection.seeds)) + ("," if len(selection.seeds) == 1 else ""))
    yield f"Rerun: `bench run {paper.id} {' '.join(options)}`"
    for problem in evidence.damaged:
        yield ""
        yield f"**Not counted**: {markdown(problem)}"
    for line in evidence.untaught:
        yield ""
        yield f"**Counted, but its teacher is missing**: {markdown(line)}"
    for failure in evidence.failures:
        yield ""
        yield f"**Failed**: {markdown(failure)}"


def _verdicts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield ""
    yield "## Verdicts"
    yield ""
    yield ", ".join(f"{n} {code}" for code, n in counts(verdicts).items()) + "."
    for line in family_lines(verdicts):
        yield ""
        yield f"{markdown(line)}."
    yield ""
    several, known = several_scenarios(verdicts), compatible_known(verdicts)
    place = ("claim", "in", *["scenario"] * several)
    head = (*place, "found [90% interval]", "verdict", "why", *["compatible"] * known, "seeds")
    yield from table(head, (_verdict_row(v, several, known) for v in verdicts))
    yield ""
    yield "## Basis of each verdict"
    yield ""
    head = ("claim", "place", "in", *["scenario"] * several, "rests on", "would decide", "deviations")
    yield from table(head, (_basis_row(v, several) for v in verdicts if v.ran))


def _verdict_row(v: Verdict, several: bool, known: bool) -> tuple[str, ...]:
    place, likely = (v.says, v.experiment, *[v.scenario] * several), [compatible(v)] * known
    return (*place, found(v), v.verdict, sentence(v), *likely, seeds_judged(v))


def _basis_row(v: Verdict, several: bool) -> tuple[str, ...]:
    place = (v.says, v.where, v.experiment, *[v.scenario] * several)
    return (*place, details(v), seeds_to_decide(v), classes(v))


def _transfer(metrics: Sequence[TransferMetric]) -> Iterator[str]:
    if not metrics:
        return
    yield ""
    yield "## Transfer metrics"
    yield ""
    yield "Differences and ratios (x) of the method against the baseline, with 95% intervals."
    yield ""
    several = several_scenarios(metrics)
    head = ("in", *["scenario"] * several, "method", "metric", "method's mean", "baseline", "baseline's mean")
    yield from table((*head, "difference or ratio", "remark"), (_metric_row(m, several) for m in metrics))


def _metric_row(m: TransferMetric, several: bool) -> tuple[str, ...]:
    place = (m.experiment, *[m.scenario] * several)
    means = (number(m.student_mean), m.baseline, number(m.baseline_mean))
    return (*place, m.method, METRICS[m.metric], *means, effect(m), m.remark)


def _retention(found: Sequence[Retained]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield "## Performance retention (PRR)"
    yield ""
    yield "A student's final score over its teacher's, with 95% intervals: as papers print it, and with both above the"
    yield "random policy's score."
    yield ""
    yield from table(*retention_columns(found))


def _aggregates(found: Sequence[Aggregate]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield "## Aggregates"
    yield ""
    yield "Final scores over the scenarios that every method here has run, normalised by their anchors: 0 is the"
    yield "random policy, 1 the good script. The numbers are rliable-compatible. The 95% intervals are Student's or"
    yield "Satterthwaite's t for means, rliable's own bootstrap for the IQM, and a bootstrap of n - 1 draws per"
    yield "scenario for the others. The bootstraps treat scenarios as run apart. With few seeds they are too narrow,"
    yield "rliable's most. No verdict rests on them."
    yield ""
    head = ("in", "method", "scenarios", "seeds", "mean", "IQM", "optimality gap", "probability of improvement on")
    yield from table(head, (_aggregate_row(a) for a in found))


def _aggregate_row(a: Aggregate) -> tuple[str, ...]:
    tasks = ", ".join(f"{t} (not comparable with the paper)" if t in a.forbidden else t for t in a.tasks)
    numbers = (estimate(a.mean), estimate(a.iqm), estimate(a.optimality_gap))
    return (a.experiment, a.method, tasks, str(a.seeds), *numbers, improvements(a))


def _figures(evidence: Evidence, experiments: Sequence[Experiment], folder: Path) -> Figures:
    """What is to be drawn: the first places of every experiment."""
    drawn = {(e.id, p): learning_curves(evidence, e, p, folder) for e in experiments for p in _places(e)[:FIGURES]}
    return {at: figure for at, figure in drawn.items() if figure is not None}


def _timelines(evidence: Evidence, experiments: Sequence[Experiment], folder: Path) -> Timelines:
    """Of the same places, where ensembles ran."""
    drawn = {(e.id, p): timeline(evidence, e, p, folder) for e in experiments for p in _places(e)[:FIGURES]}
    return {at: figure for at, figure in drawn.items() if figure is not None}


def _places(experiment: Experiment) -> list[Place]:
    return [place for s in experiment.scenarios for place in experiment.places(s)]


def _curves(
    evidence: Evidence, experiments: Sequence[Experiment], figures: Figures, timelines: Timelines
) -> Iterator[str]:
    yield ""
    yield "## Learning curves"
    for experiment in experiments:
        places = _places(experiment)
        drawn = [place for place in places if (experiment.id, place) in figures]
        for place in drawn:
            figure = figures[experiment.id, place]
            svg, png = figure.files
            name = experiment.id if len(places) == 1 else f"{experiment.id}, {place}"
            yield ""
            few = (
                f" Shown of {len(experiment.methods)} methods: the baseline and those that end highest, "
                f"{len(COLOURS)} in all."
            )
            thin = THIN[figure.band] + HALVED * figure.as_printed
            what = f"{markdown(name)}: {markdown(experiment.says)}."
            yield f"{what} {thin}{few if len(experiment.methods) > len(COLOURS) else ''}"
            yield ""
            yield f"![learning curves of {name}]({svg.name})"
            yield ""
            yield f"[PNG]({png.name})"
            if own := timelines.get((experiment.id, place)):
                yield ""
                yield f"Who teaches in {markdown(name)}, or is the best if nobody does, and how often by member."
                yield ""
                yield f"![who teaches in {name}]({own.files[0].name})"
        if len(places) > FIGURES:
            yield ""
            yield f"{experiment.id}: {FIGURES} of {len(places)} places are drawn; `bench leaderboard` draws every cell."
        if not drawn:
            reasons = dict.fromkeys(evidence.suite.waits_for(experiment, m) for m in experiment.methods)
            why = "cannot run yet: " + "; ".join(filter(None, reasons)) if all(reasons) else "no finished run"
            yield ""
            yield f"{experiment.id}: {markdown(why)}."


def _deviations(verdicts: Sequence[Verdict]) -> Iterator[str]:
    notes: dict[Note, None] = dict.fromkeys(note for v in verdicts for note in v.deviations)
    if notes:
        yield ""
        yield "## Deviations from the paper"
        yield ""
        yield from table(("class", "id", "what"), ((n.class_, n.id, n.says) for n in notes))


def _provenance(evidence: Evidence) -> Iterator[str]:
    yield ""
    yield "## Provenance"
    yield ""
    head = ("cell", "key", "seeds finished", "failed", "CPU s per seed (median)", "device", "torch", "commit")
    yield from table(head, (_cell_row(evidence, cell.key, cell.label) for cell in evidence.plan.cells))


def _cell_row(evidence: Evidence, key: str, label: str) -> tuple[str, ...]:
    records = evidence.found(evidence.plan.cell(key)).records
    finished = {seed: r for seed, r in sorted(records.items()) if r.status == "finished"}
    failed = [f"{seed}: {r.reason}" for seed, r in sorted(records.items()) if r.status == "failed"]
    times = [r.provenance.cpu_s for r in finished.values()]
    return (
        label,
        key,
        ", ".join(map(str, finished)) or "none",
        "; ".join(failed),
        number(statistics.median(times)) if times else "-",
        _distinct(finished.values(), lambda r: f"{r.provenance.device}, {r.provenance.hardware}"),
        _distinct(finished.values(), lambda r: r.provenance.packages.get("torch", "unknown")),
        _distinct(finished.values(), _commit),
    )


def _commit(record: Record) -> str:
    commit = record.provenance.commit
    return "unknown" if commit is None else commit[:10] + (" (dirty)" if record.provenance.dirty else "")


def _distinct(records: Iterable[Record], say) -> str:
    return "; ".join(sorted({say(record) for record in records}))
