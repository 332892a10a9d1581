"""The pages of a synthetic site: what they have, what they must not have; equal results give equal bytes."""

from __future__ import annotations

import json
import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.site.archive import Archive
from bench.site.build import build
from bench.site.cells import Finishing, cell_page, finishing
from bench.site.replacing import SiteError
from bench.store import Store, read_record, sha256
from bench.suite import PRIMARY
from bench.suite.loading import load
from tests.made_site import BREAKING, HOSTILE, made_site, made_suite, record_all

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """A page's elements, its text and what it refers to; raises where tags do not match."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self._open, f"{path}: {self._open} are not closed"

    def handle_starttag(self, tag, attrs):
        own = dict(attrs)
        self.tags.append((tag, own))
        self.links += [own[key] or "" for key in ("href", "src") if key in own]
        self.ids += [own["id"] or ""] if "id" in own else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self._open[-1:] == ["script"] else self.words).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def pages(site: Path) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_leads_to_a_file_and_a_place_in_it(site: Path) -> None:
    found = pages(site)
    for address, page in found.items():
        for link in page.links:
            parts = urlsplit(link)
            assert parts.scheme in ("", "https"), f"{address}: {link}"
            if parts.scheme:
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(address), unquote(parts.path) or "."))
            target = address if not parts.path else target
            assert (site / target).is_file(), f"{address}: {link}"
            fragment = parts.fragment.partition(".")[0] if "=" in parts.fragment else parts.fragment  # a table's filter
            assert not fragment or fragment in found[target].ids, f"{address}: {link}"


def test_pages_load_nothing_but_files_of_the_site(site: Path) -> None:
    for address, page in pages(site).items():
        policy = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv")]
        assert len(policy) == 1, address
        assert "default-src 'none'" in (policy[0] or "")
        assert "unsafe" not in (policy[0] or "")
        for tag, own in page.tags:
            assert not [key for key in own if key.startswith("on") or key == "style"], f"{address}: {tag}"
            if tag == "script":
                assert own.get("src") or own.get("type") == "application/json", address
            if tag in ("link", "script", "img") and own.get("href", own.get("src")):
                assert not urlsplit(own.get("href") or own.get("src") or "").scheme


def test_names_and_notes_of_outsiders_stay_text(site: Path) -> None:
    seen = 0
    for address, page in pages(site).items():
        assert not [own for tag, own in page.tags if tag == "img" and not (own["src"] or "").endswith(".svg")], address
        seen += HOSTILE in page.text
        assert all(BREAKING not in script for script in page.scripts), address
    assert seen >= 5
    overview = Page(site / "index.html")
    assert HOSTILE in overview.text
    assert BREAKING in overview.text


def test_every_page_tells_versions_and_has_one_heading(site: Path) -> None:
    for address, page in pages(site).items():
        assert "site version 3" in page.text, address
        assert "tiny version 1" in page.text, address
        assert [tag for tag, _ in page.tags].count("h1") == 1, address
        assert len(set(page.ids)) == len(page.ids), address


def test_a_printed_value_stands_beside_ours_and_the_verdict(site: Path) -> None:
    """On "two" seeds end at -3.03, -2.93, -2.83: sd .1, t(2) 4.30. The 90% interval of ours - printed is .07 -+ .24,
    neither inside the margin .2 nor outside it.
    """
    text = Page(site / "suites/tiny.html").text
    assert re.search(r"-3\.0 ours -2\.93 \[-3\.18, -2\.68\] \? inconclusive", text)
    assert re.search(r"-9\.9 ours -3\.93 \[-4\.18, -3\.68\] ✗ not reproduced no", text)
    assert re.search(r"scenario base base: compatible student student: compatible", text)


def test_an_audit_counts_what_print_can_check(site: Path) -> None:
    """The page does not say that nothing holds if nothing could be checked."""
    text = Page(site / "index.html").text
    assert re.search(r"tiny.*?\d of \d+ checkable statements hold", text)
    assert "nothing checkable from print" in text  # hostile: a suite without printed numbers


def test_a_claim_is_said_once_with_its_tasks_beneath(site: Path) -> None:
    source = (site / "suites/tiny.html").read_text()
    rows = re.findall(
        r'<tr id="claim-[^"]*" [^>]*?( class="again")?>\n<td class="says"><span class="sentence">(.*?)</span>',
        source,
    )
    assert len(rows) == 4
    before = ""
    for again, sentence in rows:
        assert bool(again) == (sentence == before), sentence
        before = sentence
    assert any(again for again, _ in rows)


def test_substitutes_and_reduced_budgets_stand_apart(site: Path) -> None:
    source = (site / "index.html").read_text()
    reference, apart = source.split('id="apart"')
    assert "tiny, half" not in reference
    assert "tiny, half" in apart
    assert "substitute" in (site / "suites/tiny.html").read_text()
    reduced = Page(site / "suites/tiny.half.html").text
    assert "Nothing on this page can count as a reproduction" in reduced
    assert "✓ 1 reproduced" not in reduced


def test_a_cell_has_curves_of_every_seed_and_the_command(site: Path) -> None:
    cells = {path: Page(path) for path in sorted((site / "cells/tiny").iterdir())}
    own = next(p for p in cells.values() if "student on all" in p.text and "profile full" in p.text)
    (script,) = [s for s in own.scripts if s.strip()]
    panels = json.loads(script)["panels"]
    assert [panel["scenario"] for panel in panels] == ["two", "three", "odd"]
    series = panels[0]["series"][0]
    assert (series["name"], series["seeds"], series["at"][:2]) == ("training", [0, 1, 2], [2, 4])
    assert series["values"][0][:2] == [-2.9, -2.89]
    assert series["mean"][0] == -3.0
    assert series["half"][0] == pytest.approx(4.302653 * 0.1 / 3**0.5, abs=1e-4)
    assert "bench run tiny --only joint --seeds 0,1,2" in own.text
    assert "alpha_start 0.5 stated a" in own.text
    assert "made up" in own.text  # the hardware


def test_a_suite_says_what_makes_the_runs_that_are_missing(site: Path, tmp_path: Path) -> None:
    """Files from elsewhere first, in the reading that is shown; nothing if no run is missing."""
    assert "To finish them" not in Page(site / "suites/tiny.html").text
    suite, store = load("mkt_marl"), Store(tmp_path)
    left = {}
    for reading in (PRIMARY, suite.pinned):
        evidence = Evidence(suite.under(reading), Selection(only=("opponents", "teachers"), reading=reading), store)
        left[reading] = finishing(evidence, [cell_page(evidence, cell, (), {}) for cell in evidence.plan.cells])
    only = "--only opponents --only teachers"
    assert left[suite.pinned] == Finishing((), f"bench run mkt_marl --reading first-edition {only}")
    own = left[PRIMARY]
    assert own is not None
    assert own.command == f"bench run mkt_marl {only}"
    (file,) = own.files
    assert file.endswith("then `bench asset add adv_params.pt`")


def test_the_same_results_give_the_same_bytes(site: Path, tmp_path: Path, several_tasks: None) -> None:
    again = made_site(tmp_path / "elsewhere", tmp_path / "again")
    first = {p.relative_to(site): p.read_bytes() for p in site.rglob("*") if p.is_file()}
    second = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_each_record_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several_tasks: None) -> None:
    suite = made_suite()
    record_all(suite, tmp_path / "results")
    read: list[Path] = []
    monkeypatch.setattr("bench.store.folder.read_record", lambda path: read.append(path) or read_record(path))
    build([suite], Archive(tmp_path / "results"), tmp_path / "site")
    assert sorted(read) == sorted((tmp_path / "results/records").iterdir())


def test_a_site_is_replaced_and_nothing_else_is(tmp_path: Path, several_tasks: None) -> None:
    suite, archive, out = made_suite(), Archive(tmp_path / "none"), tmp_path / "site"
    build([suite], archive, out)
    pages = sorted(path.relative_to(out) for path in out.rglob("*"))
    manifest = json.loads((out / "site.json").read_text())
    (out / "stale.html").write_text("a page of the site before")
    stale = {"stale.html": sha256(b"a page of the site before")}
    (out / "site.json").write_text(json.dumps(manifest | {"files": manifest["files"] | stale}))
    build([suite], archive, out)
    assert sorted(path.relative_to(out) for path in out.rglob("*")) == pages
    (out / "suites" / "CNAME").write_text("bench.example.org")
    for kept in (json.dumps(manifest), "{", "[]", '{"files": 3}'):
        (out / "site.json").write_text(kept)
        with pytest.raises(SiteError, match="holds other files than a site"):
            build([suite], archive, out)
        assert (out / "suites" / "CNAME").read_text() == "bench.example.org"
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    with pytest.raises(SiteError, match="holds other files than a site"):
        build([suite], archive, precious)
    assert (precious / "thesis.txt").read_text() == "mine"
    with pytest.raises(SiteError, match="is no folder"):
        build([suite], archive, precious / "thesis.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["precious", "site"]


def test_a_damaged_record_is_named_and_counts_nowhere(tmp_path: Path, several_tasks: None) -> None:
    suite = made_suite()
    record_all(suite, tmp_path)
    path = sorted((tmp_path / "records").iterdir())[0]
    path.write_text(path.read_text().replace("made up", "forged", 1))
    archive = Archive(tmp_path)
    assert archive.size == len([*(tmp_path / "records").iterdir()]) - 1
    assert "content_hash" in archive.damaged[0]
