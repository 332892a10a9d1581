"""A night from beginning to end: canaries, runs, comparisons, claims, what broke."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.evidence.measures import Evidence as Judged
from bench.nightly import stored
from bench.nightly.budget import PROFILE, Played, play, shares
from bench.nightly.canaries import Ended, Outcome, compared, drawn
from bench.nightly.causes import CAUSES, Finding, changed_packages, exit_code, findings
from bench.nightly.history import ComparisonRecord, FindingRecord, NightRecord
from bench.nightly.references import Comparison, Evidence, comparisons, fresh
from bench.nightly.stored import CanaryFile, Change, Drawn, Reference
from bench.plan import Selection, make_plan
from bench.processes.platforms import Platform, installed, this_platform
from bench.store import Store
from bench.store.provenance import changed_files, source
from bench.suite import Suite
from bench.verdict import Verdict, judge

Event = dict[str, Any]
FILES = 10  # that a finding names


@dataclass(frozen=True)
class Claim:
    """A claim at the nightly budget, on fresh seeds, and at the paper's budget, on the published results."""

    nightly: Verdict
    full: Verdict | None


@dataclass(frozen=True)
class Check:
    """All that a night showed. stored: the canaries compared with, or None. exact: whether they are of this class.

    played: None if only canaries were asked for.
    """

    night: datetime.date
    started: str
    seconds: float
    suites: tuple[str, ...]
    platform: Platform
    packages: dict[str, str]
    stored: CanaryFile | None
    exact: bool
    alike: tuple[str, ...]  # other classes whose stored canaries agree with these to the last bit
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
    """Check a night. store: where fresh seeds go; None for canaries alone. Raises StoreError, SuiteError."""
    began, started = time.monotonic(), now()
    platform, packages = this_platform(), installed()
    files = stored.canary_files(baseline)
    kept, exact = stored.nearest(files, platform)
    accepted, pinned = (stored.reference(path(baseline)) for path in (stored.accepted_path, stored.pinned_path))
    report({"event": "remark", "says": "canaries"})
    times: dict[str, float] = {}

    def ended(canary: Ended) -> None:
        times[canary.name] = times.get(canary.name, 0.0) + canary.seconds
        report({"event": "canary", **canary._asdict()})

    made = drawn(suites, ended)
    nothing = CanaryFile(platform=platform, packages=packages, changes=(), canaries={})
    outcomes = compared(kept or nothing, made, exact, [s.id for s in suites])
    canaries = tuple(dataclasses.replace(one, seconds=times.get(one.name, 0.0)) for one in outcomes)
    played, evidence = None, ()
    if store is not None:
        spent = time.monotonic() - began
        played = play(shares(suites, store, night), store, budget_s - spent, jobs, report, before_s=spent)
        evidence = tuple(fresh_evidence(suites, store))
    moved = tuple(comparisons(evidence, accepted, pinned))
    found = [
        dataclasses.replace(f, says=f"{f.says}; {since(kept)}") if f.cause == "code changed" and kept else f
        for f in findings(canaries, changed_packages(kept, packages), exact, played, moved)
    ]
    return Check(
        night=night,
        started=started,
        seconds=round(time.monotonic() - began, 1),
        suites=tuple(s.id for s in suites),
        platform=platform,
        packages=packages,
        stored=kept,
        exact=exact,
        alike=tuple(stored.alike(kept, files)) if kept else (),
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


def since(kept: CanaryFile) -> str:
    """Which files differ from the commit whose canaries are stored, and whether that tree and this one were clean."""
    then, (_, dirty) = kept.changes[0], source()
    if then.commit is None:
        return "the stored canaries name no commit"
    was = f"commit {then.commit[:10]}, whose canaries are stored{' (of a dirty tree)' if then.dirty else ''}"
    files = changed_files(then.commit)
    if files is None:
        return f"the changes are unknown: {was}, is not in a history here"
    named = ", ".join(files[:FILES]) + (f" and {len(files) - FILES} more" if len(files) > FILES else "")
    state = {True: "dirty", False: "clean", None: "not known"}[dirty]
    return f"since {was}, these files differ: {named or 'none'}; the tree here is {state}"


def fresh_evidence(suites: Sequence[Suite], store: Store) -> list[Evidence]:
    """The fresh seeds of every cell of profile nightly that can run, under the pinned reading, all nights together."""
    found = []
    for suite in (s for s in suites if PROFILE in s.profile):
        cells = make_plan(suite.under(suite.pinned), Selection(profile=PROFILE, reading=suite.pinned)).cells
        records = store.cells({cell.key for cell in cells})
        found += [fresh(cell, records[cell.key].records.values()) for cell in cells]
    return found


def refreshed(
    suites: Sequence[Suite], baseline: Path, reason: str, report: Callable[[Event], None]
) -> tuple[Path, list[Outcome]]:
    """Replace these suites' stored canaries on this platform; the file, and how each compares with the old one.

    Raises StoreError if one fails; then nothing is stored.
    """
    platform, packages = this_platform(), installed()
    made = drawn(suites, lambda canary: report({"event": "canary", **canary._asdict()}))
    if failed := [f"{name}: {why}" for name, why in made.items() if isinstance(why, str)]:
        raise stored.StoreError(f"no canary was stored, because some failed: {'; '.join(failed)}")
    path = stored.canary_path(baseline, platform)
    before = stored.read(path, CanaryFile) if path.exists() else None
    ours = [s.id for s in suites]
    others = {n: c for n, c in before.canaries.items() if n.partition(":")[0] not in ours} if before else {}
    own = {name: one for name, one in made.items() if isinstance(one, Drawn)}
    kept = {n: c for n, c in before.canaries.items() if n in made and n not in own} if before else {}  # not run here
    changes = (change(reason), *(before.changes if before else ()))
    stored.write(
        path,
        CanaryFile(
            platform=platform,
            packages=packages,
            changes=changes,
            canaries=dict(sorted({**others, **kept, **own}.items())),
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
    """Every claim that fresh seeds say anything about."""
    found = []
    for suite in (s for s in suites if PROFILE in s.profile):
        ours, published = (
            judge(Judged(own, selection, where), own.experiment, readings=False)
            for own, selection, where in (
                (suite.under(suite.pinned), Selection(profile=PROFILE, reading=suite.pinned), store),
                (suite, Selection(), baseline),
            )
        )
        full = {(v.id, v.experiment, v.kind): v for v in published}
        found += [Claim(v, full.get((v.id, v.experiment, v.kind))) for v in ours if v.ran]
    return found
