"""Consequences of printed digits: bounds, and numbers written like the printed ones."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bench.audit.findings import shown
from bench.audit.rounding import Rounded, change, difference, mean, negative, product, ratio, rounded, stated
from bench.suite import Suite, number
from tests.printed import table, with_tables


def between(low: str, high: str) -> Rounded:
    return Rounded((Fraction(low) + Fraction(high)) / 2, Fraction(low), Fraction(high))


def test_rounded_values() -> None:
    suite: Suite = with_tables(
        table("1", {"two": "0.000 0.9 1.00"}), table("r", {"two": "-0.9 1 -"}, metric="return", decimals=2)
    )
    zero, some, all_, below, one, dash = suite.printed
    assert rounded(zero) == Rounded(Fraction(0), Fraction(0), Fraction("0.0005"))  # never less than no game
    assert rounded(some) == Rounded(Fraction("0.9"), Fraction("0.85"), Fraction("0.95"))
    assert rounded(all_) == Rounded(Fraction(1), Fraction("0.995"), Fraction(1))  # never more than all
    assert rounded(below) == Rounded(Fraction("-0.9"), Fraction("-0.905"), Fraction("-0.895"))
    assert rounded(one) == Rounded(Fraction(1), Fraction("0.995"), Fraction("1.005"))
    with pytest.raises(ValueError, match="r/two/student is a dash"):
        rounded(dash)


def test_what_follows_from_rounded_values() -> None:
    a, b = between("1", "3"), between("4", "8")
    assert mean([a, b]) == Rounded(Fraction(4), Fraction("2.5"), Fraction("5.5"))
    assert difference(b, a) == Rounded(Fraction(4), Fraction(1), Fraction(7))
    assert ratio(a, b) == Rounded(Fraction(1, 3), Fraction(1, 8), Fraction(3, 4))
    assert change(a, b) == Rounded(Fraction(2), Fraction(1, 3), Fraction(7))
    assert change(between("-3", "-1"), between("-1", "1")) == Rounded(Fraction(1), Fraction(0), Fraction(2))
    assert product([a, b]) == Rounded(Fraction(12), Fraction(4), Fraction(24))
    assert negative(a) == Rounded(Fraction(-2), Fraction(-3), Fraction(-1))


def test_what_has_no_bounds() -> None:
    nought, near = between("-1", "1"), between("-1", "3")
    assert ratio(between("1", "3"), nought) is None
    assert change(nought, near) is None
    unbounded = Rounded(Fraction(2), None, None)
    assert ratio(between("1", "3"), near) == unbounded
    assert change(near, between("1", "3")) == Rounded(Fraction(1), None, None)
    assert unbounded.meets(between("100", "101"))  # nothing printed contradicts it
    assert negative(unbounded) == Rounded(Fraction(-2), None, None)


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [
        ("0.64", "0.64", "0.005"),
        ("-7.50", "-7.5", "0.005"),
        ("63.1%", "0.631", "0.0005"),
        ("90%", "0.9", "0.005"),  # not 85 to 95
        ("100%", "1", "0.005"),
        ("29,000", "29000", "500"),
        ("1.25M", "1250000", "5000"),
        ("24", "24", "0.5"),
        ("0", "0", "0.5"),
        ("0%", "0", "0.005"),
        ("10k", "10000", "5000"),
    ],
)
def test_numbers_of_the_text(text: str, value: str, half: str) -> None:
    assert number(text) == (Fraction(value), Fraction(half))
    assert stated(text).low == Fraction(value) - Fraction(half)


def test_a_recomputed_number_is_written_like_the_printed_one() -> None:
    value = Fraction("0.631236")
    assert [shown(value, like) for like in ("0.6", "63.1%", "63%", "0.631±0.201")] == [
        "0.6312",
        "63.1236%",
        "63.124%",
        "0.631236",
    ]
    assert shown(Fraction(1_234_567), "1.2M") == "1.2346M"
