"""Checks of actions. The method's process checks for a clear error; the harness checks again, and its check counts.

Axes: E episode, N agent, A action entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {False: np.int64, True: np.float64}  # dtypes of actions in a message: False discrete, True continuous


class IllegalAction(ValueError):
    """An action that is not in the agent's space, or of the wrong type or shape."""


def stacked(
    actions: Any, agents: Sequence[str], sizes: Sequence[int], shape: tuple[int, ...], continuous: bool = False
) -> NDArray[Any]:
    """Every agent's actions, of `shape`, stacked: whole numbers as int64 [*shape, N]. Raises IllegalAction.

    continuous: as many numbers in [-1, 1] as the agent's size, as float64 [*shape, N, A], padded with zeros.
    """
    if not isinstance(actions, Mapping) or set(actions) != set(agents):
        got = sorted(map(str, actions)) if isinstance(actions, Mapping) else type(actions).__name__
        raise IllegalAction(f"actions: got {got}; allowed: a table with an entry for each of {', '.join(agents)}")
    kinds, what = ("f", "floats") if continuous else ("iu", "whole numbers")
    found = np.zeros((*shape, len(agents), max(sizes)) if continuous else (*shape, len(agents)), KINDS[continuous])
    for n, (agent, size) in enumerate(zip(agents, sizes, strict=True)):
        try:
            own = np.asarray(actions[agent])
        except (TypeError, ValueError, RuntimeError) as error:
            raise IllegalAction(f"actions[{agent}]: not an array ({error})") from error
        expected = (*shape, size) if continuous else shape
        if own.dtype.kind not in kinds or own.shape != expected:
            got = f"{own.dtype} of shape {own.shape}{_not_finite(own)}"
            raise IllegalAction(f"actions[{agent}]: got {got}; allowed: {what} of shape {expected}")
        if continuous:
            found[..., n, :size] = own
        else:
            found[..., n] = own
    check(found, agents, sizes, continuous)
    return found


def _not_finite(actions: NDArray[Any]) -> str:
    """A note on NaN and infinity in an array of floats; "" if there are none."""
    if actions.dtype.kind != "f":
        return ""
    held = {"NaN": np.isnan(actions).any(), "inf": np.isinf(actions).any()}
    names = " and ".join(name for name, there in held.items() if there)
    return f" with {names} in it" if names else ""


def check(actions: NDArray[Any], agents: Sequence[str], sizes: Sequence[int], continuous: bool = False) -> None:
    """Raises IllegalAction if one of [..., N] is not in 0 ... sizes[n] - 1, or one of [..., N, A] not in [-1, 1]."""
    for n, (agent, size) in enumerate(zip(agents, sizes, strict=True)):
        own = actions[..., n, :size] if continuous else actions[..., n]
        wrong = own[~(np.abs(own) <= 1)] if continuous else own[(own < 0) | (own >= size)]
        if wrong.size:
            allowed = "-1 to 1" if continuous else f"0 to {size - 1}"
            raise IllegalAction(f"actions[{agent}]: got {wrong.flat[0]}; allowed: {allowed}")
