"""Whatever a method does, its run ends with a record that says what happened, and nothing else is harmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.run.job import Limits
from tests.compare.conftest import Played, printed_ids, still_there

REASONS = {
    "raises": "KeyError: 'no such\\nkey' (hostile.py, line",
    "exits": "SystemExit: 3 (hostile.py, line",
    "leaves": "the process ended with code 0 before it had finished",
    "kills_itself": "killed by signal 9 (SIGKILL)",
    "reports_nothing": "reported no policy: task.report(step, policy) was never called",
    "nan_policy": "IllegalAction: actions[agent_0]: got float64 of shape (2,) with NaN in it; allowed: whole",
    "soft_policy": "IllegalAction: actions[agent_0]: got float64 of shape (2, 5); allowed: whole numbers of shape (2,)",
    "forgets_an_agent": "IllegalAction: actions: got ['agent_1', 'agent_2', 'agent_3']; allowed: a table with an entry",
    "ninth_action": "IllegalAction: actions[agent_0]: got 9; allowed: 0 to 4",
    "words_for_actions": "IllegalAction: actions[agent_0]: got <U4 of shape ()",
    "forged_action": "illegal action at step 0: actions[agent_0]: got 9; allowed: 0 to 4",
    "writes_to_the_channel": "wrote something that is not a message to the harness's channel",
    "nested_json": "wrote something that is not a message to the harness's channel",
    "reports_a_score": "TypeError: Task.report() got an unexpected keyword argument 'score'",
    "reports_a_number": "TypeError: report: got a policy of type float",
    "sends_a_score": "an unknown message: {'do': 'score', 'final': 1000000000.0}",
    "miscounts": "reported step 1000000000, but the environment counted 0",
    "steps_in_the_evaluation": "in an evaluation it answered 'step' instead of actions",
    "answers_a_score_for_actions": "illegal action at step 0",
    "many_environments": "copy: got 257; allowed: 0 to 256",
    "asks_for_a_teacher": "asked a teacher that this run does not have",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_broken_rule_is_the_record_s_reason(name: str, played: Played) -> None:
    record = played(f"hostile:{name}")
    assert record.status == "failed"
    assert record.reason.startswith(REASONS[name])
    assert record.numbers.scores[0].final is None
    assert record.numbers.scores[0].returns == ()


@pytest.mark.parametrize("name", ["hangs", "hangs_in_the_evaluation"])
def test_a_hang_ends_at_the_time_limit(name: str, played: Played) -> None:
    record = played(f"hostile:{name}", limits=Limits(wall_s=12.0))
    assert (record.status, record.reason) == ("failed", "over the time limit of 12 s")


def test_memory_beyond_the_limit_ends_the_run(played: Played) -> None:
    record = played("hostile:grabs_memory", limits=Limits(memory_bytes=2 * 2**30))
    assert record.status == "failed"
    assert "MemoryError" in record.reason
    assert record.reason.endswith("; the limit is 2 GiB")


def test_its_log_has_its_last_words_and_where_it_failed(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The harness ends the process as soon as it knows, so everything must be printed by then."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)

    def log(name: str, wall_s: float = 60.0) -> str:
        record = played(f"hostile:{name}", limits=Limits(wall_s=wall_s))
        return (tmp_path / "results" / "logs" / f"{record.run}.log").read_text()

    for _ in range(3):  # it was a race
        lines = log("speaks_and_raises").splitlines()
        assert lines[:2] == ["the last words", "Traceback (most recent call last):"]
        assert any(line.endswith("in speaks_and_raises") for line in lines)
        assert lines[-1] == "RuntimeError: of which a log must tell where"
    assert log("speaks_and_hangs", wall_s=8.0) == "the last words\n"
    assert log("speaks_and_finishes") == "the last words"


def test_what_it_prints_is_kept_up_to_a_limit_and_changes_nothing(played: Played, tmp_path: Path) -> None:
    record = played("hostile:chatters", seed=3)
    assert record.status == "finished"
    log = tmp_path / "results" / "logs" / f"{record.run}.log"
    assert log.stat().st_size == 2**20
    assert record.numbers.scores[0].final is not None
    assert record.numbers.scores[0].final < 0  # of rewards that are distances, negative


def test_its_children_end_with_it(played: Played, tmp_path: Path) -> None:
    record = played("hostile:forks")
    assert record.reason.startswith("RuntimeError: left children behind")
    left = printed_ids(tmp_path / "results")
    assert len(left) == 3
    assert still_there(left) == []


def test_steps_beyond_the_budget_are_refused(played: Played) -> None:
    record = played("hostile:overspends")
    assert record.status == "finished"
    curves = record.numbers.scores[0].curves
    assert curves["training"].steps == (50, 100, 150)
    assert curves["training"].n == (2, 2, 2)
    assert curves["evaluation"].steps == (150,)


def test_a_failed_run_does_not_touch_its_neighbour(played: Played) -> None:
    alone = played("method:train", seed=5)
    played("hostile:kills_itself", seed=5)
    assert played("method:train", seed=5).numbers == alone.numbers
