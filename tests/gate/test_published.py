"""The published records are frozen: ids and hashes of all of them, computed here a second time and in another way.

Expected values come from the files alone, in the form in which schema 2 and format 1 are hashed. A failure means
that a published number would move. Whoever adds or removes a record on purpose writes published.txt anew, in the same
commit: `python -m tests.gate.test_published`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from baselines.specs import later
from bench.plan import Scored, Selection, cell_settings, digest, hashed_hyperparameters, make_plan, run_id
from bench.store import Numbers, Record, numbers_hash, read_record
from bench.suite import PRIMARY
from bench.suite.loading import load
from bench.suite.shipped import available
from tests.conftest import ROOT

RECORDS = ROOT / "results" / "records"
FROZEN = Path(__file__).with_name("published.txt")  # a line for each run: id, hash of its numbers, of its whole file
NUMBERS = {"first_update", "scores", "weights"}
SCORES = {"curves", "final", "returns"}
LATER = {"members"}  # came later: stands where there is something to say, of ensembles
CURVE = {"episodes", "mean", "n", "sd", "steps"}
COUNTED = {"updates"}  # of a method whose budget counts them


def sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def files() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(RECORDS.glob("*.json")):
        yield path, json.loads(path.read_bytes())


def frozen_numbers(body: dict[str, Any]) -> dict[str, Any]:
    """What schema 2 hashes, from a file of schema 1 or 2."""
    numbers = body["numbers"]
    if body["schema_version"] == 1:
        numbers = {key: numbers[key] for key in NUMBERS - {"scores"}} | {
            "scores": [{key: numbers[key] for key in SCORES}]
        }
    assert set(numbers) == NUMBERS
    assert all(SCORES <= set(scores) <= SCORES | LATER for scores in numbers["scores"])
    assert all(scores[key] for scores in numbers["scores"] for key in LATER & set(scores))
    curves = [curve for scores in numbers["scores"] for curve in scores["curves"].values()]
    assert all(CURVE <= set(curve) <= CURVE | COUNTED for curve in curves)
    return numbers


def frozen_id(body: dict[str, Any]) -> str:
    """A run's id, from the hash of its settings, its seed, and its teachers' ids."""
    teachers = [teacher["run"] for teacher in body.get("teachers", [body.get("teacher")]) if teacher]
    taught = {"teachers": teachers} if len(teachers) > 1 else {"teacher": teachers[0] if teachers else None}
    return sha256({"cell": sha256(body["settings"])[:16], "seed": body["seed"], **taught})[:16]


def lines() -> Iterator[str]:
    for _, body in files():
        yield f"{frozen_id(body)} {sha256(frozen_numbers(body))} {sha256(body)}"


@pytest.fixture(scope="module")
def published() -> dict[str, tuple[str, str]]:
    """By run id: the hash of its numbers, and of its whole file."""
    split = (line.split() for line in FROZEN.read_text().splitlines())
    return {run: (numbers, file) for run, numbers, file in split}


def test_every_record_is_as_it_was_published(published: dict[str, tuple[str, str]]) -> None:
    found = {}
    for path, body in files():
        assert frozen_id(body) == path.stem == body["run"]
        found[path.stem] = sha256(frozen_numbers(body)), sha256(body)
        assert numbers_hash(read_record(path)) == found[path.stem][0], path.name
    assert found == published
    assert len(found) >= 308


PICTURES = {"nightly", "smax", "football"}  # first pictures at less than a paper's budget, or on a substitute


def test_every_published_run_is_still_planned(published: dict[str, tuple[str, str]]) -> None:
    """Settings that are no longer a paper's primary ones stay as a named reading."""
    planned: set[str] = set()
    for suite in map(load, available()):
        for reading in (PRIMARY, *(one.id for one in suite.reading if one.kind != "analysis")):
            selection = Selection(seeds=tuple(range(10)), reading=reading)
            planned |= {run.id for run in make_plan(suite.under(reading), selection).runs}
        for profile in suite.profile.keys() & PICTURES:
            shorter = Selection(seeds=tuple(range(10)), profile=profile)
            planned |= {run.id for run in make_plan(suite, shorter).runs}
    assert published.keys() <= planned


# ------------------------------------------------------------------------- fields that come later


class LaterScored(Scored):
    players: int = later(1)


class LaterNumbers(Numbers):
    energy: float | None = later(None)


class LaterHyperparameters(BaseModel):
    lr: float
    momentum: float = later(0.0)


SCENARIO: dict[str, Any] = {"family": "f", "version": 1, "params": {}, "episode_limit": 5, "metric": "m"}


@pytest.mark.parametrize("count", [1, 2])
def test_a_later_field_of_a_scenario_is_hashed_where_it_says_something(count: int) -> None:
    def key(scored: Scored) -> str:
        return digest(cell_settings((scored,) * count, {}))

    assert key(LaterScored(**SCENARIO)) == key(LaterScored(**SCENARIO, players=1)) == key(Scored(**SCENARIO))
    assert key(LaterScored(**SCENARIO, players=2)) != key(Scored(**SCENARIO))


def test_a_later_hyperparameter_is_hashed_where_it_says_something() -> None:
    before = {"lr": 0.1}
    assert hashed_hyperparameters(LaterHyperparameters, before) == before
    assert hashed_hyperparameters(LaterHyperparameters, {**before, "momentum": 0.0}) == before
    assert hashed_hyperparameters(LaterHyperparameters, {**before, "momentum": 0.5}) == {**before, "momentum": 0.5}


def test_a_later_field_of_the_numbers_is_hashed_where_it_says_something() -> None:
    record = read_record(next(RECORDS.glob("*.json")))

    def of(**more: Any) -> str:
        numbers = LaterNumbers(**dict(record.numbers), **more)
        return numbers_hash(Record(**{**dict(record), "numbers": numbers}))

    assert of() == of(energy=None) == numbers_hash(record)
    assert of(energy=1.5) != numbers_hash(record)


def test_ids_hash_what_they_always_did() -> None:
    """Literal ids, which show any change of the form, published record or not."""
    assert digest({"b": 1, "a": [1.5, None, "x"]}) == "52686768c7445ae4"
    assert run_id("c" * 16, 3, ()) == "9810a55749ee23ef"
    assert run_id("c" * 16, 3, ("a",)) == "a92837c72b0f7b6e"
    assert run_id("c" * 16, 3, ("a", "b")) == "c0415d6a167098ed"


if __name__ == "__main__":
    FROZEN.write_text("\n".join(lines()) + "\n")
