"""Suite files: TOML -> frozen, validated models. An error names file, key, what was got, what is allowed, how to mend.

A suite is a paper: scenarios, methods, experiments, measures, claims, deviations, profiles. See docs/suite-files.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from baselines.specs import ALGORITHMS, Hyperparameters
from bench.envs import FAMILIES
from bench.explain import Problem, explain, listed, nearest, shown

SCHEMA = 1  # of the file format
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$")]
Quantity = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*:[A-Za-z0-9_]+$")]  # "method:measure"
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]
Series = Annotated[str, Field(pattern=r"^(training|evaluation|loss/[a-z_]+)$")]
Kind = Literal["stated", "inherited", "assumed"]
Scalar = str | bool | int | float


class SuiteError(Exception):
    """A suite file, or a request about one, that cannot be meant. One message for all problems of a file."""

    def __init__(self, source: str | Path, problems: list[Problem]):
        self.source, self.problems = str(source), problems
        super().__init__("\n".join([f"{source}: {len(problems)} problem(s)", *map(str, problems)]))


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Paper(Model):
    id: Id
    title: Text
    authors: Text
    year: int


class Anchors(Model):
    """The scale of a scenario in its metric, measured by `bench anchors`."""

    random: float
    no_information: float
    good: float
    measured: Text  # command, date, machine


class Scenario(Model):
    id: Id
    where: Text
    says: Text
    family: Text
    params: dict[str, Scalar]
    episode_limit: Count  # environment steps
    metric: Literal["step_reward"]
    anchors: Anchors | None = None


class Setting(Model):
    """A hyperparameter's value and where it comes from."""

    value: Scalar
    source: Text
    kind: Kind = "stated"


class Method(Model):
    id: Id
    where: Text
    says: Text
    algorithm: Text
    extends: Id | None = None  # takes over that method's hyperparameters and deviations
    hyperparameters: dict[str, Setting]


class Seeds(Model):
    value: Count
    source: Text
    kind: Kind = "stated"


class Budget(Model):
    """How long a run trains, in episodes."""

    episodes: Count
    source: Text
    kind: Kind = "stated"


class Recording(Model):
    """What is looked at, in episodes: a training point, a greedy evaluation, and how many episodes one takes."""

    record_every: Count
    evaluate_every: Count
    evaluation_episodes: Count
    final_evaluation_episodes: Count
    source: Text
    kind: Kind = "stated"


class BudgetChange(Model):
    episodes: Count | None = None
    record_every: Count | None = None
    evaluate_every: Count | None = None
    evaluation_episodes: Count | None = None
    final_evaluation_episodes: Count | None = None


class TrainingSet(Model):
    id: Id
    scenarios: Annotated[tuple[Id, ...], Field(min_length=1, max_length=1, strict=False)]


class Teachers(Model):
    """Whose runs the students learn from. instead: other teachers for some students."""

    experiment: Id
    method: Id
    pairing: Literal["same seed"]
    instead: dict[Id, Id] = {}


class Experiment(Model):
    id: Id
    where: Text
    says: Text
    methods: Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
    training_sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1, max_length=1, strict=False)]
    seeds: Seeds
    budget: Budget
    recording: Recording
    teachers: Teachers | None = None
    baseline: Id | None = None  # what the transfer metrics compare with

    @property
    def training_set(self) -> TrainingSet:
        return self.training_sets[0]

    def episodes(self, change: BudgetChange | None = None) -> dict[str, int]:
        """Budget and recording as one table of numbers, under a profile's change."""
        own = {**self.budget.model_dump(), **self.recording.model_dump()}
        numbers = {key: own[key] for key in BudgetChange.model_fields}
        return numbers | (change.model_dump(exclude_none=True) if change else {})


class Profile(Model):
    """A declared reduction of every experiment's budget."""

    says: Text
    seeds: Count | None = None
    budget: BudgetChange = BudgetChange()


class Margin(Model):
    """The smallest difference that matters. Exactly one of three scales."""

    share_of_scale: Annotated[float, Field(gt=0)] | None = None  # of good script - no-information script
    share_of_budget: Annotated[float, Field(gt=0)] | None = None  # of the training episodes
    relative: Annotated[float, Field(gt=0)] | None = None  # of the smaller side's mean

    @model_validator(mode="after")
    def _one_scale(self) -> Margin:
        if len(self.model_fields_set) != 1:
            raise ValueError("exactly one of share_of_scale, share_of_budget, relative")
        return self


class Window(Model):
    """Mean of a curve over shares of the budget, from the start or from the first update on."""

    id: Id
    says: Text
    kind: Literal["window"]
    series: Series
    after: Literal["start", "first_update"] = "start"
    window: Annotated[tuple[Share, Share], Field(strict=False)]

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if self.window[0] >= self.window[1]:
            raise ValueError("window = [start, stop] with start < stop")
        return self


class Untrained(Model):
    """Mean of a curve up to the first update."""

    id: Id
    says: Text
    kind: Literal["untrained"]
    series: Series


class FirstReach(Model):
    """Episodes until a curve reaches a level and stays; censored at the budget."""

    id: Id
    says: Text
    kind: Literal["first_reach"]
    series: Series
    level: Quantity  # its mean over seeds, less `below`
    below: Margin
    smooth: Count  # points in the moving average
    hold: Count  # points at or above the level


class TimeOfBest(Model):
    """Episodes until a curve is at its highest."""

    id: Id
    says: Text
    kind: Literal["time_of_best"]
    series: Series
    smooth: Count


class Fluctuation(Model):
    """Standard deviation of a curve from point to point."""

    id: Id
    says: Text
    kind: Literal["fluctuation"]
    series: Series


Measure = Annotated[Window | Untrained | FirstReach | TimeOfBest | Fluctuation, Field(discriminator="kind")]
Quantities = Annotated[tuple[Quantity, ...], Field(min_length=1, strict=False)]


class Ordering(Model):
    """Every quantity of `greater` is greater than every quantity of `less`."""

    kind: Literal["ordering"]
    greater: Quantities
    less: Quantities


class NotGreater(Model):
    """No quantity of `greater` exceeds one of `less` by the margin: "not clearly better"."""

    kind: Literal["not_greater"]
    greater: Quantities
    less: Quantities


class Equivalence(Model):
    """All quantities are the same within the margin."""

    kind: Literal["equivalence"]
    same: Annotated[tuple[Quantity, ...], Field(min_length=2, strict=False)]


class Ratio(Model):
    """numerator / denominator is the printed number within +-tolerance."""

    kind: Literal["ratio"]
    numerator: Quantity
    denominator: Quantity
    printed: Annotated[float, Field(gt=0)]
    tolerance: Annotated[float, Field(gt=0)]


Test = Annotated[Ordering | NotGreater | Equivalence | Ratio, Field(discriminator="kind")]


def quantities(test: Test) -> tuple[str, ...]:
    """All quantities that a test names."""
    if isinstance(test, Equivalence):
        return test.same
    if isinstance(test, Ratio):
        return (test.numerator, test.denominator)
    return (*test.greater, *test.less)


class Transfer(Model):
    """Which measures the transfer metrics of Taylor & Stone (2009) are taken from; higher scores are better."""

    jump_start: Id
    time_to_threshold: Id
    asymptote: Id
    area: Id


class Claim(Model):
    id: Id
    where: Text
    says: Text
    experiments: Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
    protocol: Literal["training", "greedy"]
    margin: Margin
    test: Test


class Deviation(Model):
    """A declared difference from the paper. class: see docs/verdicts.md."""

    id: Id
    class_: Literal["substitute", "reduced", "assumed", "erratum"] = Field(alias="class")
    applies_to: Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
    says: Text


class Suite(Model):
    """One paper. Lists keep the file's order; ids are unique within each list."""

    schema_: int = Field(alias="schema")
    version: Count
    paper: Paper
    scenario: Annotated[tuple[Scenario, ...], Field(min_length=1, strict=False)]
    method: Annotated[tuple[Method, ...], Field(min_length=1, strict=False)]
    experiment: Annotated[tuple[Experiment, ...], Field(min_length=1, strict=False)]
    profile: dict[Id, Profile]
    measure: Annotated[tuple[Measure, ...], Field(strict=False)] = ()
    transfer: Transfer | None = None
    claim: Annotated[tuple[Claim, ...], Field(strict=False)] = ()
    deviation: Annotated[tuple[Deviation, ...], Field(strict=False)] = ()

    @property
    def id(self) -> str:
        return self.paper.id

    def __getitem__(self, key: tuple[str, str]) -> Any:
        """`suite["method", "knowru"]`: the entry of a list by its id."""
        kind, id_ = key
        return next(entry for entry in getattr(self, kind) if entry.id == id_)

    def lineage(self, method_id: str) -> list[Method]:
        """A method and those it extends, itself first."""
        method = self["method", method_id]
        return [method, *(self.lineage(method.extends) if method.extends else [])]

    def settings(self, method_id: str) -> dict[str, Setting]:
        """A method's hyperparameters with what it takes over."""
        merged: dict[str, Setting] = {}
        for method in reversed(self.lineage(method_id)):
            merged |= method.hyperparameters
        return merged

    def teacher_of(self, experiment: Experiment, method_id: str) -> tuple[Experiment, str] | None:
        """The experiment and method whose runs teach this method, if it needs a teacher."""
        if not ALGORITHMS[self["method", method_id].algorithm].teacher or experiment.teachers is None:
            return None
        teachers = experiment.teachers
        return self["experiment", teachers.experiment], teachers.instead.get(method_id, teachers.method)


def folder() -> Path:
    """Where the suite files are: in the wheel beside the code, in a checkout beside the package."""
    inside = Path(__file__).parent / "suites"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "suites"


def available() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(name: str, need_anchors: bool = True) -> Suite:
    """A suite by its name, or a suite file by its path (`*.toml`). Raises SuiteError.

    need_anchors: claims whose margin is a share of a scenario's scale need that scale; `bench anchors` itself does not.
    """
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    if path.is_file():
        return parse(path.read_bytes(), path, need_anchors)
    if name.endswith(".toml"):
        got = "a folder" if path.is_dir() else "no such file"
        raise SuiteError(name, [Problem("(file)", got, "a suite file", "correct the path")])
    mend = f"name one of them, or a path ending in .toml{nearest(name, available())}"
    raise SuiteError(name, [Problem("suite", shown(name), listed(available()), mend)])


def parse(content: bytes, source: str | Path, need_anchors: bool = True) -> Suite:
    """The text of a suite file -> Suite. source: what errors call the file."""
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        got = f"byte {content[error.start]:#04x} at offset {error.start}"
        raise SuiteError(source, [Problem("(file)", got, "UTF-8 text", "save the file as UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(source, [Problem("(file)", str(error), "TOML 1.0", "correct that line")]) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets nested as deep
        raise SuiteError(
            source, [Problem("(file)", str(error), "numbers and nesting of sane size", "cut it")]
        ) from None
    try:
        suite = Suite.model_validate(tables)
    except ValidationError as error:
        raise SuiteError(source, explain(error, tables, ALLOWED_KEYS)) from None
    problems = list(_contradictions(suite)) or (list(_missing_scales(suite)) if need_anchors else [])
    if problems:
        raise SuiteError(source, problems)
    return suite


def dump(suite: Suite) -> str:
    """The suite as TOML that `parse` reads back as the same suite: the keys that its file had, without comments."""
    return tomli_w.dumps(suite.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


ALLOWED_KEYS = {
    "": _fields(Suite),
    "paper": _fields(Paper),
    "scenario": _fields(Scenario),
    "scenario.anchors": _fields(Anchors),
    "method": _fields(Method),
    "experiment": _fields(Experiment),
    "experiment.seeds": _fields(Seeds),
    "experiment.budget": _fields(Budget),
    "experiment.recording": _fields(Recording),
    "experiment.training_sets": _fields(TrainingSet),
    "experiment.teachers": _fields(Teachers),
    "transfer": _fields(Transfer),
    "claim": _fields(Claim),
    "claim.margin": _fields(Margin),
    "deviation": _fields(Deviation),
}


def _contradictions(suite: Suite) -> Iterator[Problem]:
    """What no single entry shows: schema, doubles, dangling references, cycles, settings no algorithm has."""
    if suite.schema_ != SCHEMA:
        yield Problem("schema", str(suite.schema_), str(SCHEMA), "use a release that reads this format")
    if "full" not in suite.profile:
        yield Problem("profile", listed(suite.profile), 'a profile "full": the paper\'s own budget', "add it")
    doubles = list(_doubles(suite))
    yield from doubles
    dangling = [] if doubles else list(_dangling(suite))
    yield from dangling
    cycles = [] if doubles or dangling else list(_cycles(suite))
    yield from cycles
    if not (doubles or dangling or cycles):
        wrong = list(_wrong_settings(suite))
        yield from wrong
        if not wrong:
            yield from _wrong_budgets(suite)
            yield from _wrong_quantities(suite)


def _doubles(suite: Suite) -> Iterator[Problem]:
    for kind in ("scenario", "method", "experiment", "measure", "claim", "deviation"):
        ids = [entry.id for entry in getattr(suite, kind)]
        for id_ in sorted({i for i in ids if ids.count(i) > 1}):
            yield Problem(f"{kind}[{id_}].id", f'"{id_}" {ids.count(id_)} times', "each id once", "rename all but one")


def _dangling(suite: Suite) -> Iterator[Problem]:
    ids = {
        kind: [entry.id for entry in getattr(suite, kind)] for kind in ("scenario", "method", "experiment", "measure")
    }

    def missing(key: str, kind: str, names: Iterable[str]) -> Iterator[Problem]:
        for name in names:
            if name not in ids[kind]:
                mend = f"declare a [[{kind}]] of that id, or correct the name{nearest(name, ids[kind])}"
                yield Problem(key, shown(name), listed(ids[kind]), mend)

    for m in suite.method:
        yield from missing(f"method[{m.id}].extends", "method", [m.extends] if m.extends else [])
    for e in suite.experiment:
        key = f"experiment[{e.id}]"
        yield from missing(f"{key}.methods", "method", e.methods)
        yield from missing(f"{key}.training_sets", "scenario", e.training_set.scenarios)
        yield from missing(f"{key}.baseline", "method", [e.baseline] if e.baseline else [])
        if e.teachers:
            yield from missing(f"{key}.teachers.experiment", "experiment", [e.teachers.experiment])
            names = [e.teachers.method, *e.teachers.instead, *e.teachers.instead.values()]
            yield from missing(f"{key}.teachers", "method", names)
    named = [(f"claim[{c.id}].test", q) for c in suite.claim for q in quantities(c.test)]
    named += [(f"measure[{m.id}].level", m.level) for m in suite.measure if isinstance(m, FirstReach)]
    for key, quantity in named:
        method, measure = quantity.rsplit(":", 1)
        yield from missing(key, "method", [method])
        yield from missing(key, "measure", [measure])
    for metric, measure in suite.transfer or ():
        yield from missing(f"transfer.{metric}", "measure", [measure])
    for c in suite.claim:
        yield from missing(f"claim[{c.id}].experiments", "experiment", c.experiments)
    targets = {*ids["scenario"], *ids["method"], *ids["experiment"]}
    for d in suite.deviation:
        for name in sorted({*d.applies_to} - targets):
            mend = f"correct the name{nearest(name, targets)}"
            yield Problem(f"deviation[{d.id}].applies_to", shown(name), "a scenario, method or experiment", mend)


def _cycles(suite: Suite) -> Iterator[Problem]:
    extends = {m.id: [m.extends] if m.extends else [] for m in suite.method}
    teaches = {e.id: [e.teachers.experiment] if e.teachers else [] for e in suite.experiment}
    for kind, word, edges in (("method", "extends", extends), ("experiment", "teachers", teaches)):
        for start in edges:
            path = [start]
            while (following := edges[path[-1]]) and following[0] not in path:
                path.append(following[0])
            if following and following[0] == start and start == min(path):
                got = " -> ".join([*path, start])
                yield Problem(
                    f"{kind}[{start}].{word}", f"a cycle: {got}", "no cycle", f"let one of them have no {word}"
                )


def _wrong_settings(suite: Suite) -> Iterator[Problem]:
    for s in suite.scenario:
        yield from _wrong_params(s)
    for m in suite.method:
        if m.algorithm not in ALGORITHMS:
            mend = f"correct the name{nearest(m.algorithm, ALGORITHMS)}"
            yield Problem(f"method[{m.id}].algorithm", shown(m.algorithm), listed(ALGORITHMS), mend)
        else:
            yield from _own_problems(suite, m)
    if all(m.algorithm in ALGORITHMS for m in suite.method):
        yield from _wrong_casts(suite)


def _own_problems(suite: Suite, method: Method) -> Iterator[Problem]:
    """Problems of a method's settings, without those that it takes over from the method it extends."""
    inherited: set[str] = set()
    if method.extends and suite["method", method.extends].algorithm in ALGORITHMS:
        parent = suite["method", method.extends]
        inherited = {
            p.key.rpartition(".")[2] for p in wrong_hyperparameters("", parent.algorithm, suite.settings(parent.id))
        }
    for problem in wrong_hyperparameters(method.id, method.algorithm, suite.settings(method.id)):
        name = problem.key.rpartition(".")[2]
        if name in method.hyperparameters or name not in inherited:
            yield problem


def _wrong_params(scenario: Scenario) -> Iterator[Problem]:
    key = f"scenario[{scenario.id}]"
    if scenario.family not in FAMILIES:
        mend = f"correct the name{nearest(scenario.family, FAMILIES)}"
        yield Problem(f"{key}.family", shown(scenario.family), listed(FAMILIES), mend)
        return
    scenarios = FAMILIES[scenario.family].scenarios
    model = scenarios.get(str(scenario.params.get("name")))
    if model is None:
        yield Problem(f"{key}.params.name", shown(scenario.params.get("name")), listed(scenarios), "name one of them")
        return
    try:
        model.model_validate(scenario.params)
    except ValidationError as error:
        for problem in explain(error, scenario.params, {"": list(model.model_fields)}):
            yield Problem(f"{key}.params.{problem.key}", problem.got, problem.allowed, problem.mend)


def wrong_hyperparameters(method_id: str, algorithm: str, settings: Mapping[str, Setting]) -> Iterator[Problem]:
    """Problems of a method's resolved settings against its algorithm's names, types and ranges."""
    model: type[Hyperparameters] = ALGORITHMS[algorithm].hyperparameters
    values = {name: setting.value for name, setting in settings.items()}
    try:
        model.model_validate(values)
    except ValidationError as error:
        for problem in explain(error, values, {"": list(model.model_fields)}):
            key = f"method[{method_id}].hyperparameters.{problem.key}"
            yield Problem(key, problem.got, problem.allowed, problem.mend)


def wrong_budget(
    experiment: str, method: str, hyperparameters: Hyperparameters, episode_limit: int, episodes: Mapping[str, int]
) -> Iterator[Problem]:
    """Problems of a budget (all keys of BudgetChange) for a method: it must be a whole number of its rounds."""
    rounds = hyperparameters.round_episodes
    for key in ("episodes", "record_every", "evaluate_every"):
        if episodes[key] % rounds:
            allowed = f'a multiple of {rounds}: method "{method}" plays {rounds} episodes between updates'
            yield Problem(f"experiment[{experiment}].{key}", str(episodes[key]), allowed, "round it")
    for key, (got, least) in hyperparameters.least(episode_limit).items():
        if got < least:
            allowed = f"at least {least}, with episodes of {episode_limit} steps"
            yield Problem(f"method[{method}].hyperparameters.{key}", str(got), allowed, "make it larger")


def _wrong_budgets(suite: Suite) -> Iterator[Problem]:
    found: dict[Problem, None] = {}
    for profile in suite.profile.values():
        for e in suite.experiment:
            limit = suite["scenario", e.training_set.scenarios[0]].episode_limit
            for m in e.methods:
                model = ALGORITHMS[suite["method", m].algorithm].hyperparameters
                values = model.model_validate({name: s.value for name, s in suite.settings(m).items()})
                found |= dict.fromkeys(wrong_budget(e.id, m, values, limit, e.episodes(profile.budget)))
    yield from found


def _wrong_quantities(suite: Suite) -> Iterator[Problem]:
    """Comparisons that cannot be meant: of a thing with itself, of a curve the protocol or the method does not have."""
    for m in suite.measure:
        if isinstance(m, FirstReach) and isinstance(suite["measure", m.level.rsplit(":", 1)[1]], FirstReach):
            yield Problem(f"measure[{m.id}].level", shown(m.level), "a level, not a time", "name another measure")
    for c in suite.claim:
        key, named = f"claim[{c.id}].test", quantities(c.test)
        if len({*named}) < len(named):
            yield Problem(key, listed(named), "each quantity once", "remove the double")
        for quantity in named:
            method, measure = quantity.rsplit(":", 1)
            series = suite["measure", measure].series
            losses = ALGORITHMS[suite["method", method].algorithm].losses
            if (series == "evaluation") is not (c.protocol == "greedy"):
                allowed = '"greedy" for evaluation curves, "training" for training curves and losses'
                yield Problem(f"claim[{c.id}].protocol", shown(c.protocol), allowed, f'or change measure "{measure}"')
            if series.startswith("loss/") and series.removeprefix("loss/") not in losses:
                allowed = listed(f"loss/{name}" for name in losses)
                yield Problem(f"measure[{measure}].series", shown(series), allowed, f'name one of "{method}"')


def _wrong_casts(suite: Suite) -> Iterator[Problem]:
    """Methods where they cannot stand: a student without a teacher, a claim about a method that is not run."""
    for e in suite.experiment:
        students = [m for m in e.methods if ALGORITHMS[suite["method", m].algorithm].teacher]
        if students and e.teachers is None:
            mend = "add teachers = { experiment, method, pairing }"
            yield Problem(f"experiment[{e.id}].teachers", "nothing", f"teachers for {listed(students)}", mend)
        for student in students if e.teachers else []:
            experiment, teacher = suite.teacher_of(e, student) or (e, "")
            if teacher not in experiment.methods:
                mend = f'add it to the methods of experiment "{experiment.id}", or name another teacher'
                yield Problem(f"experiment[{e.id}].teachers", shown(teacher), listed(experiment.methods), mend)
        if e.baseline and e.baseline not in e.methods:
            yield Problem(f"experiment[{e.id}].baseline", shown(e.baseline), listed(e.methods), "name one of them")
    for c in suite.claim:
        for e in (suite["experiment", id_] for id_ in c.experiments):
            for method in sorted({q.rsplit(":", 1)[0] for q in quantities(c.test)} - {*e.methods}):
                mend = f'add it to the methods of experiment "{e.id}", or correct the claim'
                yield Problem(f"claim[{c.id}].test", shown(method), listed(e.methods), mend)


def _missing_scales(suite: Suite) -> Iterator[Problem]:
    below = {m.id for m in suite.measure if isinstance(m, FirstReach) and m.below.share_of_scale}
    used = {id_: f'claim "{c.id}"' for c in suite.claim for id_ in c.experiments if _scaled(c, below)}
    if suite.transfer and suite.transfer.time_to_threshold in below:
        used |= {e.id: "the transfer metric time_to_threshold" for e in suite.experiment if e.baseline}
    needed = {suite["experiment", id_].training_set.scenarios[0]: user for id_, user in used.items()}
    for id_, user in needed.items():
        if suite["scenario", id_].anchors is None:
            mend = f"measure them: bench anchors {suite.id}"
            yield Problem(f"scenario[{id_}].anchors", "nothing", f"anchors: {user} has a share of their scale", mend)


def _scaled(claim: Claim, below: set[str]) -> bool:
    """Whether a claim's margin, or a level that it compares, is a share of a scenario's scale."""
    return bool(claim.margin.share_of_scale or below & {q.rsplit(":", 1)[1] for q in quantities(claim.test)})
