"""What has changed: nights, verdicts that turned since another site, and when references were moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.site import names
from bench.site.replacing import MOST_BYTES, SiteError
from bench.site.suites import SuitePage
from bench.suite.foreign import read_bytes
from bench.verdict import Verdict


@dataclass(frozen=True)
class Night:
    """The outcome of one nightly check. causes: what broke; empty if nothing did."""

    night: str
    causes: tuple[str, ...]
    findings: tuple[str, ...]
    canaries: str
    cells: int
    commit: str | None


@dataclass(frozen=True)
class Moved:
    """A reference of the nightly check that was moved."""

    what: str
    when: str
    reason: str
    commit: str | None


@dataclass(frozen=True)
class News:
    """before: another site's folder, whose verdicts these are compared with; None if none was named."""

    nights: tuple[Night, ...] = ()
    moved: tuple[Moved, ...] = ()
    before: Path | None = None


@dataclass(frozen=True)
class Turned:
    """A claim whose verdict has changed."""

    page: SuitePage
    verdict: Verdict
    before: str


QUIET = News()


def turned(before: Path, pages: Sequence[SuitePage]) -> Iterator[Turned]:
    """Claims of both sites, by id and experiment, whose verdicts differ. Raises SiteError if there is no site."""
    if not (before / "site.json").is_file():
        raise SiteError(f"{before}: no site of `bench leaderboard`; name the folder of one with --since")
    for page in pages:
        then = _verdicts(before / names.tables_file(page.suite.id, page.profile, "json"))
        for v in page.claims:
            was = then.get((v.id, v.experiment), v.verdict)
            if was != v.verdict:
                yield Turned(page, v, was)


def _verdicts(path: Path) -> dict[tuple[str, str], str]:
    """The verdicts on a site's claims; none if it lacks the suite. Raises SiteError."""
    try:
        rows = json.loads(read_bytes(path, MOST_BYTES))["rows"]
        return {(str(r["id"]), str(r["experiment"])): str(r["verdict"]) for r in rows if r.get("says") and r["verdict"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SiteError(f"{path}: not what `bench leaderboard` wrote; build that site again") from error
