"""A night from beginning to end: canaries, runs, comparisons, claims, what broke."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measures import Evidence as Judged
from bench.nightly import stored
from bench.nightly.budget import PROFILE, Played, play, shares
from bench.nightly.canaries import Outcome, compared, drawn
from bench.nightly.causes import CAUSES, Finding, changed_packages, exit_code, findings
from bench.nightly.history import ComparisonRecord, FindingRecord, NightRecord
from bench.nightly.platforms import Platform, installed, this_platform
from bench.nightly.references import Comparison, Evidence, comparisons, fresh
from bench.nightly.stored import CanaryFile, Change, Reference
from bench.plan import Selection, make_plan
from bench.provenance import source
from bench.store import Store
from bench.suite import Suite
from bench.verdict import Verdict, judge

Event = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """A claim at the nightly budget, on fresh seeds, and at the paper's budget, on the published results."""

    nightly: Verdict
    full: Verdict | None


@dataclass(frozen=True)
class Check:
    """All that a night came to. stored: the canaries compared with, None where there are none; exact: of this class.

    played: None where canaries alone were asked for.
    """

    night: datetime.date
    started: str
    seconds: float
    suites: tuple[str, ...]
    platform: Platform
    packages: dict[str, str]
    stored: CanaryFile | None
    exact: bool
    canaries: tuple[Outcome, ...]
    played: Played | None
    evidence: tuple[Evidence, ...]
    accepted: Reference
    pinned: Reference
    comparisons: tuple[Comparison, ...]
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    damaged: tuple[str, ...]  # fresh records that are not what was written, one line each; they count nowhere

    @property
    def exit_code(self) -> int:
        return exit_code(self.findings)

    @property
    def headline(self) -> str:
        """One line: what broke, by cause, or that nothing did."""
        broke = {f.cause for f in self.findings if f.fails}
        causes = ", ".join(cause for cause in CAUSES if cause in broke)
        return f"Night {self.night}: {causes or 'nothing broke'}"


def check(
    suites: Sequence[Suite],
    night: datetime.date,
    baseline: Path,
    store: Store | None,
    budget_s: float,
    jobs: int,
    report: Callable[[Event], None],
) -> Check:
    """store: where fresh seeds go; None for canaries alone. Raises StoreError, SuiteError."""
    began, started = time.monotonic(), now()
    platform, packages = this_platform(), installed()
    kept, exact = stored.nearest(stored.canary_files(baseline), platform)
    accepted, pinned = (stored.reference(path(baseline)) for path in (stored.accepted_path, stored.pinned_path))
    report({"event": "remark", "says": "canaries"})
    made = drawn(suites)
    nothing = CanaryFile(platform=platform, packages=packages, changes=(), canaries={})
    canaries = tuple(compared(kept or nothing, made, exact, [s.id for s in suites]))
    played, evidence = None, ()
    if store is not None:
        left = budget_s - (time.monotonic() - began)
        played = play(shares(suites, store, night), store, left, jobs, report)
        evidence = tuple(fresh_evidence(suites, store))
    moved = tuple(comparisons(evidence, accepted, pinned))
    found = findings(canaries, changed_packages(kept, packages), exact, played, moved)
    return Check(
        night=night,
        started=started,
        seconds=round(time.monotonic() - began, 1),
        suites=tuple(s.id for s in suites),
        platform=platform,
        packages=packages,
        stored=kept,
        exact=exact,
        canaries=canaries,
        played=played,
        evidence=evidence,
        accepted=accepted,
        pinned=pinned,
        comparisons=moved,
        claims=tuple(_claims(suites, store, Store(baseline))) if store else (),
        findings=tuple(found),
        damaged=store.contents().damaged if store else (),
    )


def fresh_evidence(suites: Sequence[Suite], store: Store) -> list[Evidence]:
    """Of every cell of profile nightly that can run, all nights together."""
    found = []
    for suite in (s for s in suites if PROFILE in s.profile):
        cells = make_plan(suite, Selection(profile=PROFILE)).cells
        records = store.cells({cell.key for cell in cells})
        found += [fresh(cell, records[cell.key].records.values()) for cell in cells]
    return found


def refreshed(suites: Sequence[Suite], baseline: Path, reason: str) -> tuple[Path, list[Outcome]]:
    """Store anew what these suites' canaries come to on this platform; the file, and what became of each before.

    Raises StoreError where one fails: nothing is stored then.
    """
    platform, packages, made = this_platform(), installed(), drawn(suites)
    if failed := [f"{name}: {why}" for name, why in made.items() if isinstance(why, str)]:
        raise stored.StoreError("no canary was stored, for some failed:\n" + "\n".join(failed))
    path = stored.canary_path(baseline, platform)
    before = stored.read(path, CanaryFile) if path.exists() else None
    ours = [s.id for s in suites]
    others = {n: c for n, c in before.canaries.items() if n.partition(":")[0] not in ours} if before else {}
    own = {name: one for name, one in made.items() if not isinstance(one, str)}
    changes = (change(reason), *(before.changes if before else ()))
    stored.write(
        path,
        CanaryFile(
            platform=platform, packages=packages, changes=changes, canaries=dict(sorted({**others, **own}.items()))
        ),
    )
    return path, [*compared(before, made, True, ours)] if before else []


def change(reason: str) -> Change:
    commit, dirty = source()
    return Change(when=now(), reason=reason, commit=commit, dirty=dirty)


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def night_record(done: Check) -> NightRecord:
    commit, dirty = source()
    played, names = done.played or Played(), {e.cell.key: e.name for e in done.evidence}
    states = [c.state for c in done.canaries]
    return NightRecord(
        night=done.night,
        started=done.started,
        seconds=done.seconds,
        commit=commit,
        dirty=dirty,
        platform=done.platform.name,
        exact=done.exact,
        packages=done.packages,
        suites=done.suites,
        exit_code=done.exit_code,
        findings=tuple(FindingRecord(cause=f.cause, says=f.says, fails=f.fails) for f in done.findings),
        canaries={state: states.count(state) for state in dict.fromkeys(states)},
        cells={names[key]: tuple(runs) for key, runs in played.finished.items()},
        failed=played.failed,
        again=played.again,
        postponed=played.postponed,
        comparisons=tuple(
            ComparisonRecord(
                name=c.name,
                scenario=c.scenario,
                against=c.against,
                state=c.state,
                recent=len(c.recent),
                known=len(c.known),
                shift=c.shift,
                p=c.p,
                level=c.level,
            )
            for c in done.comparisons
        ),
    )


def _claims(suites: Sequence[Suite], store: Store, baseline: Store) -> list[Claim]:
    """Every claim on which fresh seeds say anything."""
    found = []
    for suite in (s for s in suites if PROFILE in s.profile):
        ours, published = (
            judge(Judged(suite, Selection(profile=profile), where), suite.experiment)
            for profile, where in ((PROFILE, store), ("full", baseline))
        )
        full = {(v.id, v.experiment, v.kind): v for v in published}
        found += [Claim(v, full.get((v.id, v.experiment, v.kind))) for v in ours if v.verdict != "not_run"]
    return found
