"""Several questions at once: which verdicts stand after correction for the number of questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.stats.estimates import ERROR
from bench.stats.multiplicity import benjamini_hochberg, holm
from bench.verdict.codes import Verdict

NO_QUESTION = ("not_comparable", "undefined", "also_untrained")
Correct = Callable[[Sequence[float]], tuple[float, ...]]


@dataclass(frozen=True)
class Family:
    """Verdicts that are read together. of: how many. tested: how many had anything to test. The rest: what stands."""

    name: str
    correction: str
    of: int
    tested: int
    reproduced: int
    not_reproduced: int


def families(verdicts: Sequence[Verdict]) -> list[Family]:
    """Printed values under Benjamini & Hochberg, claims of abstracts and conclusions under Holm, each at 5%.

    A verdict stands if its corrected p-value is below 5%. If seeds are added look by look, that is the p-value over all
    looks, so a look is judged by Pocock's constant at the level that the correction leaves. Families in which nothing
    was tested are left out. Three kinds ask no question of the paper's method and are in no family: claims without a
    verdict (a substitute, an undefined quantity), computed claims, and claims that an untrained team passes too.
    """
    asked = [v for v in verdicts if v.verdict not in NO_QUESTION and not v.computed]
    values = [v for v in asked if v.kind == "published"]
    headlines = [v for v in asked if v.headline]
    printed, named = sum(v.kind == "published" for v in verdicts), sum(v.headline for v in verdicts)
    found = [
        _family("printed values", "Benjamini-Hochberg", benjamini_hochberg, printed, values),
        _family("headline claims", "Holm", holm, named, headlines),
    ]
    return [family for family in found if family.tested]


def _family(name: str, correction: str, correct: Correct, of: int, verdicts: Sequence[Verdict]) -> Family:
    tested = [
        (v, _overall(v, v.p), _overall(v, v.p_against)) for v in verdicts if v.p is not None and v.p_against is not None
    ]
    if not tested:
        return Family(name, correction, of, 0, 0, 0)
    for_, against = correct([p for _, p, _ in tested]), correct([p for _, _, p in tested])
    kept = [v.verdict for (v, _, _), p in zip(tested, for_, strict=True) if p < ERROR]
    refuted = [v.verdict for (v, _, _), p in zip(tested, against, strict=True) if p < ERROR]
    return Family(name, correction, of, len(tested), kept.count("reproduced"), refuted.count("not_reproduced"))


def _overall(verdict: Verdict, p: float) -> float:
    return p if verdict.look is None else verdict.look.asked.overall(p)
