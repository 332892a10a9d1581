"""What the page of a suite says under one profile, or under another reading."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.audit import HOLDS, Finding
from bench.evidence.measures import Evidence
from bench.guests.entrants import entrants
from bench.plan import Note, Waiting
from bench.report.boards import APART, REFERENCE, Board, boards, main_board, needs
from bench.report.card import suite_card
from bench.report.finding import finding
from bench.report.papertables import PaperTable, paper_tables
from bench.report.specification import Specification, specifications
from bench.report.tabular import Tables
from bench.report.terminal import family_lines
from bench.site.cells import CellPage, Finishing, cell_page, finishing, homes_of
from bench.site.elsewhere import Entrant, ImportedScore, compared_entrants, imported_scores
from bench.site.joint import Joint, joint_charts
from bench.store import Record
from bench.suite import PRIMARY, Claim, Printed, Suite, Untestable
from bench.verdict import CODES, TransferMetric, Verdict, counts, judge, transfer_metrics
from bench.verdict.retention import Retained, retentions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SuitePage:
    """A suite's results under a profile, or under another reading: then `profile` is "reading-" and its id.

    boards: those with any run.
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
    retained: tuple[Retained, ...]
    entrants: tuple[Entrant, ...]
    imported: tuple[ImportedScore, ...]  # only with the reference profile: they have no budget of ours
    cells: tuple[CellPage, ...]
    finishing: Finishing | None
    waiting: tuple[Waiting, ...]
    failures: tuple[str, ...]
    findings: tuple[Finding, ...]
    specifications: Mapping[tuple[str, str], Specification]  # by claim and experiment
    joint: tuple[Joint, ...]

    @property
    def claims(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.kind != "published")

    @property
    def judged(self) -> tuple[Verdict, ...]:
        """Claims with any run."""
        return tuple(v for v in self.claims if v.ran)

    @property
    def unjudged(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.claims if not v.ran)

    @property
    def finding(self) -> tuple[str, str, str]:
        """The paper's outcome in three sentences."""
        return finding(self.claims, self.runs, self.asked, directions=self.reduced)

    def score_cell(self, value: Printed) -> str | None:
        """The key of the cell that a printed value is compared with; None if there is none or several."""
        home = (value.experiment, value.method)
        found = {
            own.cell.key
            for own in self.cells
            if home in own.homes and value.scenario in own.cell.scenarios
            if value.group in (None, own.cell.training_set)
        }
        return found.pop() if len(found) == 1 else None

    @property
    def forms(self) -> tuple[str, ...]:
        """The formats of the tables to download; JSON and Markdown, the largest, only at the papers' own budgets."""
        return ("csv", "latex") if self.reduced else ("csv", "json", "latex", "md")

    def card(self) -> Figure:
        """A picture of 1200 x 630 for link previews."""
        reading = (
            f" --reading {self.profile.removeprefix('reading-')}" if self.reading else f" --profile {self.profile}"
        )
        return suite_card(self.suite, self.claims, f"bench check {self.suite.id}{reading}")

    @property
    def judged_tables(self) -> tuple[PaperTable, ...]:
        """Tables with any run."""
        return tuple(own for own in self.tables if _judged(own))

    @property
    def unjudged_tables(self) -> tuple[PaperTable, ...]:
        return tuple(own for own in self.tables if not _judged(own))

    @property
    def ran(self) -> tuple[CellPage, ...]:
        """Cells with a run; these have pages."""
        return tuple(own for own in self.cells if own.ran)

    @property
    def planned(self) -> tuple[CellPage, ...]:
        return tuple(own for own in self.cells if not own.ran)

    @property
    def compared(self) -> tuple[Verdict, ...]:
        """Claims with more than one reading that was run."""
        return tuple(v for v in self.claims if v.holds_in is not None and v.holds_in[1] > 1)

    def robust(self, answer: str) -> tuple[Verdict, ...]:
        """Claims with this answer, yes or no, in every reading that was run, and in at least two."""
        return tuple(v for v in self.compared if v.robust == answer)

    @property
    def all_tables(self) -> Tables:
        """The page's tables, for its files to download: at a reduced budget or under a reading those with any run."""
        if self.reduced:
            return Tables(self.judged_tables, self.judged, self.boards, self.transfer)
        return Tables(self.tables, self.claims, self.boards, self.transfer)

    @property
    def values(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.verdicts if v.kind == "published")

    @property
    def notes(self) -> tuple[Note, ...]:
        """Deviations of all cells that were run, each once."""
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
        """Whether the page is of another reading than the primary one."""
        return self.profile.startswith("reading-")

    @property
    def needs(self) -> tuple[str, ...]:
        """What is missing before anything of the suite can run; nothing if something can."""
        return tuple(needs(self.suite))

    @property
    def audited(self) -> dict[str, int]:
        """How many findings hold, and so on."""
        return {holds: sum(f.holds == holds for f in self.findings) for holds in HOLDS}

    @property
    def checkable(self) -> int:
        """How many findings the printed numbers can check."""
        return len(self.findings) - self.audited["not_checkable"] - self.audited["conflict"]


def _judged(table: PaperTable) -> bool:
    return any(entry.verdict.ran for entries in table.entries for entry in entries)


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
        retained=tuple(kept for e in suite.experiment for kept in retentions(evidence, e)),
        entrants=tuple(compared_entrants(evidence, entered)),
        imported=tuple(() if apart else imported_scores(evidence)),
        cells=tuple(cells),
        finishing=finishing(evidence, cells),
        waiting=evidence.plan.waiting,
        failures=tuple(evidence.failures),
        findings=tuple(findings),
        specifications=specifications(suite.id, verdicts),
        joint=tuple(joint_charts(evidence, entered)),
    )


def _cells(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[CellPage]:
    homes = homes_of(evidence)
    about: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        about.setdefault((verdict.experiment, verdict.method), []).append(verdict)
    return [cell_page(evidence, cell, homes.get(cell.key, []), about) for cell in evidence.plan.cells]


def cpu_seconds(page: CellPage) -> float | None:
    """CPU seconds per seed, the median."""
    return statistics.median(r.provenance.cpu_s for r in page.finished) if page.finished else None


def versions(record: Record) -> str:
    """The packages of a run."""
    return ", ".join(f"{name} {version}" for name, version in sorted(record.provenance.packages.items()))


def tally(verdicts: Sequence[Verdict]) -> list[tuple[str, int]]:
    """Codes that occur, with how often, in their fixed order."""
    found = counts(verdicts)
    return [(code, found[code]) for code in CODES if found[code]]
