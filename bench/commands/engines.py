"""Which engine trains: processes on this machine, a Ray cluster or a Slurm cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.executors.dispatch import Event, Options, Outcome
from bench.plan import COMMAND_LINE, Plan
from bench.store import Store
from bench.suite import SuiteError
from bench.suite.explain import Problem, nearest, shown

Execute = Callable[[Plan, Store, Options, Callable[[Event], None]], Outcome]
ENGINES = ("local", "ray", "slurm")


def engine(name: str, address: str, scratch: str, slurm: list[str]) -> Execute:
    """The engine that trains a plan. Raises SuiteError for an unknown engine or another engine's option."""
    options = (("--address", address, "ray"), ("--scratch", scratch, "ray"), ("--slurm", slurm, "slurm"))
    for option, value, wanted in options:
        if value and name != wanted:
            mend = f"leave it out, or add --executor {wanted}"
            raise SuiteError(COMMAND_LINE, [Problem(option, f"with --executor {name}", f"--executor {wanted}", mend)])
    if name == "local":
        from bench.executors.local import execute

        return execute
    if name == "ray":
        from bench.executors.ray import Cluster
        from bench.executors.ray import execute as execute_there

        return partial(execute_there, cluster=Cluster(address=address, scratch=scratch))
    if name == "slurm":
        from bench.executors.slurm import asked_of
        from bench.executors.slurm import execute as execute_in_jobs

        return partial(execute_in_jobs, asked=asked_of(slurm))
    problem = Problem("--executor", shown(name), ", ".join(ENGINES), f"name one of them{nearest(name, ENGINES)}")
    raise SuiteError(COMMAND_LINE, [problem])
