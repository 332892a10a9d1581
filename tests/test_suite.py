"""Suite files: what is accepted, and that each mistake is named with file, key, got, allowed, mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.suite import Suite, SuiteError
from bench.suite.loading import available, load, parse
from tests.conftest import TINY


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
        ("episode_limit = 5", 'episode_limit = "five"', ["scenario[two].episode_limit", '"five"', "integer"]),
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
            ["method[student].hyperparameters.reuse_loss", '"mae"', "'mse', 'ce' or 'kl'"],
        ),
        ("lr = { value = 0.01", "lr = { value = -0.01", ["method[base].hyperparameters.lr", "-0.01", "greater than 0"]),
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
        ('where = "Sec. 1"', 'where = ""', ["claim[better].where", "at least 1 character"]),
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
    assert "transfer metric time_to_threshold has a share of their scale" in refused(text)


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
