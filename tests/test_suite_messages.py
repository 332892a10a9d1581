"""The text of suite errors: one mistake is one problem, and the right form stands beside it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from baselines.specs import ALGORITHMS
from bench.suite import SuiteError, number
from bench.suite.loading import parse
from bench.suite.published import CELL, unit
from bench.suite.settings import kind_of
from bench.suite.shipped import usual
from tests.conftest import TINY
from tests.printed import table, text_with

SEEDS, LR = 'seeds = { value = 3, source = "Table 1" }', 'lr = { value = 0.01, source = "a" }'
BUDGET = 'budget = { episodes = 16, source = "Table 1" }'
ONE_SET = '[{ id = "two", scenarios = ["two"] }]'


def refused(text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        parse(text.encode(), "bad.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (SEEDS, "seeds = 3", ["experiment[source].seeds", 'a table, such as { value = 3, source = "..." }']),
        (LR, "lr = 0.5", ["hyperparameters.lr", 'a table, such as { value = 0.5, source = "..." }']),
        (
            'budget = { episodes = 16, source = "Table 1" }',
            "budget = 16",
            ['such as { episodes = 5000, source = "..." }'],
        ),
        ("margin = { share_of_scale = 0.1 }", "margin = 0.1", ["such as { share_of_scale = 0.1 }"]),
        (LR, LR.replace("0.01", "nan"), ["got      nan", "text in quotes or a valid boolean or", "or a finite number"]),
        (LR, "", ["hyperparameters.lr", "got      nothing", "allowed  a number, above 0", "usual: ", "0.01 (knowru)"]),
        (ONE_SET, '[{ id = "two", scenarios = [3] }]', ["training_sets[two].scenarios[0]", "got      3"]),
        (ONE_SET, '[{ id = "two" }]', ["training_sets[two].scenarios", 'the key "scenarios" with a value']),
        (LR, LR.replace("0.01", '"fast"'), ["hyperparameters.lr", 'got      "fast"', "allowed  a number, above 0"]),
        (ONE_SET, '[{ id = "a b", scenarios = ["two"] }]', ["training_sets[a b].id", "parts of letters, digits, '_'"]),
        ('kind = "window"', 'kind = "windw"', ["].kind", 'got      "windw"', 'did you mean "window"?']),
        ("version = 1", 'version = "one"', ["version", "allowed  a whole number, without quotes"]),
        ('title = "Tiny"', 'title = "Tiny', ["(file)", "close the quote"]),
        (ONE_SET, "[]", ["experiment[source].training_sets", "a longer list"]),
        (
            'methods = ["base"]\n',
            'methods = ["base"]\nteachers = { experiment = "source", method = "base", pairing = "same seed" }\n',
            ["experiment[source].teachers", '"base", but no method here learns from it', "add a student"],
        ),
        (
            'pairing = "same seed" }',
            'pairing = "same seed", instead = { base = "base" } }',
            [
                "experiment[target].teachers.instead",
                '"base" for "base", which does not learn from a teacher',
                '"init", "student"',
            ],
        ),
    ],
)
def test_a_mistake_is_one_problem_with_the_right_form(old: str, new: str, said: list[str]) -> None:
    assert old in TINY
    message = refused(TINY.replace(old, new, 1))
    assert message.startswith("bad.toml: 1 problem(s)")
    for words in said:
        assert words in message


@pytest.mark.parametrize(("episodes", "problems"), [(17, 2), (18, 2), (16, 0), (8, 0)])
def test_no_profile_trains_longer_than_the_paper(episodes: int, problems: int) -> None:
    text = TINY.replace("budget = { episodes = 8 }", f"budget = {{ episodes = {episodes} }}")
    if not problems:
        assert parse(text.encode(), "x.toml").profile["half"].budget[0].episodes == episodes
        return
    message = refused(text)
    for experiment in ("source", "target"):
        assert f'at most 16, the budget of experiment "{experiment}": a profile is a reduction' in message


@pytest.mark.parametrize(
    ("algorithm", "name", "words"),
    [
        ("maddpg", "lr", "a number, above 0"),
        ("maddpg", "gamma", "a number, at least 0, at most 1"),
        ("maddpg", "batch_size", "a whole number, at least 4, at most 1e+06, a multiple of 4"),
        ("maddpg_initialized", "copied", '"actor"'),
        ("knowru", "reuse_loss", 'one of "mse", "ce", "kl"'),
    ],
)
def test_the_kind_of_a_hyperparameter(algorithm: str, name: str, words: str) -> None:
    assert kind_of(ALGORITHMS[algorithm].hyperparameters, name) == words


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_hyperparameter_has_a_kind(algorithm: str) -> None:
    model = ALGORITHMS[algorithm].hyperparameters
    assert not [name for name in model.model_fields if "a value" in kind_of(model, name)]


def test_a_hyperparameter_of_no_paper_has_no_usual_value() -> None:
    assert usual("no_such_thing") == ""


@pytest.mark.parametrize(
    ("cell", "value", "spread", "sign"),
    [
        ("\u2212132.63±2.22", "-132.63", "2.22", ""),
        ("91.7±3.1%", "91.7", "3.1", "%"),
        ("91.7%±3.1", "91.7", "3.1", "%"),
        ("91.7%±3.1%", "91.7", "3.1", "%"),
        ("**\u22121.5**", "-1.5", None, ""),
    ],
)
def test_cells_as_a_pdf_has_them(cell: str, value: str, spread: str | None, sign: str) -> None:
    keys = {"metric": "win_rate" if sign else "step_reward", "spread": "std" if spread else "none"}
    suite = parse(text_with(table("1", {"two": cell}, "base", **keys)).encode(), "x.toml")
    (printed,) = suite.printed
    assert printed.value == Decimal(value)
    assert printed.spread == (None if spread is None else Decimal(spread))
    assert (printed.unit, printed.bold, printed.decimals) == (sign, "*" in cell, len(value.partition(".")[2]))


def test_no_other_sign_is_read() -> None:
    assert [c for c in ("1±%", "%", "1%%", "\u2212", "1±2%%", "\u20131") if CELL.match(c)] == ["\u2212"]  # a dash
    found = CELL.match("1.0")
    assert found is not None
    assert unit(found) == ""


def test_blanks_around_the_plus_minus_sign_are_named() -> None:
    message = refused(text_with(table("1", {"two": "0.917 ± 0.031 0.5±0.1"}, "base", "init", spread="std")))
    assert message.startswith("bad.toml: 1 problem(s)")
    for words in (
        'got      "0.917 ± 0.031"',
        "no blanks around the plus-minus sign",
        "remove the blanks: 0.917±0.031",
    ):
        assert words in message


def test_numbers_of_the_text_with_a_pdfs_minus_sign() -> None:
    assert number("\u221216.9%") == number("-16.9%")


def test_a_byte_that_is_no_utf8_is_told_by_its_line() -> None:
    with pytest.raises(SuiteError, match=r"byte 0xff at offset 4, in line 3"):
        parse(b"a\nb\n\xff", "bad.toml")


def test_a_budget_that_several_methods_do_not_count_is_one_problem() -> None:
    """In two training sets as well."""
    text = TINY.replace(BUDGET, BUDGET.replace("episodes", "steps"))
    text = text.replace(
        '[{ id = "three", scenarios = ["three"] }]',
        '[{ id = "three", scenarios = ["three"] }, { id = "again", scenarios = ["three"] }]',
    )
    message = refused(text)
    assert message.count("experiment[target].budget\n") == 1
    assert 'for "base", "init", "student"' in message
