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
from bench.report.words import across_readings, details, in_readings, sentence
from bench.site import badges, names
from bench.site.cells import CellPage, charts
from bench.site.documents import DOCUMENTS, Document
from bench.site.suites import Overview, SuitePage, cpu_seconds, tally, versions
from bench.stats.intervals import Interval
from bench.verdict import CODES

SITE_VERSION = 2  # of the site's addresses and of site.json
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

    def __init__(self, pages: Sequence[SuitePage]):
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
        return self._page("suite.html", "../", page=page, others=others, paged={c.cell.key for c in page.cells})

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
