"""What every scenario's parameters say: what a suite file may choose, and the sizes that follow. Torch-free.

Axes: N agent of ours (that the caller acts for), O observation entry, A action entry. Agents with smaller observations
or fewer actions than others are padded: an observation's further entries read zero, further actions are not available.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict


class Params(BaseModel, ABC):
    """A scenario's parameters: its `name`, and what it lets one choose. Immutable and checked strictly."""

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
        """As PettingZoo's environments name them."""
        return tuple(f"agent_{i}" for i in range(len(self.obs_sizes)))

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each agent is: its name without the number."""
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
        """Whether actions are A numbers in [-1, 1] each, which the environment scales to its bounds."""
        return False

    @property
    def ends_early(self) -> bool:
        """Whether an episode may end before the scenario's time limit."""
        return False

    @property
    def episodes_at_once(self) -> int | None:
        """How many episodes of a seed an evaluation plays side by side; None: all. Less where a copy costs much."""
        return None

    @property
    def process_bytes(self) -> int:
        """Memory of the process that each copy of the environment runs in, about; 0: a copy has none of its own."""
        return 0

    @property
    def repeats(self) -> bool:
        """Whether the same seed and actions always come to the same episode; else no hash of a run is promised."""
        return True

    @property
    def lanes_exact(self) -> bool:
        """Whether a seed's numbers are the same to the last bit in any company; else each seed trains alone."""
        return True

    @property
    def outcomes(self) -> tuple[str, ...]:
        """What its steps tell beside rewards, by name: each can be a metric, the last word of an episode."""
        return ()

    @property
    def assets(self) -> Mapping[str, str]:
        """Files that it needs and no package brings: their names, see `Assets`, by the parameter that names each."""
        return {}
