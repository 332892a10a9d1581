"""A suite and a results folder read together: their runs, scores, curves, verdicts and figures.

Tables are pandas' data frames in long form: one row per run, or one row per point of a run's curve.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.evidence.measures import Evidence
from bench.exchange.grid import Row, finished_rows
from bench.plan import Selection, refused, selected
from bench.plan.seeds import seed_list
from bench.report.figures import learning_curves
from bench.store import Store
from bench.suite import PRIMARY, Suite, SuiteError
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.loading import load
from bench.suite.shipped import available
from bench.verdict import Verdict, judge

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

RUNS = ("experiment", "training_set", "method", "seed", "run", "finished")
PLACE = ("experiment", "training_set", "method", "scenario", "seed", "run")
SCORES = (*PLACE, "metric", "score", "episodes")
CURVES = (*PLACE, "unit", "at", "mean")
IN_PYTHON = "(bench.read)"  # what errors name instead of a file


@dataclass(frozen=True)
class Study:
    """What `read` returns. It never changes: records that come later are seen by the next `read`."""

    evidence: Evidence

    @property
    def suite(self) -> Suite:
        """The suite as its file has it, under the reading that was asked for."""
        return self.evidence.suite

    def runs(self) -> DataFrame:
        """All runs that the selection asks for, and whether each is finished. Columns: RUNS."""
        plan, finished = self.evidence.plan, self.evidence.finished
        cells = {cell.key: (cell, finished(cell)) for cell in plan.cells}
        rows: list[tuple[Any, ...]] = []
        for run in plan.runs:
            cell, done = cells[run.cell]
            rows.append((cell.experiment, cell.training_set, cell.method, run.seed, run.id, run.seed in done))
        return _frame(rows, RUNS)

    def scores(self) -> DataFrame:
        """The final score of every finished run in each scenario, in the scenario's metric. Columns: SCORES.

        episodes: how many episodes the score averages. A run appears once for each experiment that it is part of.
        """
        rows = finished_rows(self.evidence)
        return _frame(
            [(*_place(r), r.scenario.metric, r.score.scores.final, len(r.score.scores.returns)) for r in rows], SCORES
        )

    def curves(self, name: str = "training") -> DataFrame:
        """A curve of every finished run that has it, one row per point. Columns: CURVES.

        name: "training", "evaluation", "loss/NAME" and so on. at: how much of the run's budget was spent, in `unit`.
        A point without a value, such as a loss before the first update, has no mean. Raises SuiteError for a name that
        no finished run has.
        """
        rows = [*finished_rows(self.evidence)]
        known = sorted({own for row in rows for own in row.score.scores.curves})
        if rows and name not in known:
            raise SuiteError(
                IN_PYTHON, [Problem("name", shown(name), listed(known), f"name one{nearest(name, known)}")]
            )
        return _frame([*self._points(rows, name)], CURVES)

    def _points(self, rows: Iterable[Row], name: str) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            if curve := row.score.scores.curves.get(name):
                unit = row.score.unit
                for at, mean in zip(curve.at(unit), curve.mean, strict=True):
                    yield *_place(row), unit, at, mean

    def verdicts(self, readings: bool = True) -> list[Verdict]:
        """A verdict on each claim and each printed value, as `bench check` gives it.

        readings: also judge each claim under every reading of the paper, which takes longest.
        """
        return judge(self.evidence, self._experiments, readings)

    def figures(self) -> dict[str, Figure]:
        """Learning curves of finished runs by experiment and scenario: seeds, means, 95% intervals."""
        found: dict[str, Figure] = {}
        for experiment in self._experiments:
            for scenario in experiment.scenarios:
                for place in experiment.places(scenario):
                    if curves := learning_curves(self.evidence, experiment, place, Path()):
                        found[f"{experiment.id}: {place}"] = curves.figure()
        return found

    @property
    def _experiments(self) -> Sequence[Any]:
        return selected(self.suite, self.evidence.selection.only)


def suites() -> tuple[str, ...]:
    """The names of the suites that are shipped."""
    return tuple(available())


def read(
    suite: str | Path,
    results: str | Path = "runs",
    *,
    profile: str = "full",
    only: str | Iterable[str] = (),
    seeds: int | str | Iterable[int] | None = None,
    reading: str = PRIMARY,
) -> Study:
    """A suite's name or file, and a results folder.

    only: one experiment's id, or several; default: all. seeds: 5 for the first five, "0,3,7-9", or numbers; None for
    the profile's own. Raises SuiteError for a bad suite file or a selection that the suite does not have; the error
    says what is allowed. Raises StoreError for a folder that cannot be read. Warns if no run of the selection is
    finished.
    """
    if not Path(results).is_dir():
        problem = Problem("results", shown(str(results)), "a folder that `bench run` has written", "name one")
        raise SuiteError(IN_PYTHON, [problem])
    loaded = load(str(suite))
    if reading != PRIMARY and reading not in loaded.readings:
        raise refused("reading", reading, [PRIMARY, *loaded.readings])
    chosen = Selection(
        profile=profile,
        only=(only,) if isinstance(only, str) else tuple(only),
        seeds=seed_list(str(seeds)) if isinstance(seeds, int | str) else tuple(sorted({*seeds})) if seeds else None,
        reading=reading,
    )
    evidence = Evidence(loaded.under(reading), chosen, Store(results))
    if not any(evidence.finished(cell) for cell in evidence.plan.cells):
        warnings.warn(f"no run of this selection is finished in {results}, profile {profile}", stacklevel=2)
    return Study(evidence)


def _place(row: Row) -> tuple[Any, ...]:
    return row.experiment, row.training_set, row.method, row.scenario.id, row.seed, row.score.run


def _frame(rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> DataFrame:
    """pandas is loaded here: it takes half a second, and judging needs no pandas."""
    import pandas as pd

    return pd.DataFrame(rows, columns=pd.Index(columns))
