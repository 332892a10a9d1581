"""Frozen values -> HTML and SVG by the templates beside this file. Only `documents` makes HTML; all else is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench import __version__
from bench.audit import HOLDS
from bench.compare.report import made
from bench.report.audit import WORDS
from bench.report.numbers import (
    METRICS,
    classes,
    compatible,
    compatible_known,
    effect,
    found,
    interval,
    number,
    seeds_judged,
    seeds_to_decide,
)
from bench.report.readings import LEGEND
from bench.report.words import IMPLEMENTATIONS, across_readings, details, in_readings, sentence
from bench.site import badges, names
from bench.site.cells import CellPage, charts, hyperparameters
from bench.site.changes import News, Turned
from bench.site.documents import DOCUMENTS, Document
from bench.site.overview import Overview
from bench.site.settings import Settings, paper_links
from bench.site.suites import SuitePage, cpu_seconds, tally, versions
from bench.stats.intervals import Interval
from bench.suite import Method
from bench.suite.shipped import available
from bench.verdict import CODES, Verdict

SITE_VERSION = 3  # of the site's addresses and of site.json
SYMBOLS = {
    "reproduced": "✓",
    "exceeds": "▲",
    "not_reproduced": "✗",
    "inconclusive": "?",
    "depends_on_reading": "?",
    "also_untrained": "○",
    "not_comparable": "≠",
    "not_run": "–",
    "yes": "✓",
    "no": "✗",
    "tie": "=",
    "undefined": "?",
    "conflict": "≠",
    "not_checkable": "–",
}
STATIC = Path(__file__).parent / "static"


class Renderer:
    """All templates with what every page shows: the suites, their versions, and the documents."""

    def __init__(self, pages: Sequence[SuitePage], settings: Settings):
        self.env = Environment(
            loader=PackageLoader("bench.site"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.env.filters |= {"number": number, "mean": mean, "data": data}
        self.env.globals |= {
            "version": __version__,
            "site_version": SITE_VERSION,
            "suites": [page.suite for page in pages if not page.reduced],
            "documents": DOCUMENTS,
            "symbols": SYMBOLS,
            "codes": CODES,
            "holds_words": WORDS,
            "holds": HOLDS,
            "metrics": METRICS,
            "address": names,
            "found": found,
            "effect": effect,
            "made": made,
            "classes": classes,
            "details": details,
            "sentence": sentence,
            "in_readings": in_readings,
            "across_readings": across_readings,
            "legend": LEGEND,
            "owners": lambda method: {page.suite.id for page in pages if method in {m.id for m in page.suite.method}},
            "methods": {(page.suite.id, m.id) for page in pages for m in page.suite.method},
            "paper_links": paper_links,
            "shipped": available(),
            "in_its_readings": in_its_readings,
            "settings": settings,
            "implementations": IMPLEMENTATIONS,
            "compatible": compatible,
            "compatible_known": compatible_known,
            "seeds_judged": seeds_judged,
            "seeds_to_decide": seeds_to_decide,
            "cpu_seconds": cpu_seconds,
            "tally": tally,
            "versions": versions,
        }

    def overview(self, shown: Overview) -> str:
        return self._page("overview.html", "", overview=shown)

    def suite(self, page: SuitePage, others: Sequence[SuitePage]) -> str:
        """others: the same suite under other profiles."""
        return self._page("suite.html", "../", page=page, others=others, paged={c.cell.key for c in page.ran})

    def claims(self, pages: Sequence[SuitePage]) -> str:
        """pages: of every suite under the reference profile."""
        return self._page("claims.html", "", pages=pages)

    def method(self, pages: Sequence[SuitePage], method: Method) -> str:
        """pages: of the method's suite, the one of the reference profile first."""
        first = pages[0]
        cells = [(page, cell) for page in pages for cell in page.cells if cell.cell.method == method.id]
        shown = [(page, cell) for page, cell in cells if cell.ran or page is first]
        settings = first.suite.settings(method.id)
        apart = {f"{name} on {s}": own for s, given in method.hyperparameters_on.items() for name, own in given.items()}
        return self._page(
            "method.html",
            "../../",
            page=first,
            own=method,
            cells=list({cell.cell.key: (page, cell) for page, cell in reversed(shown)}.values())[::-1],
            verdicts=[v for v in first.claims if v.method == method.id],
            rows=[
                *hyperparameters(
                    settings | apart, {name: own.value for name, own in (method.hyperparameters | apart).items()}
                )
            ],
        )

    def changes(self, news: News, turned: Sequence[Turned]) -> str:
        return self._page("changes.html", "", news=news, turned=turned)

    def cell(self, page: SuitePage, cell: CellPage) -> str:
        return self._page("cell.html", "../../", page=page, own=cell, charts={"panels": charts(page.suite, cell)})

    def audit(self, page: SuitePage) -> str:
        return self._page("audit.html", "../", page=page)

    def document(self, document: Document) -> str:
        return self._page("document.html", "", document=document, body=Markup(document.html))

    def badge(self, page: SuitePage) -> str:
        counts = dict.fromkeys(CODES, 0) | dict(tally(page.claims))
        found_parts = badges.parts(page.suite.id, page.suite.version, counts)
        return self._page("badge.svg", "", parts=found_parts, height=badges.HEIGHT, suite_of=page.suite)

    def _page(self, template: str, root: str, **values: Any) -> str:
        return self.env.get_template(template).render(root=root, **values)


def in_its_readings(v: Verdict) -> str:
    """A word to filter claims by: how a claim fares in the readings that were run."""
    if v.holds_in is None or v.holds_in[1] < 2:
        return "one_alone"
    outcomes = {one.outcome for one in v.readings if one.outcome is not None}
    return "holds_in_all" if outcomes == {"yes"} else "fails_in_all" if outcomes == {"no"} else "mixed"


def mean(value: Interval | None) -> str:
    """A mean with its interval."""
    return "–" if value is None else number(value.estimate) + interval(value.low, value.high)


def data(value: Mapping[str, Any]) -> Markup:
    """JSON inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def static_files() -> Iterator[tuple[str, bytes]]:
    """What every page loads, by its address."""
    for path in sorted(STATIC.rglob("*")):
        if path.is_file() and path.suffix != ".md":
            yield f"static/{path.relative_to(STATIC).as_posix()}", path.read_bytes()
