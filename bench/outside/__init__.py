"""Methods from elsewhere: what their code sees (`Task`), and the process that it runs in. Torch-free.

A method's process holds its own code and nothing that is scored: environments, step counts, evaluations and the
teacher stay with the harness, at the other end of a socket.
"""

from bench.outside.actions import IllegalAction
from bench.outside.task import BudgetSpent, Obs, Policy, RemoteEnvironment, Task, Team

__all__ = ["BudgetSpent", "IllegalAction", "Obs", "Policy", "RemoteEnvironment", "Task", "Team"]
