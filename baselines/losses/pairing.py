"""The teacher that each student learns from. Axes: S seed, N agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def partners(students: Sequence[str], teachers: Sequence[str]) -> list[int]:
    """Each student's teacher, by kind: the k-th student of a kind has the (k mod n)-th of that kind's n teachers.

    KnowRU (Gao et al. 2021), Sec. 3.3, pairs every agent with a homogeneous policy and allows repeated pairings; the
    order is that of its code, i mod 4. Raises ValueError for a kind that nobody teaches.
    """
    found, met = [], dict.fromkeys(students, 0)
    for kind in students:
        own = [i for i, taught in enumerate(teachers) if taught == kind]
        if not own:
            raise ValueError(
                f"student of kind {kind!r}: allowed: a kind that teaches, {', '.join(sorted({*teachers}))}"
            )
        found.append(own[met[kind] % len(own)])
        met[kind] += 1
    return found


def paired(weights: Mapping[str, Tensor], teachers: Sequence[int], like: Tensor) -> dict[str, Tensor]:
    """Teachers' weights [S, N_teacher, ...] as one teacher per student, [S, N, ...]: student i has teachers[i].

    Copies, with the device and dtype of `like`.
    """
    return {name: weight[:, torch.tensor(teachers)].to(like, copy=True) for name, weight in weights.items()}
