"""The parameters of the particle scenarios. Torch-free.

Axes: N agent of ours, O observation entry, A action entry.
"""

from __future__ import annotations

from abc import ABC
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.envs.params import Params

Dynamics = Literal["openai", "mpe2"]
Reward = Literal["individual", "team_sum"]
Count = Annotated[int, Field(ge=1, le=100)]  # of agents or landmarks: a step's cost grows with their square


class SimpleSpreadParams(Params):
    """Cooperative navigation (Lowe et al. 2017): as many landmarks as agents; O = 6 agents, A = 5.

    dynamics: "openai" is the 2017 multiagent-particle-envs, "mpe2" its maintained successor. They differ in integration
    order, action signs and reward.
    """

    name: Literal["simple_spread"]
    agents: Count
    dynamics: Dynamics

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (6 * self.agents,) * self.agents

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (5,) * self.agents


class GoalParams(Params, ABC):
    """Common parameters of scenarios in which one landmark is the goal and not every agent knows it.

    dynamics: as in SimpleSpreadParams.
    reward: "individual" gives each agent its own reward under `dynamics`. "team_sum" gives each of our agents the sum
    over our agents: the common reward that EPyMARL trains on. A metric that sums over agents counts it once.
    """

    dynamics: Dynamics
    reward: Reward

    @property
    def common_reward(self) -> bool:
        return self.reward == "team_sum"


class SpeakerListenerParams(GoalParams):
    """A speaker that cannot move sees the goal's colour and says one of 3 symbols; a listener must go to the goal.

    speaker: O = 3, A = 3. listener: O = 11, A = 5.
    """

    name: Literal["simple_speaker_listener"]
    agents: Literal[2]

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (3, 11)

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (3, 5)

    @property
    def agent_names(self) -> tuple[str, ...]:
        return ("speaker_0", "listener_0")


class SimplePushParams(GoalParams):
    """An agent must reach the goal. An adversary must keep it away, but does not know which of 2 landmarks is the goal.

    adversary: O = 8, A = 5. agent: O = 19, A = 5. controlled: both are ours.
    """

    name: Literal["simple_push"]
    agents: Literal[2]
    controlled: Literal["both"]

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (8, 19)

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (5, 5)

    @property
    def agent_names(self) -> tuple[str, ...]:
        return ("adversary_0", "agent_0")


class SimpleAdversaryParams(GoalParams):
    """Good agents share a goal among L landmarks that adversaries must guess.

    With K adversaries among M = agents + adversaries: adversary O = 2 L + 2 (M - 1), good agent O = 2 more; A = 5.
    agents: number of good ones. controlled: which agents are ours; if all are, adversaries come first.
    scored: whose rewards a metric counts: all of ours, or one side.
    opponent: who plays adversaries that are not ours, see bench/envs/particle/opponents.py. "pretrained" needs weights
    from the caller; opponent_sha256, if given, says which.
    """

    name: Literal["simple_adversary"]
    agents: Count
    adversaries: Count
    landmarks: Count
    controlled: Literal["good", "all"]
    scored: Literal["ours", "adversaries", "good"] = "ours"
    opponent: Literal["pretrained", "random", "greedy_script"] | None = None
    opponent_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _sides(self) -> SimpleAdversaryParams:
        if (self.controlled == "good") != (self.opponent is not None):
            raise ValueError('opponent: required with controlled = "good", forbidden with controlled = "all"')
        if self.opponent_sha256 and self.opponent != "pretrained":
            raise ValueError('opponent_sha256: only with opponent = "pretrained"')
        if self.scored != "ours" and (self.controlled == "good" or self.common_reward):
            raise ValueError(f'scored = "{self.scored}": only with controlled = "all" and reward = "individual"')
        return self

    @property
    def assets(self) -> dict[str, str]:
        return {"opponent_sha256": f"{self.opponent_sha256}.safetensors"} if self.opponent_sha256 else {}

    @property
    def opponents(self) -> int:
        """The adversaries that are not ours."""
        return self.adversaries if self.controlled == "good" else 0

    @property
    def adversary_obs_size(self) -> int:
        """Entries of an adversary's observation, ours or not."""
        return 2 * self.landmarks + 2 * (self.agents + self.adversaries - 1)

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        adversary = self.adversary_obs_size
        return ((adversary,) * self.adversaries + (adversary + 2,) * self.agents)[self.opponents :]

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (5,) * len(self.obs_sizes)

    @property
    def agent_names(self) -> tuple[str, ...]:
        adversaries = tuple(f"adversary_{i}" for i in range(self.adversaries))
        return (adversaries + tuple(f"agent_{i}" for i in range(self.agents)))[self.opponents :]

    @property
    def scored_agents(self) -> tuple[int, ...]:
        sides = {"adversaries": "adversary", "good": "agent"}
        return tuple(i for i, kind in enumerate(self.kinds) if kind == sides.get(self.scored, kind))


class CollectTreasureParams(Params):
    """Cooperative treasure collection (Iqbal and Sha 2019): collectors take each treasure to the bank of its type.

    With B banks and N = collectors + B: collector O = 4 + B + (N - 1)(4 + 2B) + treasures (2 + B), bank B less; A = 5.
    An agent sees only the 7 nearest other agents and the 7 nearest treasures. dynamics: "maac" is MAAC's fork of
    multiagent-particle-envs, which has masses and a top speed.
    """

    name: Literal["fullobs_collect_treasure"]
    collectors: Count
    banks: Count
    treasures: Count
    dynamics: Literal["maac"]

    @property
    def visible(self) -> int:
        """The most other agents, and the most treasures, that an agent sees."""
        return 7

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        others = min(self.visible, self.collectors + self.banks - 1)
        bank = 4 + others * (4 + 2 * self.banks) + min(self.visible, self.treasures) * (2 + self.banks)
        return (bank + self.banks,) * self.collectors + (bank,) * self.banks

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (5,) * (self.collectors + self.banks)

    @property
    def agent_names(self) -> tuple[str, ...]:
        banks = tuple(f"bank_{i}" for i in range(self.banks))
        return tuple(f"collector_{i}" for i in range(self.collectors)) + banks


class DVMParams(Params, ABC):
    """Common parameters of DVM's domains (Wadhwania et al. 2019): an action is in [-1, 1]^2, or one of five pushes."""

    actions: Literal["discrete", "continuous"]
    dynamics: Literal["openai"]

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (2 if self.continuous else 5,) * len(self.obs_sizes)

    @property
    def continuous(self) -> bool:
        return self.actions == "continuous"


class SpreadCornersParams(DVMParams):
    """DVM's spread: N agents, one in each corner, must cover N targets, one in each corner.

    O = 4 + 4N + 2(N - 1), and for 2 agents one more, the time. A = 5 discrete or 2 continuous.
    phase: 2 puts 2 or 3 agents into each other's corners, and 4 agents into random ones.
    reward: "joint" is DVM's text: all get minus the distances of targets to their nearest agent. "individual" is its
    authors' code: it also subtracts each agent's collisions, including one with itself.
    """

    name: Literal["spread_corners"]
    agents: Annotated[int, Field(ge=2, le=4)]
    phase: Literal[1, 2]
    observation: Literal["lidar"]
    reward: Literal["joint", "individual"]

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (4 + 2 * self.agents + 4 * (self.agents - 1) + (self.agents == 2),) * self.agents

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("own_corner",)


class PushBoxParams(DVMParams):
    """DVM's push box: two agents must push a heavy box to a target; it moves only if both push.

    O = 11. A = 5 discrete or 2 continuous. target: its place; "random": one of the three, in each episode.
    fork: the fork whose rules apply, by commit: SamirW's, or dkkim93's with a heavier box, fixed starts and no time
    (O = 10).
    """

    name: Literal["push_box"]
    agents: Literal[2]
    target: Literal["left", "right", "third", "random"]
    reward: Literal["joint"]
    fork: Literal["6419450", "5290ab9"] = "6419450"

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (11, 11) if self.fork == "6419450" else (10, 10)
