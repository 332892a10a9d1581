"""What counts as an action: checked in the method's process, for a clear error, and by the harness, which decides.

Axes: E episode, N agent, A action entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {False: np.int64, True: np.float64}  # of actions in a message: choices; continuous ones


class IllegalAction(ValueError):
    """An action that is not in the agent's space, or of the wrong type or shape."""


def stacked(
    actions: Any, agents: Sequence[str], sizes: Sequence[int], shape: tuple[int, ...], continuous: bool = False
) -> NDArray[Any]:
    """Actions of every agent, of `shape`: whole numbers as int64 [*shape, N]. Raises IllegalAction.

    continuous: numbers in [-1, 1], as many as the agent's size, as float64 [*shape, N, A], zeros behind them.
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
            raise IllegalAction(f"actions[{agent}]: no array ({error})") from error
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
    """What an array of floats holds beside numbers; nothing for any other."""
    if actions.dtype.kind != "f":
        return ""
    held = {"NaN": np.isnan(actions).any(), "inf": np.isinf(actions).any()}
    names = " and ".join(name for name, there in held.items() if there)
    return f" with {names} in it" if names else ""


def check(actions: NDArray[Any], agents: Sequence[str], sizes: Sequence[int], continuous: bool = False) -> None:
    """Raises IllegalAction where one of [..., N] is not in 0 ... sizes[n] - 1; of [..., N, A], not in [-1, 1]."""
    for n, (agent, size) in enumerate(zip(agents, sizes, strict=True)):
        own = actions[..., n, :size] if continuous else actions[..., n]
        wrong = own[~(np.abs(own) <= 1)] if continuous else own[(own < 0) | (own >= size)]
        if wrong.size:
            allowed = "-1 to 1" if continuous else f"0 to {size - 1}"
            raise IllegalAction(f"actions[{agent}]: got {wrong.flat[0]}; allowed: {allowed}")
