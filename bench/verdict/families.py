"""Several questions at once: which verdicts stand after correction for how many were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.stats.decisions import ERROR
from bench.stats.multiplicity import benjamini_hochberg, holm
from bench.verdict.codes import Verdict

Correct = Callable[[Sequence[float]], tuple[float, ...]]


@dataclass(frozen=True)
class Family:
    """Verdicts that are read together. tested: how many had anything to test; the rest is what still stands."""

    name: str
    correction: str
    tested: int
    reproduced: int
    not_reproduced: int


def families(verdicts: Sequence[Verdict]) -> list[Family]:
    """Printed values under Benjamini & Hochberg, claims of abstracts and conclusions under Holm, each at 5%.

    A verdict stands where its corrected p-value is below 5%. Families in which nothing was tested are left out.
    """
    values = [v for v in verdicts if v.kind == "published"]
    headlines = [v for v in verdicts if v.headline]
    found = [
        _family("printed values", "Benjamini-Hochberg", benjamini_hochberg, values),
        _family("headline claims", "Holm", holm, headlines),
    ]
    return [family for family in found if family.tested]


def _family(name: str, correction: str, correct: Correct, verdicts: Sequence[Verdict]) -> Family:
    tested = [(v, v.p, v.p_against) for v in verdicts if v.p is not None and v.p_against is not None]
    if not tested:
        return Family(name, correction, 0, 0, 0)
    for_, against = correct([p for _, p, _ in tested]), correct([p for _, _, p in tested])
    kept = [v.verdict for (v, _, _), p in zip(tested, for_, strict=True) if p < ERROR]
    refuted = [v.verdict for (v, _, _), p in zip(tested, against, strict=True) if p < ERROR]
    return Family(name, correction, len(tested), kept.count("reproduced"), refuted.count("not_reproduced"))
