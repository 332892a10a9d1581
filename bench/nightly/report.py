"""A night as Markdown for a job's page, as JUnit XML and as JSON. docs/nightly.md explains how to read them."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.nightly.canaries import TOLERANCES
from bench.nightly.causes import Finding, changed_packages
from bench.nightly.checking import Check, Claim, night_record
from bench.nightly.history import NightRecord
from bench.nightly.junit import junit
from bench.nightly.nights import night_of
from bench.nightly.references import WINDOW, Comparison, Evidence
from bench.nightly.stored import MOST_BYTES
from bench.nightly.trends import draw_trends
from bench.output.escaping import markdown
from bench.report.markdown import table
from bench.report.numbers import found, number
from bench.store import StoreError, readable, write_atomically
from bench.store.files import HOLDS_HOME, holds_home
from bench.suite.foreign import read_bytes

BARS = "▁▂▃▄▅▆▇█"
NIGHTS_SHOWN = 30
FILES = ("summary.md", "junit.xml", "night.json", "trends.svg")
STATES = {
    "same": "repeat to the last bit",
    "close": "agree within the tolerance",
    "differs": "differ",
    "settings": "have other settings than the stored ones",
    "missing": "have no stored numbers",
    "gone": "are stored but no longer made",
    "absent": "need an environment that is not installed here",
    "failed": "failed",
}


def require_folder(folder: Path) -> None:
    """Raise StoreError if writing a night there would replace files that no night wrote."""
    if holds_home(folder):
        raise StoreError(f"{folder}: {HOLDS_HOME} with --out")
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder}: is no folder; name a new one, or a night's, with --out")
    if there := [name for name in FILES if os.path.lexists(folder / name)]:
        try:
            body = json.loads(read_bytes(folder / "night.json", MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or not {"night", "each_canary"} <= body.keys():
            held = f"holds {', '.join(there)} and no night"
            raise StoreError(f"{folder}: {held}; move them away, or name another folder with --out")


def write_night(done: Check, history: Sequence[NightRecord], damaged: Sequence[str], folder: Path) -> Path:
    """summary.md, junit.xml, night.json and trends.svg in a folder; the path of summary.md. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = draw_trends(done, folder / "trends.svg")
        write_atomically(folder / "junit.xml", junit(done))
        write_atomically(folder / "night.json", readable(night_json(done)))
        lines = [*summary(done, history, damaged)]
        if drawn:
            lines += ["", "![each cell's fresh seeds, night by night](trends.svg)"]
        write_atomically(folder / "summary.md", ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise StoreError(f"report in {folder} cannot be written: {error.strerror}") from error
    return folder / "summary.md"


def night_json(done: Check) -> dict[str, Any]:
    """The night's record, and each canary and claim."""
    return night_record(done).model_dump(mode="json") | {
        "each_canary": [dataclasses.asdict(c) for c in done.canaries],
        "not_counted": done.damaged,
        "changed_packages": changed_packages(done.stored, done.packages),
        "claims": [
            {
                "claim": c.nightly.id,
                "suite_says": c.nightly.says,
                "experiment": c.nightly.experiment,
                "nightly": c.nightly.reason,
                "full_budget": c.full.verdict if c.full else "not_run",
                "seeds": c.nightly.seeds,
            }
            for c in done.claims
        ],
    }


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    return [f"{f.cause}{'' if f.fails else ' (no failure)'}: {f.says}" for f in findings]


def platform_line(done: Check) -> str:
    """What the canaries were compared with, and how."""
    if done.stored is None:
        return f"No canary is stored for any platform class; this one is `{done.platform.name}`."
    if done.exact:
        alike = f" These classes agree with it: {', '.join(f'`{name}`' for name in done.alike)}." if done.alike else ""
        return f"Platform class `{done.platform.name}`, known: canaries are compared to the last bit.{alike}"
    unknown = f"Platform class `{done.platform.name}` is unknown"
    if done.canaries and all(c.state == "same" for c in done.canaries):
        same = f"but every canary repeats the stored numbers of `{done.stored.platform.name}` to the last bit"
        return f"{unknown}, {same}: no tolerance was used."
    early, late = (f"{100 * most:g}%" for most in (TOLERANCES[0], TOLERANCES[-1]))
    return (
        f"{unknown}: canaries are compared with those of `{done.stored.platform.name}` within a tolerance ({early} in "
        f"the first half of training, {late} in the second). It hides small changes of the code; "
        "`bench nightly refresh-canary` makes the class known."
    )


def canary_line(done: Check) -> str:
    states = [c.state for c in done.canaries]
    counts = [f"{states.count(state)} {says}" for state, says in STATES.items() if state in states]
    return f"{len(states)} canaries: {', '.join(counts) or 'none can run here'}."


def summary(done: Check, history: Sequence[NightRecord], damaged: Sequence[str]) -> Iterator[str]:
    yield f"# {done.headline}"
    yield ""
    suites = ", ".join(f"`{s}`" for s in done.suites)
    yield f"Suites {suites}; {done.seconds:.0f} s; exit code {done.exit_code}."
    for line in finding_lines(done.findings):
        yield ""
        cause, _, says = line.partition(": ")
        yield f"- **{cause}**: {markdown(says)}"
    yield ""
    yield "## Canaries"
    yield ""
    yield canary_line(done)
    yield platform_line(done)
    told = [(c.name, c.state, c.says) for c in done.canaries if c.says]
    if told:
        yield ""
        yield from table(("canary", "state", "what"), told)
    if done.played is not None:
        yield from _runs(done)
        yield from _cells(done)
        yield from _claims(done.claims)
    yield from _history(history)
    for problem in (*done.damaged, *damaged):
        yield ""
        yield f"**Not counted**: {markdown(problem)}"


def sparkline(values: Sequence[float]) -> str:
    """One bar per value; the lowest and the highest are the scale's ends."""
    low, high = min(values), max(values)
    if high == low:
        return BARS[len(BARS) // 2] * len(values)
    return "".join(BARS[round((v - low) / (high - low) * (len(BARS) - 1))] for v in values)


def by_night(scores: Mapping[int, float]) -> dict[datetime.date, list[float]]:
    """Fresh seeds' scores by the night they belong to, in order."""
    found: dict[datetime.date, list[float]] = {}
    for seed in sorted(scores):
        if night := night_of(seed):
            found.setdefault(night, []).append(scores[seed])
    return found


def _runs(done: Check) -> Iterator[str]:
    played = done.played
    assert played is not None
    yield ""
    yield "## Runs"
    yield ""
    finished = f"{played.runs} runs of {len(played.finished)} cells finished"
    yield f"{finished}, {len(played.failed)} failed, {len(played.postponed)} cells postponed."
    rows = [
        *((name, "failed twice", why) for name, why in played.failed.items()),
        *((name, "failed once, then finished", why) for name, why in played.again.items()),
        *((name, "postponed", why) for name, why in played.postponed.items()),
    ]
    if rows:
        yield ""
        yield from table(("what", "state", "why"), rows)


def _cells(done: Check) -> Iterator[str]:
    yield ""
    yield "## Cells"
    yield ""
    yield "Final scores of fresh seeds. Trend: one bar per night, lowest to highest. Against a reference: how much"
    yield f"higher the last {WINDOW} seeds after it are, p of the exact rank-sum test, the level that p had to reach,"
    yield "and both numbers of seeds."
    yield ""
    head = ("cell", "scenario", "trend", "its last night", "seeds", "mean", "against accepted", "against pinned")
    yield from table(head, (row for e in done.evidence for row in _cell_rows(done, e)))


def _cell_rows(done: Check, evidence: Evidence) -> Iterator[tuple[str, ...]]:
    told = {(c.cell, c.scenario, c.against): c for c in done.comparisons}
    for scenario, scores in evidence.scores.items():
        sides = []
        for against, reference in (("accepted", done.accepted), ("pinned", done.pinned)):
            none = "no fresh seeds since" if evidence.cell.key in reference.cells else "no reference yet"
            c = told.get((evidence.cell.key, scenario, against))
            sides.append(_comparison(c) if c else none)
        nights = [*by_night(scores).items()][-NIGHTS_SHOWN:]
        if nights:
            means = [statistics.fmean(own) for _, own in nights]
            trend = (sparkline(means), str(nights[-1][0]), str(len(scores)), number(means[-1]))
        else:
            trend = ("", "never", "0", "-")
        yield (evidence.name, scenario, *trend, *sides)


def _comparison(c: Comparison) -> str:
    seeds = f"{len(c.recent)} against {len(c.known)} seeds"
    return f"{c.state}: {c.shift:+.3g} (p {c.p:.2g}, asked {c.level:.2g}; {seeds})"


def _claims(claims: Sequence[Claim]) -> Iterator[str]:
    yield ""
    yield "## The papers' claims"
    yield ""
    if not claims:
        yield "Fresh seeds say nothing about any claim yet."
        return
    yield "At the nightly budget a claim has only a direction; its verdict comes from the published results. No alarm"
    yield "rests on these."
    yield ""
    head = ("claim", "in", "fresh seeds", "found [90%]", "at the nightly budget", "at the paper's budget")
    rows = (
        (
            c.nightly.says,
            c.nightly.experiment,
            str(c.nightly.seeds),
            found(c.nightly),
            c.nightly.reason,
            c.full.verdict if c.full else "not_run",
        )
        for c in claims
    )
    yield from table(head, rows)


def _history(history: Sequence[NightRecord]) -> Iterator[str]:
    if not history:
        return
    yield ""
    yield "## Nights"
    yield ""
    rows = [
        (
            str(n.night),
            str(n.exit_code),
            ", ".join(dict.fromkeys(f.cause for f in n.findings if f.fails)) or "nothing broke",
            str(sum(len(runs) for runs in n.cells.values())),
            (n.commit or "unknown")[:10] + (" (dirty)" if n.dirty else ""),
            n.platform,
        )
        for n in reversed(history[-NIGHTS_SHOWN:])
    ]
    yield from table(("night", "exit code", "what broke", "runs", "commit", "platform"), rows)
