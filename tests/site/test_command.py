"""`bench leaderboard`: its output, its refusals, and that a mistyped path never destroys a site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.plan import Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from tests.conftest import Bench
from tests.synthetic import fill


@pytest.fixture
def results(tiny: Suite, tmp_path: Path) -> Path:
    fill(
        Store(tmp_path / "results"), make_plan(tiny, Selection()), lambda cell, seed: [-4.0 + seed / 8, -3.0 + seed / 8]
    )
    return tmp_path / "results"


def test_a_site(bench_here: Bench, tiny_file: Path, results: Path, tmp_path: Path) -> None:
    options = ("leaderboard", "--suite", tiny_file, "--results", results, "--out", tmp_path / "site", "--no-pictures")
    done = bench_here(*options)
    assert (done.returncode, done.stdout) == (0, f"site: {tmp_path / 'site' / 'index.html'}\n")
    shown = json.loads(bench_here(*options, "--json").stdout)
    assert shown["suites"] == {"tiny": 1}
    assert shown["records"] == len(list((results / "records").iterdir()))


def test_a_site_has_pictures_and_addresses_that_are_named(
    bench_here: Bench, tiny_file: Path, results: Path, tmp_path: Path
) -> None:
    options = ("leaderboard", "--suite", tiny_file, "--results", results, "--out", tmp_path / "site")
    named = ("--repository", "https://example.org/a/", "--address", "https://site.example.org/")
    assert bench_here(*options, *named).returncode == 0
    for picture in (
        tmp_path / "site/card.png",
        tmp_path / "site/cards/tiny.png",
        next((tmp_path / "site/curves/tiny").glob("*.png")),
    ):
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert 'og:image" content="https://site.example.org/card.png"' in (tmp_path / "site/index.html").read_text()
    page = (tmp_path / "site/suites/tiny.html").read_text()
    assert 'og:image" content="https://site.example.org/cards/tiny.png"' in page
    assert 'href="https://example.org/a/issues/new?template=result.yml"' in page
    refused = bench_here(*options, "--address", "site.example.org")
    assert refused.returncode == 2
    assert "--address" in refused.stderr
    refused = bench_here(*options, "--no-pictures", "--since", tmp_path)
    assert refused.returncode == 2
    assert "name the folder of one with --since" in refused.stderr


def test_nothing_is_lost_to_a_mistyped_folder(
    bench_here: Bench, tiny_file: Path, results: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    assert (
        bench_here("leaderboard", "--suite", tiny_file, "--results", results, "--out", site, "--no-pictures").returncode
        == 0
    )
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    done = bench_here("leaderboard", "--suite", tiny_file, "--results", tmp_path / "nowhere", "--out", site)
    assert done.returncode == 4
    assert f"nothing was run: no record in {tmp_path / 'nowhere'}; no site was written" in done.stderr
    assert {path: path.read_bytes() for path in site.rglob("*") if path.is_file()} == before


def test_a_damaged_import_is_named(bench_here: Bench, tiny_file: Path, results: Path, tmp_path: Path) -> None:
    (results / "imported").mkdir()
    (results / "imported" / "theirs.json").write_text("{")
    options = ("--suite", tiny_file, "--results", results, "--out", tmp_path / "site", "--no-pictures")
    done = bench_here("leaderboard", *options)
    assert done.returncode == 0
    assert f"not counted: {results / 'imported' / 'theirs.json'}: not a complete JSON file" in done.stderr


def test_two_suites_of_one_id(bench_here: Bench, tiny_file: Path, results: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_bytes(tiny_file.read_bytes())
    named = ("--suite", tiny_file, "--suite", other)
    done = bench_here("leaderboard", *named, "--results", results, "--out", tmp_path / "site")
    assert done.returncode == 2
    assert 'two suites of the id "tiny"' in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_folder_that_cannot_be_written(bench_here: Bench, tiny_file: Path, results: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = bench_here("leaderboard", "--suite", tiny_file, "--results", results, "--out", tmp_path / "file" / "site")
    assert done.returncode == 2
    assert f"the site in {tmp_path / 'file' / 'site'} cannot be written" in done.stderr
