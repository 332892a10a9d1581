"""The first page: what was found, how much was run, and every method in every suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.report.boards import APART, Board, Row
from bench.report.card import papers_card
from bench.site.found import Coverage, Forest, Newest, coverage, forest, newest
from bench.site.suites import SuitePage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Column:
    """A suite in a table of the overview. board: None if nothing of this kind is declared."""

    page: SuitePage
    board: Board | None

    def row(self, method: str) -> Row | None:
        return next((r for r in self.board.rows if r.method == method), None) if self.board else None

    def elsewhere(self, method: str) -> str:
        """Why a method of the suite has no row here: another board has it, or none does. "" for other methods."""
        apart = self.board is not None and self.board.kind != "reference"
        if apart or not any(method in e.methods for e in self.page.suite.experiment):
            return ""
        ran = {r.method for board in self.page.boards for r in board.rows if any(final.seeds for final in r.finals)}
        return "on another board" if method in ran else "not run"


@dataclass(frozen=True)
class Overview:
    """What was found in all papers; then tables with one row per method, one column per suite, reference first."""

    pages: tuple[SuitePage, ...]
    forest: Forest
    coverage: tuple[Coverage, ...]
    newest: Newest | None
    reference: tuple[Column, ...]
    substitutes: tuple[Column, ...]
    reduced: tuple[Column, ...]

    def card(self) -> Figure:
        """A picture of 1200 x 630 for link previews."""
        shown = [(row.page.suite, row.verdict, row.own) for row in self.forest.rows if row.own is not None]
        return papers_card(shown, [v for page in self.pages for v in page.claims], "bench leaderboard")

    @property
    def finding(self) -> str:
        """The finding in one sentence, for link previews."""
        runs = sum(part.page.runs for own in self.coverage for part in own.parts[:1])
        judged = sum(own.judged for own in self.coverage)
        return f"{judged} claims of {len(self.pages)} papers judged on {runs:,} runs at the papers' own budgets."

    @staticmethod
    def methods(columns: Sequence[Column]) -> list[str]:
        """Every method of these columns, those with a number first; at the papers' own budgets all that suites have."""
        rows = [row for column in columns for row in (column.board.rows if column.board else ())]
        ran = {row.method for row in rows if any(final.seeds for final in row.finals)}
        reference = [column for column in columns if column.board is None or column.board.kind == "reference"]
        declared = [m for column in reference for e in column.page.suite.experiment for m in e.methods]
        return sorted(dict.fromkeys([*(row.method for row in rows), *declared]), key=lambda m: m not in ran)

    @staticmethod
    def outside(columns: Sequence[Column], method: str) -> bool:
        """Whether a method of these columns is from elsewhere."""
        return any(row.outside for column in columns if (row := column.row(method)) is not None)


def overview(pages: Sequence[SuitePage]) -> Overview:
    """pages: of every suite under the reference profile, and under reduced ones that have runs."""
    full = [page for page in pages if not page.reduced]
    apart = [page for page in full if (board := page.main.get(APART)) and board.finished]
    return Overview(
        pages=tuple(full),
        forest=forest(full),
        coverage=coverage(pages),
        newest=newest(pages),
        reference=tuple(Column(page, page.main.get("reference")) for page in full),
        substitutes=tuple(Column(page, page.main[APART]) for page in apart),
        reduced=tuple(Column(page, page.main["reduced"]) for page in pages if page.reduced and page.main),
    )
