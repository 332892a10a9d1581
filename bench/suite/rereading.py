"""Problems that a suite has only under one of its other readings."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from pydantic import ValidationError

from bench.suite import Reading, Suite
from bench.suite.contradictions import contradictions, missing_scales, wrong_quantities
from bench.suite.explain import Problem, explain
from bench.suite.references import dangling
from bench.suite.tables import wrong_claims
from bench.suite.windows import wrong_windows


def wrong_readings(suite: Suite, need_anchors: bool = True) -> Iterator[Problem]:
    """Problems of a suite's other readings.

    An entry with `vary` expands to many readings. The measures of each are checked; the rest only for readings that are
    the first to choose some value.
    """
    for entry in suite.reading:
        chosen: set[tuple[str, str]] = set()
        for one in entry.each():
            try:
                changed = suite.under(one.id)
            except ValidationError as error:
                key = f"reading[{entry.id}].{'vary' if entry.vary else 'measures'}"
                wrong = explain(error, one.measures)
                yield from (replace(problem, key=f"{key}: {problem.key}") for problem in wrong)
                break
            if new := {*one.choices.items()} - chosen:
                chosen |= new
                bare = changed.model_copy(update={"reading": (), "deviation": ()})  # already checked
                own = _wrong_under(bare, entry, {key.rpartition(".")[2] for key, _ in new}, need_anchors)
                yield from (replace(problem, key=f"reading[{entry.id}]: {problem.key}") for problem in own)
                if own:
                    break


def _wrong_under(suite: Suite, reading: Reading, keys: Set[str], need_anchors: bool) -> list[Problem]:
    """Problems of a suite under a reading that changes these keys. An analysis changes little, so little is checked."""
    if reading.kind != "analysis":
        return contradictions(suite, need_anchors)
    problems = list(dangling(suite)) or [*wrong_quantities(suite), *wrong_claims(suite)]
    problems = problems or (list(wrong_windows(suite)) if keys & {"window", "after", "series", "level"} else [])
    return problems or (list(missing_scales(suite)) if need_anchors else [])
