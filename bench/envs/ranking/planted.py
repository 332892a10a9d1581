"""A learning-to-rank set with a planted ranker, made by the project as a substitute for MSLR-WEB30K.

Axes: Q query, N document, F feature.

A document has F hidden features l, standard normal. Its worth is l w, with a unit vector w that all queries share. The
documents of a query are graded by their order of worth: 0 to 4, half of them 0, since few judged documents of web
search are perfect. An agent sees o + b l. Every query has its own offset o (a normal vector, deviation 2) and scale b
(log-normal, deviation .5), as retrieval scores have. Everything is divided by one number to give the set a deviation of
1. So a document alone shows its worth only roughly. All documents of a query together show the order exactly, since o w
and b are the same for all of them. This shows how well a method uses global information. All constants are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.envs.ranking.params import PlantedParams

GRADES = 5  # 0 to 4, like MSLR's
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
    """All queries, training queries first. The same parameters give the same set on every machine."""
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
    """The grade of each place, the best first: half of the list has 0, the other grades divide the rest evenly."""
    judged = documents - documents // 2
    found = np.zeros(documents, np.int64)
    found[:judged] = GRADES - 1 - np.arange(judged) * (GRADES - 1) // judged
    return found


def _ranker(stream: np.random.Generator, features: int) -> NDArray[np.float64]:
    drawn = stream.standard_normal(features)
    return drawn / np.linalg.norm(drawn)
