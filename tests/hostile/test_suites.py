"""Suite files that are damaged, altered, or made to burst: each is read or refused, and a read one can be planned."""

from __future__ import annotations

import random
import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from bench.plan import Selection, make_plan
from bench.suite import SuiteError
from bench.suite.loading import dump, parse
from bench.suite.shipped import folder
from tests.attempts import attempt, drawn
from tests.conftest import TINY
from tests.damage import OTHERS, bytes_flipped, restructured, truncated

BOMBS = [10**9, 10**18, -(10**18), 1e308, ["a"] * 2000, "a" * 100_000, "../../x", "a/../../x", {"a": {"a": {}}}, [[[]]]]
TEXTS = {"tiny": TINY} | {name: (folder() / f"{name}.toml").read_text() for name in ("knowru", "ptde")}


def burst(text: str, chance: random.Random) -> bytes:
    """Text that costs a careless reader much more than it costs to write."""
    size = 10 ** chance.randint(2, 5)
    line = chance.choice(
        [
            ".".join(["a"] * size) + " = 1",
            "[" + ".".join(['"a b"'] * size) + "]",
            "x = " + "[" * size + "]" * size,
            "x = [" + "1," * size + "]",
            "x = " + "{a=" * min(size, 5000) + "1" + "}" * min(size, 5000),
            "x = " + "1" * size,
            'x = "' + "\\u00e9" * min(size, 20_000) + '"',
            "[[scenario]]\n" * min(size, 5000),
        ]
    )
    return f"{text}\n{line}\n".encode()


@pytest.mark.parametrize("name", TEXTS)
def test_a_suite_is_read_or_refused(name: str) -> None:
    text, tree = TEXTS[name], tomllib.loads(TEXTS[name])

    @drawn("suites", 0.8 if name == "tiny" else 0.1)
    @given(seed=st.integers(0, 2**64 - 1))
    def test(seed: int) -> None:
        chance = random.Random(seed)
        how = chance.randrange(5)
        if how == 0:
            content = bytes_flipped(text.encode(), chance)
        elif how == 1:
            content = truncated(text.encode(), chance)
        elif how == 2 and name == "tiny":
            content = burst(text, chance)
        else:
            content = tomli_w.dumps(restructured(tree, chance, OTHERS if how == 3 else BOMBS)).encode()
        with attempt("suites", SuiteError):
            suite = parse(content, "drawn.toml")
            make_plan(suite, Selection(seeds=(0,)))
            assert parse(dump(suite).encode(), "again.toml") == suite

    test()
