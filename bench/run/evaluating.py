"""Greedy episodes of a group of lanes. Streams depend only on seed and purpose: every method plays the same episodes.

Axes: S seed (lane), M ensemble member, E episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np
import torch

from baselines.learner import Acting, Ensemble, Learner, Valued
from baselines.streams import generator
from bench.envs import Environment
from bench.envs.particle.corner_map import rising
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import SpreadCornersParams
from bench.plan import Run
from bench.run.members import Play, Policy, evaluation_curves, of_member, scores_of
from bench.run.playing import Played, parts, play
from bench.run.scoring import played_scores
from bench.run.tasks import Place


class Evaluations:
    """The evaluations of one learner. ensemble: the same learner, if its members are evaluated one by one."""

    def __init__(self, runs: Sequence[Run], learner: Learner, ensemble: Ensemble | None):
        self.runs, self.learner, self.ensemble = runs, learner, ensemble

    def curves(self, place: Place, purpose: str, episodes: int) -> dict[str, np.ndarray]:
        """Scores [S, E] of episodes under the greedy policy, and of an ensemble's members, by the curve's name."""
        play_ = self.player(place)
        if self.ensemble is None:
            return {"evaluation": play_(partial(self.learner.greedy, place.task), purpose, episodes)}
        scores = scores_of(self.ensemble, place.task, play_, purpose, episodes)
        return evaluation_curves(scores, self.ensemble.elected())

    def final(self, places: Sequence[Place], episodes: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Scores of the final evaluation [S, E] in each place, and those of an ensemble's members [M, S, E], if any."""
        purpose = "final evaluation"
        if self.ensemble is None:
            return [self.curves(place, purpose, episodes)["evaluation"] for place in places], []
        elected, ensemble = self.ensemble.elected().numpy(), self.ensemble
        members = [scores_of(ensemble, place.task, self.player(place), purpose, episodes) for place in places]
        return [of_member(own, elected) for own in members], members

    def at_the_turn(self, place: Place, episodes: int) -> dict[str, np.ndarray]:
        """Scores [S, E] right after the turn, as "turn", and other outcomes of the episodes, as "turn/<outcome>".

        If there is a critic and the scenario has a map, also "turn/gradient": see `corner_map.rising`.
        """
        policy = partial(self.learner.greedy, place.task)
        scores, outcome = self._greedily(place, policy, "evaluation at the turn", episodes)
        told = {f"turn/{name}": own for name, own in outcome.items()}
        if isinstance(self.learner, Valued) and isinstance(place.params, SpreadCornersParams):
            told["turn/gradient"] = self._gradient(place, self.learner)
        return {"turn": scores} | told

    def player(self, place: Place) -> Play:
        """Plays whole episodes: scores [S, E]."""
        return lambda policy, purpose, episodes: self._greedily(place, policy, purpose, episodes)[0]

    def _gradient(self, place: Place, learner: Valued) -> np.ndarray:
        """The gradients [S, E] of Fig. 8 of DVM."""
        environment = cast(ParticleEnvironment, place.environment)
        generators = [generator(run.seed, "map at the turn") for run in self.runs]
        return rising(environment, lambda obs: learner.values(place.task, obs), generators).cpu().numpy()

    def _greedily(
        self, place: Place, policy: Policy, purpose: str, episodes: int
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Scores [S, E] of episodes under a policy that draws no random numbers, and other outcomes by name."""
        generators = [generator(run.seed, purpose) for run in self.runs]
        environment = place.environment if self.learner.steps is None else place.apart
        scores, told = [], []
        for some in parts(episodes, place.params.episodes_at_once):
            played = played_in(place, environment, generators, some, policy(), short=True)
            scores.append(played_scores(place, played))
            told.append({name: own.double().cpu().numpy() for name, own in played.outcome.items()})
        together = {name: np.concatenate([own[name] for own in told], axis=1) for name in told[0]}
        return np.concatenate(scores, axis=1), together


def played_in(
    place: Place,
    environment: Environment,
    generators: Sequence[torch.Generator],
    copies: int,
    act: Acting,
    short: bool,
) -> Played:
    """`play` with a place's own limit. environment: the place's, or the separate one for evaluations."""
    return play(environment, generators, copies, place.scored.episode_limit, act, place.params.ends_early, short)
