"""The tuning of methods, as stated in suite files."""

from __future__ import annotations

import pytest

from bench.suite.loading import load, parse
from bench.suite.shipped import available
from bench.suite.tuning import Tuning, one_sided
from bench.suite.warnings import unsaid_tuning
from tests.conftest import TINY
from tests.test_suite import changed, refused


def test_tuning_is_taken_over_and_said_where_it_is_of_one_side() -> None:
    told = 'tuning = { method = "grid search", trials = 9, selected_on = "seed 7 of two", source = "a" }'
    suite = parse(changed('id = "student"', f'id = "student"\n{told}').encode(), "tiny.toml")
    own = suite.tuning("student")
    assert own is not None
    assert (own.tuned, str(own)) == (True, "grid search, 9 trials, selected on seed 7 of two")
    assert suite.tuning("base") is None
    (line,) = one_sided({"student": own, "base": None})
    assert line == f"tuning is stated for one side only: student ({own}); not for base"
    untuned = Tuning(method="none", source="a")
    (line,) = one_sided({"student": own, "base": untuned})
    assert line == f"one side was tuned: student ({own}); not base"
    assert not [*one_sided({"student": own, "init": own})]
    silent = Tuning(method="not stated", source="a")
    assert ([*one_sided({"student": own, "base": silent})], str(silent)) == (
        [f"tuning is stated for one side only: student ({own}); not for base"],
        "not stated",
    )
    assert not [*one_sided({"student": untuned, "base": None, "init": silent})]
    heir = parse(changed('id = "base"', f'id = "base"\n{told}').encode(), "tiny.toml")
    assert heir.tuning("init") == heir.tuning("base") == own  # it extends it


def test_tuning_is_asked_of_each_method() -> None:
    """All suites state it, even if only "not stated"."""
    for name in available():
        assert not [*unsaid_tuning(load(name))]
    (line,) = unsaid_tuning(parse(TINY.encode(), "tiny.toml"))
    assert line.startswith("base, init, student: the file does not say how the settings were chosen; add tuning = {")


@pytest.mark.parametrize("word", ["none", "not stated"])
def test_what_was_not_tuned_had_no_trials(word: str) -> None:
    told = f'tuning = {{ method = "{word}", trials = 3, source = "a" }}'
    message = refused(changed('id = "base"', f'id = "base"\n{told}'))
    assert "method[base].tuning" in message
