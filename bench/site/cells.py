"""What the page of a cell says: how it scored, how it was trained and evaluated, and where every number comes from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.envs import Assets
from bench.evidence.measures import Evidence
from bench.evidence.teaching import teacher_levels
from bench.plan import Cell, Note, cells_of
from bench.plan.assets import missing_assets
from bench.site.curves import panel
from bench.stats.intervals import Interval, mean_interval
from bench.store import Record
from bench.suite import PRIMARY, Experiment, Seeds, Setting, Suite
from bench.suite.shipped import opponents
from bench.verdict import Verdict


@dataclass(frozen=True)
class Scored:
    """A scenario of a cell. finals: of every finished seed, in the scenario's metric; None if not finite."""

    scenario: str
    says: str
    metric: str
    trained: bool
    finals: tuple[float | None, ...]  # [S]
    mean: Interval | None


@dataclass(frozen=True)
class Row:
    """A named setting, its value, and where that comes from."""

    name: str
    value: str
    kind: str
    source: str


@dataclass(frozen=True)
class CellPage:
    """Everything that is known of a cell."""

    cell: Cell
    homes: tuple[tuple[str, str], ...]  # experiments that it belongs to, each with the method's name there
    where: str
    says: str
    command: str
    scored: tuple[Scored, ...]
    taught_by: tuple[Mapping[str, float], ...]  # the levels of its teachers, by scenario that it is scored on
    finished: tuple[Record, ...]  # by seed
    failed: tuple[Record, ...]
    missing: tuple[int, ...]  # seeds
    protocol: tuple[Row, ...]
    hyperparameters: tuple[Row, ...]
    notes: tuple[Note, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def ran(self) -> bool:
        return bool(self.finished or self.failed)

    @property
    def state(self) -> str:
        parts = [f"{len(self.finished)} of {len(self.cell.seeds)} seeds finished"]
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Finishing:
    """How to make the missing runs. files: how to get those that the runs need and the project does not ship."""

    files: tuple[str, ...]
    command: str


def homes_of(evidence: Evidence) -> dict[str, list[tuple[Experiment, str]]]:
    """By cell's key: experiments whose cell it is, with the method's name there."""
    found: dict[str, list[tuple[Experiment, str]]] = {}
    for experiment in evidence.suite.experiment:
        cells = cells_of(evidence.suite, evidence.selection, experiment)
        for (method, _), cell in cells.items():
            found.setdefault(cell.key, []).append((experiment, method))
    return found


def cell_page(
    evidence: Evidence,
    cell: Cell,
    homes: Sequence[tuple[Experiment, str]],
    verdicts: Mapping[tuple[str, str], Sequence[Verdict]],
) -> CellPage:
    """verdicts: by experiment and method."""
    suite, records = evidence.suite, evidence.found(cell).records
    finished = {s: records[s] for s in sorted(records) if records[s].status == "finished"}
    failed = tuple(records[s] for s in sorted(records) if records[s].status == "failed")
    method = suite["method", cell.method]
    names = [(e.id, m) for e, m in homes]
    return CellPage(
        cell=cell,
        homes=tuple(names),
        where=method.where,
        says=method.says,
        command=command(evidence, cell),
        scored=tuple(_scored(suite, cell, i, finished) for i in range(len(cell.scenarios))),
        taught_by=tuple(teacher_levels(evidence, [cell], scenario) for scenario in cell.scenarios),
        finished=tuple(finished.values()),
        failed=failed,
        missing=tuple(s for s in cell.seeds if s not in records),
        protocol=tuple(_protocol(evidence, cell)),
        hyperparameters=tuple(
            hyperparameters(suite.settings(cell.method, cell.scenarios[0]), cell.settings["hyperparameters"])
        ),
        notes=cell.notes,
        verdicts=tuple(dict.fromkeys(v for name in names for v in verdicts.get(name, ()))),
    )


def command(evidence: Evidence, cell: Cell) -> str:
    """The command that trains the cell, the other methods of its experiment and the teachers that they need."""
    seeds = ",".join(map(str, cell.seeds)) + ("," if len(cell.seeds) == 1 else "")
    return shlex.join([*_run(evidence), "--only", cell.experiment, "--seeds", seeds])


def finishing(evidence: Evidence, pages: Sequence[CellPage]) -> Finishing | None:
    """What makes the missing runs; None if all have ended."""
    left = [page.cell for page in pages if page.missing]
    files = dict.fromkeys(problem.mend for problem in missing_assets(left, Assets(opponents())))
    only = [word for id_ in dict.fromkeys(cell.experiment for cell in left) for word in ("--only", id_)]
    return Finishing(tuple(files), shlex.join([*_run(evidence), *only])) if left else None


def _run(evidence: Evidence) -> list[str]:
    selection = evidence.selection
    profile = [] if selection.profile == "full" else ["--profile", selection.profile]
    reading = [] if selection.reading == PRIMARY else ["--reading", selection.reading]
    return ["bench", "run", evidence.suite.id, *profile, *reading]


def _scored(suite: Suite, cell: Cell, index: int, finished: Mapping[int, Record]) -> Scored:
    scenario = suite["scenario", cell.scenarios[index]]
    finals = tuple(record.numbers.scores[index].final for record in finished.values())
    known = [final for final in finals if final is not None]
    mean = mean_interval(known) if known and len(known) == len(finals) else None
    return Scored(scenario.id, scenario.says, scenario.metric, cell.scored[index].trained, finals, mean)


def charts(suite: Suite, page: CellPage) -> list[dict[str, Any]]:
    """A chart's curves for each scenario; none if nothing has finished."""
    if not page.finished:
        return []
    found = []
    for index, (id_, taught_by) in enumerate(zip(page.cell.scenarios, page.taught_by, strict=True)):
        scores = {record.seed: record.numbers.scores[index] for record in page.finished}
        found.append(panel(suite["scenario", id_], scores, page.cell.unit, taught_by))
    return found


def _protocol(evidence: Evidence, cell: Cell) -> Iterable[Row]:
    """Budget, what is recorded and evaluated, and the environments."""
    suite, selection = evidence.suite, evidence.selection
    experiment: Experiment = suite["experiment", cell.experiment]
    own = next(t for t in experiment.training_sets if t.id == cell.training_set)
    budget, recording = experiment.own_budget(own, cell.method), experiment.own_recording(cell.method)
    stated, change = experiment.numbers(own, cell.method), suite.profile[selection.profile]
    changed = dict(experiment.numbers(own, cell.method, change).items() - stated.items())
    for name, value in cell.settings["budget"].items():
        said = budget if name == cell.unit else recording
        kind, source = (said.kind, said.source) if said else ("", "")
        if name in changed:
            kind, source = "reduced", f"profile {selection.profile}: {change.says}"
        unit = "episodes" if name.endswith("_episodes") else cell.unit
        of = " of each task" if unit == "episodes" else ""
        yield Row(f"{name.replace('_', ' ')}, in {unit}{of}", f"{value:,}", kind, source)
    seeds = experiment.seeds
    kind, source = (seeds.kind, seeds.source) if isinstance(seeds, Seeds) else ("", seeds.source or "")
    yield Row("seeds", ", ".join(map(str, cell.seeds)), kind, source)
    for id_, scored in zip(cell.scenarios, cell.scored, strict=True):
        params = ", ".join(f"{key} = {value}" for key, value in scored.params.items())
        text = f"{scored.family}, version {scored.version}; {params}; {scored.episode_limit} steps per episode"
        yield Row(f"environment of {id_}", text, "", suite["scenario", id_].where)
    algorithm = cell.settings["algorithm"]
    yield Row("algorithm", f"{algorithm['name']}, version {algorithm['version']}", "", "")


def hyperparameters(settings: Mapping[str, Setting], values: Mapping[str, object]) -> Iterable[Row]:
    """values: by name."""
    for name, value in sorted(values.items()):
        said = settings[name]
        yield Row(name, f"{value:,}" if type(value) is int else str(value), said.kind, said.source)
