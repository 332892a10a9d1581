"""The boundary between two phases of a run. Its state is kept for methods that differ only after it.

A kept state is a checkpoint with a name of its own: a hash of everything that the first phase depends on, and the seed.
It is a cache and not part of a result. A run reaches the same numbers from it as from the beginning, and a missing one
is made again. A run in its first phase holds a claim on the state's name, so no other run trains the same phase at the
same time. The claim ends with the phase, or with the process.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from baselines.specs import ALGORITHMS, FirstPhase
from bench.plan import Cell, Run, digest
from bench.store import Store
from bench.store.checkpoints import Checkpoint, has_checkpoint, load_checkpoint, read_progress


def first_phase(cell: Cell) -> FirstPhase | None:
    """A cell's first phase; None if its method has only one phase."""
    if cell.guest:
        return None
    algorithm = ALGORITHMS[cell.settings["algorithm"]["name"]]
    return algorithm.hyperparameters.model_validate(cell.settings["hyperparameters"]).first_phase(
        cell.whole, cell.settings["budget"].get("first_phase")
    )


def name_of(cell: Cell, run: Run) -> str | None:
    """The name of a run's state at the end of its first phase: the same for all runs that share this phase.

    They share everything but the method's name, the hyperparameters that matter only later, and the length of the final
    evaluation. None if there is only one phase.
    """
    phase = first_phase(cell)
    if phase is None:
        return None
    settings, algorithm = cell.settings, ALGORITHMS[cell.settings["algorithm"]["name"]]
    first = {name: x for name, x in settings["hyperparameters"].items() if name not in phase.later}
    budget = {name: x for name, x in settings["budget"].items() if name != "final_evaluation_episodes"}
    shared = {"learner": algorithm.learner, "version": settings["algorithm"]["version"], "end": phase.end}
    return digest(
        settings
        | {"algorithm": shared, "hyperparameters": first, "budget": budget}
        | {"seed": run.seed, "teachers": list(run.teachers)}
    )


def cache(store: Store) -> Store:
    """Where such states are kept, as checkpoints: in a folder within the results folder."""
    return Store(store.boundaries)


def ahead(store: Store, cell: Cell, run: Run) -> str | None:
    """The name of the state that a run would train up to now; None if it exists already, or the run is past it."""
    name = name_of(cell, run)
    if name is None or has_checkpoint(cache(store), name):
        return None
    own = read_progress(store, run.id)
    return None if own and own.get("turned") else name


@contextlib.contextmanager
def claimed(store: Store, cell: Cell, run: Run) -> Iterator[bool]:
    """Whether this run may train now: no other run is training the first phase that they share. Holds the claim."""
    if (name := ahead(store, cell, run)) is None:
        yield True
        return
    with store.claim(name) as mine:
        yield mine or ahead(store, cell, run) is None  # its former holder may just have finished the phase


def kept(store: Store, cell: Cell, run: Run, device: str, says: Callable[[str], None]) -> Checkpoint | None:
    """A run's state at the end of its first phase, if some run has left it on this kind of device."""
    name, folder = name_of(cell, run), cache(store)
    if name is None or not has_checkpoint(folder, name):  # another worker may still write it; the state comes last
        return None
    found = load_checkpoint(folder, name, says)
    return found if found and found.progress["device"] == device else None


def is_kept(checkpoint: Checkpoint, run: Run) -> bool:
    """Whether a checkpoint is a kept state, not the run's own."""
    return checkpoint.name != run.id


def drop_kept(store: Store, cell: Cell, run: Run) -> None:
    """Remove a kept state that cannot be restored. It is then made again."""
    if name := name_of(cell, run):
        cache(store).drop_checkpoint(name)
