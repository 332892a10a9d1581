"""A learning-to-rank set with a planted ranker: the project's own, a substitute where MSLR-WEB30K is not at hand.

Axes: Q query, N document, F feature.

A document has F hidden features l, standard normal. Its worth is l w for a unit vector w that all queries share. The
documents of a query are graded by their place in the order of worth: 0 to 4, half of them 0, as few judged documents
of web search are perfect. What an agent sees is o + b l: every query has an offset o (a normal vector, deviation
2) and a scale b (log-normal, deviation .5) of its own, as retrieval scores have; all of it
is divided by one number, so that the set's deviation is 1. So a document seen alone tells its worth only
roughly, and all documents of the query together tell the order exactly, since o w and b are the same for all: what a
method makes of global information shows. All constants are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.envs.ranking.params import PlantedParams

GRADES = 5  # 0 to 4, as MSLR's
OFFSET_DEVIATION = 2.0
SCALE_DEVIATION = 0.5  # of log b


class Judged(NamedTuple):
    """features [Q, N, F] float32, relevance [Q, N] int64: grades from 0."""

    features: NDArray[np.float32]
    relevance: NDArray[np.int64]


def planted_ranker(params: PlantedParams) -> NDArray[np.float64]:
    """w [F], a unit vector."""
    return _ranker(np.random.default_rng([params.set_seed, 0]), params.features)


def planted_set(params: PlantedParams) -> Judged:
    """All queries, those that are trained on first; the same on every machine for the same parameters."""
    stream = np.random.default_rng([params.set_seed, 1])
    shape = (params.queries, params.documents, params.features)
    hidden = stream.standard_normal(shape)
    offset = OFFSET_DEVIATION * stream.standard_normal((params.queries, 1, params.features))
    scale = np.exp(SCALE_DEVIATION * stream.standard_normal((params.queries, 1, 1)))
    worth = np.einsum("qnf,f->qn", hidden, planted_ranker(params))
    place = (-worth).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    shown = offset + scale * hidden
    return Judged((shown / shown.std()).astype(np.float32), grades(params.documents)[place])


def grades(documents: int) -> NDArray[np.int64]:
    """The grade of each place, the best first: half of the list 0, the other half's grades as even as they divide."""
    judged = documents - documents // 2
    found = np.zeros(documents, np.int64)
    found[:judged] = GRADES - 1 - np.arange(judged) * (GRADES - 1) // judged
    return found


def _ranker(stream: np.random.Generator, features: int) -> NDArray[np.float64]:
    drawn = stream.standard_normal(features)
    return drawn / np.linalg.norm(drawn)
