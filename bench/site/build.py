"""Writes the site: into a new folder beside the old one, then in its place, so that no page is ever half there."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import __version__
from bench.audit import audit
from bench.measures import Evidence
from bench.plan import Selection
from bench.report.tabular import FORMATS
from bench.site import names
from bench.site.archive import Archive
from bench.site.documents import documents
from bench.site.render import SITE_VERSION, Renderer, static_files
from bench.site.suites import REFERENCE, SuitePage, overview, suite_page
from bench.suite import Suite

MANIFEST = "site.json"


class SiteError(Exception):
    """A folder that a site cannot be written to."""


def build(suites: Sequence[Suite], archive: Archive, out: Path) -> dict[str, str]:
    """Build the site of these suites; its manifest. Raises SiteError, OSError."""
    _refuse(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        building.chmod(0o755)
        pages = [page for suite in suites for page in _pages(suite, archive)]
        written = []
        for address, content in _files(pages):
            path = building / address
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(address)
        manifest = _manifest(pages, archive)
        listed = json.dumps(manifest | {"files": sorted(written)}, indent=1, sort_keys=True)
        (building / MANIFEST).write_text(listed + "\n", encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return manifest


def _refuse(out: Path) -> None:
    """Only nothing, an empty folder or a site is ever replaced: no file may be there that no build of a site wrote."""
    if out.is_dir() and not out.is_symlink():
        own = _listed(out / MANIFEST)
        others = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
        if foreign := [path for path in others if path not in own]:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            held = f"holds other files than a site: {foreign[0]}{more}"
            raise SiteError(f"{out}: {held}; move them, or name an empty or a new folder with --out")
    elif out.exists() or out.is_symlink():
        raise SiteError(f"{out}: is no folder; name an empty or a new one with --out")


def _listed(manifest: Path) -> set[str]:
    """The files of the site that a manifest belongs to, itself among them; none where it is no manifest."""
    try:
        return {MANIFEST, *json.loads(manifest.read_bytes())["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def _pages(suite: Suite, archive: Archive) -> Iterator[SuitePage]:
    """The suite under the reference profile, and under every reduced one of which there are runs."""
    findings = audit(suite)
    yield suite_page(Evidence(suite, Selection(profile=REFERENCE), archive), findings)
    for profile in suite.profile:
        evidence = Evidence(suite, Selection(profile=profile), archive)
        reduced = [c for c in evidence.plan.cells if any(n.class_ == "reduced" for n in c.notes)]
        if profile != REFERENCE and any(evidence.finished(cell) for cell in reduced):
            yield suite_page(evidence, findings)


def _files(pages: Sequence[SuitePage]) -> Iterator[tuple[str, bytes]]:
    """Every file but the manifest: address and content."""
    render = Renderer(pages)
    yield "index.html", render.overview(overview(pages)).encode()
    written: set[str] = set()
    for page in pages:
        suite = page.suite
        others = [p for p in pages if p.suite is suite and p is not page]
        yield names.suite_page(suite.id, page.profile), render.suite(page, others).encode()
        for form, written_as in FORMATS.items():
            yield names.tables_file(suite.id, page.profile, form), written_as(page.all_tables).encode()
        for cell in page.cells:
            address = names.cell_page(suite.id, cell.cell.key)
            if address not in written:  # a cell that two profiles share has one page
                written.add(address)
                yield address, render.cell(page, cell).encode()
        if not page.reduced:
            yield names.audit_page(suite.id), render.audit(page).encode()
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
        "pages": sum(1 + len(page.cells) for page in pages),
    }
