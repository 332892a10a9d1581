"""A reader's actions: sort, filter, open a cell, read its curves by mouse and keyboard, change the colours.

Every test also fails if the browser's console shows an error.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.made_site import HOSTILE

PAGES = (
    *("index.html", "claims.html", "changes.html", "suites/tiny.html", "suites/tiny.half.html"),
    *("audits/tiny.html", "verdicts.html", "methods/tiny/student.html", "CELL"),
)


def cell_of(site: Path, label: str = "student on all", profile: str = "profile full") -> str:
    found = (p for p in sorted((site / "cells/tiny").iterdir()) if f"<title>{label}" in p.read_text())
    return next(p for p in found if profile in p.read_text()).relative_to(site).as_posix()


def addressed(site: Path, page: str) -> str:
    return cell_of(site) if page == "CELL" else page


NEW = "lab:New<b> from elsewhere"  # as a reader sees it


def board(reader) -> str:
    """The selector of the table of the joint experiment."""
    return ".scroll[aria-label='methods of joint, reference'] table"


def test_sort_by_number_both_ways_and_by_name(reader) -> None:
    reader.open("suites/tiny.html")
    table = board(reader)
    assert reader.column(table, 0) == ["base", "student", NEW]
    aggregate, method = (reader.one(f"{table} thead th:nth-child({i}) .sort") for i in (2, 1))
    aggregate.click()
    assert reader.column(table, 0) == [NEW, "student", "base"]
    assert reader.one(f"{table} thead th:nth-child(2)").get_attribute("aria-sort") == "descending"
    aggregate.click()
    assert reader.column(table, 0) == ["base", "student", NEW]
    method.click()
    method.click()
    assert reader.column(table, 0) == ["student", NEW, "base"]
    assert reader.all(f"{table} [aria-sort]") == [reader.one(f"{table} thead th:nth-child(1)")]


def test_sorting_keeps_what_has_no_number_at_the_end(reader) -> None:
    table = ".scroll[aria-label^='methods at the papers'] table"
    button = reader.one(f"{table} thead th:nth-child(2) .sort")
    for _ in range(2):
        button.click()
        assert reader.column(table, 1)[-1] in ("·", "not run", "on another board")


def test_filter_by_words(reader) -> None:
    reader.open("suites/tiny.html")
    own = "[aria-labelledby=cells]"
    rows = len(reader.all(f"{own} tbody tr"))
    box = reader.one(f"{own} .tools input")
    box.send_keys("student ALL")
    shown = reader.all(f"{own} tbody tr:not([hidden])")
    assert 0 < len(shown) < rows
    assert all("student" in row.text for row in shown)
    assert reader.one(f"{own} .tools [role=status]").text == f"{len(shown)} of {rows} rows"
    box.clear()
    box.send_keys("no such word")
    assert reader.all(f"{own} tbody tr:not([hidden])") == []
    assert reader.one(f"{own} .tools [role=status]").text == f"0 of {rows} rows"


def test_filter_by_verdict(reader) -> None:
    reader.open("suites/tiny.html")
    own = "[aria-labelledby=claims]"
    assert len(reader.all(f"{own} tbody tr")) == 4
    select = reader.one(f"{own} .tools select")
    assert [option.text for option in select.find_elements("css selector", "option")] == [
        "all",
        "also untrained",  # made-up curves are level from the start
        "not comparable",
        "not reproduced",
    ]
    select.send_keys("also untrained")
    assert {row.get_attribute("data-code") for row in reader.all(f"{own} tbody tr:not([hidden])")} == {"also_untrained"}
    assert reader.one(f"{own} .tools [role=status]").text == "2 of 4 rows"


def test_a_view_is_kept_in_the_address(reader) -> None:
    """Back undoes a choice; another reader who opens the address sees the same rows."""
    table = "#claims-table"
    reader.open("claims.html")
    rows = len(reader.all(f"{table} tbody tr"))
    reader.one(".tools select option[value=not_comparable]").click()
    assert reader.driver.current_url.endswith("#claims-table.code=not_comparable")
    shown = reader.column(table, 0)
    assert 0 < len(shown) < rows
    reader.one(".tools input").send_keys("so it")
    address = reader.driver.current_url
    assert address.endswith("#claims-table.words=so+it&claims-table.code=not_comparable")
    reader.driver.back()
    assert len(reader.column(table, 0)) == rows
    reader.open("index.html")
    reader.driver.get(address)
    assert reader.column(table, 0) == shown
    assert reader.one(".tools input").get_attribute("value") == "so it"


def test_joint_curves_hide_methods_and_bring_seeds(reader) -> None:
    reader.open("suites/tiny.html")
    box = reader.one("#joint-joint-two")
    reader.script("arguments[0].scrollIntoView()", box)
    until(reader, lambda: box.find_elements("css selector", "canvas"))
    drawn = "return document.querySelector('#joint-joint-two canvas').toDataURL()"
    plot = reader.one("#joint-joint-two .plot")
    assert plot.get_attribute("aria-label") == "evaluation on two: base, student, lab:New<b> (from elsewhere)"
    whole = reader.script(drawn)
    reader.one("#joint-joint-two input.seeds").click()
    until(reader, lambda: reader.script(drawn) != whole)
    seeds = reader.script(drawn)
    reader.one("#joint-joint-two .methods input").click()
    assert reader.script(drawn) != seeds
    reader.one("#joint-joint-two .plot").send_keys("\ue011")  # Home
    assert reader.one("#joint-joint-two .readout").text.startswith("episode 2; student -3 [")


def test_all_curves_are_printed(reader) -> None:
    reader.open("suites/tiny.html")
    reader.script("window.dispatchEvent(new Event('beforeprint'))")
    charts = len(reader.all(".joint"))
    assert charts > 3
    until(reader, lambda: len(reader.all(".joint canvas")) == charts)


def until(reader, there) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(reader.driver, 20).until(lambda _: there())


def test_a_claim_is_said_once_however_rows_are_ordered(reader) -> None:
    """To the eye; a screen reader says it in every row."""
    reader.open("suites/tiny.html")
    own = "[aria-labelledby=claims]"

    def seen() -> list[str]:
        return [s.text for s in reader.all(f"{own} tbody tr:not([hidden]) .sentence") if s.size["width"] > 1]

    said = [s.get_attribute("textContent") for s in reader.all(f"{own} .sentence")]
    assert len(seen()) == len(dict.fromkeys(said)) < len(said)
    reader.one(f"{own} thead button").click()
    assert len(seen()) == len(dict.fromkeys(said))
    reader.one(f"{own} .tools select").send_keys("also untrained")
    shown = reader.all(f"{own} tbody tr:not([hidden]) .sentence")
    assert len(shown) == 2
    assert shown[0].size["width"] > 1


def test_open_a_cell_from_the_overview(reader, site: Path) -> None:
    reader.one(".scroll[aria-label^='methods at the papers'] thead a").click()
    assert reader.driver.current_url.endswith("suites/tiny.html")
    link = next(a for a in reader.all("#cells-table tbody a") if a.text.startswith("student"))
    link.click()
    assert reader.one("h1").text == "student on all"
    assert len(reader.all("#charts canvas")) == 3


def test_curves_can_be_chosen_and_seeds_hidden(reader, site: Path) -> None:
    reader.open(cell_of(site))
    assert "3 seeds" in reader.one(".plot").get_attribute("aria-label")
    before = reader.script("return document.querySelector('canvas').toDataURL()")
    reader.one("fieldset input").click()
    assert reader.script("return document.querySelector('canvas').toDataURL()") != before
    select = reader.one(".chart select")
    select.send_keys("evaluation")
    assert reader.one(".plot").get_attribute("aria-label").startswith("Learning curves on two: evaluation")


def test_arrow_keys_read_the_curves(reader, site: Path) -> None:
    reader.open(cell_of(site))
    plot = reader.one(".plot")
    plot.send_keys("\ue011")  # Home
    assert reader.one(".readout").text.startswith("episode 2; mean -3 [")
    plot.send_keys("\ue014")  # right
    assert reader.one(".readout").text.startswith("episode 4; mean -2.99 [")


@pytest.mark.parametrize("system", ["light", "dark"])
def test_toggle_the_theme_and_keep_it(reader, site: Path, system: str) -> None:
    other = {"light": "dark", "dark": "light"}[system]
    reader.open(cell_of(site), theme=system)
    ground = "return getComputedStyle(document.body).backgroundColor"
    assert reader.script("return document.documentElement.dataset.theme") == system
    before = reader.script(ground)
    reader.one("#theme").click()
    assert reader.script("return document.documentElement.dataset.theme") == other
    assert reader.script(ground) != before
    reader.open("suites/tiny.html", theme=system)
    assert reader.script("return document.documentElement.dataset.theme") == other


def test_keyboard_alone_reaches_the_content(reader) -> None:
    reader.one("body").send_keys("\ue004")  # tab
    assert reader.script("return document.activeElement.textContent") == "Skip to the content"
    reader.script("return document.activeElement").send_keys("\ue007")  # enter
    assert reader.script("return document.activeElement.id") == "content"


def test_a_hostile_name_stays_text(reader, site: Path) -> None:
    assert HOSTILE in reader.one("main").text
    title = reader.driver.title
    hostile = next(
        p for p in sorted((site / "suites").iterdir()) if p.name.startswith("hostile") and p.suffix == ".html"
    )
    reader.open(hostile.relative_to(site).as_posix())
    assert HOSTILE in reader.one("main").text
    assert title.startswith("Leaderboard")
    assert reader.driver.title.startswith("hostile")
    assert reader.all("main img:not([src$='.svg'])") == []
    own = sorted((site / "cells/hostile").iterdir())
    for path in own:
        reader.open(path.relative_to(site).as_posix())
        assert reader.driver.title != "taken"
        assert len(reader.all("#charts canvas")) > 0


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_never_scrolls_sideways(reader, site: Path, page: str) -> None:
    reader.open(addressed(site, page), width=375)
    assert reader.script("return document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_no_serious_violation(reader, site: Path, page: str, theme: str) -> None:
    path = Path(os.environ.get("AXE_CORE", "absent"))
    if not path.is_file():
        reason = "AXE_CORE names no axe.min.js (npm: axe-core); tox run -e browser brings it"
        pytest.fail(reason) if os.environ.get("BENCH_BROWSER_REQUIRED") else pytest.skip(reason)
    reader.open(addressed(site, page), theme=theme)
    reader.script(path.read_text(encoding="utf-8"))
    found = reader.driver.execute_async_script("axe.run({preload: false}).then(arguments[0])")
    assert len(found["passes"]) > 10  # it looked
    grave = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"]) for v in grave] == []


@pytest.mark.parametrize("page", ["index.html", "claims.html", "suites/tiny.html"])
def test_a_phone_has_cards_in_place_of_wide_tables(reader, page: str) -> None:
    """At 390 px no part of a table is beyond the edge, and each cell names its column."""
    reader.open(page, width=390)
    assert reader.script("return innerWidth") == 390
    wide = """
        return [...document.querySelectorAll('.scroll td, .scroll tbody th')].filter(
            (cell) => cell.checkVisibility() && cell.getBoundingClientRect().right > 390).length;
    """
    assert reader.script(wide) == 0
    row = "table.cards tbody tr:not([hidden])"
    assert reader.one(row).value_of_css_property("display") == "block"
    label = f"return getComputedStyle(document.querySelector('{row} td[data-label]:not(.plotted)'), '::before').content"
    assert "attr" in reader.script(label) or len(reader.script(label)) > 2
    assert reader.one(row).get_attribute("role") == "row"
    reader.open(page, width=1280)
    assert reader.one(row).value_of_css_property("display") == "table-row"


def test_a_long_badge_stays_on_a_phone(reader) -> None:
    reader.open("suites/tiny.html", width=375)
    reader.script("document.querySelector('.facts img').width = 900")
    assert reader.script("return document.documentElement.scrollWidth") <= 375


def test_a_number_is_not_broken_on_a_phone(reader, site: Path) -> None:
    reader.open(cell_of(site), width=375)
    count = """
        const text = document.querySelector('[aria-labelledby=protocol] tbody td').firstChild;
        text.data = '1,000,000';
        const range = document.createRange();
        range.selectNodeContents(text);
        return range.getClientRects().length;
    """
    assert reader.script(count) == 1
