"""Distributions of one seed's score, as found in this field: even, against a ceiling, or in two modes.

Each has the requested mean and a standard deviation of about .1, the size of the margin in the verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Generator = np.random.Generator
Sampler = Callable[[Generator, float, tuple[int, ...]], Floats]

SPREAD = 0.1
TOP = 0.85  # mean of the better side
LOW_SHARE, GAP, WITHIN = 0.2, 0.25, 0.025  # of the two modes: sd sqrt(.2 * .8 * .25^2 + .025^2) = .103
COLLAPSED, FALL = 0.1, 0.6  # share of collapsed seeds of the better side, and how deep they fall
STEADY = 0.03  # standard deviation of a side whose seeds all come out alike
RARE_SHARE, RARE_FALL, RARE_WITHIN = 0.05, 0.42, 0.042  # collapse now and then: sd sqrt(.0475 * .42^2 + .042^2) = .1
TAILS = 2.5  # degrees of freedom of heavy tails
EPISODES = 20  # of a seed's success rate


@dataclass(frozen=True)
class Shape:
    """Two sides with given means. holds: whether the t methods' assumption, normal seeds, holds."""

    name: str
    first: Sampler
    second: Sampler
    holds: bool = False
    stress: bool = False  # beyond what the error rates are asked for


def normal(spread: float) -> Sampler:
    return lambda rng, mean, shape: rng.normal(mean, spread, shape)


def skewed(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """Beta on [0, 1] with a + b = 12: at .85 the standard deviation is .099 and the skewness -1.0."""
    return rng.beta(12 * mean, 12 * (1 - mean), shape)


def bimodal(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """One seed in five lies .25 lower."""
    low = rng.random(shape) < LOW_SHARE
    return mean + GAP * LOW_SHARE - GAP * low + rng.normal(0, WITHIN, shape)


def rare(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """One seed in twenty collapses."""
    fallen = rng.random(shape) < RARE_SHARE
    return mean + RARE_FALL * RARE_SHARE - RARE_FALL * fallen + rng.normal(0, RARE_WITHIN, shape)


def heavy(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """Student's t with 2.5 degrees of freedom, whose standard deviation is sqrt(2.5 / .5) before scaling."""
    return mean + SPREAD / math.sqrt(TAILS / (TAILS - 2)) * rng.standard_t(TAILS, shape)


def left_lognormal(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """A long tail to the left: a lognormal of sigma 1, subtracted (skewness -6.2)."""
    centre = math.exp(0.5)
    return mean - SPREAD / (centre * math.sqrt(math.e - 1)) * (rng.lognormal(0, 1, shape) - centre)


def collapsing(rng: Generator, mean: float, shape: tuple[int, ...]) -> Floats:
    """Every seed that learns gets the same score; a lower mean comes from more seeds that do not learn."""
    share = COLLAPSED + (TOP - mean) / FALL
    return TOP + FALL * COLLAPSED - FALL * (rng.random(shape) < share) + rng.normal(0, WITHIN, shape)


NORMAL = Shape("normal", normal(SPREAD), normal(SPREAD), holds=True)
SKEWED = Shape("bounded, skewed", skewed, skewed)
BIMODAL = Shape("bimodal", bimodal, bimodal)
UNEQUAL = Shape("normal, spreads .05 and .15", normal(0.05), normal(0.15), holds=True)
COLLAPSE = Shape("difference by collapses", collapsing, collapsing, stress=True)
HEAVY = Shape("heavy tails", heavy, heavy)
RARE = Shape("rare collapses", rare, rare)
LEFT = Shape("long left tail", left_lognormal, left_lognormal)
BIMODAL_STEADY = Shape("bimodal against steady", bimodal, normal(STEADY), stress=True)
RARE_STEADY = Shape("rare collapses against steady", rare, normal(STEADY), stress=True)
LEFT_STEADY = Shape("long left tail against steady", left_lognormal, normal(STEADY), stress=True)
SHAPES = (NORMAL, SKEWED, BIMODAL)
ALIKE = (*SHAPES, UNEQUAL, HEAVY, RARE, LEFT)  # what the error rates are asked for
STRESS = (COLLAPSE, BIMODAL_STEADY, RARE_STEADY, LEFT_STEADY)
EVERY = (*ALIKE, *STRESS)
