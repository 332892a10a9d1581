"""Every name that becomes a path goes through one function; a name that would leave its folder is refused before."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.store import file_name
from bench.suite import SuiteError
from bench.suite.loading import parse
from tests.conftest import TINY, Bench

PARTS = st.text(max_size=300) | st.text(alphabet="./\\-_:aA\0", max_size=8) | st.just("..")


@given(parts=st.lists(PARTS, min_size=1, max_size=4), cased=st.booleans())
def test_a_name_stays_in_its_folder(parts: list[str], cased: bool) -> None:
    name = file_name(*parts, cased=cased)
    assert set(name) <= set(string.ascii_letters + string.digits + "_-")
    assert 0 < len(name) <= 64 + 17
    assert cased or name == name.lower()


@given(first=PARTS, second=PARTS)
def test_different_ids_have_different_names(first: str, second: str) -> None:
    names = {file_name(id_, cased=False) for id_ in (first, second)}
    assert len(names) == len({first, second})


def test_published_names_stay() -> None:
    assert file_name("knowru", "full", "spread/I") == "knowru-full-spread-I"
    assert file_name("curves", "spread/sensitivity") == "curves-spread-sensitivity"


@pytest.mark.parametrize("bad", ["a/../../x", "..", "a/.", "a/.hidden", "a//b", "/a", "a/", "a" * 101])
def test_ids_that_would_leave_a_folder_are_refused(bad: str) -> None:
    for text in (
        TINY.replace('id = "tiny"', f'id = "{bad}"'),
        TINY.replace("profile.full", f'profile."{bad}".says = "x"\nprofile.full'),
        TINY.replace('[[experiment]]\nid = "source"', f'[[experiment]]\nid = "{bad}"'),
    ):
        with pytest.raises(SuiteError) as refusal:
            parse(text.encode(), "x.toml")
        assert any(bad[:70] in problem.got or bad in problem.key for problem in refusal.value.problems)


@pytest.mark.parametrize("options", [["--profile", "../../x"], ["--only", "../x"]])
def test_names_on_the_command_line(bench_here: Bench, tiny_file: Path, tmp_path: Path, options: list[str]) -> None:
    done = bench_here("report", tiny_file, *options, "--results", tmp_path / "a" / "runs")
    assert done.returncode == 2
    assert not (tmp_path / "a").exists()
