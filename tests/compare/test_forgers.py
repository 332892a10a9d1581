"""A learner gets the score of its play: the harness plays, whatever the learner's process does to itself."""

from __future__ import annotations

import pytest

from bench.store import sha256
from tests.compare.conftest import Played

FORGERS = ["AllAtOnce"]
MORE_FORGERS = ["PatchesPlay", "PatchesArithmetic", "RewritesRewards", "PatchesScores", "PatchesRecords"]  # tests/slow
REASONS = {
    "LargeActions": "illegal action after 0 episodes, step 0 of an evaluation: agent 0: got [",
    "SoftActions": "illegal action after 0 episodes, step 0 of an evaluation: agent 0: got [0.2, 0.2, 0.2, 0.2, 0.2]; "
    "allowed: one available action, 1 among zeros",
    "LargeSteps": "illegal action after 0 episodes, step 0 of training: agent 0: got [",
    "SpeaksForItself": "it answered 'finished' when it was asked for copies",
}


def test_a_forger_s_numbers_are_those_of_its_play(played: Played) -> None:
    forge_in_vain(FORGERS, played)


def forge_in_vain(forgers: list[str], played: Played) -> None:
    honest = played("forgers:Honest", seed=1)
    assert honest.numbers.scores[0].final is not None
    assert honest.numbers.scores[0].final < 0  # of rewards that are distances, negative
    for name in forgers:
        record = played(f"forgers:{name}", seed=1)
        assert (name, record.status, record.reason) == (name, "finished", "")
        assert record.numbers == honest.numbers
        assert record.run != honest.run


IN_SLOW = ("LargeActions",)  # refused by the check that refuses SoftActions


@pytest.mark.parametrize("name", sorted({*REASONS} - {*IN_SLOW}))
def test_what_is_no_move_ends_the_run(name: str, played: Played) -> None:
    no_move_ends(name, played)


def no_move_ends(name: str, played: Played) -> None:
    record = played(f"forgers:{name}")
    assert record.status == "failed"
    assert record.reason.startswith(REASONS[name])
    assert (record.numbers.scores[0].final, record.numbers.scores[0].returns) == (None, ())
    assert record.numbers.weights == sha256(b"")


def test_a_crash_in_an_evaluation_keeps_the_curves_before_it(played: Played) -> None:
    record = played("forgers:Crashes")
    assert (record.status, record.reason) == ("failed", "killed by signal 6 (SIGABRT)")
    (scores,) = record.numbers.scores
    assert (scores.final, scores.returns) == (None, ())
    assert scores.curves["evaluation"].episodes == (0,)
    assert scores.curves["training"].episodes == (2,)


def test_an_exception_in_the_final_evaluation_is_the_record_s_reason(played: Played) -> None:
    record = played("forgers:RaisesAtTheEnd")
    assert record.reason.startswith("RuntimeError: no more (forgers.py, line")
    assert record.numbers.scores[0].final is None
    assert record.numbers.scores[0].curves["evaluation"].episodes == (0, 3, 6)
