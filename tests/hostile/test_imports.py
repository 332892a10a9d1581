"""Results from elsewhere, damaged, altered, or made to burst: accepted runs are plausible, the rest is named."""

from __future__ import annotations

import json
import math
import random
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from bench.exchange import ExchangeError
from bench.exchange.accepting import absent, accepted, remarks
from bench.exchange.declaration import in_words, read_declaration
from bench.exchange.files import gather
from bench.exchange.imported import Format, Import, imports, write_import
from bench.suite import Suite
from bench.suite.loading import parse
from tests.attempts import attempt, command, drawn
from tests.conftest import TINY
from tests.damage import JSON_OTHERS, OTHERS, bytes_flipped, restructured, truncated
from tests.exchange.foreign import DECLARED, run

seeds = st.integers(0, 2**64 - 1)
SUITE: Suite = parse(TINY.encode(), "tiny.toml")
TREE = {"particle": {"two": {"theirs": {"seed_0": run(1, 2), "seed_1": run(2, 3)}, "other": {"seed_2": run(-1.5, 7)}}}}
ROWS = "method,scenario,seed,point,steps,mean,n\n" + "".join(
    f"theirs,{scenario},{seed},{point},{steps},{mean - seed / 8},{n}\n"
    for scenario in ("two", "three")
    for seed in (0, 1)
    for point, steps, mean, n in (("evaluation", 0, -5.0, 3), ("evaluation", 40, -4.0, 3), ("final", 80, -3.5, 4))
)
CONTENT = {"json": json.dumps(TREE), "csv": ROWS}
CELLS = ["", "nan", "-inf", "1e400", "0x1", "1_000", "٣", "-1", "9" * 400, "two", "=1", "\x1b[2J", '"', "\ufeff"]
CHANGES = [  # of what is declared
    {"factor": 1e308},
    {"final": "last"},
    {"metric_in_file": "\x1b"},
    {"scenarios": {"two": "three", "three": "two"}},
    {"fixed": {"method": "x"}},
    {"columns": {"mean": "steps", "steps": "mean"}},
    {"path": "**/" * 40 + "x"},
    {"path": "**/" + "*a" * 40 + "x"},
    {"path": "**/*/*a*a*b"},
    {"path": "{method}/{seed}.csv"},
    {"seeds": list(range(1000))},
    {"evaluation_episodes": 10**18},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("imports")


def bent(kind: str, chance: random.Random) -> bytes:
    """A file of this kind, damaged as a disk does it, or by hand."""
    content = CONTENT[kind].encode()
    match chance.randrange(5):
        case 0:
            return bytes_flipped(content, chance)
        case 1:
            return truncated(content, chance)
        case 2:
            return burst(kind, 10 ** chance.randint(2, 5), chance)
        case 3 if kind == "json":
            return json.dumps(restructured(TREE, chance, [*JSON_OTHERS, 1e308, float("nan")])).encode()
        case 3:
            lines = [line.split(",") for line in ROWS.splitlines()]
            for _ in range(chance.randint(1, 3)):
                chance.choice(lines)[chance.randrange(7)] = chance.choice(CELLS)
            return "\n".join(map(",".join, lines)).encode("utf-8", "surrogatepass")
        case _:
            return content


def burst(kind: str, size: int, chance: random.Random) -> bytes:
    """Input that costs a careless reader much more than it costs to write."""
    if kind == "csv":
        wide, long = "a," * size + "b\n", f"theirs,two,0,evaluation,1,{'1' * size},3\n"
        return (ROWS + chance.choice([wide, long, '"' * size, '"' + "x" * size, "\n" * size])).encode()
    one = [f'{{"a":{"[" * size}{"]" * size}}}', '{"a":' * size + "1" + "}" * size, "1" * size, f'{{"a":1{"0" * size}}}']
    doubled = "{" + '"particle":{},' * min(size, 10_000) + '"x":1}'
    return chance.choice([*one, doubled, CONTENT[kind].replace("10,", f"1{'0' * size},")]).encode()


def declared_anew(chance: random.Random) -> bytes:
    match chance.randrange(6):
        case 0:
            return bytes_flipped(DECLARED.encode(), chance)
        case 1:
            return tomli_w.dumps(restructured(tomllib.loads(DECLARED), chance, OTHERS)).encode()
        case 2:
            return f"{DECLARED}{'.'.join(['a'] * 10 ** chance.randint(1, 5))} = 1".encode()
        case _:
            return tomli_w.dumps(tomllib.loads(DECLARED) | chance.choice([*CHANGES, {}])).encode()


def written(folder: Path, chance: random.Random) -> tuple[Path, Path, Format]:
    """A file, or a folder with one file deep inside, and its protocol."""
    kind = chance.choice(["json", "csv"])
    deep = folder / "deep" / "/".join(["a" * 20] * 8) / f"{'a' * 60}.{kind}"
    file, protocol = chance.choice([folder / f"theirs.{kind}", deep]), folder / "theirs.toml"
    for old in (folder / "deep").rglob("*.*"):
        old.unlink()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bent(kind, chance))
    protocol.write_bytes(declared_anew(chance))
    return folder / "deep" if file == deep else file, protocol, "csv" if kind == "csv" else "marl-eval"


@drawn("imports", 0.75)
@given(seed=seeds)
def test_what_is_taken_could_have_been_a_run(folder: Path, seed: int) -> None:
    with attempt("imports", ExchangeError):
        file, protocol, format_ = written(folder, random.Random(seed))
        declared = read_declaration(protocol)
        there = gather(file, format_, declared)
        runs, refused = accepted(there.candidates, declared, SUITE)
        assert len({own.key for own in runs}) == len(runs)
        for own in runs:
            assert own.seed in declared.seeds
            assert SUITE["scenario", own.scenario].metric == declared.metric
            assert [*own.steps] == sorted({*own.steps})
            assert len(own.steps) == len(own.mean)
            assert all(math.isfinite(x) and abs(x) <= 1e150 for x in (*own.mean, own.final))
        for line in (in_words(declared), *absent(runs, declared), *remarks(runs, there.candidates, declared)):
            assert "\n" not in line
        whole = Import(name="x", suite="tiny", suite_version=1, source=there.source, protocol=declared, runs=tuple(runs), refused=(*there.refused, *refused))  # fmt: skip # noqa: E501
        write_import(folder, whole)
        (back,) = imports(folder).sound
        assert back == whole
        if not runs:
            raise ExchangeError(file, [])


@drawn("imports", 0.2)
@given(seed=seeds)
def test_an_import_that_was_changed_counts_nowhere(folder: Path, seed: int) -> None:
    """Its hashes cover every byte that means something."""
    chance, (file, protocol) = random.Random(seed), (folder / "sound.csv", folder / "sound.toml")
    file.write_text(ROWS)
    protocol.write_text(DECLARED)
    declared = read_declaration(protocol)
    there = gather(file, "csv", declared)
    runs, _ = accepted(there.candidates, declared, SUITE)
    assert len(runs) == 4
    whole = Import(
        name="y", suite="tiny", suite_version=1, source=there.source, protocol=declared, runs=tuple(runs), refused=()
    )
    root = folder / "stored"
    path = write_import(root, whole)
    content = path.read_bytes()
    how = chance.randrange(3)
    if how == 2:
        body = restructured(json.loads(content), chance, JSON_OTHERS)
        path.write_text(json.dumps(body))
    else:
        path.write_bytes((bytes_flipped, truncated)[how](content, chance))
    with attempt("imports"):
        found = imports(root)
        assert len(found.sound) + len(found.damaged) == 1
        assert not found.sound or found.sound == (whole,)


def test_the_command_says_what_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = folder / "tiny.toml"
    suite.write_text(TINY)

    @drawn("imports", 0.05)
    @given(seed=seeds)
    def test(seed: int) -> None:
        with attempt("imports"):
            file, protocol, format_ = written(folder, random.Random(seed))
            options = ("--suite", suite, "--protocol", protocol, "--results", folder / "none", "--dry-run")
            code, out, err = command(monkeypatch, "import", format_, file, *options)
            assert code in (0, 2, 4), err
            assert all(own.isprintable() for own in (out + err).split("\n"))

    test()
