"""A page at a reduced budget shows what ran there; the page at the paper's own budget shows everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Selection
from bench.site.archive import Archive
from bench.site.render import Renderer
from bench.site.settings import Settings
from bench.site.suites import suite_page
from tests.made_site import made_suite

UNRUN = "claims have no run here. The page at the paper"


@pytest.mark.usefixtures("several_tasks")
def test_a_reduced_page_leaves_out_what_did_not_run(tmp_path: Path) -> None:
    full, half = (
        suite_page(Evidence(made_suite(), Selection(profile=profile), Archive(tmp_path)), ())
        for profile in ("full", "half")
    )
    assert full.claims
    assert full.all_tables.claims == full.claims
    assert half.claims
    assert half.all_tables.claims == ()
    render = Renderer([full, half], Settings())
    whole, part = render.suite(full, [half]), render.suite(half, [full])
    assert ('id="unjudged-table"' in whole, 'id="unjudged-table"' in part) == (True, False)
    assert (UNRUN in whole, UNRUN in part) == (False, True)
