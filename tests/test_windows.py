"""Windows of measures: refused where no point of a curve can lie in them, for each profile."""

from __future__ import annotations

import pytest

from bench.plan import Selection, make_plan
from bench.suite import SuiteError
from bench.suite.loading import parse
from tests.conftest import TINY


def refused(text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        parse(text.encode(), "bad.toml")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in TINY
    return TINY.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"window": "[0.0, 0.125]"}, True),  # (0, 2] of 16 episodes, a point every 2
        ({"window": "[0.0, 0.12]"}, False),  # (0, 1.92]
        ({"window": "[0.125, 0.2]"}, False),  # (2, 3.2]: the start is not in it
        ({"window": "[0.2, 0.25]"}, True),  # (3.2, 4]: the stop is
        ({"window": "[0.0, 0.2]", "profile": "short"}, True),  # (0, 2.4] of 12
        ({"window": "[0.0, 0.15]", "profile": "short"}, False),  # (0, 1.8]; of 16 it is (0, 2.4]
        ({"window": "[0.95, 1.0]", "profile": "odd"}, True),  # (15.2, 16], a point at 8 and at 16
        ({"window": "[0.8, 0.95]", "profile": "odd"}, False),  # (12.8, 15.2] of 16
        ({"window": "[0.0, 0.13]", "after": "first_update"}, True),  # 2.08 episodes: a point wherever it begins
        ({"window": "[0.0, 0.1]", "after": "first_update"}, False),  # 1.6 from any update after 2, 4, ...
        ({"window": "[0.0, 0.4]", "series": "evaluation"}, False),  # (0, 6.4], a point at 8 and 16
        ({"window": "[0.0, 0.5]", "series": "evaluation"}, True),
    ],
)
def test_a_window_that_no_point_can_lie_in_is_named(change: dict[str, str], holds: bool) -> None:
    profiles = {"short": "episodes = 12, evaluate_every = 12", "odd": "record_every = 8"}
    text = changed("window = [0.0, 1.0]", f"window = {change.get('window', '[0.0, 1.0]')}")
    if "series" in change:
        text = text.replace('series = "training"', 'series = "evaluation"').replace('l = "training"', 'l = "greedy"')
    if "after" in change:
        text = text.replace("window =", 'after = "first_update"\nwindow =', 1)
    name = change.get("profile", "full")
    if name in profiles:
        text = text.replace(
            "[paper]", f'profile.{name} = {{ says = "x", budget = {{ {profiles[name]} }} }}\n[paper]', 1
        )
    text = text.replace("profile.half = ", "# ", 1)
    if holds:
        parse(text.encode(), "good.toml")
        return
    message = refused(text)
    assert message.startswith("bad.toml: 1 problem(s)\n  measure[overall].window\n")
    assert f'in profile "{name}"' in message
    assert f"profile[{name}].too_short_for" in message


def test_a_profile_may_own_up_to_a_window_without_a_point() -> None:
    """But not to a window with points, nor to a measure that does not exist."""
    text = changed("window = [0.0, 1.0]", "window = [0.0, 0.2]")  # of 16 episodes 3.2, of half of them 1.6
    assert 'in profile "half"' in refused(text)
    assert 'in profile "full"' not in refused(text)
    owned = text.replace("budget = { episodes = 8 } }", 'budget = { episodes = 8 }, too_short_for = ["overall"] }')
    assert parse(owned.encode(), "good.toml").profile["half"].too_short_for == ("overall",)
    wrong = owned.replace("window = [0.0, 0.2]", "window = [0.0, 1.0]")
    assert 'profile[half].too_short_for\n    got      "overall"' in refused(wrong)
    assert 'did you mean "overall"?' in refused(owned.replace('["overall"]', '["overal"]'))


@pytest.mark.parametrize(("primary", "reading"), [("[0.0, 0.2]", "[0.0, 1.0]"), ("[0.0, 1.0]", "[0.0, 0.2]")])
def test_a_profile_owns_up_to_what_is_too_short_under_any_reading(primary: str, reading: str) -> None:
    """Whether a reading mends the window or empties it: one of the two needs the profile's entry."""
    text = changed("window = [0.0, 1.0]", f"window = {primary}")
    text += '\n[[reading]]\nid = "r"\nsays = "x"\nkind = "analysis"\n'
    text += f"measures = {{ overall = {{ window = {reading} }} }}\n"
    assert 'in profile "half"' in refused(text)
    owned = text.replace("budget = { episodes = 8 } }", 'budget = { episodes = 8 }, too_short_for = ["overall"] }')
    parse(owned.encode(), "good.toml")


@pytest.mark.parametrize("moves", [True, False])
def test_a_huge_budget_is_judged_at_once(moves: bool) -> None:
    """Its points are not enumerated: a fifth of 2^52 episodes, a point every 2^50 or every 2, updates every 2."""
    huge = f"profile.huge = {{ says = 'x', budget = {{ episodes = {2**52}, record_every = {2**50} }} }}\n"
    huge += f"profile.fine = {{ says = 'x', budget = {{ episodes = {2**52} }} }}\n[paper]"
    text = changed("[paper]", huge).replace("profile.half = ", "# ", 1).replace("[0.0, 1.0]", "[0.0, 0.2]", 1)
    text = text.replace("episodes = 16,", f"episodes = {2**52},")
    if moves:  # the first update may be shortly before a point
        parse(text.replace("window =", 'after = "first_update"\nwindow =', 1).encode(), "good.toml")
    else:
        assert refused(text).count('in profile "') == refused(text).count('in profile "huge"') == 1


@pytest.mark.parametrize(
    ("smaller", "problem"),
    [
        ("replay_size = 500", ""),
        ("replay_size = 1001", "at most 1000, the smallest that a method states"),
        ("lr = 1", "a count that a method states"),
        ("replay = 5", "a count that a method states"),
    ],
)
def test_a_profile_makes_counts_smaller_that_no_budget_holds(smaller: str, problem: str) -> None:
    text = changed("budget = { episodes = 8 } }", f"budget = {{ episodes = 8 }}, hyperparameters = {{ {smaller} }} }}")
    if problem:
        assert problem in refused(text)
        return
    suite = parse(text.encode(), "good.toml")
    for profile, size in (("half", 500), ("full", 1000)):
        for cell in make_plan(suite, Selection(profile=profile)).cells:
            assert cell.settings["hyperparameters"]["replay_size"] == size
            says = [note.says for note in cell.notes if note.class_ == "reduced"]
            assert ("profile half: replay_size = 500" in says) is (profile == "half")
