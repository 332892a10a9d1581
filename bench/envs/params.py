"""Every scenario's parameters: the choices in a suite file, and the sizes that follow. Torch-free.

Axes: N agent of ours (the caller chooses its actions), O observation entry, A action entry. Agents with smaller
observations or fewer actions than others are padded: an observation's extra entries are zero, extra actions are not
available.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Params(BaseModel, ABC):
    """A scenario's parameters: its `name` and its choices. Immutable and checked strictly."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    @abstractmethod
    def obs_sizes(self) -> tuple[int, ...]:
        """Entries of each agent's own observation."""

    @property
    @abstractmethod
    def action_sizes(self) -> tuple[int, ...]:
        """Actions that each agent has."""

    @property
    def agent_names(self) -> tuple[str, ...]:
        """Their names in PettingZoo's environments."""
        return tuple(f"agent_{i}" for i in range(len(self.obs_sizes)))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each agent's kind: its name without the number."""
        return tuple(name.rpartition("_")[0] for name in self.agent_names)

    @property
    def obs_size(self) -> int:
        """O, the entries of the longest observation, to which all are padded."""
        return max(self.obs_sizes)

    @property
    def action_size(self) -> int:
        """A, the most actions that an agent has, to which all are padded."""
        return max(self.action_sizes)

    @property
    def own_state(self) -> bool:
        """Whether the environment gives a global state of its own (`global_state`); else it is `bench.envs.state`."""
        return False

    @property
    def state_size(self) -> int:
        """X, the entries of the global state."""
        return len(self.obs_sizes) * self.obs_size

    @property
    def scored_agents(self) -> tuple[int, ...]:
        """The agents whose rewards a metric counts."""
        return tuple(range(len(self.obs_sizes)))

    @property
    def common_reward(self) -> bool:
        """Whether each agent is given the sum of all agents' rewards."""
        return False

    @property
    def continuous(self) -> bool:
        """Whether an action is A numbers in [-1, 1], which the environment scales to its bounds."""
        return False

    @property
    def ends_early(self) -> bool:
        """Whether an episode may end before the scenario's time limit."""
        return False

    @property
    def episodes_at_once(self) -> int | None:
        """How many episodes of a seed an evaluation plays in parallel; None: all. Fewer if a copy is expensive."""
        return None

    @property
    def process_bytes(self) -> int:
        """Approximate memory of each copy's own process; 0 if copies have none."""
        return 0

    @property
    def repeats(self) -> bool:
        """Whether the same seed and actions always give the same episode. If not, a run's hash need not repeat."""
        return True

    @property
    def lanes_exact(self) -> bool:
        """Whether a seed's numbers are the same to the last bit with any other seeds. If not, each trains alone."""
        return True

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of values that steps report besides rewards. Each can be a metric: an episode's last value counts."""
        return ()

    @property
    def assets(self) -> Mapping[str, str]:
        """Files that it needs beyond packages: their names (see `Assets`), by the parameter that states each."""
        return {}
