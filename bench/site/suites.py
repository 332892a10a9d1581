"""What the page of a suite says under one profile, and the overview of all suites."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.audit import HOLDS, Finding
from bench.evidence.measures import Evidence
from bench.guests.entrants import entrants
from bench.plan import Note, Waiting
from bench.report.boards import APART, REFERENCE, Board, Row, boards, main_board, needs
from bench.report.papertables import PaperTable, paper_tables
from bench.report.specification import Specification, specifications
from bench.report.tabular import Tables
from bench.report.terminal import family_lines
from bench.site.cells import CellPage, Finishing, cell_page, finishing, homes_of
from bench.site.elsewhere import Entrant, ImportedScore, compared_entrants, imported_scores
from bench.store import Record
from bench.suite import PRIMARY, Claim, Suite, Untestable
from bench.verdict import CODES, TransferMetric, Verdict, counts, judge, transfer_metrics


@dataclass(frozen=True)
class SuitePage:
    """A suite's results under a profile, or under another reading: then `profile` is "reading-" and its id.

    boards: those of which anything was run.
    """

    suite: Suite
    profile: str
    profile_says: str
    boards: tuple[Board, ...]
    main: Mapping[str, Board]  # by kind, for the overview
    verdicts: tuple[Verdict, ...]
    stands: tuple[str, ...]  # what stands after correction
    tables: tuple[PaperTable, ...]
    untestable: tuple[Claim, ...]
    transfer: tuple[TransferMetric, ...]
    entrants: tuple[Entrant, ...]
    imported: tuple[ImportedScore, ...]  # with the reference profile alone: they have no budget of ours
    cells: tuple[CellPage, ...]
    finishing: Finishing | None
    waiting: tuple[Waiting, ...]
    failures: tuple[str, ...]
    findings: tuple[Finding, ...]
    specifications: Mapping[tuple[str, str], Specification]  # by claim and experiment

    @property
    def claims(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.kind != "published")

    @property
    def compared(self) -> tuple[Verdict, ...]:
        """Claims of which more than one reading was run."""
        return tuple(v for v in self.claims if v.holds_in is not None and v.holds_in[1] > 1)

    def robust(self, answer: str) -> tuple[Verdict, ...]:
        """Claims that come to this, yes or no, in every reading that was run, of two at least."""
        return tuple(v for v in self.compared if v.robust == answer)

    @property
    def all_tables(self) -> Tables:
        """What the files of tables hold: the page's own."""
        return Tables(self.tables, self.claims, self.boards, self.transfer)

    @property
    def values(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.kind == "published")

    @property
    def notes(self) -> tuple[Note, ...]:
        """Deviations of anything that was run, each once."""
        return tuple(dict.fromkeys(n for page in self.cells if page.finished for n in page.notes))

    @property
    def runs(self) -> int:
        return sum(len(page.finished) for page in self.cells)

    @property
    def asked(self) -> int:
        """Runs of all cells that can run."""
        return sum(len(page.cell.seeds) for page in self.cells)

    @property
    def reduced(self) -> bool:
        return self.profile != REFERENCE

    @property
    def reading(self) -> bool:
        """Whether it is of another reading than the primary one."""
        return self.profile.startswith("reading-")

    @property
    def needs(self) -> tuple[str, ...]:
        """What is missing before anything of it can run; nothing where something can."""
        return tuple(needs(self.suite))

    @property
    def audited(self) -> dict[str, int]:
        """How many findings hold, and so on."""
        return {holds: sum(f.holds == holds for f in self.findings) for holds in HOLDS}

    @property
    def checkable(self) -> int:
        """Findings that the printed numbers say something of."""
        return len(self.findings) - self.audited["not_checkable"] - self.audited["conflict"]


@dataclass(frozen=True)
class Column:
    """A suite in a table of the overview. board: None where nothing of this kind is declared."""

    page: SuitePage
    board: Board | None

    def row(self, method: str) -> Row | None:
        return next((r for r in self.board.rows if r.method == method), None) if self.board else None

    def elsewhere(self, method: str) -> str:
        """Why a method of the suite has no row here: its other boards have it, or nothing; nothing of any other."""
        apart = self.board is not None and self.board.kind != "reference"
        if apart or not any(method in e.methods for e in self.page.suite.experiment):
            return ""
        ran = {r.method for board in self.page.boards for r in board.rows if any(final.seeds for final in r.finals)}
        return "on another board" if method in ran else "not run"


@dataclass(frozen=True)
class Overview:
    """One row a method, one column a suite; what stands apart in tables of its own."""

    pages: tuple[SuitePage, ...]
    reference: tuple[Column, ...]
    substitutes: tuple[Column, ...]
    reduced: tuple[Column, ...]

    @staticmethod
    def methods(columns: Sequence[Column]) -> list[str]:
        """Every method of these columns, those with a number first; at the papers' budgets all that the suites have."""
        rows = [row for column in columns for row in (column.board.rows if column.board else ())]
        ran = {row.method for row in rows if any(final.seeds for final in row.finals)}
        reference = [column for column in columns if column.board is None or column.board.kind == "reference"]
        declared = [m for column in reference for e in column.page.suite.experiment for m in e.methods]
        return sorted(dict.fromkeys([*(row.method for row in rows), *declared]), key=lambda m: m not in ran)

    @staticmethod
    def outside(columns: Sequence[Column], method: str) -> bool:
        """Whether a method of these columns is from elsewhere."""
        return any(row.outside for column in columns if (row := column.row(method)) is not None)


def suite_page(evidence: Evidence, findings: Sequence[Finding]) -> SuitePage:
    """Everything about a suite under the evidence's profile."""
    suite, profile, reading = evidence.suite, evidence.selection.profile, evidence.selection.reading
    apart = profile != REFERENCE or reading != PRIMARY
    verdicts = judge(evidence, suite.experiment)
    entered, cells = entrants(evidence), _cells(evidence, verdicts)
    found = boards(evidence, apart, entered)
    return SuitePage(
        suite=suite,
        profile=profile if reading == PRIMARY else f"reading-{reading}",
        profile_says=suite.profile[profile].says if reading == PRIMARY else suite.readings[reading].says,
        boards=tuple(board for board in found if board.finished),
        main={kind: board for kind in ("reference", APART, "reduced") if (board := main_board(found, kind))},
        verdicts=tuple(verdicts),
        stands=tuple(family_lines(verdicts)),
        tables=tuple(paper_tables(suite, suite.experiment, verdicts)),
        untestable=tuple(c for c in suite.claim if isinstance(c.test, Untestable)),
        transfer=tuple(metric for e in suite.experiment for metric in transfer_metrics(evidence, e)),
        entrants=tuple(compared_entrants(evidence, entered)),
        imported=tuple(() if apart else imported_scores(evidence)),
        cells=tuple(cells),
        finishing=finishing(evidence, cells),
        waiting=evidence.plan.waiting,
        failures=tuple(evidence.failures),
        findings=tuple(findings),
        specifications=specifications(suite.id, verdicts),
    )


def _cells(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[CellPage]:
    homes = homes_of(evidence)
    about: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        about.setdefault((verdict.experiment, verdict.method), []).append(verdict)
    return [cell_page(evidence, cell, homes.get(cell.key, []), about) for cell in evidence.plan.cells]


def overview(pages: Sequence[SuitePage]) -> Overview:
    """pages: of every suite under the reference profile, and under reduced ones that have runs."""
    full = [page for page in pages if not page.reduced]
    apart = [page for page in full if (board := page.main.get(APART)) and board.finished]
    return Overview(
        pages=tuple(full),
        reference=tuple(Column(page, page.main.get("reference")) for page in full),
        substitutes=tuple(Column(page, page.main[APART]) for page in apart),
        reduced=tuple(Column(page, page.main["reduced"]) for page in pages if page.reduced and page.main),
    )


def cpu_seconds(page: CellPage) -> float | None:
    """Of a seed, the median."""
    return statistics.median(r.provenance.cpu_s for r in page.finished) if page.finished else None


def versions(record: Record) -> str:
    """The packages of a run."""
    return ", ".join(f"{name} {version}" for name, version in sorted(record.provenance.packages.items()))


def tally(verdicts: Sequence[Verdict]) -> list[tuple[str, int]]:
    """Codes that occur, with how often, in their fixed order."""
    found = counts(verdicts)
    return [(code, found[code]) for code in CODES if found[code]]
