"""Valid suites that differ from the tiny one and the shipped ones in drawn ways, for hypothesis."""

from __future__ import annotations

import copy
import itertools
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from bench.suite import Experiment, Profile, Suite, TrainingSet, unit_of
from bench.suite.readings import PRIMARY
from bench.suite.shipped import available, folder
from bench.suite.windows import too_short_for
from tests.conftest import TINY

BASES = (tomllib.loads(TINY), *(tomllib.loads((folder() / f"{name}.toml").read_text()) for name in available()))
TEXTS = ("says", "where", "title", "authors", "source", "measured")  # keys whose value is any text
Tree = dict[str, Any]

texts = st.text(st.characters().filter(str.isprintable), min_size=1, max_size=40).filter(str.strip)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,6}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,4})?", fullmatch=True)
runs, episodes = st.integers(1, 10_000), st.integers(1, 10**6)
rounds = st.integers(1, 2**45).map(lambda n: 20 * n)  # whole numbers of every method's rounds, in both files
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)


def _reworded(draw: Callable, tree: Tree) -> None:
    holder, key = draw(st.sampled_from([*_texts(tree)]))
    holder[key] = draw(texts)


def _texts(node: Any) -> list[tuple[Tree, str]]:
    if isinstance(node, list):
        return [place for entry in node for place in _texts(entry)]
    if not isinstance(node, dict):
        return []
    own = [(node, key) for key in TEXTS if isinstance(node.get(key), str)]
    if node.get("kind") == "released":  # its source has a form: a repository, a commit and a line
        own = [place for place in own if place[1] != "source"]
    return own + [place for entry in node.values() for place in _texts(entry)]


def _dated(draw: Callable, tree: Tree) -> None:
    tree["version"], tree["paper"]["year"], tree["paper"]["id"] = (
        draw(st.integers(1, 2**53 - 1)),
        draw(st.integers(1900, 2999)),
        draw(ids),
    )


def _scaled(draw: Callable, tree: Tree) -> None:
    anchored = [s["anchors"] for s in tree["scenario"] if "anchors" in s]
    for anchors in anchored[:1]:
        anchors |= {name: draw(finite) for name in ("random", "no_information", "good")}


def _budgeted(draw: Callable, tree: Tree) -> None:
    recorded = [e for e in tree["experiment"] if "recording" in e and "episodes" in e["budget"]]
    if not recorded:
        return
    experiment = draw(st.sampled_from(recorded))
    every, times = draw(rounds), draw(st.integers(1, 9))
    experiment["budget"] |= {"episodes": times * every}
    own = {"record_every": every, "evaluate_every": draw(st.sampled_from([every, times * every]))}
    experiment["recording"] |= own | {"evaluation_episodes": draw(episodes)}
    kind = draw(st.sampled_from(["stated", "assumed"]))
    experiment["seeds"] = {"value": draw(runs), "source": draw(texts), "kind": kind}


def _tuned(draw: Callable, tree: Tree) -> None:
    rate = {"value": draw(st.floats(1e-12, 1.0)), "source": draw(texts)}
    draw(st.sampled_from(tree["method"])).setdefault("hyperparameters", {})["lr"] = rate


def _thinned(draw: Callable, tree: Tree) -> None:
    key = draw(st.sampled_from(["claim", "deviation", "transfer"]))
    if isinstance(entries := tree.get(key), list) and entries:
        entries.pop(draw(st.integers(0, len(entries) - 1)))
    else:
        tree.pop(key, None)


def _profiled(draw: Callable, tree: Tree) -> None:
    profile: Tree = {"says": draw(texts)}
    if draw(st.booleans()):
        profile["seeds"] = draw(runs)
    if draw(st.booleans()):
        every = draw(rounds)
        profile["budget"] = {"episodes": 2 * every, "record_every": every, "evaluate_every": every}
    tree["profile"][draw(ids)] = profile


def _claimed(draw: Callable, tree: Tree) -> None:
    if claims := tree.get("claim"):
        claim = copy.deepcopy(draw(st.sampled_from(claims)))
        scales = ["share_of_budget", "relative"]
        scales += ["share_of_scale"] if all("anchors" in scenario for scenario in tree["scenario"]) else []
        scale = draw(st.sampled_from(scales))
        taken = {entry["id"] for entry in claims}
        name = next(name for i in itertools.count() if (name := f"drawn/{i}") not in taken)
        claim |= {"id": name, "margin": {scale: draw(st.floats(1e-300, 1e300))}}
        claims.append(claim)


CHANGES = (_reworded, _reworded, _dated, _scaled, _budgeted, _tuned, _thinned, _profiled, _claimed)


def _reduces(whole: Mapping[str, int], own: Mapping[str, int]) -> bool:
    """Whether a profile's runs are not longer, and its recording divides them."""
    unit = unit_of(own)
    beyond = own["evaluate_every"] > own[unit]
    return (
        own[unit] <= whole[unit]
        and own[unit] % own["record_every"] == 0
        and (beyond or own[unit] % own["evaluate_every"] == 0)
    )


@st.composite
def valid_suites(draw: Callable) -> Tree:
    """The tables of a valid suite file."""
    tree = copy.deepcopy(draw(st.sampled_from(BASES)))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=8)):
        change(draw, tree)
    runs = _runs(tree)
    for name, profile in tree["profile"].items():
        profile.pop("too_short_for", None)
        own = Profile.model_validate({key: profile[key] for key in ("says", "budget") if key in profile})
        if not all(_reduces(e.numbers(t, m), e.numbers(t, m, own)) for e, t, m in runs):
            profile.pop("budget", None)
        short = [measure for suite in _read(tree) for measure in too_short_for(suite, name)]
        if short:
            profile["too_short_for"] = [*dict.fromkeys(short)]
    return tree


def _read(tree: Tree) -> list[Suite]:
    """The suite under each of its readings."""
    suite = Suite.model_validate(tree)
    return [suite.under(reading) for reading in (PRIMARY, *suite.readings)]


def _runs(tree: Tree) -> list[tuple[Experiment, TrainingSet, str]]:
    """The experiments that are trained under any reading for a known time."""
    runs = [(e, t, m) for suite in _read(tree) for e in suite.experiment for t in e.training_sets for m in e.methods]
    return [(e, t, m) for e, t, m in runs if e.own_budget(t, m).counted and e.own_recording(m)]
