"""The runs of a foreign file that are accepted: those that fit the suite and the declaration, each seed once."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bench.exchange.candidates import Candidate, Point, Refusal, Refused
from bench.exchange.declaration import Declaration
from bench.exchange.imported import Import, ImportedRun
from bench.stats import LARGEST
from bench.suite import BOUNDED, Scenario, Suite
from bench.suite.explain import listed, nearest

TELLING = 5  # this many different values do not match by chance
NAME = 80  # characters in a method's name
ROUNDED = 1e-3  # largest rounding error of a written value, relative
SMALL = 0.01  # a share below it was more likely divided by 100 twice


def accepted(
    candidates: Iterable[Candidate], declared: Declaration, suite: Suite, others: Iterable[Import] = ()
) -> tuple[list[ImportedRun], list[Refused]]:
    """The accepted runs, and why the others are refused. others: earlier imports."""
    sound: list[tuple[Candidate, ImportedRun]] = []
    refused: list[Refused] = []
    for candidate in candidates:
        try:
            sound.append((candidate, _run(candidate, declared, suite)))
        except Refusal as why:
            refused.append(Refused(place=candidate.place, why=str(why)))
    known = {_numbers(run): f"{run.place} of {other.name}" for other in others for run in other.runs if _telling(run)}
    taken: list[ImportedRun] = []
    doubles = _doubles([run for _, run in sound])
    for candidate, run in sound:
        if run.key in doubles:
            also = f"{doubles[run.key]} runs of the file claim to be {run.place}: it is unclear which one is meant"
            refused.append(Refused(place=candidate.place, why=also))
        elif (copied := known.get(_numbers(run))) is not None:
            why = f"the same numbers as {copied}: a copy is not another seed"
            refused.append(Refused(place=candidate.place, why=why))
        else:
            taken.append(run)
            if _telling(run):
                known[_numbers(run)] = run.place
    return taken, refused


def absent(runs: Iterable[ImportedRun], declared: Declaration) -> list[str]:
    """Declared seeds that are missing, a line for each method and scenario."""
    seeds: dict[tuple[str, str], set[int]] = defaultdict(set)
    for run in runs:
        seeds[run.method, run.scenario].add(run.seed)
    gaps = {place: sorted({*declared.seeds} - found) for place, found in seeds.items()}
    return [f"{m} on {s}: no seed {', '.join(map(str, gap))}" for (m, s), gap in gaps.items() if gap]


def _run(candidate: Candidate, declared: Declaration, suite: Suite) -> ImportedRun:
    """Raises Refusal."""
    name = candidate.method
    if not name or name != name.strip() or not name.isprintable() or len(name) > NAME:
        raise Refusal(
            f"the method's name must be printable text of at most {NAME} characters, without blanks around it"
        )
    scenario, seed = _scenario(candidate.task, declared, suite), _seed(candidate.seed, declared)
    points = sorted(candidate.points, key=lambda point: point.steps)
    if any(a.steps == b.steps for a, b in itertools.pairwise(points)) or any(p.steps < 0 for p in points):
        raise Refusal("the steps of its evaluations must be different whole numbers from 0 on")
    means = [_mean(p.values, p.episodes, declared.evaluation_episodes, scenario, declared) for p in points]
    final = _final(candidate, points, means, scenario, declared)
    return ImportedRun(
        method=candidate.method,
        scenario=scenario.id,
        seed=seed,
        steps=tuple(p.steps for p in points),
        mean=tuple(means),
        final=final,
        final_steps=candidate.final_steps if declared.final == "final" else None,
    )


def _scenario(task: str, declared: Declaration, suite: Suite) -> Scenario:
    """The scenario by the declaration, else by the suite's name: with or without the environment first, in any case."""
    names = {s.id: s for s in suite.scenario}
    if task in declared.scenarios:
        wanted = declared.scenarios[task]
        if wanted not in names:
            raise Refusal(f'the protocol maps it to "{wanted}", which the suite lacks{nearest(wanted, names)}')
        found = names[wanted]
    else:
        found = next((s for s in suite.scenario if task.lower() in _own_names(s)), None)
        if found is None:
            known = listed(list(names)[:5]) + (", ..." if len(names) > 5 else "")
            raise Refusal(f'no scenario "{task:.60}"; map it in [scenarios] of the protocol to one of {known}')
    if found.metric != declared.metric:
        raise Refusal(f"{found.id} is scored by {found.metric}; the file has {declared.metric}")
    return found


def _own_names(scenario: Scenario) -> tuple[str, str]:
    return scenario.id.lower(), f"{scenario.family}/{scenario.id}".lower()


def _seed(text: str, declared: Declaration) -> int:
    found = re.fullmatch(r"\D*?([0-9]{1,9})(\.0+)?", text)  # 3.0: tools write this for a column with gaps
    if found is None:
        raise Refusal('the run\'s name must end in its seed, as in "seed_3"')
    if int(found[1]) not in declared.seeds:
        raise Refusal(f"seed {int(found[1])} is not among the declared seeds {', '.join(map(str, declared.seeds))}")
    return int(found[1])


def _mean(
    values: Sequence[float], episodes: int | None, expected: int, scenario: Scenario, declared: Declaration
) -> float:
    """The mean of one evaluation, in the suite's metric. Raises Refusal."""
    if episodes is not None and episodes != expected:
        raise Refusal(f"an evaluation has {episodes} episodes, but {expected} are declared")
    scaled = [value * declared.factor for value in values]
    if declared.metric in BOUNDED and not all(0 <= value <= 1 for value in scaled):
        wrong = next(value for value in scaled if not 0 <= value <= 1)
        raise Refusal(f"{wrong:g} is not a {declared.metric} between 0 and 1; for percent, set factor = 0.01")
    if not all(abs(value) <= LARGEST for value in scaled):
        raise Refusal(f"a value in {scenario.id} is larger than {LARGEST:g}, so it is not a score")
    return math.fsum(value / len(scaled) for value in scaled)


def remarks(runs: Sequence[ImportedRun], candidates: Iterable[Candidate], declared: Declaration) -> list[str]:
    """Accepted values that may still be a mistake."""
    found = []
    scores = [value for run in runs for value in (*run.mean, run.final)]
    if declared.factor != 1 and declared.metric in BOUNDED and scores and max(scores) < SMALL:
        every = f"every {declared.metric} is below {SMALL:g}, the greatest {max(scores):g}"
        found.append(f"with factor = {declared.factor:g} {every}; remove the factor if the file already has shares")
    if rows := sum(candidate.without_mean for candidate in candidates):
        found.append(f"{rows} rows without a mean were skipped, as lines of a log between evaluations")
    return found


def _final(
    candidate: Candidate, points: Sequence[Point], means: Sequence[float], scenario: Scenario, declared: Declaration
) -> float:
    if declared.final == "last":
        if not means:
            raise Refusal("it has no evaluation")
        return means[-1]
    if candidate.final is None:
        raise Refusal('it has no final evaluation; to use its last evaluation, declare final = "last"')
    if declared.final_is is None and _best_episode(candidate):
        raise Refusal(
            f"its final value {candidate.final[0]:.6g} reaches the greatest single episode of its evaluations and is "
            f"above the mean of each, so it is hardly a mean of {declared.final_evaluation_episodes} episodes; declare "
            'final = "last" for the last evaluation, or what the value is: final_is = "best_episode", or "mean"'
        )
    n = candidate.final_n or (len(candidate.final) if len(candidate.final) > 1 else None)
    return _mean(candidate.final, n, declared.final_evaluation_episodes, scenario, declared)


def _best_episode(candidate: Candidate) -> bool:
    """Whether the final value is the best single episode of all evaluations, which some tools write instead of a mean.

    BenchMARL's "absolute_metrics" is an example. The value may be rounded, occur several times, or belong to an episode
    that the file lacks. If the file has only means, this cannot be decided.
    """
    episodes = [value for point in candidate.points for value in point.values if len(point.values) > 1]
    if candidate.final is None or len({*candidate.final}) != 1 or candidate.final_n or not episodes:
        return False
    best = max(math.fsum(point.values) / len(point.values) for point in candidate.points)
    greatest, final = max(episodes), candidate.final[0]
    return greatest > best and final > best and final >= greatest - ROUNDED * abs(greatest)


def _doubles(runs: Iterable[ImportedRun]) -> dict[tuple[str, str, int], int]:
    counts: dict[tuple[str, str, int], int] = defaultdict(int)
    for run in runs:
        counts[run.key] += 1
    return {key: count for key, count in counts.items() if count > 1}


def _numbers(run: ImportedRun) -> tuple[object, ...]:
    """The numbers that a copy shares. Two methods may be the same at a seed: KnowRU with alpha 0 is its baseline."""
    return run.method, run.scenario, run.steps, run.mean, run.final


def _telling(run: ImportedRun) -> bool:
    """Whether its numbers would not occur twice by chance. Win rates that are all 0 would."""
    return len({*run.mean, run.final}) >= TELLING
