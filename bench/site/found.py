"""What the overview opens with: the claims that matter most on one axis, how much was run, and what is newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.forest import Mark, Placed, mark, placed, reach
from bench.site.cells import CellPage
from bench.site.suites import REFERENCE, SuitePage
from bench.store import Record
from bench.suite import Suite
from bench.verdict import Verdict


@dataclass(frozen=True)
class Row:
    """A claim of the forest plot. own: where it lies, in margins; None if it has no interval or no margin."""

    page: SuitePage
    verdict: Verdict
    own: Placed | None
    mark: Mark | None


@dataclass(frozen=True)
class Forest:
    """Headline and robust claims of all papers. half: half the axis, in margins. missing: claims without any run."""

    rows: tuple[Row, ...]
    half: int
    missing: tuple[tuple[SuitePage, Verdict], ...]

    @property
    def ticks(self) -> tuple[tuple[int, float], ...]:
        """Whole margins, each with its share of the axis."""
        step = max(1, self.half // 2)
        return tuple((at, (at / self.half + 1) / 2) for at in range(-self.half, self.half + 1, step))

    @property
    def band(self) -> tuple[float, float]:
        """The margin, as shares of the axis."""
        return (1 - 1 / self.half) / 2, (1 + 1 / self.half) / 2


@dataclass(frozen=True)
class Part:
    """How much of a paper was run at one budget, or in one reading."""

    page: SuitePage
    says: str

    @property
    def share(self) -> float:
        return round(self.page.runs / self.page.asked, 4) if self.page.asked else 0.0


@dataclass(frozen=True)
class Coverage:
    """How much of one paper was run. judged: how many of its claims have a run."""

    page: SuitePage
    parts: tuple[Part, ...]

    @property
    def judged(self) -> int:
        return sum(v.ran for v in self.page.claims)


@dataclass(frozen=True)
class Newest:
    page: SuitePage
    cell: CellPage
    record: Record


def forest(pages: Sequence[SuitePage]) -> Forest:
    """The claims to plot, headlines first in each suite.

    pages: of every suite, at the papers' own budgets in the primary reading.
    """
    chosen = [(page, v) for page in pages for v in sorted(page.claims, key=lambda v: not v.headline) if _told(v)]
    ran = [(page, v, placed(page.suite, v)) for page, v in chosen if v.ran]
    half = reach(own for _, _, own in ran if own is not None)
    rows = tuple(Row(page, v, own, None if own is None else mark(own, half)) for page, v, own in ran)
    return Forest(rows, half, tuple((page, v) for page, v in chosen if not v.ran))


def _told(verdict: Verdict) -> bool:
    """Whether a claim is from the abstract or the conclusion, or has the same answer in all readings."""
    return verdict.headline or verdict.robust is not None


def coverage(pages: Sequence[SuitePage]) -> tuple[Coverage, ...]:
    """pages: every page of every suite."""
    first = [page for page in pages if page.profile == REFERENCE]
    return tuple(Coverage(page, _parts(page.suite, pages)) for page in first)


def _parts(suite: Suite, pages: Sequence[SuitePage]) -> tuple[Part, ...]:
    return tuple(Part(page, _budget(page)) for page in pages if page.suite.id == suite.id)


def _budget(page: SuitePage) -> str:
    if page.reading:
        return f"reading {page.profile.removeprefix('reading-')}"
    return "the paper's budget" if page.profile == REFERENCE else f"profile {page.profile}"


def newest(pages: Sequence[SuitePage]) -> Newest | None:
    """The run that was started last, and its page and cell; None if nothing was run."""
    found = [Newest(page, cell, record) for page in pages for cell in page.cells for record in cell.finished]
    return max(found, key=lambda own: (own.record.provenance.started, own.record.run), default=None)
