"""Plans: which runs, in which order, under which ids, with which deviations."""

from __future__ import annotations

import dataclasses

import pytest

from baselines.specs import ALGORITHMS
from bench.envs import FAMILIES
from bench.plan import Plan, Selection, make_plan, sharded
from bench.suite import Suite, SuiteError
from bench.suite.loading import load, parse
from tests.conftest import TINY


def plan_of(suite: Suite, **selection: object) -> Plan:
    return make_plan(suite, Selection.model_validate(selection))


def ids(plan: Plan) -> set[str]:
    return {run.id for run in plan.runs}


def test_teachers_come_first_and_same_seed_pairs(tiny: Suite) -> None:
    plan = plan_of(tiny, only=("target",))
    assert [cell.label for cell in plan.cells] == ["base on three", "base on two", "init on three", "student on three"]
    seen: set[str] = set()
    by_id = {run.id: run for run in plan.runs}
    for run in plan.runs:
        assert seen.issuperset(run.teachers)
        assert all(by_id[teacher].seed == run.seed for teacher in run.teachers)
        seen.add(run.id)
    assert len(seen) == len(plan.runs) == 12


def test_the_paper_experiment_of_the_readme(knowru: Suite) -> None:
    plan = plan_of(knowru, only=("spread/II",), seeds=(0, 1, 2, 3, 4))
    assert {cell.label for cell in plan.cells} == {
        "maddpg_to_II on spread/I",
        "maddpg on spread/II",
        "maddpg_init on spread/II",
        "knowru on spread/II",
    }
    assert len(plan.runs) == 20
    assert all(cell.settings["budget"]["episodes"] == 5000 for cell in plan.cells)
    assert all(cell.settings["scenario"]["episode_limit"] == 25 for cell in plan.cells)


def test_experiments_share_what_is_the_same(knowru: Suite) -> None:
    both = plan_of(knowru, only=("spread/III", "spread/alpha", "spread/loss"))
    labels = [cell.label for cell in both.cells]
    assert labels.count("knowru on spread/III") == labels.count("maddpg on spread/III") == 1


def test_ids_depend_on_everything_that_changes_numbers_and_on_nothing_else(tiny: Suite) -> None:
    base = plan_of(tiny)
    assert ids(plan_of(tiny)) == ids(base)
    renamed = parse(TINY.replace('"student', '"pupil').encode(), "x.toml")
    assert ids(make_plan(renamed, Selection())) == ids(base)
    said = parse(TINY.replace("two agents", "2 agents").encode(), "x.toml")
    assert ids(make_plan(said, Selection())) == ids(base)
    for old, new in (
        ("episode_limit = 5", "episode_limit = 6"),
        ('dynamics = "openai"', 'dynamics = "mpe2"'),
        ("value = 0.95", "value = 0.96"),
        ("evaluation_episodes = 3", "evaluation_episodes = 2"),
    ):
        other = parse(TINY.replace(old, new).encode(), "x.toml")
        assert not ids(make_plan(other, Selection())) & ids(base), (old, new)


def test_ids_are_pinned(knowru: Suite) -> None:
    """A change of these ids makes every published record worthless: it must be meant, and be in CHANGELOG.md."""
    for reading, pinned in PINNED.items():
        plan = plan_of(knowru.under(reading), only=("spread/II",), seeds=(0,), reading=reading)
        assert {plan.cell(run.cell).label: run.id for run in plan.runs} == pinned


def test_a_new_version_of_an_algorithm_or_environment_changes_ids(tiny: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids(plan_of(tiny))
    newer = ALGORITHMS["maddpg"].model_copy(update={"version": 2})
    monkeypatch.setitem(ALGORITHMS, "maddpg", newer)
    algorithm = ids(plan_of(tiny))
    assert not algorithm & before  # a student's teacher is a base run
    monkeypatch.setitem(FAMILIES, "particle", dataclasses.replace(FAMILIES["particle"], version=2))
    assert not ids(plan_of(tiny)) & (algorithm | before)


def test_a_student_depends_on_its_teachers_settings(tiny: Suite) -> None:
    longer = parse(TINY.replace("episodes = 16", "episodes = 32", 1).encode(), "x.toml")  # the source task alone
    before, after = plan_of(tiny), make_plan(longer, Selection())
    same = {c.label for c in before.cells} & {c.label for c in after.cells if c.key in {b.key for b in before.cells}}
    assert same == {"base on three"}


def test_a_teacher_gets_every_seed_its_students_need() -> None:
    fewer = parse(TINY.replace("seeds = { value = 3", "seeds = { value = 1", 1).encode(), "x.toml")
    plan = make_plan(fewer, Selection())
    assert next(c for c in plan.cells if c.label == "base on two").seeds == (0, 1, 2)


def notes(plan: Plan, label: str) -> dict[str, str]:
    cell = next(c for c in plan.cells if c.label == label)
    return {note.id: note.class_ for note in cell.notes}


def test_deviations_are_gathered(tiny: Suite) -> None:
    full = plan_of(tiny)
    assert notes(full, "base on three") == {"warmup_transitions": "assumed"}
    assert notes(full, "student on three") == {"odd": "erratum", "warmup_transitions": "assumed"}
    assert notes(plan_of(tiny, profile="half"), "base on three")["profile"] == "reduced"
    changed = plan_of(tiny, settings=("base.lr=0.02",))
    assert notes(changed, "base on three")["--set"] == "changed"
    assert notes(changed, "student on three")["--set"] == "changed"  # its teacher is another one
    student = plan_of(tiny, settings=("student.lr=0.02",))
    assert "--set" not in notes(student, "base on three")


def test_what_the_harness_itself_assumes_is_a_note() -> None:
    text = TINY.replace(
        'seeds = { value = 3, source = "Table 1"', 'seeds = { value = 3, source = "?", kind = "assumed"'
    )
    text = text.replace("final_evaluation_episodes = 4", 'kind = "assumed"\nfinal_evaluation_episodes = 4')
    plan = make_plan(parse(text.encode(), "x.toml"), Selection())
    assert notes(plan, "base on two")["seeds"] == notes(plan, "base on two")["recording"] == "assumed"


def test_set_reaches_what_it_names(tiny: Suite) -> None:
    def lr(plan: Plan, label: str) -> float:
        return next(c for c in plan.cells if c.label == label).settings["hyperparameters"]["lr"]

    one = plan_of(tiny, settings=("student.lr=0.5",))
    assert (lr(one, "student on three"), lr(one, "base on three")) == (0.5, 0.01)
    everyone = plan_of(tiny, settings=("lr=0.5",))
    assert {lr(everyone, c.label) for c in everyone.cells} == {0.5}
    budget = plan_of(tiny, settings=("budget.episodes=32",))
    assert {c.settings["budget"]["episodes"] for c in budget.cells} == {32}


def test_set_reaches_what_a_method_may_leave_out() -> None:
    """With the method's name; without a name, `--set` changes only stated settings."""

    def teachers(*settings: str) -> dict[str, object]:
        (cell, *_) = plan_of(load("mkt_marl"), only=("teachers",), settings=settings).cells
        return cell.settings["hyperparameters"]

    assert "td_lambda" not in teachers()
    with pytest.raises(SuiteError, match=r"hyperparameters\n +got +td_steps = 1 and td_lambda = 0.8"):
        teachers("qmix_teacher.td_lambda=0.8")
    with pytest.raises(SuiteError, match=r'got +"td_lambda"'):
        teachers("td_lambda=0.8")
    study = plan_of(load("mkt_marl"), only=("table2",), settings=("mkt_marl.distill_reduction=sum",))
    changed = {c.method: c.settings["hyperparameters"].get("distill_reduction") for c in study.cells}
    assert {method for method, value in changed.items() if value == "sum"} == {"mkt_marl"}


def test_chosen_methods_come_with_their_teachers_and_keep_their_runs() -> None:
    ptde = load("ptde")
    whole = plan_of(ptde, only=("ltr/planted",), seeds=(0, 3))
    part = plan_of(ptde, only=("ltr/planted",), seeds=(0, 3), methods=("vdn_kd", "qmix_giu"))
    assert [cell.method for cell in part.cells] == ["qmix_giu", "vdn_gip", "vdn_kd"]
    assert ids(part) < ids(whole)  # copa's are qmix_giu's
    assert len(part.runs) == 6


def test_shards_split_a_plan_by_seed_and_leave_nothing_out(knowru: Suite) -> None:
    whole = plan_of(knowru, seeds=(0, 1, 2, 5, 8))
    for count in range(1, 6):
        parts = [sharded(whole, f"{i}/{count}") for i in range(1, count + 1)]
        assert sorted(r.id for part in parts for r in part.runs) == sorted(ids(whole))
        seeds = [{r.seed for r in part.runs} for part in parts]
        assert sum(map(len, seeds)) == 5
        for part in parts:
            assert all(ids(part).issuperset(run.teachers) for run in part.runs)
            assert {(c.key, s) for c in part.cells for s in c.seeds} == {(r.cell, r.seed) for r in part.runs}
    assert {r.seed for r in sharded(whole, "2/2").runs} == {1, 5}
    assert sharded(whole, "") == whole


@pytest.mark.parametrize(
    "shard", ["0/2", "3/2", "1/4", "2", "1/0", "a/b", "1/2/3", "-1/2", " 1/2", "\u0661/2", "9" * 5000]
)
def test_a_shard_that_cannot_be_meant(tiny: Suite, shard: str) -> None:
    with pytest.raises(SuiteError) as caught:
        sharded(plan_of(tiny), shard)
    for words in ("--shard", "got ", "i/n with 1 <= i <= n <= 3", "mend "):
        assert words in str(caught.value)
    with pytest.raises(SuiteError) as caught:
        sharded(plan_of(tiny, seeds=(0,)), shard)
    for words in ("1 <= i <= n <= 1", "mend     omit --shard"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"profile": "ful"}, ["--profile", '"ful"', 'did you mean "full"']),
        ({"only": ("targat",)}, ["--only", 'did you mean "target"']),
        ({"settings": ("base.ler=1",)}, ["--set base.ler", 'did you mean "lr"']),
        ({"settings": ("bse.lr=1",)}, ["--set", 'did you mean "base"']),
        ({"settings": ("lerning=1",)}, ["--set lerning"]),
        ({"settings": ("lr",)}, ["--set", "KEY=VALUE"]),
        ({"settings": ("lr=fast",)}, ["hyperparameters.lr", '"fast"', "a number, above 0"]),
        ({"settings": ("lr=-1",)}, ["hyperparameters.lr", "-1", "a number, above 0"]),
        ({"settings": ("lr=nan",)}, ["1 problem", "--set lr", "nan", "a number, above 0"]),
        ({"settings": ("base.lr=-inf",)}, ["1 problem", "--set base.lr", "-inf", "a number, above 0"]),
        ({"settings": ("base.lr=1e400",)}, ["1 problem", "--set base.lr", "inf", "a number, above 0"]),
        ({"settings": ("base.lr=[1]",)}, ["1 problem", "--set base.lr", "[1]", "a number, above 0"]),
        ({"settings": ("budget.episodes=-2",)}, ["--set budget.episodes", "-2", "greater than or equal to 1"]),
        ({"settings": ("budget.epochs=2",)}, ["--set budget.epochs", "episodes"]),
        ({"settings": ("replay_size=9",)}, ["hyperparameters.replay_size", "9", "at least 10"]),
        (
            {"settings": ("base.layout_agents=2",)},
            ["method[base].hyperparameters", "2", 'scenario "three"', "at least 3"],
        ),
        (
            {"settings": ("student.teacher_view='nearest'", "student.layout_communication=false")},
            ["method[student].hyperparameters.teacher_view", "nearest with layout_communication = false"],
        ),
        ({"settings": ("budget.episodes=15",)}, ["experiment[source].episodes", "15", "a multiple of 2"]),
    ],
)
def test_a_request_that_cannot_be_meant(tiny: Suite, selection: dict[str, object], said: list[str]) -> None:
    with pytest.raises(SuiteError) as caught:
        plan_of(tiny, **selection)
    for words in ("(command line)", "got ", "allowed ", "mend ", *said):
        assert words in str(caught.value)


LATER = (
    "base.layout_communication=true",
    "base.activation='relu'",
    "base.initial_weights='xavier'",
    "base.batches='shared'",
    "base.clipping='tensor'",
)


def test_what_came_later_changes_no_id_at_its_default_and_each_one_else(tiny: Suite) -> None:
    plain = ids(plan_of(tiny, only=("source",)))
    assert ids(plan_of(tiny, only=("source",), settings=LATER)) == plain
    others = ("false", "'leaky_relu'", "'xavier_leaky_relu'", "'own'", "'network'")
    changed = [f"{text.partition('=')[0]}={other}" for text, other in zip(LATER, others, strict=True)]
    found = [ids(plan_of(tiny, only=("source",), settings=(change,))) for change in changed]
    assert len(set().union(plain, *found)) == 6 * len(plain)


PINNED = {
    "first-edition": {
        "maddpg on spread/II": "49d31f398f8f07ad",
        "maddpg_to_II on spread/I": "6008c23a3a565fa4",
        "maddpg_init on spread/II": "549529a26baa12f5",
        "knowru on spread/II": "76bd5d7230bfc33f",
    },
    "primary": {
        "maddpg on spread/II": "9adfbb76a085e4ec",
        "maddpg_to_II on spread/I": "c42c8f31eeb2811c",
        "maddpg_init on spread/II": "e4bfd3e7d01842f9",
        "knowru on spread/II": "35a7ca73d61555a7",
    },
}


OWN = """budget_of = { student = { episodes = 8, source = "x" } }
recording_of.student.record_every = 4
recording_of.student.evaluate_every = 4
recording_of.student.evaluation_episodes = 1
recording_of.student.final_evaluation_episodes = 2
recording_of.student.source = "x"
teachers = { experiment"""


def test_a_method_may_have_its_own_budget_and_recording() -> None:
    text = TINY.replace("teachers = { experiment", OWN, 1)
    text = text.replace(
        "budget = { episodes = 8 } }", "budget = [{ episodes = 8 }, { steps = 40, record_every = 5 }] }"
    )
    own = parse(text.encode(), "own.toml")
    for profile, (whole, every) in {"full": (16, 2), "half": (8, 2)}.items():
        plan = make_plan(own, Selection(profile=profile))
        budgets = {(c.method, c.training_set): c.settings["budget"] for c in plan.cells}
        assert budgets["student", "three"]["episodes"] == 8
        assert budgets["student", "three"]["record_every"] == 4
        assert (budgets["base", "three"]["episodes"], budgets["base", "three"]["record_every"]) == (whole, every)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("budget.steps=40", ['got      "steps"', 'allowed  "episodes", "record_every"']),
        ("budget.updates=40", ['got      "updates"']),
        ("budget.record_every=6", ["experiment[source].record_every", "a divisor of the budget of 16 episodes"]),
    ],
)
def test_a_change_in_a_unit_that_nothing_counts_by_is_refused(tiny: Suite, setting: str, said: list[str]) -> None:
    with pytest.raises(SuiteError) as caught:
        make_plan(tiny, Selection(settings=(setting,)))
    for text in said:
        assert text in str(caught.value)


def test_settings_of_a_scenario_change_no_other_cell(tiny: Suite) -> None:
    """They enter the key of the cells that are trained on it, and of their students."""
    table = 'layout_agents = { value = 3, source = "a" }\n'
    own = table + '[method.hyperparameters_on.two]\nlr = { value = 0.5, source = "a guess", kind = "assumed" }\n'
    text = TINY.replace(table, own, 1)
    assert text != TINY
    suite = parse(text.encode(), "on.toml")
    before, after = plan_of(tiny), plan_of(suite)
    keys = [{cell.label: cell.key for cell in plan.cells} for plan in (before, after)]
    assert {label for label in keys[0] if keys[0][label] != keys[1][label]} == {
        "base on two",
        "init on three",
        "student on three",
    }
    cell = next(cell for cell in after.cells if cell.label == "base on two")
    assert cell.settings["hyperparameters"]["lr"] == 0.5
    assert [note.says for note in cell.notes if note.id == "lr"] == ["lr = 0.5: a guess"]
    assert not [note for own in after.cells if own.label == "base on three" for note in own.notes if note.id == "lr"]
    (changed,) = {
        cell.settings["hyperparameters"]["lr"]
        for cell in plan_of(suite, settings=("base.lr=0.3",)).cells
        if cell.method == "base"
    }
    assert changed == 0.3


def test_a_reading_changes_settings_on_every_scenario() -> None:
    table = 'layout_agents = { value = 3, source = "a" }\n'
    own = table + '[method.hyperparameters_on.two]\nlr = { value = 0.5, source = "b" }\n'
    reading = '[[reading]]\nid = "slow"\nsays = "slower"\nkind = "assumption"\n'
    reading += 'methods.base.lr = { value = 0.1, source = "c" }\n'
    suite = parse((TINY.replace(table, own, 1) + reading).encode(), "on.toml").under("slow")
    assert suite.settings("base", "two")["lr"].value == suite.settings("base", "three")["lr"].value == 0.1
