"""The modelled cost of a run, by one rule for all methods (`baselines.specs.base.Work`).

It counts the operations of updates, the samples that pass through networks in updates, and environment steps. Each has
a constant rate; the rate of a step depends on its family.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.envs import FAMILIES, checked
from bench.plan import scored, spans
from bench.plan.sizes import episodes_of, work
from bench.suite import unit_of

# Fitted on 2026-11-29 to the published runs: 33 cells of 9 algorithms, one thread of an AMD EPYC. Each median CPU time
# is within a factor of 1.6 of the model (tests/test_estimate.py holds it to 2).
RATE = 7.2e10  # operations per CPU second
SAMPLE_S = 1.0e-7  # CPU seconds for a sample through a network in an update: activations, losses, calls


def model_s(settings: Mapping[str, Any], done: int | None = None) -> float:
    """Modelled CPU seconds of one run of a cell, or of the first `done` of its budget, evaluations included.

    Work is counted in whole episodes. If the budget counts steps, a part of an episode is interpolated linearly.
    """
    budget, unit, whole = settings["budget"], unit_of(settings["budget"]), done is None
    if done is not None and (start := _episodes_ended(settings, done)) < done:
        limit = _longest(settings)
        before, after = model_s(settings, start), model_s(settings, start + limit)
        return before + (after - before) * (done - start) / limit
    so_far = budget[unit] if done is None else done
    looked_at = (1 + so_far // budget["evaluate_every"]) * budget["evaluation_episodes"]
    looked_at += budget["final_evaluation_episodes"] if whole else 0
    playing = 0.0
    for s, (start, end) in zip(scored(settings), spans(settings), strict=True):
        team_step_s = len(checked(s.family, s.params).obs_sizes) * FAMILIES[s.family].agent_step_s
        trained = 0 if unit == "updates" else episodes_of(settings, s, max(0, min(so_far, end) - start))
        playing += (trained * s.trained + looked_at) * s.episode_limit * team_step_s
    updates = sum(w.operations / RATE + w.samples * SAMPLE_S for w in work(settings, done))
    return updates + playing


def updated(settings: Mapping[str, Any], done: int) -> bool:
    """Whether the episodes that have ended by then include an update. An unfinished episode does not count."""
    return any(w.updates for w in work(settings, _episodes_ended(settings, done)))


def _episodes_ended(settings: Mapping[str, Any], done: int) -> int:
    """The part of `done` in whole episodes of the longest length. Budgets without steps are whole already."""
    return done - done % _longest(settings) if unit_of(settings["budget"]) == "steps" else done


def _longest(settings: Mapping[str, Any]) -> int:
    return max(s.episode_limit for s in scored(settings))
