"""How far the lanes of a group are, in their budget's unit.

Axes: S seed (lane), K task.

Every lane plays the same number of whole episodes, or of steps in environments that stay open. Episodes that end early
differ in length. If the budget or the learner counts their steps, each seed trains alone (`alone`), so no learner ever
sees lanes out of step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from baselines.learner import CountsUpdates, Learner
from baselines.specs import ALGORITHMS
from bench.envs import checked
from bench.plan import Cell


class At(NamedTuple):
    """Where a curve's point lies: episodes and environment steps of its task; updates, if the budget counts them."""

    episodes: int
    steps: int
    updates: int | None = None


def alone(cell: Cell) -> bool:
    """Whether each seed trains alone, because episodes of different lengths would bring lanes out of step.

    Each also trains alone if a backend's numbers depend on how many copies it steps at once.
    """
    if not all(checked(s.family, s.params).lanes_exact for s in cell.scored):
        return True
    own = [s for s in cell.scored if s.trained and checked(s.family, s.params).ends_early]
    if not own or cell.guest:
        return bool(own)  # a learner from elsewhere: what it counts is unknown
    spec = ALGORITHMS[cell.settings["algorithm"]["name"]].hyperparameters
    hyperparameters = spec.model_validate(cell.settings["hyperparameters"])
    return not hyperparameters.plays_steps and (cell.unit == "steps" or hyperparameters.counts_steps)


class Counts:
    """What was played and learnt. done: the part of the budget that every lane has used, in its unit."""

    def __init__(self, cell: Cell, learner: Learner, lanes: int):
        self._cell, self._learner = cell, learner
        self._limits = [s.episode_limit for s in cell.scored if s.trained]
        self.rounds = 0
        self._ended, self._steps = np.zeros((2, lanes, len(self._limits)), np.int64)  # by lane and task

    @property
    def round_size(self) -> int:
        """The size of one round of a task: in episodes, or in environment steps for a learner that plays steps."""
        return self._learner.copies * (self._learner.steps or 1)

    @property
    def played(self) -> int:
        """Episodes of each task so far, or environment steps for a learner that plays steps."""
        return self.rounds * self.round_size

    @property
    def done(self) -> int:
        """The used part of the budget, in its unit. Steps are converted to the whole episodes that they would make."""
        match self._cell.unit:
            case "updates":
                return cast(CountsUpdates, self._learner).updates
            case "steps":
                return self.played if self._learner.steps is not None else int(self._steps[0, 0])
            case _:
                return self.played if self._learner.steps is None else self.played // self._limits[0]

    def add(self, task: int, episodes: Sequence[int], steps: ArrayLike) -> None:
        """Add what each lane played in a round of a task: episodes that ended, environment steps."""
        self._ended[:, task] += episodes
        self._steps[:, task] += np.asarray(steps)

    def at(self, lane: int, place: int, done: int) -> At:
        """A point at `done` of the budget. place: a task, or one of the scenarios after them, which are not trained."""
        if self._cell.unit == "episodes":
            return At(done, done * self._cell.scored[place].episode_limit)
        trained = place < len(self._limits)
        ended, steps = (int(self._ended[lane, place]), int(self._steps[lane, place])) if trained else (0, 0)
        return At(ended, done) if self._cell.unit == "steps" else At(ended, steps, done)

    def state(self, lane: int) -> dict[str, Any]:
        """JSON-able."""
        return {"rounds": self.rounds, "ended": self._ended[lane].tolist(), "steps": self._steps[lane].tolist()}

    def load_state(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Restore what `state` gave for each lane; all are at the same round."""
        self.rounds = states[0]["rounds"]
        for lane, state in enumerate(states):
            self._ended[lane], self._steps[lane] = state["ended"], state["steps"]
