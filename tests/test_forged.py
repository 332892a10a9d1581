"""Records with right hashes and impossible numbers: each is named, left out everywhere, and stops nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.evidence.measures import Evidence
from bench.plan import Note, Selection, make_plan
from bench.site.archive import Archive
from bench.store import Record, Store, StoreError, read_record
from bench.store.names import Names
from bench.store.reading import _as_written
from bench.store.verify import verify
from bench.suite import Suite
from bench.suite.loading import load
from tests.conftest import Bench
from tests.forge import Body, doubled, forged
from tests.synthetic import fill, made


@pytest.fixture
def filled(tiny: Suite, tmp_path: Path) -> Store:
    """Every run of the tiny suite, with curves that count."""
    store = Store(tmp_path / "runs")
    fill(store, make_plan(tiny, Selection()), lambda cell, seed: [-3.0 - seed, -2.0, -1.5 - seed / 7])
    return store


def one(store: Store, method: str = "student") -> Path:
    """The file of one run of this method."""
    records = [record for seeds in store.contents().cells.values() for record in seeds.values()]
    return store.record_path(next(record.run for record in records if record.method == method))


def numbers(body: Body) -> Body:
    return body["numbers"]["scores"][0]


def curve(body: Body, name: str = "training") -> Body:
    return numbers(body)["curves"][name]


def cut(curve: Body, points: slice) -> None:
    curve.update({key: values[points] for key, values in curve.items()})


def stretch(curve: Body, times: int) -> Body:
    curve.update({key: [times * at for at in curve[key]] for key in ("episodes", "steps")})
    return curve


FORGERIES: dict[str, tuple[Callable[[Body], object], str]] = {
    "another final": (lambda b: numbers(b).update(final=-0.5), "final: got -0.5; allowed: "),
    "last bit": (lambda b: numbers(b).update(returns=[-1.5, -1.1, -1.3], final=-1.3000000000000003), "final: got"),
    "no final": (lambda b: numbers(b).update(final=None), "final: got None"),
    "nothing at all": (lambda b: numbers(b).update(final=None, returns=[]), "a finished run has a final score"),
    "empty curve": (lambda b: curve(b).update({key: [] for key in curve(b)}), "Tuple should have at least 1"),
    "ragged curve": (lambda b: curve(b)["mean"].pop(), "as many points as episodes, 8"),
    "back in time": (lambda b: curve(b)["episodes"].reverse(), "counts that never decrease from point to point"),
    "huge": (lambda b: numbers(b).update(final=1e308, returns=[1e308]), "less than or equal to 1"),
    "negative count": (lambda b: curve(b)["n"].__setitem__(0, -1), "greater than or equal to 0"),
    "two scores": (lambda b: b["numbers"]["scores"].append(numbers(b)), "scores: got 2; allowed: 1"),
    "no score": (lambda b: b["numbers"]["scores"].clear(), "scores: got 0; allowed: 1"),
    "half a character": (lambda b: b.update(reason="\ud800"), "surrogates not allowed"),
    "half in settings": (lambda b: b["settings"].update(note="\udfff"), "surrogates not allowed"),
    "a way out": (lambda b: b["teachers"][0].update(run="../../x"), "teachers[0].run: String should match pattern"),
    "too few returns": (lambda b: numbers(b).update(returns=[-1.0], final=-1.0), "returns: got 1; allowed: 4, the"),
    "cut to a point": (
        lambda b: cut(curve(b), slice(1)),
        "training.episodes: got 1 points up to 2; allowed: 8 points up to 16",
    ),
    "cut to its end": (
        lambda b: cut(curve(b), slice(-1, None)),
        "training.episodes: got 1 points up to 16; allowed: 8 points",
    ),
    "short evaluation": (
        lambda b: cut(curve(b, "evaluation"), slice(2)),
        "evaluation.episodes: got 2 points up to 4; allow",
    ),
    "evaluated once": (lambda b: cut(curve(b, "evaluation"), slice(-1, None)), "evaluation.episodes: got 1 points up"),
    "beyond": (lambda b: stretch(curve(b), 100), "training.episodes: got 1600; allowed: at most 16, the settings'"),
    "losses beyond": (
        lambda b: numbers(b)["curves"].update({"loss/actor": stretch(dict(curve(b)), 100)}),
        "curves.loss/actor.episodes: got 1600; allowed: at most 16",
    ),
    "other steps": (lambda b: curve(b)["steps"].__setitem__(-1, 10**6), "training.steps: allowed: 5 for each episode"),
    "of nothing": (lambda b: curve(b).update(n=[0] * 8), "n: got 0 at point 0; allowed: at least 1"),
    "of more": (lambda b: curve(b).update(n=[200] * 8), "training.n: allowed: 2, the settings' record_every"),
    "evaluated on more": (lambda b: curve(b, "evaluation").update(n=[4] * 8), "evaluation.n: allowed: 3"),
    "updates, of episodes": (lambda b: curve(b).update(updates=[1] * 8), "training.updates: allowed: only if"),
    "spread below 0": (lambda b: curve(b)["sd"].__setitem__(0, -1.0), "greater than or equal to 0"),
    "no number": (lambda b: curve(b).update(mean=[None] * 8), "training.mean: got null at point 0"),
    "no training": (lambda b: numbers(b)["curves"].pop("training"), "curves: got no training; allowed: a curve of"),
    "no evaluation": (lambda b: numbers(b)["curves"].pop("evaluation"), "curves: got no evaluation; allowed: one"),
    "another's losses": (
        lambda b: numbers(b)["curves"].update({"loss/td": curve(b, "loss/q")}),
        'curves: got loss/td; allowed: "evaluation", "loss/actor", "loss/alpha", "loss/critic", "loss/q",',
    ),
    "a baseline's losses": (
        lambda b: [numbers(b)["curves"].pop(f"loss/{name}") for name in ("reuse", "alpha")],
        "got no curve loss/alpha; allowed: one, as the settings' method reports it",
    ),
    "losses of no update": (lambda b: b["numbers"].update(first_update=None), "first_update: got null; allowed: a num"),
    "weights of nothing": (lambda b: b["numbers"].update(weights="none"), "numbers.weights: String should match"),
    "learned late": (lambda b: b["numbers"].update(first_update=17), "first_update: got 17; allowed: at most 16"),
    "anew below 0": (lambda b: b["provenance"].update(anew=-1), "provenance.anew: Input should be greater"),
    "anew beyond": (lambda b: b["provenance"].update(anew=10**400), "provenance.anew: Input should be"),
    "no time": (lambda b: b["provenance"].update(started="now"), "provenance.started: String should match"),
    "no commit": (lambda b: b["provenance"].update(commit="\x1b[2J"), "provenance.commit: String should match"),
    "a terminal's": (lambda b: b.update(method="\x1b[2J"), "method: got \\x1b[2J; allowed: printable characters"),
    "hardware's": (
        lambda b: b["provenance"].update(hardware="a\nb"),
        "hardware: got a\\nb; allowed: printable characters",
    ),
    "a package's": (
        lambda b: b["provenance"]["packages"].update({"a\rb": "1"}),
        "got a\\rb; allowed: printable characters",
    ),
    "a seed beyond": (lambda b: b.update(seed=2**60), "seed: Input should be less than"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_named_and_left_out(filled: Store, name: str) -> None:
    change, says = FORGERIES[name]
    path = forged(one(filled), change)
    with pytest.raises(StoreError) as refusal:
        read_record(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert says in str(refusal.value)
    contents = filled.contents()
    assert [line for line in contents.damaged if says in line] == [*contents.damaged]
    assert sum(len(seeds) for seeds in contents.cells.values()) == 11
    assert path.stem not in {record.run for seeds in contents.cells.values() for record in seeds.values()}
    assert [finding.file for finding in verify(filled).findings if finding.kind == "damaged"] == [
        f"records/{path.name}"
    ]


def test_another_seeds_weights_count_nowhere(filled: Store) -> None:
    """A good seed's numbers, copied to another seed: nobody knows which of the two is real."""
    first, second = [record for record in all_of(filled) if record.method == "student"][:2]
    assert first.cell == second.cell
    forged(filled.record_path(second.run), lambda b: b.update(numbers=json.loads(first.model_dump_json())["numbers"]))
    contents, says = filled.contents(), f"numbers.weights: {first.run} (seed {first.seed}), {second.run} (seed"
    assert len(contents.damaged) == len([line for line in contents.damaged if says in line]) == 2
    assert contents.cells[first.cell].keys().isdisjoint({first.seed, second.seed})


def test_a_record_that_names_another_method_counts_nowhere(tiny: Suite, filled: Store) -> None:
    """Its cell is that of its settings; the name beside it is wrong."""
    path = forged(one(filled), lambda body: body.update(method="base"))
    evidence = Evidence(tiny, Selection(), filled)
    says = "method: got base; its settings are of the algorithm knowru; allowed: maddpg, as in the suite; delete it"
    assert evidence.damaged == (f"{path}: {says}",)
    cell = read_record(path).cell
    assert sorted(evidence.contents.cells[cell]) == sorted(filled.contents().cells[cell])[1:]
    assert Archive(filled.root, [tiny]).damaged == evidence.damaged
    found = verify(filled, wrong_name=Names(tiny).wrong)
    assert [(f.file, f.what) for f in found.findings] == [(f"records/{path.name}", says)]


@pytest.mark.parametrize(
    ("method", "change", "says"),
    [
        ("knowru_kl", {}, "got knowru_kl; its settings are those of knowru"),
        ("maddpg", {}, "got maddpg; its settings are of the algorithm knowru; allowed: maddpg"),
        ("wonder", {}, "got wonder; allowed: a method of the suite knowru, version"),
        ("wonder", {"suite_version": 1}, ""),  # it may have had that name
        ("wonder", {"suite": "other"}, ""),
        ("knowru", {}, ""),
        ("knowru_kl", {"notes": (Note(id="--set", class_="changed", says="x"),)}, ""),
        ("knowru", {"settings": {"algorithm": {"name": "a:b", "source": "c"}}}, "method from elsewhere, but the suite"),
    ],
)
def test_the_suite_tells_whose_settings_a_record_has(
    knowru: tuple[Suite, Record], method: str, change: dict[str, Any], says: str
) -> None:
    suite, record = knowru
    why = Names(suite).wrong(record.model_copy(update={"method": method, **change}))
    assert (says in why) if says else not why


@pytest.fixture(scope="module")
def knowru() -> tuple[Suite, Record]:
    """The suite, and a record of its method of that name."""
    suite = load("knowru")
    plan = make_plan(suite, Selection(only=("spread/II",), seeds=(0,)))
    cell = next(cell for cell in plan.cells if cell.method == "knowru")
    return suite, made(plan, cell.key)


@pytest.mark.parametrize(
    ("line", "before"),
    [
        ('    "final": -9.0,\n', '    "returns": ['),
        ('  "seed": 7,\n', ' "seed": 0'),
        ('   "name": "other",\n', '   "name": "knowru"'),
        ('   "name" : "other",\n', '   "name": "knowru"'),
    ],
)
def test_a_key_that_occurs_twice_is_refused(filled: Store, line: str, before: str) -> None:
    path = one(filled)
    record = read_record(path)
    assert _as_written(path.read_bytes()) == record  # the quick way
    doubled(path, "", before)
    assert _as_written(path.read_bytes()) == record  # the hashes are mended rightly
    doubled(path, line, before)
    assert _as_written(path.read_bytes()) is None
    with pytest.raises(StoreError, match="occurs twice"):
        read_record(path)


def test_runs_that_failed_are_read(filled: Store) -> None:
    """Diverged: numbers that are missing, and no final. Given up: no return at all."""

    def diverged(body: Body) -> None:
        body |= {"status": "failed", "reason": "diverged at step 5"}
        numbers(body).update(returns=[None, -1.0, -1.0, -1.0], final=None)
        curve(body)["mean"][2] = None

    def given_up(body: Body) -> None:
        body |= {"status": "failed", "reason": "over the time limit"}
        numbers(body).update(returns=[], final=None, curves={})

    for change in (diverged, given_up):
        assert read_record(forged(one(filled, "student"), change)).status == "failed"


def test_what_is_no_file_is_named(filled: Store) -> None:
    """A pipe without a writer, a device, a link to itself, a folder, and a record beyond all bounds."""
    records = filled.root / "records"
    names = ["pipe.json", "device.json", "circle.json", "folder.json", "huge.json"]
    pipe, device, circle, folder, huge = (records / name for name in names)
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    circle.symlink_to(circle)
    folder.mkdir()
    with huge.open("wb") as file:
        file.truncate(100 * 2**20)
    damaged = filled.contents().damaged
    assert [Path(line.partition(":")[0]).name for line in damaged] == sorted(names)
    assert all("not a regular file" in line for line in damaged if "huge" not in line and "circle" not in line)
    assert "got 104,857,600 bytes; allowed: 67,108,864" in next(line for line in damaged if "huge" in line)
    assert {finding.file for finding in verify(filled).findings} == {f"records/{name}" for name in names}


@pytest.mark.parametrize(
    "command", [("check", "{}"), ("report", "{}"), ("leaderboard", "--no-pictures", "--suite", "{}"), ("plan", "{}")]
)
def test_one_bad_file_stops_nothing(
    filled: Store, tiny_file: Path, bench_here: Bench, command: tuple[str, ...]
) -> None:
    path = forged(
        one(filled, "base"), lambda body: numbers(body)["curves"].pop("training") and numbers(body).update(final=5)
    )
    done = bench_here(*(part.format(tiny_file) for part in command), "--results", filled.root)
    assert done.returncode == 0, done.stderr
    assert f"not counted: {path}: numbers.scores[0]: final: got 5" in done.stderr


def test_check_and_report_name_a_teacher_that_is_missing(filled: Store, tiny_file: Path, bench_here: Bench) -> None:
    teachers = {teacher.run for record in all_of(filled) for teacher in record.teachers if record.seed < 2}
    assert len(teachers) == 2
    for run in teachers:
        filled.record_path(run).unlink()
    says = "teacher missing: 2 of 3 seeds of student on three have no fitting teacher here, e.g. seed 0: "
    for verb in ("check", "report"):
        assert says in bench_here(verb, tiny_file, "--results", filled.root).stderr
    report = (filled.root / "report" / "tiny-full" / "report.md").read_text()
    assert "2 of 3 seeds of student on three" in report


def all_of(store: Store) -> list[Record]:
    return [record for seeds in store.contents().cells.values() for record in seeds.values()]
