"""Methods from elsewhere: what their code sees (`Task`), and the process that it runs in. Torch-free.

A method's process has its own code and nothing that affects scores. Environments, step counts, evaluations and the
teacher stay with the harness, at the other end of a socket.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bench.guests.actions import IllegalAction

if TYPE_CHECKING:
    from bench.guests.task import BudgetSpent, Obs, Policy, RemoteEnvironment, Task, Team

__all__ = ["BudgetSpent", "IllegalAction", "Obs", "Policy", "RemoteEnvironment", "Task", "Team"]


def __getattr__(name: str) -> Any:
    """Import `Task` and its like only on demand: they load PettingZoo, which commands do not need."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("bench.guests.task"), name)
