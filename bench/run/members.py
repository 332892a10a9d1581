"""An ensemble's members: their scores beside the elected one's, who is elected, who teaches.

Axes: S seed (lane), M member, E episode.

The elected member's policy represents the ensemble: "evaluation" and the final score are its own. A run also has curves
of every member, "evaluation/member_0", ..., and of the best and the worst member at each evaluation, "evaluation/best"
and "evaluation/worst". All members play the same episodes. Whenever members are compared, "elected" gets a point with
the elected one's number. Whenever one teaches, "teacher" gets a point with the teacher's number, and "before/member_0",
..., "after/member_0", ... are evaluations of all members before and after it, from a stream of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from torch import Tensor

from baselines.learner import Acting, Ensemble

AROUND = "evaluation around a distillation"  # the purpose of their stream
Policy = Callable[[], Acting]  # a new one for each batch of episodes played at once
Play = Callable[[Policy, str, int], np.ndarray]  # policy, a stream's purpose, episodes -> scores [S, E]


def scores_of(ensemble: Ensemble, task: int, play: Play, purpose: str, episodes: int) -> np.ndarray:
    """Scores [M, S, E] of every member on the same episodes."""
    return np.stack(
        [play(partial(ensemble.member_greedy, task, m), purpose, episodes) for m in range(ensemble.members)]
    )


def of_member(scores: np.ndarray, member: np.ndarray) -> np.ndarray:
    """The scores of one member of each seed: [M, S, E], [S] -> [S, E]."""
    return scores[member, np.arange(scores.shape[1])]


def evaluation_curves(scores: np.ndarray, elected: Tensor) -> dict[str, np.ndarray]:
    """The values that an evaluation of all members [M, S, E] adds to each curve, [S, E] each."""
    means = scores.mean(-1)
    chosen = {
        "evaluation": elected.numpy(),
        "evaluation/best": means.argmax(0),
        "evaluation/worst": means.argmin(0),
    }
    return {name: of_member(scores, own) for name, own in chosen.items()} | by_member("evaluation", scores)


def by_member(name: str, scores: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}/member_{m}": own for m, own in enumerate(scores)}


def compared(ensemble: Ensemble, task: int, play: Play, episodes: int) -> dict[str, np.ndarray]:
    """Compare the members, and let one teach. The values that this adds to each curve: [S, E], E = 1 but for scores."""
    found: dict[str, np.ndarray] = {}
    if ensemble.teaches:
        found |= by_member("before", scores_of(ensemble, task, play, AROUND, episodes))
    shared = ensemble.share()
    found["elected"] = shared.elected.double().numpy()[:, None]
    if shared.teacher is not None:
        found["teacher"] = shared.teacher.double().numpy()[:, None]
    found |= {f"loss/{name}": loss.double().cpu().numpy()[:, None] for name, loss in shared.losses.items()}
    if ensemble.teaches:
        found |= by_member("after", scores_of(ensemble, task, play, AROUND, episodes))
    return found
