"""The roles in an experiment: students and their teachers, the baseline, the methods of claims."""

from __future__ import annotations

from collections.abc import Iterator

from baselines.specs import ALGORITHMS
from bench.suite import Experiment, Suite, quantities
from bench.suite.explain import Problem, listed, shown


def wrong_casts(suite: Suite) -> Iterator[Problem]:
    """Students without a teacher, and a baseline that is not run."""
    for e in suite.experiment:
        for key, names in (("budget_of", e.budget_of), ("recording_of", e.recording_of)):
            for name in sorted({*names} - {*e.methods}):
                mend = "add it to methods, or remove the key"
                yield Problem(f"experiment[{e.id}].{key}", shown(name), listed(e.methods), mend)
        yield from _idle_teachers(suite, e)
        ready = [m for m in e.methods if not suite.waits_for(e, m)]
        students = [m for m in ready if ALGORITHMS[suite["method", m].algorithm].teacher]
        if e.teachers is not None:
            home = suite["experiment", e.teachers.experiment]
            yield from dict.fromkeys(p for student in students for p in _wrong_teachers(suite, e, home, student))
        elif students:
            mend = "add teachers = { experiment, method, pairing }"
            yield Problem(f"experiment[{e.id}].teachers", "nothing", f"teachers for {listed(students)}", mend)
        if e.baseline and e.baseline not in e.methods:
            yield Problem(f"experiment[{e.id}].baseline", shown(e.baseline), listed(e.methods), "name one of them")


def _idle_teachers(suite: Suite, e: Experiment) -> Iterator[Problem]:
    """Teachers that have no student. A method whose algorithm is not known here may be a student."""
    known = {m: ALGORITHMS.get(suite["method", m].algorithm) for m in e.methods}
    students = [m for m, algorithm in known.items() if algorithm is None or algorithm.teacher]
    if e.teachers is None:
        return
    key = f"experiment[{e.id}].teachers"
    if not students:
        got, mend = f'"{e.teachers.method}", but no method here learns from it', "remove teachers, or add a student"
        yield Problem(key, got, "a method here that learns from teachers", mend)
    for student, teacher in e.teachers.instead.items():
        if student not in students:
            got = f'"{teacher}" for "{student}", which does not learn from a teacher'
            yield Problem(f"{key}.instead", got, listed(students), "name a student, or remove the entry")


def _wrong_teachers(suite: Suite, e: Experiment, home: Experiment, student: str) -> Iterator[Problem]:
    """A teacher that its experiment `home` does not run, and tasks that no training set of `home` teaches."""
    key = f"experiment[{e.id}].teachers"
    for t in (t for t in e.training_sets if not suite.waits_for(e, student, t)):
        if untaught := [s for s in t.scenarios if home.taught_on(s) is None]:
            mend = f'give each of these a training set of its own in experiment "{home.id}"'
            yield Problem(key, f"none on {listed(untaught)}", f"a teacher on each scenario of {shown(t.id)}", mend)
        for _, _, teacher in suite.teaching(e, t, student)[:1]:
            if teacher not in home.methods:
                mend = f'add it to the methods of experiment "{home.id}", or name another teacher'
                yield Problem(key, shown(teacher), listed(home.methods), mend)


def absent_methods(suite: Suite) -> Iterator[Problem]:
    """Claims about a method that is not run. Claims may name teachers in their students' experiment."""
    for c in suite.claim:
        for e in (suite["experiment", id_] for id_ in c.experiments):
            for home, method in sorted({suite.place(q, e)[:2] for q in quantities(c.test)}):
                there = suite["experiment", home].methods
                if method not in there:
                    mend = f'add it to the methods of experiment "{home}", or correct the claim'
                    yield Problem(f"claim[{c.id}].test", shown(method), listed(there), mend)
