"""Scores of episodes in a place's metric.

Axes: S seed (lane), E episode copy.
"""

from __future__ import annotations

import numpy as np
import torch

from bench.envs.scores import episode_scores
from bench.run.playing import Played
from bench.run.stepping import Ended
from bench.run.tasks import Place


def played_scores(place: Place, played: Played) -> np.ndarray:
    """[S, E], float64."""
    rollout = played.rollout
    scores = episode_scores(place.scored.metric, place.params, rollout.rewards, rollout.mask, played.outcome)
    return scores.cpu().numpy()


def ended_score(place: Place, ended: Ended) -> float:
    """The score of one episode that ended while steps were played."""
    outcome = {name: torch.tensor([[value]]) for name, value in ended.outcome.items()}
    return float(episode_scores(place.scored.metric, place.params, ended.rewards[None, None], None, outcome))
