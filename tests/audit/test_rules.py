"""The audit rule by rule, in small suites."""

from __future__ import annotations

from typing import Any

import pytest

from bench.audit import Finding, audit
from tests.printed import Entry, claim, table, with_tables


def findings(*tables: Entry, claims: tuple[Entry, ...] = (), **lists: list[Entry]) -> dict[str, Finding]:
    return {f.id: f for f in audit(with_tables(*tables, claims=claims, **lists))}


def said(test: Entry, *tables: Entry, **keys: Any) -> Finding:
    """The finding on one claim about these tables, or about one in which base < init < student."""
    rows = {"two": "0.40 0.50 0.60", "three": "0.10 0.20 0.30"}
    return findings(*(tables or [table("1", rows)]), claims=(claim(test, **keys),))["said"]


def retained(student: str, teacher: str, printed: str) -> Finding:
    rule = {"kind": "retention", "student": "student", "teacher": "base", "from": "1"}
    tables = (
        table("1", {"base": teacher, "student": student}, "two"),
        table("1/kept", {"student": printed}, "two", metric="kept", derived=rule),
    )
    return findings(*tables)["1/kept/two/student"]


@pytest.mark.parametrize(
    ("student", "teacher", "printed", "holds", "recomputed", "from_digits"),
    [
        ("0.50", "0.80", "62.5%", "yes", "62.5000%", True),
        ("0.50", "0.80", "0.625", "yes", "0.625000", True),
        ("0.50", "0.80", "62.9%", "yes", "62.5000%", False),  # 0.505 / 0.795 = 63.5%
        ("0.50", "0.80", "63.6%", "no", "62.5000%", False),  # 63.52% at most, 63.55% at least
        ("0.5", "0.8", "63.6%", "yes", "62.5000%", False),  # fewer digits, more room: 0.55 / 0.75
        ("0.00", "0.00", "-", "undefined", "0.00/0.00", None),
        ("0.50", "0.00", "-", "undefined", "0.50/0.00", None),
        ("0.50", "0.00", "90%", "undefined", "0.50/0.00", None),  # a number where nothing can be divided
        ("0.00", "0.50", "0%", "yes", "0.000%", True),
        ("0.50", "0.80", "-", "no", "0.625000", None),  # a dash where a number could stand
        ("-", "0.80", "62.5%", "not_checkable", None, None),
        ("1.00", "1.00", "99.4%", "no", "100.0000%", False),  # a win rate is never above 1: 0.995 / 1 at least
    ],
)
def test_retention(
    student: str, teacher: str, printed: str, holds: str, recomputed: str | None, from_digits: bool | None
) -> None:
    found = retained(student, teacher, printed)
    assert (found.holds, found.recomputed, found.from_digits) == (holds, recomputed, from_digits)


def averaged(rows: dict[str, str], printed: str, **rule: Any) -> Finding:
    derived = {"kind": "mean", "from": ["1"], "scenarios": ["two", "three"], "of": {"base": "base"}} | rule
    tables = table("1", rows, "base"), table("mean", {"base": printed}, "both", derived=derived)
    return findings(*tables)["mean/both/base"]


def test_mean() -> None:
    rows = {"two": "0.40", "three": "0.45"}
    found = averaged(rows, "0.42")  # 0.425, of which either neighbour is a rounding
    assert (found.holds, found.recomputed, found.from_digits, len(found.cells)) == ("yes", "0.42500", True, 2)
    assert (averaged(rows, "0.44").holds, averaged(rows, "0.43").holds) == ("no", "yes")  # 0.43 at most; 0.435 at least
    assert averaged(rows, "0.43", because="which is unknown").holds == "not_checkable"
    assert averaged(rows, "0.43", of={}).cells == ("what is averaged is not printed",)
    assert averaged({"two": "0.40", "three": "-"}, "0.40").holds == "not_checkable"
    assert averaged({"two": "0.40"}, "0.40").holds == "not_checkable"  # of two, one is not printed
    assert averaged(rows, "-").holds == "not_checkable"


def test_trailing_zeros_that_are_dropped() -> None:
    """0.9 in a table of two decimals is 0.90, a hundredth below 0.91; in a table of one decimal it could be 0.91."""
    test = {"kind": "ordering", "greater": ["init:final"], "less": ["base:final"]}
    rows = {"two": "0.9 0.91 0"}
    assert said(test, table("1", rows, decimals=2), scenarios=["two"]).holds == "yes"
    assert said(test, table("1", rows), scenarios=["two"]).holds == "tie"


def test_repeats() -> None:
    again = {"id": "again", "where": "Tables", "says": "same", "methods": ["base"], "tables": ["1", "2"]}

    def repeated(first: str, second: str) -> str:
        rows = [{"base": text} for text in (first, second)]
        found = findings(table("1", rows[0], "two"), table("2", rows[1], "two"), repeat=[again])
        return found["again/two/base"].holds

    assert repeated("0.90", "0.90") == repeated("0.9", "0.90") == repeated("0.9", "0.94") == "yes"
    assert repeated("0.90", "0.91") == repeated("0.9", "0.96") == "no"
    assert repeated("0.90", "-") == "undefined"


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("**0.5** 0.4 0.3", None),
        ("**0.5** **0.5** 0.3", None),
        ("**0.5** 0.5 0.3", "bold base 0.5; best base 0.5, init 0.5"),
        ("0.5 0.4 0.3", "bold none; best base 0.5"),
        ("**0.5** 0.4 **0.3**", "bold base 0.5, student 0.3; best base 0.5"),
        ("- **0.4** 0.3", None),
        ("- - -", None),  # nothing to mark
    ],
)
def test_bold(row: str, wrong: str | None) -> None:
    found = findings(table("1", {"two": row, "three": "**0.2** 0.1 0.0"}, bold="best"))["1/bold"]
    if wrong is None:
        assert (found.holds, found.recomputed, found.cells) == ("yes", "2 of 2 scenarios", ())
    else:
        assert (found.holds, found.recomputed) == ("no", "1 of 2 scenarios")
        assert found.cells == (f"Table 1: two: {wrong}",)


RISING = {"kind": "ordering", "greater": ["student:final"], "less": ["base:final", "init:final"]}
FALLING = {"kind": "ordering", "greater": ["init:final"], "less": ["base:final", "student:final"]}
MIXED = table("1", {"two": "0.40 0.50 0.60", "three": "0.40 0.50 0.30"})  # rises on one of two


def test_ordering_over_all_most_and_a_number() -> None:
    assert said(RISING).holds == "yes"
    assert said(FALLING).cells == (
        "Table 1: two: init 0.50, student 0.60",
        "Table 1: three: init 0.20, student 0.30",
    )
    for over, holds in {"all": "no", "most": "no", 1: "yes", 2: "no"}.items():  # one of two is not most
        found = said(RISING, MIXED, over=over)
        assert (found.holds, found.recomputed) == (holds, "1 of 2"), over


def test_a_tie_and_a_dash_decide_only_where_they_are_needed() -> None:
    tied = table("1", {"two": "0.40 0.50 0.60", "three": "0.30 0.10 0.30"})
    assert [said(RISING, tied, over=over).holds for over in ("all", "most", 1)] == ["tie", "tie", "yes"]
    dash = table("1", {"two": "0.40 0.50 0.60", "three": "- 0.10 0.30"})
    assert [said(RISING, dash, over=over).holds for over in ("all", "most", 1)] == ["undefined", "undefined", "yes"]
    worse = table("1", {"two": "0.40 0.50 0.60", "three": "0.30 0.40 0.30"})  # a tie with one, behind the other
    assert said(RISING, worse).cells == ("Table 1: three: student 0.30, init 0.40",)


def test_groups() -> None:
    """A scenario that two groups print counts twice, unless the claim names one of them."""
    narrow = table("1", {"two": "0.40 0.50 0.60", "three": "0.10 0.20 0.30"}, group="narrow")
    wide = table("2", {"two": "0.60 0.50 0.40"}, group="wide")
    found = said(RISING, narrow, wide)
    assert (found.holds, found.recomputed) == ("no", "2 of 3")
    assert "Table 2, wide: two: student 0.40, base 0.60" in found.cells[0]
    assert said(RISING, narrow, wide, groups=["narrow"]).recomputed == "2 of 2"
    assert said(RISING, narrow, wide, groups=["wide"], scenarios=["two"]).recomputed == "0 of 1"


def test_what_is_not_printed_is_not_counted_as_false() -> None:
    part = table("1", {"two": "0.40 0.50 0.60"})
    found = said(RISING, part)
    assert (found.holds, found.recomputed) == ("not_checkable", "1 of 2")
    assert found.cells == ("three: student:final, base:final, init:final not printed",)
    assert said(RISING, part, over=1).holds == said(RISING, part, scenarios=["two"]).holds == "yes"
    none = said(RISING, table("1", {"two": "0.1", "three": "0.2"}, "base"))
    assert (none.holds, none.recomputed, none.cells) == ("not_checkable", None, ("no table prints these values",))


ELSEWHERE = table("source", {"base": "0.45"}, "two", experiment="source")


def test_a_value_of_another_experiment() -> None:
    """`base@source` is the other experiment's value, whatever is printed here."""
    test = {"kind": "difference", "of": "student:final", "minus": "base@source:final", "printed": ["0.15"]}
    here = table("1", {"two": "0.40 0.50 0.60"})
    found = said(test, here, ELSEWHERE, scenarios=["two"])
    assert (found.holds, found.recomputed) == ("yes", "0.15000")
    assert found.cells == ("Table 1: student on two = 0.60; Table source: base on two = 0.45",)
    lost = said(test, here, scenarios=["two"])  # printed here only, which is not what is asked for
    assert (lost.holds, lost.cells) == ("not_checkable", ("no table prints these values",))
    own = test | {"minus": "base@tabled:final", "printed": ["0.20"]}
    assert said(own, here, ELSEWHERE, scenarios=["two"]).holds == "yes"


def test_a_measure_of_another_experiment_that_is_a_retention() -> None:
    """Two retentions of one student, by two teachers: the measure's teacher tells them apart."""
    rows = {"two": "0.80 0.50 0.40"}
    rules = [
        {"kind": "retention", "student": "student", "teacher": teacher, "from": "1"} for teacher in ("init", "base")
    ]
    kept = [
        table(id_, {"student": text}, "two", metric="kept", derived=rule)
        for id_, text, rule in zip("ab", ("80%", "50%"), rules, strict=True)
    ]
    test = {"kind": "value", "quantity": "student@tabled:kept", "printed": "50%"}
    assert said(test, table("1", rows), *kept, scenarios=["two"]).holds == "yes"


def test_averages_are_asked_for_by_their_set() -> None:
    rule = {"kind": "mean", "from": ["1"], "of": {}}
    means = table("mean", {"base": "0.3", "init": "0.4", "student": "0.5"}, "both", derived=rule)
    rows = table("1", {"two": "0.6 0.5 0.4", "three": "0.0 0.3 0.6"})
    found = said(RISING, rows, means, scenarios=["both"])
    assert (found.holds, found.recomputed) == ("yes", "1 of 1")  # of the average, not of its two scenarios
    found = said(RISING, rows, scenarios=["both"])
    assert (found.holds, found.recomputed) == ("no", "1 of 2")  # no average is printed: its scenarios


def test_a_set_of_unknown_scenarios() -> None:
    unknown = {"id": "some", "where": "Sec. 4", "says": "not said which", "scenarios": []}
    lists = {"set": [unknown]}
    means = table("mean", {"base": "0.3", "init": "0.4", "student": "0.5"}, "some")
    assert findings(means, claims=(claim(RISING, scenarios=["some"]),), **lists)["said"].holds == "yes"


@pytest.mark.parametrize(
    ("test", "margin", "holds"),
    [
        ({"kind": "not_greater", "greater": ["init:final"], "less": ["base:final"]}, {"absolute": 0.1}, "yes"),
        ({"kind": "not_greater", "greater": ["student:final"], "less": ["base:final"]}, {"absolute": 0.1}, "no"),
        ({"kind": "not_greater", "greater": ["base:final"], "less": ["student:final"]}, {"absolute": 0.1}, "yes"),
        ({"kind": "not_greater", "greater": ["init:final"], "less": ["base:final"]}, {"relative": 0.25}, "yes"),
        ({"kind": "not_greater", "greater": ["init:final"], "less": ["base:final"]}, {"relative": 0.2}, "no"),
        ({"kind": "equivalence", "same": ["base:final", "init:final"]}, {"absolute": 0.1}, "yes"),
        ({"kind": "equivalence", "same": ["base:final", "init:final", "student:final"]}, {"absolute": 0.1}, "no"),
        ({"kind": "equivalence", "same": ["student:final", "base:final"]}, {"relative": 0.5}, "yes"),
        ({"kind": "equivalence", "same": ["student:final", "base:final"]}, {"share_of_scale": 0.11}, "yes"),  # of 2
        ({"kind": "equivalence", "same": ["student:final", "base:final"]}, {"share_of_scale": 0.09}, "no"),
        ({"kind": "equivalence", "same": ["student:final", "base:final"]}, {"share_of_budget": 0.5}, "not_checkable"),
        ({"kind": "between", "quantity": "base:final", "low": "40%", "high": "0.5"}, None, "yes"),
        ({"kind": "between", "quantity": "base:final", "low": "0.41", "high": "0.5"}, None, "no"),
        ({"kind": "between", "quantity": "base:final", "low": "0.41", "high": "0.5", "tolerance": 0.01}, None, "yes"),
        ({"kind": "between", "quantity": "base:final", "low": "0.1", "high": "0.35", "tolerance": 0.04}, None, "no"),
        ({"kind": "value", "quantity": "base:final", "printed": "40%"}, None, "yes"),
        ({"kind": "value", "quantity": "base:final", "printed": "0.404"}, None, "yes"),  # prints 0.40
        ({"kind": "value", "quantity": "base:final", "printed": "0.41"}, None, "yes"),  # 0.405 could lie behind both
        ({"kind": "value", "quantity": "base:final", "printed": "42%"}, None, "no"),
        ({"kind": "value", "quantity": "base:told", "printed": "42%"}, None, "not_checkable"),
        ({"kind": "change", "from": "base:final", "to": "student:final", "printed": "50%"}, None, "yes"),
        ({"kind": "change", "from": "student:final", "to": "base:final", "printed": "33.3%"}, None, "no"),
        (
            {"kind": "change", "from": "student:final", "to": "base:final", "printed": "33.3%", "direction": "down"},
            None,
            "yes",
        ),
        ({"kind": "change", "from": "40%", "to": "0.5", "printed": "25%"}, None, "yes"),
        ({"kind": "change", "from": "0", "to": "0.5", "printed": "25%"}, None, "undefined"),
        ({"kind": "difference", "of": "student:final", "minus": "base:final", "printed": ["20%"]}, None, "yes"),
        ({"kind": "difference", "of": "base:final", "minus": "student:final", "printed": ["-0.2"]}, None, "yes"),
        ({"kind": "difference", "of": "student:final", "minus": "base:final", "printed": ["22%"]}, None, "no"),
        ({"kind": "product", "of": ["24", "1.5k"], "printed": "36k"}, None, "yes"),
        ({"kind": "product", "of": ["2", "3"], "printed": "9"}, None, "yes"),  # 2.5 x 3.5 = 8.75
        ({"kind": "product", "of": ["2", "3"], "printed": "11"}, None, "no"),
        ({"kind": "untestable", "because": "it is a feeling"}, None, "not_checkable"),
    ],
)
def test_each_kind_of_claim(test: Entry, margin: Entry | None, holds: str) -> None:
    """On scenario two: base 0.40, init 0.50, student 0.60."""
    rows = {"two": "0.40 0.50 0.60", "three": "0.10 0.20 0.30"}
    told = {"id": "told", "says": "how it feels", "kind": "declared", "unit": "feeling", "because": "no scale"}
    claimed = claim(test, scenarios=["two"], **({"margin": margin} if margin else {}))
    assert findings(table("1", rows), claims=(claimed,), measure=[told])["said"].holds == holds


def test_a_difference_of_just_the_margin_is_within_it() -> None:
    """0.77 - 0.70 is a tenth of 0.70, although in floats the tenth is less."""
    rows = table("1", {"two": "0.700 0.770 0.600"})
    test = {"kind": "not_greater", "greater": ["init:final"], "less": ["base:final"]}
    assert said(test, rows, scenarios=["two"], margin={"relative": 0.1}).holds == "yes"
    assert said(test, rows, scenarios=["two"], margin={"relative": 0.08}).holds == "no"  # 0.769 - 0.701 at least


def test_ratio() -> None:
    test = {"kind": "ratio", "numerator": "student:final", "denominator": "base:final", "tolerance": 0.1}
    found = said(test | {"printed": 1.45}, scenarios=["two"])  # 0.60 / 0.40
    assert (found.holds, found.printed, found.recomputed) == ("yes", "1.45 +- 0.1", "1.5000")
    assert said(test | {"printed": 1.3}, scenarios=["two"]).holds == "no"
    assert said(test | {"printed": 1.3}, table("1", {"two": "0 0 0.5"}), scenarios=["two"]).holds == "undefined"


def test_differences_of_a_set_go_by_its_scenarios() -> None:
    test = {"kind": "difference", "of": "student:final", "minus": "base:final", "printed": ["0.20", "0.20"]}
    found = said(test, scenarios=["both"])
    assert (found.holds, found.recomputed) == ("yes", "0.20000, 0.20000")


def test_a_claim_of_several_experiments_is_several_findings() -> None:
    target = table("t", {"three": "0.9 0.8 0.7"}, experiment="target")
    rows = {"two": "0.40 0.50 0.60", "three": "0.10 0.20 0.30"}
    found = findings(table("1", rows), target, claims=(claim(RISING, experiments=["tabled", "target"]),))
    assert (found["said/tabled"].holds, found["said/target"].holds) == ("yes", "no")
