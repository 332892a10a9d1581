"""Input beyond all bounds ends at once, in one clear line: suite files, options, paths that are not files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.envs import AssetMissing, Assets
from bench.exchange import ExchangeError
from bench.exchange.declaration import read_declaration
from bench.exchange.imported import imports
from bench.nightly.history import nights
from bench.nightly.stored import reference
from bench.plan import Selection, make_plan
from bench.store import StoreError
from bench.suite import SuiteError
from bench.suite.foreign import read_bytes
from bench.suite.loading import load, parse
from tests.conftest import TINY, Bench
from tests.exchange.foreign import DECLARED

BILLION = 10**9
METHOD = '[[method]]\nid = "m{0}"\nwhere = "x"\nsays = "x"\nalgorithm = "maddpg"\nextends = "{1}"\n'
TEXTS = {  # by what is wrong: the file, and what the error says
    "dotted": (TINY + "\n" + ".".join(["a"] * 50_000) + " = 1", "a key of more than 32 parts"),
    "quoted": (TINY + "\n[" + " . ".join(['"a b"'] * 20_000) + "]", "a key of more than 32 parts"),
    "deep": (TINY + "\nx = " + "[" * 50_000 + "]" * 50_000, "shorter numbers, less nesting"),
    "items": (TINY.replace('["base"]', "[" + "1," * 100_000 + "]"), "more than 1000 entries"),
    "methods": (TINY + "[[method]]\n" * 1001, "method\n    got      more than 1000 entries"),
    "keys": (TINY + "".join(f"k{i} = 1\n" for i in range(1001)), "got      more than 1000 entries"),
    "problems": (
        TINY + ("[[deviation]]\n" + "".join(f"k{i} = 1\n" for i in range(400))) * 100,  # worded one by one: minutes
        "1000 or more problem(s)",
    ),
    "chain": (
        TINY + "".join(METHOD.format(i, f"m{i - 1}" if i else "base") for i in range(500)),
        "at most 20 in a row",
    ),
    "agents": (TINY.replace("agents = 2", f"agents = {BILLION}"), "less than or equal to 100"),
    "seeds": (TINY.replace("value = 3, source", f"value = {BILLION}, source"), "less than or equal to 10000"),
    "profile": (TINY.replace("full.says", f"full.seeds = {BILLION}\nprofile.full.says"), "less than or equal to 10000"),
    "limit": (TINY.replace("episode_limit = 5", f"episode_limit = {BILLION}"), "less than or equal to 1000000"),
    "evaluation": (TINY.replace("evaluation_episodes = 3", f"evaluation_episodes = {BILLION}"), "or equal to 1000000"),
    "width": (TINY.replace("hidden_width = { value = 8", f"hidden_width = {{ value = {BILLION}"), "at most 16384"),
    "layers": (TINY.replace("hidden_layers = { value = 2", f"hidden_layers = {{ value = {BILLION}"), "at most 100"),
    "layout": (TINY.replace("layout_agents = { value = 3", f"layout_agents = {{ value = {BILLION}"), "at most 100"),
    "budget": (TINY.replace("episodes = 16", f"episodes = {2**53}"), "less than or equal to 9007199254740991"),
    "version": (TINY.replace("version = 1", f"version = {2**53}"), "less than or equal to 9007199254740991"),
    "year": (TINY.replace("year = 2026", "year = 1" + "0" * 4000), "less than or equal to 2999"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_suite_beyond_all_bounds(name: str) -> None:
    text, says = TEXTS[name]
    with pytest.raises(SuiteError) as refusal:
        parse(text.encode(), "x.toml")
    assert says in str(refusal.value)
    assert len(str(refusal.value)) < (1500 if name != "problems" else 20_000)


def test_fifty_problems_are_shown() -> None:
    text = TINY.replace('methods = ["base"]', "methods = [" + "1," * 900 + "]")
    with pytest.raises(SuiteError) as refusal:
        parse(text.encode(), "x.toml")
    assert (count := len(refusal.value.problems)) >= 900
    assert str(refusal.value).endswith(f"  and {count - 50} more")


def test_a_key_of_thirty_two_parts_is_read() -> None:
    with pytest.raises(SuiteError, match="unknown key"):
        parse((TINY + "\n[" + ".".join(["a"] * 32) + "]").encode(), "x.toml")


def test_suite_files_that_are_no_files(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe.toml", tmp_path / "large.toml"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(2**21 + 1)
    for path, says in ((pipe, "not a regular file"), (large, "got 2,097,153 bytes; allowed: 2,097,152")):
        with pytest.raises(SuiteError, match=says):
            load(str(path))


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    (tmp_path / "file").write_bytes(b"1234")
    (tmp_path / "good").symlink_to(tmp_path / "file")
    for path in (pipe, link, tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_bytes(path, 4)
    assert read_bytes(tmp_path / "good", 4) == b"1234"
    with pytest.raises(OSError, match="got 4 bytes; allowed: 3"):
        read_bytes(tmp_path / "good", 3)


def waiting(path: Path) -> Path:
    """No process writes into this pipe, so a reader waits for ever."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("which", ["file", "protocol", "both"])
def test_an_import_of_no_files(bench_here: Bench, tiny_file: Path, tmp_path: Path, which: str) -> None:
    for name, kind in (("theirs.csv", "file"), ("theirs.toml", "protocol")):
        if which in (kind, "both"):
            waiting(tmp_path / name)
        else:
            (tmp_path / name).write_text(DECLARED if kind == "protocol" else "method\n")
    done = bench_here("import", "csv", tmp_path / "theirs.csv", "--suite", tiny_file)
    assert done.returncode == 2
    assert "not a regular file" in done.stderr


@pytest.mark.parametrize("file", ["theirs.csv", "theirs.toml"])
def test_an_import_beyond_all_bounds(bench_here: Bench, tiny_file: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "theirs.toml").write_text(DECLARED)
    with (tmp_path / file).open("ab") as own:
        own.truncate(2**26 + 1)
    done = bench_here("import", "csv", tmp_path / "theirs.csv", "--suite", tiny_file)
    assert done.returncode == 2
    assert "got 67,108,865 bytes; allowed: " in done.stderr


def test_a_protocol_that_takes_an_hour_to_read(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(DECLARED + ".".join(["a"] * 50_000) + " = 1")
    with pytest.raises(ExchangeError, match="a key of more than 32 parts"):
        read_declaration(tmp_path / "p.toml")


def test_files_of_folders_that_are_no_files(tmp_path: Path) -> None:
    """Such paths in a folder are named, and the rest is read."""
    waiting(tmp_path / "imported" / "x.json")
    assert "not a regular file" in str(imports(tmp_path).damaged)
    waiting(tmp_path / "nights" / "x.json")
    (line,) = nights(tmp_path)[1]
    assert "not a regular file" in line
    with pytest.raises(StoreError, match="not a regular file"):
        reference(waiting(tmp_path / "accepted.json"))
    name = f"{'0' * 64}.safetensors"
    waiting(tmp_path / name)
    with pytest.raises(AssetMissing, match="not a regular file"):
        Assets(tmp_path).read(name)


def test_a_setting_that_is_too_deep_is_text() -> None:
    deep = "[" * 50_000
    with pytest.raises(SuiteError, match=r"lr"):
        make_plan(parse(TINY.encode(), "tiny.toml"), Selection(settings=(f"base.lr={deep}",)))


@pytest.mark.parametrize("name", ["a" * 300, "a" * 300 + ".toml", "a\0b.toml"])
def test_a_name_that_no_file_can_have(name: str) -> None:
    with pytest.raises(SuiteError, match=r"no such file|name one of them"):
        load(name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--seeds", str(BILLION)], "of at most 10000"),
        (["--seeds", f"{2**53},"], "each below 2**53"),
        (["--set", f"budget.final_evaluation_episodes={BILLION}"], "less than or equal to 1000000"),
        (["--set", f"base.hidden_width={BILLION}"], "a whole number, at least 1, at most 16384"),
    ],
)
def test_options_beyond_all_bounds(bench_here: Bench, tiny_file: Path, options: list[str], says: str) -> None:
    done = bench_here("plan", tiny_file, *options)
    assert done.returncode == 2
    assert says in done.stderr
