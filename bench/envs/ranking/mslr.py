"""MSLR-WEB30K (Qin & Liu 2013) from a user's copy: which queries and documents are used, and how. Only needs numpy.

Axes: Q query, N document, F feature.

Its licence forbids passing it on, so the project includes nothing of it. `bench asset add FOLDER` makes a file from the
first fold's training file: the first 10,000 queries with at least 10 documents, 10 random documents of each, the
queries in random order. The paper states these numbers but no rule; the rule is ours.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bench.envs.ranking.params import MSLR_FEATURES, MSLRParams
from bench.envs.ranking.planted import Judged

QUERIES, DOCUMENTS = 10_000, 10  # PTDE, Sec. 4.3
FILE = Path("Fold1", "train.txt")
CHOICE_SEED = 0  # for the choice of documents and the order of queries
HIGHEST_GRADE = 4


def train_file(folder: Path) -> Path:
    """The path of the file to read in a user's copy: below the folder, or directly in it if the folder is Fold1."""
    return next((p for p in (folder / FILE, folder / FILE.name) if p.is_file()), folder / FILE)


def is_its_form(path: Path) -> bool:
    """Whether a file begins like a line of the set, `grade qid:Q ...`; False if it cannot be read."""
    try:
        if not path.is_file():
            return False  # to open a pipe would wait for a writer
        with path.open("rb") as file:
            return re.match(rb"\d+ qid:\d+ ", file.read(40)) is not None
    except (OSError, ValueError):  # ValueError: an impossible file name
        return False


def made(lines: Iterable[bytes], queries: int = QUERIES, documents: int = DOCUMENTS) -> tuple[bytes, str]:
    """The npz file to keep, and the SHA-256 of all lines that were read.

    lines: in SVMlight's form, `grade qid:Q 1:v ... 136:v`. Raises ValueError, which names the line, if one has another
    form, and if there are too few queries.
    """
    stream, digest = np.random.default_rng(CHOICE_SEED), hashlib.sha256()
    features, relevance = [], []
    for group in _of_queries(lines, digest):
        if len(group) < documents:
            continue
        chosen = np.sort(stream.choice(len(group), documents, replace=False))
        rows = [_parsed(*group[i]) for i in chosen]
        features.append([row for _, row in rows])
        relevance.append([grade for grade, _ in rows])
        if len(features) == queries:
            break
    if len(features) < queries:
        raise ValueError(f"got {len(features):,} queries of {documents} documents or more; allowed: {queries:,}")
    order = stream.permutation(queries)
    kept = io.BytesIO()
    np.savez(kept, features=np.array(features, np.float32)[order], relevance=np.array(relevance, np.int8)[order])
    return kept.getvalue(), digest.hexdigest()


def judged(file: BinaryIO, params: MSLRParams) -> Judged:
    """The data of the kept file, each feature standardised by the training queries' mean and deviation.

    Raises ValueError if its sizes are not the scenario's.
    """
    with np.load(file) as kept:
        features, relevance = kept["features"], kept["relevance"].astype(np.int64)
    wanted = (params.queries, params.documents, MSLR_FEATURES)
    if features.shape != wanted:
        raise ValueError(f"the file of MSLR-WEB30K: got features of shape {features.shape}; allowed: {wanted}")
    return Judged(_standardised(features, params.training_queries), relevance)


def _standardised(features: NDArray[np.float32], training: int) -> NDArray[np.float32]:
    known = features[:training].reshape(-1, features.shape[-1]).astype(np.float64)
    deviation = known.std(0)
    return ((features - known.mean(0)) / np.where(deviation > 0, deviation, 1)).astype(np.float32)


def _of_queries(lines: Iterable[bytes], digest: hashlib._Hash) -> Iterator[list[tuple[int, list[bytes]]]]:
    """The lines, query by query, split into words, each with its line number."""

    def words() -> Iterator[tuple[int, list[bytes]]]:
        for number, line in enumerate(lines, 1):
            digest.update(line)
            found = line.split()
            if len(found) < 2 or not found[1].startswith(b"qid:"):
                raise ValueError(f"line {number}: got {line[:40]!r}; allowed: `grade qid:Q 1:v ... {MSLR_FEATURES}:v`")
            yield number, found

    for _, group in groupby(words(), key=lambda word: word[1][1]):
        yield list(group)


def _parsed(number: int, words: list[bytes]) -> tuple[int, list[float]]:
    """Grade and features of a line."""
    try:
        grade, entries = int(words[0]), [word.split(b":") for word in words[2:]]
        if [int(key) for key, _ in entries] == [*range(1, MSLR_FEATURES + 1)] and 0 <= grade <= HIGHEST_GRADE:
            return grade, [float(value) for _, value in entries]
        got = f"grade {grade} and {len(entries)} features"
    except ValueError:
        got = "words that are not numbers"
    raise ValueError(
        f"line {number}: got {got}; allowed: a grade of 0 to {HIGHEST_GRADE}, features 1 to {MSLR_FEATURES}"
    )
