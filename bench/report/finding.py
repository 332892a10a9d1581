"""A paper's outcome in three sentences made from its verdicts: headlines, all claims, the runs behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.verdict import Verdict
from bench.verdict.codes import COMPUTED

# What is said of one claim and of several, by their verdict, in this order.
WORDS: Mapping[str, tuple[str, str]] = {
    "reproduced": ("is reproduced", "are reproduced"),
    "exceeds": ("is exceeded", "are exceeded"),
    "not_reproduced": ("is not reproduced", "are not reproduced"),
    "inconclusive": ("is open", "are open"),
    "depends_on_reading": ("depends on how the paper is read", "depend on how the paper is read"),
    "also_untrained": ("holds for a team that has learned nothing", "hold for a team that has learned nothing"),
    "undefined": ("is undefined", "are undefined"),
    "not_comparable": ("cannot be compared", "cannot be compared"),
    "not_run": ("has not been run", "have not been run"),
    COMPUTED: ("is computed without a run", "are computed without a run"),
}
DIRECTIONS: Mapping[str, tuple[str, str]] = {
    "same_direction": ("points the claimed way", "point the claimed way"),
    "opposite_direction": ("points the other way", "point the other way"),
    "undecided": ("shows neither direction", "show neither direction"),
    "": ("has not been run", "have not been run"),
}


def finding(claims: Sequence[Verdict], runs: int, asked: int, directions: bool) -> tuple[str, str, str]:
    """claims: their verdicts. runs: how many of the `asked` ones finished. directions: whether no verdict can stand."""
    if directions:
        found = Counter(v.direction for v in claims)
        second = (
            f"{_of(len(claims), 'claim')}, {_listed(found, DIRECTIONS)}." if claims else "It has no claim to judge."
        )
        return "Nothing here can count as a reproduction.", second, _basis(runs, asked)
    headlines = [v for v in claims if v.headline]
    return _headlines(headlines), _all(claims), _basis(runs, asked)


def _headlines(claims: Sequence[Verdict]) -> str:
    if not claims:
        return "No claim of its abstract or conclusion can be judged on runs."
    if not any(v.ran and not v.computed for v in claims):
        return f"Of its {_number(len(claims), 'headline claim')}, none has been judged yet."
    if len(claims) == 1:
        return f"Its one headline claim {WORDS[_word(claims[0])][0]}."
    return f"{_of(len(claims), 'headline claim')}, {_listed(Counter(map(_word, claims)), WORDS)}."


def _all(claims: Sequence[Verdict]) -> str:
    if not claims:
        return "It has no claim to judge."
    told = f"Of all its {_number(len(claims), 'claim')}, {_listed(Counter(map(_word, claims)), WORDS)}"
    same = [v.robust for v in claims if v.robust is not None]
    if not same:
        return f"{told}."
    counted = ((same.count("yes"), ("holds", "hold")), (same.count("no"), ("fails", "fail")))
    parts = [f"{n} {words[n > 1]}" for n, words in counted if n]
    return f"{told}; in every reading of the paper that was run, {' and '.join(parts)}."


def _word(verdict: Verdict) -> str:
    """A claim that needs no run is counted apart, whatever its verdict."""
    return COMPUTED if verdict.computed else verdict.verdict


def _basis(runs: int, asked: int) -> str:
    if not runs:
        return "No run has finished."
    return f"This rests on {runs:,} of {asked:,} planned runs of our re-implementation, not of the authors' code."


def _of(count: int, noun: str) -> str:
    return f"Of its {_number(count, noun)}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _listed(found: Mapping[str, int], words: Mapping[str, tuple[str, str]]) -> str:
    """How many of each, in the words' order."""
    parts = [f"{found[code]} {words[code][found[code] > 1]}" for code in words if found.get(code)]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
