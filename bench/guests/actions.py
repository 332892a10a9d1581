"""What counts as an action: checked in the method's process, for a clear error, and by the harness, which decides.

Axes: E episode, N agent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class IllegalAction(ValueError):
    """An action that is not in the agent's space, or of the wrong type or shape."""


def stacked(actions: Any, agents: Sequence[str], sizes: Sequence[int], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Whole numbers of `shape` for every agent, as [*shape, N]. Raises IllegalAction."""
    if not isinstance(actions, Mapping) or set(actions) != set(agents):
        got = sorted(map(str, actions)) if isinstance(actions, Mapping) else type(actions).__name__
        raise IllegalAction(f"actions: got {got}; allowed: a table with an entry for each of {', '.join(agents)}")
    columns = []
    for agent in agents:
        try:
            own = np.asarray(actions[agent])
        except (TypeError, ValueError, RuntimeError) as error:
            raise IllegalAction(f"actions[{agent}]: no array ({error})") from error
        if own.dtype.kind not in "iu" or own.shape != shape:
            got = f"{own.dtype} of shape {own.shape}"
            raise IllegalAction(f"actions[{agent}]: got {got}; allowed: whole numbers of shape {shape}")
        columns.append(own.astype(np.int64))
    found = np.stack(columns, axis=-1)
    check(found, agents, sizes)
    return found


def check(actions: NDArray[np.int64], agents: Sequence[str], sizes: Sequence[int]) -> None:
    """Raises IllegalAction where one of [..., N] is not in 0 ... sizes[n] - 1."""
    for agent, size, own in zip(agents, sizes, np.moveaxis(actions, -1, 0), strict=True):
        wrong = own[(own < 0) | (own >= size)]
        if wrong.size:
            raise IllegalAction(f"actions[{agent}]: got {wrong.flat[0]}; allowed: 0 to {size - 1}")
