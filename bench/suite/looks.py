"""Mistakes in declared looks: out of order, at too high a level, or unlike those of a compared experiment."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bench.suite import NIGHTLY, Looks, Retained, Suite, quantities
from bench.suite.explain import Problem, shown

LEAST_STEP = 0.01  # least growth from look to look; for closer ones the level takes long to compute
ERROR = 0.05  # one-sided, over all looks; equals `bench.stats.estimates.ERROR`, whose import would load numpy
HARDLY = 0.0005  # tolerance above ERROR for a level written with four digits


def wrong_looks(suite: Suite) -> Iterator[Problem]:
    """Looks that do not increase, and levels that spend more than 5% over them."""
    written = {f"experiment[{e.id}]": e.seeds for e in suite.experiment}
    written |= {f"profile[{name}]": profile.seeds for name, profile in suite.profile.items()}
    for owner, seeds in written.items():
        if isinstance(seeds, Looks) and owner == f"profile[{NIGHTLY}]":
            yield Problem(
                f"{owner}.seeds", shown(list(seeds.looks)), "a number: nightly runs have no looks", "write a number"
            )
        elif isinstance(seeds, Looks):
            yield from _unordered(f"{owner}.seeds.looks", seeds.looks) or _level(f"{owner}.seeds.nominal", seeds)


def _unordered(key: str, looks: tuple[int, ...]) -> list[Problem]:
    for before, after in itertools.pairwise(looks):
        if after <= before:
            got = f"{after} after {before} in {shown(list(looks))}"
            return [Problem(key, got, "counts of seeds, each greater than the one before", "sort them, each once")]
        if after < before * (1 + LEAST_STEP):
            got = f"{after} after {before}"
            allowed = f"looks that add at least {LEAST_STEP:.0%} of the seeds before"
            return [Problem(key, got, allowed, "remove some")]
    return []


def _level(key: str, seeds: Looks) -> Iterator[Problem]:
    """A written level that is higher than the looks allow."""
    if seeds.nominal is None:
        return
    if len(seeds.looks) == 1:
        if seeds.nominal != ERROR:
            allowed = f"{ERROR:g}: a single look has the whole level"
            yield Problem(key, shown(seeds.nominal), allowed, "remove nominal, or declare more looks")
        return
    from bench.stats.looks import nominal_level, overall_error  # it loads numpy, which suites without looks do not need

    spent = overall_error(seeds.nominal, seeds.looks)
    if spent > ERROR + HARDLY:
        most = nominal_level(seeds.looks)
        got = f"{seeds.nominal:g}, which spends {spent:.1%} over the looks {shown(list(seeds.looks))}"
        allowed = f"a one-sided level that spends {ERROR:.0%} over all looks: at most {most:.5f}"
        yield Problem(key, got, allowed, "remove nominal: the level is then computed")


def unlike_looks(suite: Suite) -> Iterator[Problem]:
    """Claims and printed values that compare experiments with different looks: they cannot be judged at one look."""
    for name, profile in suite.profile.items():
        for key, id_, homes in _compared(suite):
            own = suite["experiment", id_].schedule(profile)
            for home in homes:
                other = suite["experiment", home].schedule(profile)
                if own != other and (own.often or other.often):
                    got = f'looks {shown(list(other.looks))} of experiment "{home}" in profile "{name}"'
                    allowed = f'those of experiment "{id_}", in which it is judged: {shown(list(own.looks))}'
                    yield Problem(key, got, allowed, "give both experiments the same seeds")


def _compared(suite: Suite) -> Iterator[tuple[str, str, list[str]]]:
    """Claims and values that are judged in an experiment and read others: the key, the experiment, the others."""
    read = {(f"claim[{c.id}]", id_): quantities(c.test) for c in suite.claim for id_ in c.experiments}
    for table in suite.published:
        if isinstance(table.derived, Retained):
            both = (f"{table.derived.student}:final", f"{table.derived.teacher}:final")
            read[f"published[{table.id}]", table.experiment] = both
    for (key, id_), named in read.items():
        homes = [suite.place(quantity, suite["experiment", id_])[0] for quantity in named]
        if others := [home for home in dict.fromkeys(homes) if home != id_]:
            yield key, id_, others
