"""The cost of a plan and what fits a time: paces, GPUs, machines, memory, disk, the most claims for the hours."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.envs import FAMILIES, Params
from bench.evidence.measures import Evidence
from bench.executors import proposal as proposals
from bench.executors.costs import Machines, costs
from bench.executors.estimate import START_S, Forecast, forecast, peak_bytes
from bench.executors.measure import one_a_method
from bench.executors.model import model_s, updated
from bench.executors.paces import At, Measured, Pace, Paces, keep, kind, pace_of, stored
from bench.executors.proposal import Proposal, proposal
from bench.plan import Cell, Plan, Resolver, Selection, make_plan
from bench.plan.sizes import PROCESS_BYTES, environment_bytes, policy_size, result_bytes
from bench.report.proposal import commands
from bench.store import Store, StoreError
from bench.suite import Suite
from bench.suite.loading import load, parse
from bench.verdict.power import Prospect, power, prospects
from tests.conftest import ROOT, TINY, Bench
from tests.synthetic import fill, made
from tests.test_verdict import levels

FIXED = 'seeds = { value = 3, source = "Table 1" }'
LATER = """
[[method]]
id = "later"
where = "here"
says = "cannot run yet"
algorithm = "later"
waits_for = "the learner later"
"""


def cell_of(plan: Plan, label: str) -> Cell:
    return next(cell for cell in plan.cells if cell.label == label)


def pace(cell: Cell, factor: float, device: str = "cpu") -> Pace:
    """The pace of another cell of the same kind."""
    return Pace("another", kind(cell.settings), device, "made up", factor)


def test_a_pace_comes_from_the_nearest_place_that_has_one(tiny: Suite) -> None:
    plan = make_plan(tiny, Selection())
    base, student = cell_of(plan, "base on three"), cell_of(plan, "student on three")
    published = Paces(published=(pace(base, 5.0), pace(student, 3.0)))
    both = Paces((pace(base, 2.0),), published.published)

    def found(paces: Paces, cell: Cell) -> tuple[str, float]:
        own = forecast(plan, [], {}, set(), jobs=1, paces=paces).cells[cell.key]
        return own.basis, own.cpu_s / model_s(cell.settings)

    assert found(published, base) == ("published runs of its method", pytest.approx(5.0))
    assert found(both, base) == ("measured here", pytest.approx(2.0))
    assert found(both, student) == ("published runs of its method", pytest.approx(3.0))
    assert found(Paces(both.measured), student) == ("other runs here", pytest.approx(2.0))
    records = [made(plan, cell_of(plan, "base on two").key)]  # of the same method, elsewhere in the plan
    own = forecast(plan, records, {}, set(), jobs=1, paces=published).cells[base.key]
    assert own.basis == "its method's runs here"


def test_a_gpus_time_is_unknown_until_a_run_on_one_is_known(tiny: Suite) -> None:
    plan = make_plan(tiny, Selection())
    base, student = cell_of(plan, "base on three"), cell_of(plan, "student on three")
    record = made(plan, base.key)
    on_gpu = record.model_copy(
        update={"provenance": record.provenance.model_copy(update={"device": "cuda:1", "wall_s": 8.0, "lanes": 4})}
    )
    known = forecast(plan, [on_gpu], {}, set(), jobs=1).cells
    assert known[base.key].gpu_s == pytest.approx(2.0)  # eight seconds, shared by four seeds
    assert known[base.key].basis == "assumed rate"  # it says nothing of a CPU
    assert known[student.key].gpu_s is None
    assert forecast(plan, [record], {}, set(), jobs=1).cells[base.key].gpu_s is None
    assert (own := pace_of(on_gpu)) is not None
    assert own.device == "cuda"


def test_what_was_measured_counts_from_where_it_begins(tiny: Suite, tmp_path: Path) -> None:
    """From 4 to 12 episodes; the newest of a cell is kept; a damaged file is named."""
    settings = cell_of(make_plan(tiny, Selection()), "base on three").settings
    begun, ended = At(done=4, cpu_s=1.0, wall_s=5.0), At(done=12, cpu_s=3.0, wall_s=9.0)
    own = {"suite": "tiny", "method": "base", "training_set": "three", "settings": settings, "hardware": "made up"}
    found = Measured.model_validate({**own, "device": "cpu", "begun": begun, "ended": ended, "lanes": 2, "on": "today"})
    between = model_s(settings, 12) - model_s(settings, 4)
    assert found.pace.factor == pytest.approx(2.0 / between)
    assert found.model_copy(update={"device": "cuda"}).pace.factor == pytest.approx(4.0 / 2 / between)
    whole = found.model_copy(update={"begun": At(done=0, cpu_s=0, wall_s=0), "ended": At(done=16, cpu_s=3, wall_s=9)})
    assert whole.pace.factor == pytest.approx(3.0 / model_s(settings))
    store = Store(tmp_path)
    keep(store, [found])
    keep(store, [whole])
    assert stored(store) == (whole,)
    with pytest.raises(ValueError, match="no progress between them"):
        Measured.model_validate(found.model_dump() | {"ended": begun})
    (tmp_path / "paces.json").write_text("[{}]")
    with pytest.raises(StoreError, match=r"paces\.json: not a file of measurements .*; delete it"):
        stored(store)


def test_steps_inside_an_episode_are_modelled_in_proportion() -> None:
    """SAC updates at each step after the first ten thousand, and an episode has a thousand."""
    settings = cell_of(make_plan(load("cikd"), Selection(only=("main",))), "vanilla_sac on mujoco/hopper").settings
    at = {done: model_s(settings, done) for done in (2000, 2250, 3000)}
    assert at[2250] - at[2000] == pytest.approx((at[3000] - at[2000]) / 4)
    assert [updated(settings, done) for done in (9999, 10_999)] == [False, True]  # the first one is at 10,000


def test_an_experiments_costs_and_all_with_shared_runs_once(tiny: Suite) -> None:
    """Two cells of three seeds in `target`, taught by `source`'s three runs, which count in both and in all once."""
    plan, second = make_plan(tiny, Selection()), 1.0
    cells = forecast(plan, [], {}, set(), jobs=2).cells
    cells = {key: dataclasses.replace(own, cpu_s=second, result_bytes=7.0) for key, own in cells.items()}
    done = {run.id for run in plan.runs if plan.cell(run.cell).label == "base on two" and run.seed == 0}
    expected = Forecast(cells, {run.id: second for run in plan.runs if run.id not in done}, 0.0, stretch=2.0)
    source, target, whole = costs(tiny, Selection(), plan, expected, done, Machines(workers=3, count=4))
    assert [(one.experiment, one.runs, one.left) for one in (source, target, whole)] == [
        ("source", 3, 2),
        ("target", 12, 11),
        ("", 12, 11),
    ]
    assert (whole.cpu_s, whole.cpu_left_s, source.cpu_left_s) == (12.0, 11.0, 2.0)
    assert source.wall_s == {3: 2 * (1 + START_S), 12: 2 * (1 + START_S)}  # two processes are enough
    assert whole.wall_s[12] < whole.wall_s[3]
    assert whole.gpu_s is None
    assert set(whole.no_gpu) == {"base", "init", "student"}
    assert whole.disk_bytes > 12 * 7.0
    assert whole.unbuilt.runs == 0
    known = {key: dataclasses.replace(own, gpu_s=0.5) for key, own in cells.items()}
    *_, on_gpu = costs(tiny, Selection(), plan, dataclasses.replace(expected, cells=known), done, Machines(1))
    assert (on_gpu.gpu_s, on_gpu.no_gpu) == (6.0, ())


def test_what_cannot_run_yet_is_told_by_its_budget_and_in_no_sum() -> None:
    text = TINY.replace('methods = ["base", "init", "student"]', 'methods = ["base", "init", "student", "later"]')
    suite = parse((text + LATER).encode(), "tiny.toml")
    for profile, episodes in (("full", 16), ("half", 8)):
        selection = Selection(profile=profile)
        plan = make_plan(suite, selection)
        *_, whole = costs(suite, selection, plan, forecast(plan, [], {}, set(), 1), set(), Machines(1))
        assert (whole.runs, whole.unbuilt.runs, whole.unbuilt.amounts) == (12, 3, {"episodes": 3 * episodes})


def test_memory_counts_the_environments_own_processes(tiny: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole episodes: evaluations play in the copies that train, 2 or 4. Steps: one copy, and 10 to look at it."""
    plan, steps = make_plan(tiny, Selection()), make_plan(load("cikd"), Selection(only=("main",)))
    base, sac = cell_of(plan, "base on three"), cell_of(steps, "vanilla_sac on mujoco/hopper")
    assert environment_bytes(base.settings) == 0
    before, took = forecast(plan, [], {}, set(), jobs=1).cells, peak_bytes(plan, set(), 1)
    monkeypatch.setattr(Params, "process_bytes", property(lambda self: 1000))
    assert environment_bytes(base.settings) == 4 * 1000
    looked_at = sac.settings["budget"]
    episodes = max(looked_at["evaluation_episodes"], looked_at["final_evaluation_episodes"])
    assert environment_bytes(sac.settings) == (1 + episodes) * 1000
    after = forecast(plan, [], {}, set(), jobs=1).cells
    assert after[base.key].bytes == before[base.key].bytes + 4000
    assert peak_bytes(plan, set(), 1) == pytest.approx(took + 3 * 4000)
    shared = dataclasses.replace(FAMILIES["particle"], process_bytes=10**6)  # one for all seeds of a process
    monkeypatch.setitem(FAMILIES, "particle", shared)
    assert peak_bytes(plan, set(), 2) == pytest.approx(
        4 * (before[base.key].bytes + 4000) + 2 * (PROCESS_BYTES + 10**6)
    )
    monkeypatch.setattr(Params, "episodes_at_once", property(lambda self: 1))
    assert environment_bytes(base.settings) == 2 * 1000


def test_results_take_about_what_published_ones_do() -> None:
    """Records on disk, and their weights by size, within a factor of two of the estimate."""
    sizes = {}
    for path in sorted((ROOT / "results" / "records").iterdir()):
        settings = json.loads(path.read_text())["settings"]
        there = path.stat().st_size + 4 * (policy_size(settings) or 0)
        sizes[settings["algorithm"]["name"]] = there / result_bytes(settings)
    assert len(sizes) > 5
    assert all(0.5 < ratio < 2 for ratio in sizes.values()), sizes


# ------------------------------------------------------------------------------------------------ what fits a time


def fitting(
    suite: Suite,
    folder: Path,
    hours: float,
    monkeypatch: pytest.MonkeyPatch,
    claims: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> Proposal:
    """claims: their chances by id, experiment and seeds. A run takes a second, and nothing else takes any."""
    evidence = Evidence(suite, Selection(), Store(folder))
    made_up = [
        Prospect(id_, experiment, tuple(c.key for c in evidence.plan.cells if c.experiment == experiment), "", own)
        for id_, by_experiment in claims.items()
        for experiment, own in by_experiment.items()
    ]
    monkeypatch.setattr(proposals, "prospects", lambda *_: made_up)
    monkeypatch.setattr("bench.executors.estimate.START_S", 0.0)
    cells = forecast(evidence.plan, [], {}, set(), jobs=1).cells
    expected = Forecast(cells, {run.id: 1.0 for run in evidence.plan.runs}, 0.0)
    return proposal(evidence, evidence, expected, hours, 1)


def chosen(found: Proposal) -> list[tuple[str, int]]:
    return [(one.experiment, one.seeds) for one in found.chosen]


def test_the_most_claims_for_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six seeds. A seed of `source` takes 1 s, one of `target` 4 s; 1 s of these is shared with `source`."""
    suite = parse(TINY.replace(FIXED, FIXED.replace("3", "6")).encode(), "tiny.toml")
    claims = {"a": {"source": {3: 0.2, 5: 0.3, 6: 0.3}}, "b": {"target": {3: 0.9, 5: 0.9, 6: 0.95}}}

    def found(seconds: float) -> Proposal:
        return fitting(suite, tmp_path, seconds, monkeypatch, claims)

    nothing = found(2.0)
    assert (chosen(nothing), nothing.expected, nothing.wall_s) == ([], 0.0, 0.0)
    assert chosen(found(3.0)) == [("source", 3)]
    dear = found(12.0)  # what it decides of `source` comes with the teachers
    assert (chosen(dear), dear.wall_s, dear.cpu_s) == ([("target", 3)], 12.0, 12.0)
    assert (dear.expected, dear.chosen[0].expected) == (pytest.approx(1.1), pytest.approx(1.1))
    more = found(14.0)  # two seeds more of what costs little
    assert (dict(chosen(more)), more.expected) == ({"target": 3, "source": 5}, pytest.approx(1.2))
    assert sum(one.cpu_s for one in more.chosen) == more.cpu_s == 14.0
    ample = found(1e6)
    assert ample.expected == ample.whole == pytest.approx(1.25)


def test_one_dear_step_beats_a_cheap_one_that_leaves_no_time_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, `source` decides more per second; together they do not fit, and `target` decides more."""
    text = TINY.replace('teachers = { experiment = "source", method = "base", pairing = "same seed" }\n', "")
    text = text.replace('methods = ["base", "init", "student"]', 'methods = ["base"]').replace(
        'baseline = "base"\n', ""
    )
    suite = parse(text[: text.index("[transfer]")].replace(FIXED, FIXED, 1).encode(), "tiny.toml")
    claims = {"a": {"source": {3: 0.5}}, "b": {"target": {3: 0.4}}, "c": {"target": {3: 0.4}}}
    suite_claims = fitting(suite, tmp_path, 5.0, monkeypatch, claims)
    assert chosen(suite_claims) == [("target", 3)]
    assert suite_claims.expected == pytest.approx(0.8)


def test_time_that_is_left_goes_to_pilots_of_what_nobody_knows(
    tmp_path: Path, tiny: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = {"a": {"source": {3: 0.5}}, "b": {"target": {}}, "c": {"target": {}}}
    short, long = (fitting(tiny, tmp_path, seconds, monkeypatch, claims) for seconds in (4.0, 12.0))
    assert chosen(short) == [("source", 3)]
    assert chosen(long) == [("source", 3), ("target", 3)]
    assert (long.chosen[1].expected, long.chosen[1].unknown, long.expected) == (0.0, 2, 0.5)
    assert (long.unknown, long.left, long.waiting) == ({"target": 2}, 3, 0)


def test_looks_are_taken_one_by_one_where_all_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each experiment has looks at 3 and 6 seeds; in ten seconds `source` gets both, in three the first."""
    suite = parse(TINY.replace(FIXED, "seeds = { looks = [3, 6] }").encode(), "tiny.toml")
    claims = {"a": {"source": {3: 0.5, 6: 0.8}}}
    for seconds, looks, asked in ((10.0, (3, 6), "--until-decided"), (3.0, (3,), "--seeds 3")):
        found = fitting(suite, tmp_path, seconds, monkeypatch, claims)
        assert [(one.experiment, one.looks) for one in found.chosen] == [("source", looks)]
        (command,) = commands(found.chosen, Evidence(suite, Selection(), Store(tmp_path)), Path("runs"))
        assert command == f"bench run tiny --only source {asked} --results runs"


def test_fewer_seeds_have_the_chance_that_they_would_have_alone(tmp_path: Path) -> None:
    """A later look includes the decisions of earlier ones; the last chance is that of `power`."""
    looks = TINY.replace(FIXED, 'seeds = { looks = [4, 8, 16], source = "a" }')
    fixed = TINY.replace(FIXED, FIXED.replace("3", "16"))
    for text, steps in ((looks, [4, 8, 16]), (fixed, [3, 5, 16])):
        suite, store = parse(text.encode(), "tiny.toml"), Store(tmp_path)
        pilots = Evidence(suite, Selection(), store)
        fill(store, make_plan(suite, Selection(seeds=(0, 1, 2))), levels(student=-7.9, base=-8.0))
        (one,) = prospects(pilots, pilots, suite.experiment)
        assert [*one.chances] == steps
        assert [*one.chances.values()] == sorted(one.chances.values())
        (whole,) = power(pilots, Resolver(suite, Selection()), suite.experiment)
        assert whole.chance == pytest.approx(one.at(16), abs=0.12)  # of 100 and of 200 draws
        assert (one.at(2), one.at(7)) == (0.0, one.chances[steps[0 if steps[1] > 7 else 1]])


# ------------------------------------------------------------------------------------------------ the command


def test_each_method_is_measured_once_and_its_pace_taken(bench_here: Bench, tiny_file: Path, tmp_path: Path) -> None:
    """Runs of sixteen episodes end before the time does, and count whole; a long one is stopped."""
    tiny_file.write_text(TINY.replace("episodes = 16,", "episodes = 100_000,", 1))  # the teacher's
    done = bench_here("plan", tiny_file, "--measure", "--measure-for", "0.3s", "--json", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert {cell["basis"] for cell in shown["cells"]} == {"measured here"}
    measured = {one.method: one for one in stored(Store(tmp_path / "runs"))}
    assert measured.keys() == {"base", "init", "student"}
    assert (measured["student"].begun.done, measured["student"].ended.done) == (0, 16)
    long = measured["base"]
    assert 0 < long.begun.done < long.ended.done < 100_000
    assert (long.ended.cpu_s - long.begun.cpu_s) * long.lanes >= 0.3
    assert shown["costs"][-1]["gpu_s"] is None
    assert not [*(tmp_path / "runs" / "records").iterdir()]


def test_a_method_is_measured_where_it_needs_no_teacher(tiny: Suite) -> None:
    assert [c.label for c in one_a_method(make_plan(tiny, Selection()))] == [
        "base on two",
        "init on three",
        "student on three",
    ]


def test_the_command_proposes_commands(bench_here: Bench, tiny_file: Path, tmp_path: Path) -> None:
    asked = ("plan", tiny_file, "--budget", "1h")
    shown = bench_here(*asked)
    assert shown.returncode == 0, shown.stderr
    assert "bench run tiny --only target --seeds 3 --results runs" in shown.stdout
    found = json.loads(bench_here(*asked, "--json").stdout)
    assert [(one["experiment"], one["seeds"]) for one in found["chosen"]] == [("target", 3)]
    assert found["wall_s"] < found["budget_s"] == 3600
    plan = bench_here("plan", tiny_file).stdout
    for words in ("GPU time is unknown for base, init, student", "on 10", "all, each run once"):  # a head wraps
        assert words in " ".join(plan.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--budget", "soon"), "--budget"),
        (("--budget", "1h", "--shard", "1/2"), "--shard as well"),
        (("--device", "cuda"), "only with --measure"),
        (("--measure", "--measure-for", "0s"), "--measure-for"),
        (("--measure", "--device", "tpu"), "--device"),
    ],
)
def test_options_that_do_not_go_together(
    bench_here: Bench, tiny_file: Path, options: tuple[str, ...], says: str
) -> None:
    done = bench_here("plan", tiny_file, *options)
    assert (done.returncode, says in done.stderr) == (2, True)
