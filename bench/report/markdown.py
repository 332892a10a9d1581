"""The report of a suite as Markdown with figures. Deterministic: the same results give the same bytes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.measures import Evidence
from bench.plan import Note
from bench.report.figures import learning_curves
from bench.report.numbers import METRICS, classes, effect, found, number, seeds_to_decide
from bench.report.terminal import family_lines
from bench.store import Record, write_atomically
from bench.suite import Experiment
from bench.verdict import TransferMetric, Verdict, counts


def write_report(
    evidence: Evidence,
    experiments: Sequence[Experiment],
    verdicts: Sequence[Verdict],
    transfer: Sequence[TransferMetric],
    folder: Path,
) -> Path:
    """Write report.md and its figures into a folder; the path of report.md."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        *_head(evidence),
        *_verdicts(verdicts),
        *_transfer(transfer),
        *_curves(evidence, experiments, folder),
        *_deviations(verdicts),
        *_provenance(evidence),
    ]
    path = folder / "report.md"
    write_atomically(path, ("\n".join(parts) + "\n").encode())
    return path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; bars and line ends inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in line) + " |" for line in lines]


def _head(evidence: Evidence) -> Iterator[str]:
    paper, selection = evidence.suite.paper, evidence.selection
    yield f"# {paper.title}"
    yield ""
    yield f"{paper.authors}, {paper.year}. Suite `{paper.id}` version {evidence.suite.version}, "
    yield f"profile `{selection.profile}`: {evidence.suite.profile[selection.profile].says}."
    yield ""
    options = [f"--profile {selection.profile}", *(f"--only {e}" for e in selection.only)]
    options += [f"--set {s}" for s in selection.settings]
    if selection.seeds:
        options.append("--seeds " + ",".join(map(str, selection.seeds)) + ("," if len(selection.seeds) == 1 else ""))
    yield f"Rerun: `bench run {paper.id} {' '.join(options)}`"
    for problem in evidence.damaged:
        yield ""
        yield f"**Not counted**: {problem}"
    for failure in evidence.failures:
        yield ""
        yield f"**Failed**: {failure}"


def _verdicts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield ""
    yield "## Verdicts"
    yield ""
    yield ", ".join(f"{n} {code}" for code, n in counts(verdicts).items()) + "."
    for line in family_lines(verdicts):
        yield ""
        yield f"{line}."
    yield ""
    head = ("claim", "place", "in", "found [90% interval]", "verdict", "why", "seeds", "would decide", "deviations")
    yield from table(
        head,
        (
            (v.says, v.where, v.experiment, found(v), v.verdict, v.reason, str(v.seeds), seeds_to_decide(v), classes(v))
            for v in verdicts
        ),
    )


def _transfer(metrics: Sequence[TransferMetric]) -> Iterator[str]:
    if not metrics:
        return
    yield ""
    yield "## Transfer metrics"
    yield ""
    yield "Differences and ratios (x) of the method against the baseline, with 95% intervals."
    yield ""
    head = ("in", "method", "metric", "method's mean", "baseline", "baseline's mean", "difference or ratio", "remark")
    yield from table(
        head,
        (
            (
                m.experiment,
                m.method,
                METRICS[m.metric],
                number(m.student_mean),
                m.baseline,
                number(m.baseline_mean),
                effect(m),
                m.remark,
            )
            for m in metrics
        ),
    )


def _curves(evidence: Evidence, experiments: Sequence[Experiment], folder: Path) -> Iterator[str]:
    yield ""
    yield "## Learning curves"
    for experiment in experiments:
        scenarios = [evidence.suite["scenario", id_] for id_ in experiment.scenarios]
        drawn = [(s, learning_curves(evidence, experiment, s, folder)) for s in scenarios]
        for scenario, files in ((s, files) for s, files in drawn if files):
            svg, png = files
            name = experiment.id if len(scenarios) == 1 else f"{experiment.id}, {scenario.id}"
            yield ""
            yield f"{name}: {experiment.says}. Thin: every seed; bold: mean with its 95% interval."
            yield ""
            yield f"![learning curves of {name}]({svg.name})"
            yield ""
            yield f"[PNG]({png.name})"
        if not any(files for _, files in drawn):
            reasons = dict.fromkeys(evidence.suite.waits_for(experiment, m) for m in experiment.methods)
            why = "cannot run yet: " + "; ".join(filter(None, reasons)) if all(reasons) else "no finished run"
            yield ""
            yield f"{experiment.id}: {why}."


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
    head = ("cell", "key", "seeds finished", "failed", "CPU s a seed (median)", "device", "torch", "commit")
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
        _distinct(finished.values(), lambda r: r.provenance.packages["torch"]),
        _distinct(finished.values(), _commit),
    )


def _commit(record: Record) -> str:
    commit = record.provenance.commit
    return "unknown" if commit is None else commit[:10] + (" (dirty)" if record.provenance.dirty else "")


def _distinct(records: Iterable[Record], say) -> str:
    return "; ".join(sorted({say(record) for record in records}))
