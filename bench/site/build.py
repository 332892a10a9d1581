"""Writes the site: every page, and the list of its files; `replacing` puts it in the old one's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import __version__
from bench.audit import audit
from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.report.figures import written
from bench.report.tabular import FORMATS
from bench.site import names
from bench.site.archive import Archive
from bench.site.changes import QUIET, News, turned
from bench.site.documents import documents
from bench.site.overview import overview
from bench.site.render import SITE_VERSION, Renderer, static_files
from bench.site.replacing import replaced, seal
from bench.site.settings import NOWHERE, Settings
from bench.site.suites import REFERENCE, SuitePage, suite_page
from bench.store import sha256
from bench.suite import Suite


def build(
    suites: Sequence[Suite], archive: Archive, out: Path, settings: Settings = NOWHERE, news: News = QUIET
) -> dict[str, str]:
    """Build the site of these suites; its manifest. Raises SiteError, OSError."""
    with replaced(out) as building:
        pages = [page for suite in suites for page in _pages(suite, archive)]
        written = {}
        for address, content in _files(pages, settings, news):
            path = building / address
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written[address] = sha256(content)
        manifest = _manifest(pages, archive)
        seal(building, manifest, written)
    return manifest


def _pages(suite: Suite, archive: Archive) -> Iterator[SuitePage]:
    """The suite at the reference profile; then every other reading and every reduced profile that has runs."""
    findings = audit(suite)
    primary = Evidence(suite, Selection(profile=REFERENCE), archive)
    yield suite_page(primary, findings)
    known = {cell.key for cell in primary.plan.cells}
    for reading in (one for one in suite.reading if one.kind != "analysis"):
        evidence = Evidence(suite.under(reading.id), Selection(profile=REFERENCE, reading=reading.id), archive)
        if any(evidence.finished(cell) for cell in evidence.plan.cells if cell.key not in known):
            yield suite_page(evidence, findings)
    for profile in suite.profile:
        evidence = Evidence(suite, Selection(profile=profile), archive)
        reduced = [c for c in evidence.plan.cells if any(n.class_ == "reduced" for n in c.notes)]
        if profile != REFERENCE and any(evidence.finished(cell) for cell in reduced):
            yield suite_page(evidence, findings)


def _files(pages: Sequence[SuitePage], settings: Settings, news: News) -> Iterator[tuple[str, bytes]]:
    """Every file but the manifest: address and content."""
    render = Renderer(pages, settings)
    front = overview(pages)
    yield "index.html", render.overview(front).encode()
    if settings.pictures:
        yield names.FRONT_CARD, written(front.card(), "png", colours=128)
    first = [page for page in pages if not page.reduced]
    yield "claims.html", render.claims(first).encode()
    yield "changes.html", render.changes(news, [*turned(news.before, first)] if news.before else []).encode()
    done: set[str] = set()
    for page in pages:
        suite = page.suite
        others = [p for p in pages if p.suite.id == suite.id and p is not page]
        yield names.suite_page(suite.id, page.profile), render.suite(page, others).encode()
        for form in page.forms:
            yield names.tables_file(suite.id, page.profile, form), FORMATS[form](page.all_tables).encode()
        for (claim, experiment), figure in page.specifications.items():
            yield names.readings_figure(suite.id, page.profile, claim, experiment), figure.svg()
        if settings.pictures and not page.reduced:
            yield names.card(suite.id, page.profile), written(page.card(), "png", colours=128)
        for chart in page.joint:
            anchor = names.joint_anchor(chart.name)
            yield names.joint_file(suite.id, page.profile, chart.name, "js"), chart.seeds(anchor)
            if settings.pictures and not page.reduced:
                yield names.joint_file(suite.id, page.profile, chart.name, "png"), chart.picture(suite.id)
        for cell in page.ran:
            address = names.cell_page(suite.id, cell.cell.key)
            if address not in done:  # a cell that two profiles share has one page
                done.add(address)
                yield address, render.cell(page, cell).encode()
        if not page.reduced:
            yield names.audit_page(suite.id), render.audit(page).encode()
            for method in suite.method:
                yield names.method_page(suite.id, method.id), render.method([page, *others], method).encode()
            yield names.badge(suite.id), render.badge(page).encode()
    for document in documents():
        yield f"{document.name}.html", render.document(document).encode()
    yield from static_files()


def _manifest(pages: Sequence[SuitePage], archive: Archive) -> dict:
    """What the site was built from."""
    return {
        "site_version": SITE_VERSION,
        "bench": __version__,
        "suites": {page.suite.id: page.suite.version for page in pages},
        "records": archive.size,
        "pages": sum(1 + len(page.ran) for page in pages),
    }
