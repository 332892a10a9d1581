"""Suite files: what is accepted; each mistake is named with file, key, got, allowed, and the fix."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from bench.suite import Suite, SuiteError
from bench.suite.loading import load, parse
from bench.suite.shipped import available, folder
from tests.conftest import TINY
from tests.printed import Entry, claim, table, text_with


def refused(text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        parse(text.encode(), "bad.toml")
    message = str(caught.value)
    assert message.startswith("bad.toml: ")
    for word in ("got ", "allowed ", "mend "):
        assert word in message
    return message


def changed(old: str, new: str) -> str:
    assert old in TINY
    return TINY.replace(old, new, 1)


def test_the_tiny_suite_is_sound_and_frozen(tiny: Suite) -> None:
    assert tiny.id == "tiny"
    assert tiny.settings("student")["lr"].value == 0.01
    assert tiny.settings("student")["alpha_start"].value == 0.5
    with pytest.raises(ValueError, match="frozen"):
        tiny.version = 2


def test_every_shipped_suite_is_sound() -> None:
    assert "knowru" in available()
    for name in available():
        assert load(name).id == name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "version = 1\ncolour = 3", ["colour", 'unknown key "colour"', '"schema", "version"']),
        ('says = "two agents"', 'says = "two agents"\nfamly = "x"', ["scenario[two].famly", 'did you mean "family"']),
        ("lr = { value", "lr = { valeu", ["method[base].hyperparameters.lr.valeu"]),
        ("episode_limit = 5", 'episode_limit = "five"', ["scenario[two].episode_limit", '"five"', "whole number"]),
        ("episode_limit = 5", "", ["scenario[two].episode_limit", "nothing", "add the key"]),
        (
            "episodes = 16",
            "episodes = -16",
            ["experiment[source].budget.episodes", "-16", "greater than or equal to 1"],
        ),
        ('id = "three"', 'id = "two"', ["scenario[two].id", '"two" 2 times', "rename"]),
        (
            'experiments = ["target"]',
            'experiments = ["targte"]',
            ["claim[better].experiments", 'did you mean "target"'],
        ),
        ('less = ["base:overall"]', 'less = ["bace:overall"]', ["claim[better].test", '"bace"', 'did you mean "base"']),
        ('less = ["base:overall"]', 'less = ["base:overal"]', ["claim[better].test", '"overal"', '"overall"']),
        ('extends = "base"', 'extends = "bse"', ["method[init].extends", '"bse"']),
        ('method = "base", pairing', 'method = "init", pairing', ["experiment[target].teachers", '"init"', '"base"']),
        ('scenarios = ["three"]', 'scenarios = ["four"]', ["experiment[target].training_sets", '"four"']),
        ('algorithm = "knowru"', 'algorithm = "knowrus"', ["method[student].algorithm", 'did you mean "knowru"']),
        (
            'value = "mse"',
            'value = "mae"',
            ["method[student].hyperparameters.reuse_loss", '"mae"', 'one of "mse", "ce", "kl"'],
        ),
        (
            "lr = { value = 0.01",
            "lr = { value = -0.01",
            ["method[base].hyperparameters.lr", "-0.01", "a number, above 0"],
        ),
        ("tau = {", "taw = {", ["method[base].hyperparameters.taw", 'did you mean "tau"']),
        ('kind = "assumed"', 'kind = "guessed"', ["hyperparameters.warmup_transitions.kind", '"guessed"', "'assumed'"]),
        ('family = "particle"', 'family = "partical"', ["scenario[two].family", 'did you mean "particle"']),
        ('dynamics = "openai"', 'dynamics = "newton"', ["scenario[two].params.dynamics", '"newton"', "'openai'"]),
        ("agents = 2", "agents = 0", ["scenario[two].params.agents", "0"]),
        ('kind = "ordering"', 'kind = "order"', ["claim[better].test", "order"]),
        ("margin = { share", "margin = { relative = 1.0, share", ["claim[better].margin", "exactly one of"]),
        ("window = [0.0, 1.0]", "window = [1.0, 0.0]", ["measure[overall]", "start < stop"]),
        ('class = "erratum"', 'class = "oops"', ["deviation[odd].class", '"oops"', "'erratum'"]),
        (
            'applies_to = ["student"]',
            'applies_to = ["studnt"]',
            ["deviation[odd].applies_to", 'did you mean "student"'],
        ),
        (
            'metric = "step_reward"',
            'metric = "ndcg"',
            ["scenario[two].metric", '"ndcg"', '"step_reward", "return", "return_sum"'],
        ),
        ('where = "Sec. 1"', 'where = ""', ["claim[better].where", "some text"]),
        ("schema = 2", "schema = 3", ["schema", "3"]),
        ('profile.full.says = "all there is"', "", ["profile", '"full"']),
        ("year = 2026", "year = nan", ["paper.year"]),
        ("episodes = 16", "episodes = 15", ["experiment[source].episodes", "15", "a multiple of 2"]),
        ("replay_size = { value = 1000", "replay_size = { value = 9", ["hyperparameters.replay_size", "at least 10"]),
        ('level = "base:overall"', 'level = "base:reach"', ["measure[reach].level", "not a time"]),
        ('protocol = "training"', 'protocol = "greedy"', ["claim[better].protocol", '"greedy"']),
        ('series = "training"', 'series = "loss/bogus"', ["measure[overall].series", '"loss/bogus"', '"loss/critic"']),
        ('less = ["base:overall"]', 'less = ["student:overall"]', ["claim[better].test", "each quantity once"]),
        ('baseline = "base"', 'baseline = "student2"', ["experiment[target].baseline", '"student2"']),
    ],
)
def test_a_mistake_is_named(old: str, new: str, said: list[str]) -> None:
    message = refused(changed(old, new))
    for words in said:
        assert words in message


def test_a_cycle_of_teachers_is_named() -> None:
    teachers = 'teachers = { experiment = "target", method = "base", pairing = "same seed" }\n'
    text = changed('methods = ["base"]\n', 'methods = ["base"]\n' + teachers)
    assert "a cycle: source -> target -> source" in refused(text)


def test_a_cycle_of_methods_is_named() -> None:
    text = changed('algorithm = "maddpg"\n', 'algorithm = "maddpg"\nextends = "student"\n')
    assert "a cycle: base -> student -> base" in refused(text)


def test_a_student_without_teachers_is_named() -> None:
    text = changed('teachers = { experiment = "source", method = "base", pairing = "same seed" }\n', "")
    assert "experiment[target].teachers" in refused(text)


def test_a_scenario_that_nobody_teaches_is_named_once_and_alone() -> None:
    """Not once for each student, and without the errors of claims about the missing teachers."""
    text = (folder() / "mkt_marl.toml").read_text("utf-8")
    message = refused(text.replace('{ id = "mpe/push", scenarios = ["mpe/push"] },', "", 1))
    assert message.startswith("bad.toml: 2 problem(s)")
    assert message.count('got      none on "mpe/push"') == len(["table2", "ablation"])
    assert 'give each of these a training set of its own in experiment "teachers"' in message


def test_a_claim_about_a_method_that_is_not_run_is_named() -> None:
    message = refused(changed('methods = ["base", "init", "student"]', 'methods = ["base", "init"]'))
    assert "claim[better].test" in message
    assert '"student"' in message


def test_a_margin_needs_its_scale() -> None:
    at = TINY.index("anchors = { random = -10.0")
    text = TINY[:at] + TINY[TINY.index("\n", at) :]
    assert "scenario[three].anchors" in refused(text)
    assert parse(text.encode(), "bad.toml", need_anchors=False).id == "tiny"


def test_a_level_that_is_a_share_of_the_scale_needs_it_too() -> None:
    at = TINY.index("anchors = { random = -10.0")
    text = TINY[:at] + TINY[TINY.index("\n", at) :]
    text = text.replace("margin = { share_of_scale = 0.1 }", "margin = { relative = 0.1 }")
    assert "transfer metric time_to_threshold uses a share of their scale" in refused(text)


def test_a_mistake_is_named_where_it_stands_not_where_it_is_inherited() -> None:
    message = refused(changed("lr = { value = 0.01", "lr = { value = -0.01"))
    assert "1 problem(s)" in message
    assert "method[base].hyperparameters.lr" in message


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert parse(b"\xef\xbb\xbf" + TINY.encode(), "bom.toml").id == "tiny"


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SuiteError, match="a folder"):
        load(str(tmp_path / "folder.toml"))
    with pytest.raises(SuiteError, match="no such file"):
        load(str(tmp_path / "nothing.toml"))


def test_all_mistakes_of_a_file_are_named_at_once() -> None:
    text = changed("episodes = 16", "episodes = 0").replace("year = 2026", 'year = "2026"')
    assert "2 problem(s)" in refused(text)


def test_text_that_is_no_toml_or_no_utf8() -> None:
    assert "line 3" in refused(changed("version = 1", "version = = 1"))
    with pytest.raises(SuiteError, match="byte 0xff at offset 0"):
        parse(b"\xff\xfe", "bad.toml")


def test_an_unknown_suite_gets_the_nearest_name() -> None:
    with pytest.raises(SuiteError, match='did you mean "knowru"'):
        load("knowrus")


ROWS = {"two": "0.40 0.50 0.60", "three": "0.10 0.20 0.30"}
AHEAD: Entry = {"kind": "ordering", "greater": ["student:final"], "less": ["base:final"]}
KEPT: Entry = {"kind": "retention", "student": "student", "teacher": "base", "from": "1"}


def test_the_printed_suite_is_sound() -> None:
    kept = table("kept", {"student": "50% -"}, "two", "three", metric="kept", derived=KEPT)
    made = parse(text_with(table("1", ROWS), kept, claims=(claim(AHEAD),)).encode(), "good.toml")
    assert [value.text for value in made.printed][-3:] == ["0.30", "50%", "-"]


@pytest.mark.parametrize(
    ("rows", "keys", "said"),
    [
        ({"two": "0.40 0,50 0.60"}, {}, ["published[1].rows.two", '"0,50"', '"0.917±0.031"', "write it as printed"]),
        ({"two": "0.40 **0.50 0.60"}, {}, ["published[1].rows.two", '"**0.50"']),
        ({"two": "0.40 .5 0.60"}, {}, ["published[1].rows.two", '".5"']),
        ({"two": "0.40 0.50"}, {}, ["published[1].rows.two", "got      2 cells", "allowed  3 cells"]),
        ({"two": "0.40 0.50 0.60 0.70"}, {}, ["published[1].rows.two", "4 cells", "correct the row"]),
        ({"two": "0.40±0.1 0.50 0.60"}, {}, ["published[1].rows.two", '"0.40±0.1"', "no spread"]),
        ({"two": "0.40±0.1 0.50 -"}, {"spread": "std"}, ["published[1].rows.two", '"0.50"', 'spread = "std"']),
        ({"two": "0.40 0.501 0.60"}, {"decimals": 2}, ["published[1].rows.two", '"0.501"', "at most 2 digits"]),
        ({"five": "0.40 0.50 0.60"}, {}, ["published[1].rows", '"five"', "scenarios or sets"]),
        (ROWS, {"columns": ["base", "init", "studnt"]}, ["published[1].columns", '"studnt"', "all methods, or all"]),
        (ROWS, {"columns": ["base", "init", "two"]}, ["published[1].columns", '"base", "init", "two"']),
        (ROWS, {"columns": ["base", "base", "init"]}, ["published[1].columns", '"base" 2 times', "each column once"]),
        ({"bse": "0.1 0.2"}, {"columns": ["two", "three"]}, ["published[1].rows", '"bse"', 'did you mean "base"']),
        (ROWS, {"budgets": ["5M"]}, ["published[1].budgets", "got      1", "3, one per column"]),
        (ROWS, {"group": "narow"}, ["published[1].group", '"narow"', "a training set", 'did you mean "narrow"']),
        (ROWS, {"metric": "win_rat"}, ["published[1].metric", '"win_rat"', 'did you mean "win_rate"']),
        (ROWS, {"experiment": "tabed"}, ["published[1].experiment", 'did you mean "tabled"']),
        (ROWS, {"margin": {}}, ["published[1].margin", "exactly one of share_of_scale"]),
        (ROWS, {"spread": "sd"}, ["published[1].spread", '"sd"', "'std'"]),
        (ROWS, {"derived": KEPT}, ["published[1].rows", '"two", "three"', 'one row, of "student"']),
        (ROWS, {"derived": {"kind": "mean", "from": ["9"]}}, ["published[1].derived.from", '"9"']),
        (ROWS, {"derived": {"kind": "mean", "of": {"bas": "base"}}}, ["published[1].derived.of", '"bas"']),
        (
            ROWS,
            {"derived": {"kind": "mean", "form": ["1"]}},
            ["published[1].derived.form", '"from", "scenarios"', 'did you mean "from"'],
        ),
        (ROWS, {"colums": []}, ["published[1].colums", 'did you mean "columns"']),
    ],
)
def test_a_mistake_in_a_table_is_named(rows: dict[str, str], keys: Entry, said: list[str]) -> None:
    message = refused(text_with(table("1", rows) | keys))
    for words in said:
        assert words in message


@pytest.mark.parametrize(
    ("test", "keys", "said"),
    [
        (
            {"kind": "equivalence", "same": ["base:final", "student:final"]},
            {},
            ["claim[said].margin", "nothing", "equivalence needs one"],
        ),
        (AHEAD | {"kind": "not_greater"}, {}, ["claim[said].margin", "nothing", "not_greater needs one"]),
        (AHEAD, {"margin": {}}, ["claim[said].margin", "exactly one of share_of_scale"]),
        (AHEAD, {"over": 4}, ["claim[said].over", "got      4", 'at most 2, the scenarios of experiment "tabled"']),
        (AHEAD, {"over": "many"}, ["claim[said].over", '"many"']),
        (AHEAD, {"over": 0}, ["claim[said].over", "greater than or equal to 1"]),
        (AHEAD, {"scenarios": ["tow"]}, ["claim[said].scenarios", '"tow"', 'did you mean "two"']),
        (
            AHEAD,
            {"experiments": ["target"], "scenarios": ["two"]},
            ["claim[said].scenarios", '"two"', 'allowed  "three"'],
        ),
        (AHEAD, {"groups": ["wid"]}, ["claim[said].groups", '"wid"', "a training set", 'did you mean "wide"']),
        (AHEAD | {"less": ["base@tabld:final"]}, {}, ["claim[said].test", '"tabld"', 'did you mean "tabled"']),
        (AHEAD | {"less": ["student@source:final"]}, {}, ["claim[said].test", '"student"', 'experiment "source"']),
        (AHEAD | {"less": ["base@:final"]}, {}, ["claim[said].test", '"base@:final"']),
        (AHEAD | {"les": []}, {}, ["claim[said].test.les", '"greater", "less"', 'did you mean "less"']),
        ({"kind": "value", "quantity": "base:final", "printed": "about 5"}, {}, ["claim[said].test", '"about 5"']),
        (
            {"kind": "difference", "of": "student:final", "minus": "base:final", "printed": ["0.2"]},
            {"scenarios": ["both"]},  # a set of two
            ["claim[said].test.printed", "1 printed, 2 scenarios", "one for each"],
        ),
    ],
)
def test_a_mistake_in_a_claim_about_a_table_is_named(test: Entry, keys: Entry, said: list[str]) -> None:
    message = refused(text_with(table("1", ROWS), claims=(claim(test, **keys),)))
    for words in said:
        assert words in message


def altered(*path: str | int, **keys: Any) -> str:
    """The tiny suite with keys of one of its tables changed, or removed where they are None."""
    tree: Any = tomllib.loads(TINY)
    place = tree
    for step in path:
        place = place[step]
    place |= keys
    for key in [key for key, value in keys.items() if value is None]:
        del place[key]
    return tomli_w.dumps(tree)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (altered("scenario", 0, waits_for="x"), ["scenario[two].waits_for", '"x"', "nothing: it can run"]),
        (altered("method", 0, waits_for="x"), ["method[base].waits_for", '"x"', "nothing: it can run"]),
        (altered("method", 0, algorithm="maddpgs"), ["method[base].algorithm", "or say in waits_for what is missing"]),
        (altered("scenario", 0, family="hockey"), ["scenario[two].family", "or say in waits_for what is missing"]),
        (
            altered("scenario", 0, "params", name="simple_tag"),
            ["scenario[two].params.name", '"simple_tag"', "or say in waits_for what is missing"],
        ),
        (
            altered("experiment", 0, budget={"episodes": 16, "steps": 80, "source": "a"}),
            ["experiment[source].budget", "exactly one of episodes, steps, epochs, updates, unknown"],
        ),
        (
            altered("experiment", 0, budget={"source": "a"}),
            ["experiment[source].budget", "exactly one of episodes, steps, epochs, updates, unknown"],
        ),
        (
            altered("experiment", 0, budget={"steps": 80, "source": "a"}),
            ["experiment[source].budget", "80 steps", "episodes, for a cell that runs", "say in waits_for"],
        ),
        (altered("experiment", 0, recording=None), ["experiment[source].recording", "nothing", "a recording"]),
        (
            altered("experiment", 0, training_sets=[{"id": "all", "scenarios": ["two", "three"]}]),
            ["experiment[source].training_sets", "2 scenarios in", 'one, for "base"', "say in waits_for"],
        ),
        (altered(repeat=[{"id": "r", "where": "T", "says": "s", "methods": ["base"], "tables": ["9"]}]), ["repeat[r]"]),
        (
            altered(set=[{"id": "s", "where": "T", "says": "s", "scenarios": ["tow"]}]),
            ["set[s].scenarios", 'did you mean "two"'],
        ),
        (
            altered(set=[{"id": "two", "where": "T", "says": "s", "scenarios": []}]),
            ["set[two].id", "a name that no scenario has"],
        ),
    ],
)
def test_a_mistake_in_what_waits_or_is_trained_is_named(text: str, said: list[str]) -> None:
    message = refused(text)
    for words in said:
        assert words in message


def test_what_waits_need_not_be_known() -> None:
    """The environment of another family, an algorithm that does not exist yet: sound if `waits_for` says so."""
    text = text_with(
        method=[{"id": "later", "where": "Sec. 5", "says": "x", "algorithm": "mappo", "waits_for": "MAPPO"}],
        scenario=[
            {"id": "map", "where": "Sec. 5", "says": "x", "family": "hockey", "params": {"name": "3_vs_2"}}
            | {"episode_limit": 150, "metric": "win_rate", "waits_for": "the engine"}
        ],
    )
    assert parse(text.encode(), "good.toml").entries("scenario")[-1].waits_for == "the engine"


# ------------------------------------------------------------------------------------------------ units


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("episodes = 16, ", "frames = 16, ", ['the unknown key "frames"', '"episodes", "steps", "epochs"']),
        ("episodes = 16, ", "steps = 16, ", ["experiment[source].budget", "16 steps", "episodes, or epochs"]),
        (
            "record_every = 2",
            "record_every = 6",
            ["experiment[source].record_every", "6", "a divisor of the budget of"],
        ),
        (
            "evaluate_every = 8",
            "evaluate_every = 12",
            ["experiment[source].evaluate_every", "12", "or more than the budget"],
        ),
        (
            "[experiment.recording]",
            'budget_of = { bass = { updates = 8, source = "x" } }\n[experiment.recording]',
            ["experiment[source].budget_of", '"bass"', 'did you mean "base"?'],
        ),
        (
            "[experiment.recording]",
            'budget_of = { base = { updates = 8, source = "x" } }\n[experiment.recording]',
            ["experiment[source].budget_of.base", "8 updates", "episodes, or epochs with epoch_episodes"],
        ),
        (
            "budget = { episodes = 8 }",
            "budget = { episodes = 8, steps = 8 }",
            ["at most one of episodes, steps, updates"],
        ),
    ],
)
def test_units_that_cannot_be_meant_are_refused(old: str, new: str, said: list[str]) -> None:
    message = refused(changed(old, new))
    for text in said:
        assert text in message


def test_a_budget_of_one_who_does_not_take_part_is_refused() -> None:
    own = 'budget_of = { student = { episodes = 8, source = "x" } }\n[experiment.recording]'
    message = refused(changed("[experiment.recording]", own))
    assert 'experiment[source].budget_of\n    got      "student"' in message
    two = changed("budget = { episodes = 8 }", "budget = [{ episodes = 8 }, { episodes = 4 }]")
    assert "budget: one table per unit" in refused(two)


def on_two(**changes: str) -> str:
    """The tiny suite, whose baseline learns with lr = 0.5 on scenario two, or with other text."""
    table = 'layout_agents = { value = 3, source = "a" }\n'
    text = '[method.hyperparameters_on.two]\nlr = { value = 0.5, source = "b", kind = "assumed" }\n'
    for old, new in changes.items():
        text = text.replace(old, new)
    return changed(table, table + text)


def test_settings_of_a_scenario() -> None:
    """They apply only there, also for methods that extend it, unless these state their own."""
    suite = parse(on_two().encode(), "on.toml")
    assert suite.settings("base", "two")["lr"].value == suite.settings("student", "two")["lr"].value == 0.5
    assert suite.settings("base")["lr"].value == suite.settings("base", "three")["lr"].value == 0.01
    stating = on_two().replace("alpha_start = {", 'lr = { value = 0.2, source = "c" }\nalpha_start = {')
    assert parse(stating.encode(), "on.toml").settings("student", "two")["lr"].value == 0.2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"0.5": "-0.5"}, ["method[base].hyperparameters_on.two.lr", "-0.5", "a number, above 0"]),
        ({"lr =": "lrr ="}, ["method[base].hyperparameters_on.two.lrr", "the unknown key", 'did you mean "lr"']),
        ({"two": "tow"}, ["method[base].hyperparameters_on", '"tow"', 'did you mean "two"']),
        ({', source = "b"': ""}, ["method[base].hyperparameters_on.two.lr.source", "add the key"]),
    ],
)
def test_a_mistake_in_settings_of_a_scenario_is_named_once(changes: dict[str, str], said: list[str]) -> None:
    message = refused(on_two(**changes))
    assert "bad.toml: 1 problem" in message
    for words in said:
        assert words in message


def test_settings_of_a_scenario_need_runs_of_their_own() -> None:
    unused = on_two().replace('scenarios = ["two"]', 'scenarios = ["three"]')
    message = refused(unused)
    assert "method[base].hyperparameters_on" in message
    assert 'trained on: "three"' in message
    together = on_two().replace('scenarios = ["two"]', 'scenarios = ["two", "three"]')
    message = refused(together)
    assert "experiment[source].training_sets" in message
    assert '"lr" of "base" by scenario in "two"' in message
