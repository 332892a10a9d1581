"""A profile whose environments stand in for others; scenarios that a team meets without being trained on them."""

from __future__ import annotations

import functools

import pytest
import torch

import bench.run.tasks
from bench.plan import Cell, Plan, Selection, make_plan
from bench.suite import Suite, SuiteError
from bench.suite.loading import load, parse
from bench.suite.shipped import folder

TEXT = (folder() / "mkt_marl.toml").read_text()


@functools.cache
def planned(profile: str, *only: str) -> Plan:
    return make_plan(load("mkt_marl"), Selection(profile=profile, only=only))


def cell(label: str) -> Cell:
    return next(c for c in planned("smax", "table1", "new-tasks", "variable-agents").cells if c.label == label)


def test_every_starcraft_scenario_is_played_by_the_substitute_or_waits() -> None:
    suite: Suite = load("mkt_marl").on("smax")
    own = [s for s in suite.scenario if s.id.startswith("smac/")]
    assert {s.family for s in own} == {"smax"}
    assert {s.steps for s in own} == {100}
    waiting = {s.id for s in own if s.waits_for}
    assert waiting == {"smac/MMM", "smac/MMM2", "smac/MMM2_8", "smac/MMM2_8_2"}
    assert suite["scenario", "smac/MMM"].waits_for == "MMM on smax: it has no medivac"
    assert suite["scenario", "mpe/push"] == load("mkt_marl")["scenario", "mpe/push"]
    assert suite.on("smax").scenario == suite.scenario


def test_groups_that_lose_tasks_are_others() -> None:
    sets = {c.training_set for c in planned("smax", "table1").cells if c.experiment == "table1"}
    assert sets == {"smac/5", "smac/6", "smac/8", "smax/10", "smax/8-wide", "smac/27"}
    assert cell("mkt_marl on smax/8-wide").scenarios == tuple(
        f"smac/{m}" for m in ["8m", "8m_vs_9m", "1s7z", "2s6z", "3s5z", "4s4z", "5s3z", "6s2z", "7s1z", "8s_vs_8z"]
    )


def test_what_it_shows_is_a_substitute_of_whichever_method() -> None:
    cells = planned("smax", "table1", "new-tasks", "variable-agents").cells
    assert len({c.method for c in cells}) == 7
    for own in cells:
        for scenario in own.scenarios:
            assert {"substitute", "reduced"} <= {note.class_ for note in own.notes_on(scenario)}, own.label
    mixed = [c for c in planned("smax", "table2").cells if c.training_set == "mpe"]
    assert not any(note.id == "smax" for c in mixed for note in c.notes)


def test_the_paper_s_own_runs_do_not_know_of_it() -> None:
    """Ids under other profiles are those of a file without the substitute."""
    start, end = TEXT.index("# Where the game is not available."), TEXT.index("# ----", TEXT.index("[profile.smax]"))
    without = parse((TEXT[:start] + TEXT[end:]).encode(), "mkt_marl.toml")
    for profile in ("full", "nightly", "smoke"):
        bare = make_plan(without, Selection(profile=profile))
        assert [run.id for run in bare.runs] == [run.id for run in planned(profile).runs]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('of = "starcraft"', 'of = "starkraft"', 'another family of this file: "particle", "starcraft"'),
        ('family = "smax"\nsays', 'family = "smacks"\nsays', 'profile[smax].substitute.family\n    got      "smacks"'),
        ('"smac/10" = { id = "smax/10"', '"smac/11" = { id = "smax/10"', '"smac/11"'),
        ('id = "smax/10", scenarios = ["smac/10m', 'id = "smax/10", scenarios = ["smac/12m', '"smac/12m_vs_11m"'),
        ('"smac/4s4z" = "smac/3s5z"', '"smac/4s4z" = "smac/8m"', 'got      "smac/4s4z" as "smac/8m" in "smac/new"'),
        ('plays_as = { "smac/4s4z" = "smac/3s5z", ', "plays_as = { ", 'is scored on "smac/4s4z", which it is not'),
    ],
)
def test_what_is_wrong_with_it_is_said(old: str, new: str, says: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(SuiteError) as caught:
        parse(TEXT.replace(old, new).encode(), "mkt_marl.toml")
    assert says in str(caught.value)


def test_a_new_task_is_played_as_the_trained_one_that_it_borrows_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table V: the targets are played with 3s5z's embedding and head, the third task's."""
    own = cell("qmix_multi on smac/new")
    assert [s.plays_as for s in own.scored] == [None, None, None, 2, 2, 2]
    monkeypatch.setattr(bench.run.tasks, "make", lambda *_: None)
    places = bench.run.tasks.places(own, torch.device("cpu"))
    assert [place.task for place in places] == [0, 1, 2, 2, 2, 2]
    assert [place.scored.params["name"] for place in places[3:]] == ["4s4z", "5s3z", "6s2z"]
