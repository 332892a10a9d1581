"""Imported results beside runs: compared where they are final scores of one kind, otherwise shown but not tested."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from bench.compare import ImportedComparison, compared, imported_comparison
from bench.compare.findings import Difference
from bench.compare.imported import entered, worth_running
from bench.compare.report import comparison_lines, imported_json, imported_lines
from bench.evidence.measures import Evidence
from bench.exchange.declaration import Declaration as Protocol
from bench.exchange.imported import Import, ImportedRun, Source, write_import
from bench.guests.places import entry, lacking
from bench.plan import Selection
from bench.store import Store
from bench.suite import Suite, SuiteError
from bench.suite.loading import load
from tests.conftest import Bench
from tests.exchange.conftest import GRID, fill_grid
from tests.made_site import entrant, made_suite, record_all, record_elsewhere
from tests.several import SPREAD, everywhere, evidence_of, suite_of

pytestmark = pytest.mark.usefixtures("several_tasks")

STATED: Mapping[str, str] = MappingProxyType({})  # the declaration below, as it stands
BUDGET = 80  # environment steps of 16 episodes
LEVELS = {"single": everywhere(-4.0), "base": everywhere(-4.5), "student": everywhere(-4.4)}
ON_JOINT = Selection(only=("joint",))


def imported(
    folder: Path,
    suite: Suite,
    *methods: str,
    name: str = "theirs",
    trained: tuple[int, ...] = (BUDGET,),
    level: float = -4.0,
    protocol: Mapping[str, str] = STATED,
) -> None:
    """Three seeds of each method on "two", around a level. trained: environment steps at each evaluation."""
    declared = {
        "source": "a friend",
        "environment": "theirs 1.0",
        "metric": "step_reward",
        "protocol": "greedy",
        "evaluation_episodes": 10,
        "final_evaluation_episodes": 100,
        "final": "final",
        "steps": "environment",
        "seeds": (0, 1, 2),
    }
    runs = tuple(
        ImportedRun(
            method=m, scenario="two", seed=s, steps=trained, mean=(0.0,) * len(trained), final=level + SPREAD[s]
        )
        for m in methods
        for s in range(3)
    )
    source = Source(file="theirs.csv", format="csv", sha256="cd" * 32)
    about = {"name": name, "suite": suite.id, "suite_version": suite.version, "source": source, "refused": ()}
    write_import(folder, Import(**about, protocol=Protocol.model_validate({**declared, **protocol}), runs=runs))


def comparison(
    folder: Path, trained: tuple[int, ...] = (BUDGET,), protocol: Mapping[str, str] = STATED
) -> ImportedComparison:
    suite = suite_of()
    evidence = evidence_of(suite, folder, LEVELS, only=("joint", "alone"))
    imported(folder, suite, "x", trained=trained, protocol=protocol)
    return imported_comparison(evidence, entered(evidence, "imported:theirs", ()))


def test_it_is_compared_with_the_suite_s_own_methods(tmp_path: Path) -> None:
    found = comparison(tmp_path)
    rows = {d.against: d for d in found.differences}
    assert {a: (d.experiment, d.scenario) for a, d in rows.items()} == {
        "single": ("alone", "two"),
        "base": ("joint", "two"),
        "student": ("joint", "two"),
    }
    assert rows["base"].decision.estimate == pytest.approx(0.5)
    assert rows["student"].decision.estimate == pytest.approx(0.4)
    assert {a: d.finding for a, d in rows.items()} == {"single": "undecided", "base": "higher", "student": "higher"}
    assert {over.against: over.improvement.estimate for over in found.over} == {"single": 0.5, "base": 1, "student": 1}
    assert found.over[0].iqm[0].estimate == pytest.approx((-4.0 + 6) / 3)
    (own,) = found.scores
    assert (own.scenario, own.finished, own.asked) == ("two", 3, 3)
    assert own.mean is not None
    assert own.normalised is not None
    assert own.mean.estimate == pytest.approx(-4.0)
    assert own.normalised.estimate == pytest.approx((-4.0 + 6) / 3)


@pytest.mark.parametrize(
    ("trained", "protocol", "why"),
    [
        ((80,), {"protocol": "training"}, "its protocol is training, ours greedy"),
        ((80,), {"protocol": "best_member"}, "its protocol is best_member, ours greedy"),
        ((40, 125_000), {}, "it was trained for 125,000 environment steps; ours for 80"),
        ((85,), {}, "it was trained for 85 environment steps; ours for 80"),
        ((75,), {}, "it was trained for 75 environment steps; ours for 80"),
        ((84,), {}, ""),
        ((), {}, "its training steps are not known; ours are 80"),
        ((80,), {"steps": "agent"}, "its steps are counted by agent; ours are 80 of the environment"),
    ],
)
def test_what_is_no_final_score_of_our_kind_is_not_tested(
    tmp_path: Path, trained: tuple[int, ...], protocol: dict[str, str], why: str
) -> None:
    found = comparison(tmp_path, trained, protocol)
    assert {d.incomparable for d in found.differences} == {why}
    if not why:
        return
    assert {d.finding for d in found.differences} == {"not comparable"}
    assert {(d.decision.p, d.decision.estimate) for d in found.differences} == {(None, None)}
    assert {d.decision.n for d in found.differences} == {(3, 3)}
    assert found.over == ()
    assert "base over scenarios: none of them is comparable" in found.lacking
    assert len(found.scores) == 1


def test_what_is_not_comparable_takes_no_part_in_the_correction(tmp_path: Path) -> None:
    """Two imports against one entrant: the p of the comparable one is the same without the other."""

    def rows(folder: Path, *protocols: str) -> list[Difference]:
        suite = made_suite()
        record_all(suite, folder)
        record_elsewhere(suite, folder)
        for protocol in protocols:
            imported(folder, suite, "x", name=protocol, level=-2.5, protocol={"protocol": protocol})
        evidence = Evidence(suite, ON_JOINT, Store(folder))
        return list(compared(evidence, entry(suite, ON_JOINT, entrant(), ())).imported)

    (alone,) = rows(tmp_path / "alone")
    marked, same = rows(tmp_path / "marked", "training")[::-1]
    assert (marked.finding, marked.against) == ("not comparable", "x (imported: training)")
    assert (same.finding, same.decision) == ("higher", alone.decision)
    both = rows(tmp_path / "both", "greedy")
    assert [d.decision.p for d in both if d.against == same.against] != [alone.decision.p]


def test_how_they_were_made_is_said_beside_them(tmp_path: Path) -> None:
    suite = made_suite()
    record_all(suite, tmp_path)
    record_elsewhere(suite, tmp_path)
    imported(tmp_path, suite, "x", protocol={"protocol": "training"}, trained=(3000,))
    (tmp_path / "imported" / "damaged.json").write_text("{}")
    evidence = Evidence(suite, ON_JOINT, Store(tmp_path))
    text = "\n".join(comparison_lines(evidence, compared(evidence, entry(suite, ON_JOINT, entrant(), ()))))
    made = "x (imported: theirs) on two: protocol training, 3,000 environment steps, 100 episodes for the final score"
    assert f"- {made}; theirs 1.0; from a friend" in text
    assert "not comparable: its protocol is training, ours greedy" in text
    theirs = imported_comparison(evidence, entered(evidence, "imported:theirs/x", ("base",)))
    text = "\n".join(imported_lines(evidence, theirs))
    assert f"- {made}" in text
    assert "## Over scenarios" not in text
    numbers = imported_json(evidence, theirs)
    assert numbers["method"]["protocol"]["protocol"] == "training"
    assert [(d["finding"], d["origin"]["steps"]) for d in numbers["differences"]] == [("not comparable", [3000, 3000])]


@pytest.mark.parametrize(
    ("name", "allowed", "mend"),
    [
        ("imported:their", '"imported:one", "imported:theirs"', 'did you mean "theirs"?'),
        ("imported:", '"imported:one", "imported:theirs"', "name one of them"),
        ("imported:theirs", '"imported:theirs/fast", "imported:theirs/slow"', "name one of them"),
        ("imported:theirs/fats", '"imported:theirs/fast", "imported:theirs/slow"', 'did you mean "fast"?'),
        ("imported:one/", '"imported:one/x"', "name one of them"),
        ("imported:torn", "an import that can be read: ", "delete it, and import its file again"),
        ("imported:other", '"imported:one", "imported:theirs"; other is of the suite another', "name one of them"),
    ],
)
def test_a_wrong_name_is_one_clear_error(tmp_path: Path, name: str, allowed: str, mend: str) -> None:
    suite = suite_of()
    evidence = evidence_of(suite, tmp_path, LEVELS, only=("joint",))
    imported(tmp_path, suite, "fast", "slow")
    imported(tmp_path, suite, "x", name="one")
    other = suite.model_copy(update={"paper": suite.paper.model_copy(update={"id": "another"})})
    imported(tmp_path, other, "x", name="other")
    (tmp_path / "imported" / "torn.json").write_text("{")
    with pytest.raises(SuiteError) as error:
        entered(evidence, name, ())
    (problem,) = error.value.problems
    assert (problem.key, problem.got) == ("METHOD", f'"{name}"')
    assert allowed in problem.allowed
    assert mend in problem.mend


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    evidence = evidence_of(suite_of(), tmp_path, LEVELS, only=("joint",))
    with pytest.raises(SuiteError) as error:
        entered(evidence, "imported:mine", ())
    (problem,) = error.value.problems
    assert f"there are none in {tmp_path}" in problem.allowed
    assert f"bench import ... --results {tmp_path}" in problem.mend


@pytest.mark.parametrize(("trained", "asked"), [((BUDGET,), ["base", "student"]), ((3000,), [])])
def test_no_runs_are_asked_for_that_could_not_be_compared(
    tmp_path: Path, trained: tuple[int, ...], asked: list[str]
) -> None:
    suite = suite_of()
    imported(tmp_path, suite, "x", trained=trained)
    evidence = Evidence(suite, ON_JOINT, Store(tmp_path))
    there = entered(evidence, "imported:theirs", ())
    assert [lack.method for lack in lacking(evidence, worth_running(evidence, there))] == asked
    said = "base on two: not comparable: it was trained for 3,000 environment steps; ours for 80"
    assert (said in imported_comparison(evidence, there).lacking) == (not asked)


def test_an_own_export_comes_back_comparable(bench_here: Bench, tmp_path: Path) -> None:
    """Exported, imported under another name and compared, a method does not differ from itself; nothing is run."""
    results, suite = tmp_path / "results", tmp_path / "grid.toml"
    suite.write_text(GRID)
    fill_grid(Store(results), load(str(suite)))
    where = ("--suite", suite, "--results", results)
    bench_here("export", "csv", *where, "--only", "source", "--out", tmp_path / "own.csv")
    text = (tmp_path / "own.csv").read_text().replace(",Fast,", ",theirs,")
    kept = [line for line in text.splitlines() if ",base," not in line]
    (tmp_path / "own.csv").write_text("\n".join(kept))
    declared = (
        'source = "us"\nenvironment = "ours"\nmetric = "step_reward"\nprotocol = "greedy"\nevaluation_episodes = 3\n'
        'final_evaluation_episodes = 4\nfinal = "final"\nsteps = "environment"\nseeds = [0, 1, 2]\n'
    )
    (tmp_path / "own.toml").write_text(declared)
    assert bench_here("import", "csv", tmp_path / "own.csv", *where).returncode == 0
    before = sorted(results.glob("records/*"))
    done = bench_here("compare", "imported:own", *where, "--only", "source", "--against", "Fast")
    assert done.returncode == 0, done.stderr
    assert "Its own scores" in done.stdout
    assert "missing" not in done.stderr
    assert sorted(results.glob("records/*")) == before
    (folder,) = (results / "compare").iterdir()
    text = (folder / "comparison.md").read_text()
    assert "undecided: neither order is shown" in text
    refused = bench_here("compare", "imported:won", *where)
    assert (refused.returncode, 'did you mean "own"?' in refused.stderr) == (2, True)
    refused = bench_here("compare", "imported:own", *where, "--reading", "wide")
    assert (refused.returncode, '"wide"' in refused.stderr) == (2, True)
    refused = bench_here("compare", "imported:own", *where, "--run-baselines")
    assert (refused.returncode, "bench run makes the suite's own runs" in refused.stderr) == (2, True)
