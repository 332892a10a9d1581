"""The seeds behind a verdict: a fixed number from 0 on, or declared looks. Records are synthetic."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bench.evidence.measures import Evidence
from bench.executors.dispatch import Outcome
from bench.executors.until import Round, train_until_decided
from bench.plan import Plan, Selection, limited, make_plan
from bench.report.looks import round_line
from bench.report.numbers import found, seeds_judged
from bench.report.words import in_full, in_long, sentence
from bench.stats.looks import nominal_level
from bench.store import Record, Store
from bench.suite import Suite, SuiteError
from bench.suite.loading import dump, parse
from bench.verdict import Verdict, families, judge, unplanned
from tests.conftest import TINY, Bench
from tests.synthetic import fill

FIXED = 'seeds = { value = 3, source = "Table 1" }'
LOOKS = "seeds = { looks = [3, 4, 6] }"
NIGHTLY = '\nprofile.nightly = { says = "at night" }\n'
POINTS = 8
NOISE = (-0.2, 0.1, 0.25, -0.15, 0.05, 0.2, -0.25)  # what a student's seed adds
Lead = Callable[[int], float]  # by seed, how far the student is ahead


def suite_of(seeds: str, more: str = "") -> Suite:
    text = TINY.replace(FIXED, seeds).replace('profile.full.says = "all there is"', f'profile.full.says = "all"{more}')
    return parse(text.encode(), "tiny.toml")


def curve(level: float) -> list[float]:
    """The first point is before the first update: an untrained team does not pass."""
    return [level - 4.0, *[level] * (POINTS - 1)]


def slow(seed: int) -> float:
    """p at looks of 3, 4 and 6 seeds is .16, .17 and .04: decided at 5% if judged once, and never at a look."""
    return 0.12 + NOISE[seed % 7]


def plain(seed: int) -> float:
    return 3.0 + NOISE[seed % 7]


def written(suite: Suite, folder: Path, seeds: Iterable[int], lead: Lead = slow, status: str = "finished") -> Store:
    store, plan = Store(folder), make_plan(suite, Selection(seeds=tuple(seeds)))
    fill(store, plan, lambda cell, seed: curve(-8.0 + lead(seed) * (cell.method == "student")), status)
    return store


def better(suite: Suite, store: Store, **selection: object) -> Verdict:
    (verdict,) = judge(Evidence(suite, Selection.model_validate(selection), store), suite.experiment)
    return verdict


# ------------------------------------------------------------------------------------------------- a fixed number


def test_fewer_seeds_than_declared_are_tagged_and_all_of_them_are_not(tmp_path: Path) -> None:
    suite = suite_of(FIXED.replace("3", "6"))
    some = better(suite, written(suite, tmp_path, range(4)))
    assert (some.seeds, some.declared, seeds_judged(some), some.look) == (4, 6, "4 of 6", None)
    assert "4 of 6" in some.tags
    every = better(suite, written(suite, tmp_path, range(6)))
    assert (every.seeds, seeds_judged(every)) == (6, "6")
    assert not [tag for tag in every.tags if " of " in tag]
    assert every.verdict == "reproduced"  # p = .04, asked once
    assert seeds_judged(better(suite, Store(tmp_path), seeds=(0, 1, 2))) == "3 of 6"


def test_seeds_that_are_not_declared_are_named_and_count_nowhere(tmp_path: Path) -> None:
    suite = suite_of(FIXED)
    store = written(suite, tmp_path / "three", range(3), plain)
    alone = better(suite, store)
    written(suite, tmp_path / "three", (3, 5, 6), lambda _: -50.0)
    more = better(suite, store)
    assert (more.verdict, more.found, more.seeds) == (alone.verdict, alone.found, 3)
    assert "unplanned: 3, 5-6" in more.tags
    lines = unplanned(Evidence(suite, Selection(), store))
    assert (
        "seeds 3, 5-6 of student on three in target: outside verdicts, because the suite declares 3 seeds, 0 to 2"
        in lines
    )


def test_seeds_behind_a_gap_are_unplanned_and_a_failed_seed_is_none(tmp_path: Path) -> None:
    suite = suite_of(FIXED.replace("3", "6"))
    gap = better(suite, written(suite, tmp_path / "gap", (0, 1, 2, 4, 5), plain))
    assert (gap.verdict, gap.seeds, seeds_judged(gap)) == ("reproduced", 3, "3 of 6")
    assert "unplanned: 4-5" in gap.tags
    assert "seed 3 is missing" in "".join(unplanned(Evidence(suite, Selection(), Store(tmp_path / "gap"))))
    none = better(suite, written(suite, tmp_path / "none", (1, 2, 3, 4, 5), plain))
    assert (none.verdict, none.reason) == ("not_run", "no seed of it counts, unplanned: 1-5")
    written(suite, tmp_path / "gap", (3,), status="failed")
    whole = better(suite, Store(tmp_path / "gap"))
    assert (whole.seeds, seeds_judged(whole)) == (5, "5 of 6")
    assert not [tag for tag in whole.tags if "unplanned" in tag]


def test_nights_are_exempt(tmp_path: Path) -> None:
    suite = suite_of(FIXED, NIGHTLY)
    store = written(suite, tmp_path, (1_000_000, 1_000_001, 1_000_002), plain)
    assert better(suite, store).verdict == "not_run"
    night = better(suite, store, profile="nightly")
    assert (night.verdict, night.seeds) == ("reproduced", 3)
    assert not [tag for tag in night.tags if " of " in tag or "unplanned" in tag]
    assert not unplanned(Evidence(suite, Selection(profile="nightly"), store))


# ------------------------------------------------------------------------------------------------- looks


def test_before_the_first_look_nothing_is_decided(tmp_path: Path) -> None:
    suite = suite_of(LOOKS.replace("3, ", ""))
    nothing = better(suite, Store(tmp_path / "none"))
    assert (nothing.verdict, nothing.tags) == ("not_run", ())
    early = better(suite, written(suite, tmp_path, range(3), plain))
    assert (early.verdict, early.found, early.p, early.seeds) == ("inconclusive", None, None, 3)
    assert "3 of 4" in early.tags
    assert sentence(early) == "the first of 2 looks is at 4 seeds, and nothing is judged before"
    assert early.look is not None
    assert (early.look.number, early.look.next) == (0, 4)


def test_the_look_is_the_last_whose_seeds_are_all_there_and_others_wait(tmp_path: Path) -> None:
    suite = suite_of(LOOKS)
    store = written(suite, tmp_path, range(4))
    at_four = better(suite, store)
    assert at_four.look is not None
    assert str(at_four.look) == "look 2 of 3 (4 seeds)"
    assert at_four.look.nominal == nominal_level((3, 4, 6))
    assert sentence(at_four) == "neither order is shown; look 2 of 3 (4 seeds), the next at 6"
    assert at_four.seeds_to_decide is None
    written(suite, tmp_path, (4,), lambda _: 99.0)
    waits = better(suite, store)
    assert (waits.found, waits.p, waits.seeds) == (at_four.found, at_four.p, 4)
    assert waits.look is not None
    assert waits.look.waiting == 1
    assert {"look 2 of 3 (4 seeds)", "1 seed waits for the look at 6"} <= {*waits.tags}
    assert seeds_judged(waits) == "4, look 2 of 3"


def test_a_look_is_judged_at_its_level(tmp_path: Path) -> None:
    """The same six seeds: shown if judged once, open at the last of three looks, .0258 each."""
    fixed, looks = suite_of(FIXED.replace("3", "6")), suite_of(LOOKS)
    store = written(fixed, tmp_path, range(6))
    once, last = better(fixed, store), better(looks, store)
    assert once.p == last.p is not None
    assert nominal_level((3, 4, 6)) < (once.p or 0) < 0.05
    assert (once.verdict, last.verdict) == ("reproduced", "inconclusive")
    assert found(last).endswith(" at 94.8%")
    assert not found(once).endswith("%")
    assert sentence(last) == "neither order is shown; look 3 of 3 (6 seeds)"
    headline = looks.model_copy(update={"claim": (looks.claim[0].model_copy(update={"headline": True}),)})
    (family,) = families([better(headline, store)])
    assert (family.tested, family.reproduced) == (1, 0)


def test_a_written_level_is_the_one_that_is_judged_at(tmp_path: Path) -> None:
    suite = suite_of("seeds = { looks = [3, 4, 6], nominal = 0.01 }")
    verdict = better(suite, written(suite, tmp_path, range(6)))
    assert verdict.look is not None
    assert verdict.look.nominal == 0.01
    assert any("one-sided 1.00%" in text for text in in_long(verdict))


def test_a_failed_seed_does_not_stop_the_looks(tmp_path: Path) -> None:
    suite = suite_of(LOOKS)
    written(suite, tmp_path, (1,), status="failed")
    verdict = better(suite, written(suite, tmp_path, (0, 2, 3), plain))
    assert verdict.look is not None
    assert (verdict.look.number, verdict.seeds) == (2, 3)
    assert "3 of 4" in verdict.tags


def test_headline_claims_are_corrected_over_all_looks(tmp_path: Path) -> None:
    """A p below the look's level, but not below the one for two claims: Holm takes it back."""
    suite = suite_of(LOOKS)
    one = better(suite, written(suite, tmp_path, range(6), plain))
    assert one.look is not None
    divided, looks = nominal_level((3, 4, 6), 0.025), one.look
    kept, lost = (
        Verdict(**{**vars(one), "headline": True, "p": p, "p_against": 1 - p}) for p in (divided * 0.99, divided * 1.01)
    )
    other = Verdict(**{**vars(one), "headline": True, "p": 0.5, "p_against": 0.5, "verdict": "inconclusive"})
    assert lost.p is not None
    assert lost.p < looks.nominal
    assert [families([v, other])[0].reproduced for v in (kept, lost)] == [1, 0]


# ------------------------------------------------------------------------------------------------- suite files


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ("{ looks = [] }", ["seeds.looks", "a longer list"]),
        ("{ looks = [6, 3] }", ["seeds.looks", "3 after 6", "sort them"]),
        ("{ looks = [3, 3] }", ["3 after 3", "each greater"]),
        ("{ looks = [0, 3] }", ["seeds.looks[0]", "greater than or equal to 1"]),
        ("{ looks = [1000, 1005] }", ["1005 after 1000", "remove some"]),
        ("{ looks = [6], nominal = 0.02 }", ["seeds.nominal", "0.02", "a single look has the whole level"]),
        ("{ looks = [5, 10, 15, 20], nominal = 0.05 }", ["seeds.nominal", "spends 11.7%", "at most 0.01935"]),
        ("{ looks = [3, 6], nominal = 0.0 }", ["seeds.nominal", "greater than 0"]),
        ("{ looks = [3, 6], level = 0.01 }", ['unknown key "level"', '"looks", "nominal", "source"']),
    ],
)
def test_looks_that_cannot_be_meant_are_refused(seeds: str, words: list[str]) -> None:
    with pytest.raises(SuiteError) as refused:
        suite_of(f"seeds = {seeds}")
    assert all(word in str(refused.value) for word in words), refused.value
    assert len(refused.value.problems) == 2  # both experiments


def test_experiments_that_are_compared_have_the_same_looks() -> None:
    text = TINY.replace(FIXED, LOOKS, 1).replace('base:overall"] }', 'base@source:overall"] }')
    with pytest.raises(SuiteError, match=r"claim\[better\](.|\n)*looks \[3, 4, 6\] of experiment \"source\""):
        parse(text.encode(), "tiny.toml")


def test_a_night_is_no_look() -> None:
    with pytest.raises(SuiteError, match=r"profile\[nightly\].seeds(.|\n)*nightly runs have no looks"):
        suite_of(FIXED, '\nprofile.nightly = { says = "at night", seeds = { looks = [3, 6] } }')


def test_looks_are_written_back_and_change_no_cell() -> None:
    nominal = "seeds = { looks = [5, 10, 15, 20], nominal = 0.0194 }"
    suite = suite_of(nominal)
    assert parse(dump(suite).encode(), "x.toml") == suite
    cells, fixed = (make_plan(s, Selection()).cells for s in (suite, suite_of(FIXED)))
    assert [cell.key for cell in cells] == [cell.key for cell in fixed]
    assert {cell.seeds for cell in cells} == {tuple(range(20))}
    one = suite_of("seeds = { looks = [3] }")
    assert make_plan(one, Selection()).runs == make_plan(suite_of(FIXED), Selection()).runs


def test_a_profile_may_declare_looks_or_fix_the_seeds() -> None:
    more = '\nprofile.added = { says = "x", seeds = { looks = [2, 5] } }\nprofile.few = { says = "x", seeds = 2 }'
    suite, looks = suite_of(FIXED, more), suite_of(LOOKS, more)
    schedules = [s.experiment[0].schedule(s.profile[name]) for s in (suite, looks) for name in ("full", "added", "few")]
    assert [s.looks for s in schedules] == [(3,), (2, 5), (2,), (3, 4, 6), (2, 5), (2,)]


# ------------------------------------------------------------------------------------------------- until decided


def test_the_runs_of_some_cells_bring_their_teachers() -> None:
    plan = make_plan(suite_of(LOOKS), Selection())
    student = next(cell for cell in plan.cells if cell.method == "student")
    part = limited(plan, {student.key: 2})
    assert [(plan.cell(run.cell).label, run.seed) for run in part.runs] == [
        ("base on two", 0), ("base on two", 1), ("student on three", 0), ("student on three", 1),
    ]  # fmt: skip
    assert [cell.seeds for cell in part.cells] == [(0, 1), (0, 1)]


def trained(
    suite: Suite, folder: Path, lead: Lead, fails: frozenset[int] = frozenset()
) -> tuple[Outcome, list[Plan], list[str]]:
    """Training with the results that `lead` says. fails: seeds whose worker ends without a record."""
    store, plans, lines = Store(folder), list[Plan](), list[str]()
    store.open_for_writing()

    def train(plan: Plan, records: list[Record], first: bool) -> Outcome:
        assert first == (not plans)
        assert len(plans) < 9, "it goes on for ever"
        plans.append(plan)
        before = {record.run for record in records}
        left = plan.model_copy(
            update={"runs": tuple(r for r in plan.runs if r.id not in before and r.seed not in fails)}
        )
        fill(store, left, lambda cell, seed: curve(-8.0 + lead(seed) * (cell.method == "student")))
        ids = {run.id for run in plan.runs if run.seed not in fails}
        return Outcome(ids, ids & before, failed={r.id: "killed" for r in plan.runs if r.id not in ids})

    def tell(now: Round) -> None:
        lines.append(round_line(now))

    planned, outcome = train_until_decided(suite, Selection(), store, train, tell)
    assert outcome.finished <= {run.id for run in planned.runs}
    return outcome, plans, lines


def seeds_of(plans: Iterable[Plan]) -> list[set[int]]:
    return [{run.seed for run in plan.runs} for plan in plans]


def test_what_is_decided_at_the_first_look_gets_no_more_seeds(tmp_path: Path) -> None:
    outcome, plans, lines = trained(suite_of(LOOKS), tmp_path, plain)
    assert seeds_of(plans) == [{0, 1, 2}]
    assert len(outcome.finished) == 9  # the claim's two cells and the teacher; init is in no claim
    assert lines == [
        "looks: none yet; the next look is at 3 seeds",
        "looks: after 3 seeds 1 of 1 claims and printed values are decided",
    ]


def test_what_stays_open_gets_the_seeds_of_every_look(tmp_path: Path) -> None:
    outcome, plans, lines = trained(suite_of(LOOKS), tmp_path, slow)
    assert seeds_of(plans) == [{0, 1, 2}, {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5}]
    assert (len(outcome.finished), outcome.before) == (18, set())
    assert lines[1].endswith(
        "0 of 1 claims and printed values are decided; the next look is at 4 seeds; open: better in target"
    )
    assert lines[-1].endswith("no look is left; open: better in target")
    again, plans, lines = trained(suite_of(LOOKS), tmp_path, slow)
    assert (plans, len(lines), again.finished) == ([], 1, set())


def test_a_look_whose_seeds_cannot_be_made_is_the_end(tmp_path: Path) -> None:
    outcome, plans, _ = trained(suite_of(LOOKS), tmp_path, slow, fails=frozenset({3}))
    assert seeds_of(plans) == [{0, 1, 2}, {0, 1, 2, 3}]
    assert outcome.failed


def test_experiments_with_a_fixed_number_are_a_single_look(tmp_path: Path) -> None:
    _, plans, _ = trained(suite_of(FIXED), tmp_path, slow)
    assert seeds_of(plans) == [{0, 1, 2}]


@pytest.mark.parametrize(
    ("seeds", "options", "words"),
    [
        (FIXED, (), 'fixed seeds in profile "full"'),
        (LOOKS, ("--seeds", "3"), "--seeds as well"),
        (LOOKS, ("--shard", "1/2"), "--shard as well"),
        (LOOKS, ("--method", "base"), "--method as well"),
    ],
)
def test_without_looks_it_is_refused(
    bench_here: Bench, tiny_file: Path, seeds: str, options: tuple[str, ...], words: str
) -> None:
    tiny_file.write_text(TINY.replace(FIXED, seeds))
    done = bench_here("run", tiny_file, "--until-decided", "--results", "here", *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "--until-decided" in done.stderr
    assert not Path("here").exists()


def test_the_command_trains_and_tells_of_each_look(bench_here: Bench, tiny_file: Path) -> None:
    tiny_file.write_text(TINY.replace(FIXED, "seeds = { looks = [1, 2] }"))
    done = bench_here("run", tiny_file, "--until-decided", "--results", "here", "--json", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert [len(one["wanted"]) for one in shown["looks"]] == [2, 2, 0]
    assert len(shown["run"]["finished"]) == 6
    checked = bench_here("check", tiny_file, "--results", "here", "--json")
    (row,) = json.loads(checked.stdout)["verdicts"]
    assert (row["look"]["number"], row["look"]["of"], row["look"]["seeds"], row["look"]["next"]) == (2, 2, 2, None)
    assert "look 2 of 2 (2 seeds)" in row["reason"]
    told = bench_here("check", tiny_file, "--results", "here", "--long").stdout
    assert "2, look 2 of 2" in told
    assert "look:" in told


def test_one_claim_in_full_tells_its_look(tmp_path: Path) -> None:
    suite = suite_of(LOOKS)
    text = "\n".join(in_full(better(suite, written(suite, tmp_path, range(4))), suite.id, "full", "primary", "runs"))
    assert "Decided if the 94.8% interval omits 0" in text
    assert (
        "look:       look 2 of 3 (4 seeds); the next at 6; each is judged at one-sided 2.58%, for at most 5% over all"
        in text
    )
