"""The hyperparameters of QMIX and VDN. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.specs.base import (
    Algorithm,
    Batch,
    Count,
    Fraction,
    Hyperparameters,
    Layers,
    Network,
    Positive,
    TaskSizes,
    Unit,
    Width,
    Work,
    episode_rows,
    layered_size,
    layered_weights,
    misfit,
    updates_of,
)

LOSSES = ("td",)
LEARNER = "baselines.qmix:qmix"
UNITS: tuple[Unit, ...] = ("episodes", "steps")


class ValueDecomposition(Hyperparameters):
    """Common to VDN (Sunehag et al. 2017) and QMIX (Rashid et al. 2018): one team network, names as in Table III of
    MKT-MARL. The mixer's sizes belong to QMIX and are left out for VDN. Either td_steps or td_lambda is given.
    """

    use_rnn: bool  # the agents' second hidden layer is a GRU
    hidden_layers: Layers  # of the agents' network
    hidden_width: Width  # units of each
    parameter_sharing: Literal[True]
    obs_agent_id: bool  # the agent's number is an input
    obs_last_action: bool  # the agent's last action is an input
    obs_individual_obs: Literal[False]
    agent_output: Literal["q"]
    action_selector: Literal["epsilon_greedy"]
    epsilon_start: Fraction
    epsilon_end: Fraction
    epsilon_anneal_steps: Annotated[int, Field(ge=0)]  # environment steps of the task
    epsilon_evaluation: Annotated[float, Field(ge=0, le=0)]  # evaluations are greedy
    mixer: Literal["vdn", "qmix"]
    mixing_width: Width | None = None  # QMIX: units of the mixing network
    hypernetwork_layers: Literal[1, 2] | None = None  # QMIX: of the networks that make its weights
    hypernetwork_width: Width | None = None  # QMIX: units of these networks
    optimizer: Literal["adam"]
    lr: Positive  # Adam's step size
    gamma: Fraction  # discount
    double_q: bool  # the online network chooses the action that the target network values
    td_steps: Literal[1] | None = None  # one-step targets
    td_lambda: Fraction | None = None  # lambda-returns
    time_limit_terminal: bool  # an episode's last step counts as terminal when the time limit ends it
    loss_reduction: Literal["mean", "sum"]  # over the batch's played steps
    grad_clip: Positive  # largest gradient norm, over all of a team's parameters
    standardise_rewards: bool  # by running moments of each task
    batch_size: Batch  # episodes
    replay_size: Count  # episodes
    update_episodes: Batch  # episodes of a task between two of its updates; they run as parallel copies
    target_update_interval: Count
    target_update_unit: Literal["updates", "episodes", "epochs"]  # epoch: one episode of each task

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._sizes_fit()
        if (self.td_steps is None) == (self.td_lambda is None):
            got = f"td_steps = {self.td_steps} and td_lambda = {self.td_lambda}"
            raise misfit(got, "one of the two", "remove the other")
        if self.use_rnn and self.hidden_layers != 2:
            raise misfit(
                f"{self.hidden_layers} with use_rnn", "2 (a Linear and the GRU)", "correct one of them", "hidden_layers"
            )
        return self

    def _sizes_fit(self) -> None:
        """Raise unless the mixer's sizes are given exactly if it has them."""
        sizes = {n: getattr(self, n) for n in ("mixing_width", "hypernetwork_layers", "hypernetwork_width")}
        rule = ("none", "leave it out") if self.mixer == "vdn" else ("a size", "give it")
        for name, size in sizes.items():
            if (size is None) == (self.mixer == "qmix"):
                raise misfit(f'{size} with mixer = "{self.mixer}"', *rule, key=name)

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    @property
    def counts_steps(self) -> bool:
        """True: epsilon falls with steps."""
        return True

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a batch; otherwise nothing would ever be learnt."""
        return {"replay_size": (self.replay_size, self.batch_size)}

    def work(self, task: TaskSizes, episodes: int) -> Work:
        """Online and target networks on whole episodes. The state counts as all observations concatenated."""
        return Work(
            networks=self._networks(task),
            updates=updates_of(episodes, self.batch_size, self.update_episodes),
            stored=episode_rows(task, min(episodes, self.replay_size)),
        )

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The agents' network."""
        sizes = ((self._inputs(t.agents, t.observation, t.actions), t.actions) for t in tasks)
        return sum(layered_size(*size, self.hidden_width, self.hidden_layers, self.use_rnn) for size in sizes)

    def _networks(self, task: TaskSizes) -> tuple[Network, ...]:
        """The team's network and the mixer's hypernetworks."""
        steps = self.batch_size * (task.steps + 1)
        agent, mixing = self._agent_weights(task), self._mixing_weights(task.agents, task.agents * task.observation)
        team = Network(agent, steps * task.agents, steps * task.agents)
        return (team, Network(mixing, steps, steps)) if mixing else (team,)

    def _agent_weights(self, task: TaskSizes) -> int:
        """Multiply-adds of the agents' network for one sample."""
        inputs = self._inputs(task.agents, task.observation, task.actions)
        return layered_weights(inputs, task.actions, self.hidden_width, self.hidden_layers, self.use_rnn)

    def _inputs(self, agents: int, obs_size: int, action_size: int) -> int:
        """Entries that the agents' network reads."""
        return obs_size + action_size * self.obs_last_action + agents * self.obs_agent_id

    def _mixing_weights(self, agents: int, state_size: int) -> int:
        """Multiply-adds of the mixer's hypernetworks for one step."""
        if self.mixing_width is None or self.hypernetwork_width is None:
            return 0
        made = (agents + 1) * self.mixing_width  # |W1| and |w_final|
        inner = 2 * state_size * self.hypernetwork_width + self.hypernetwork_width * made
        return (inner if self.hypernetwork_layers == 2 else state_size * made) + (
            2 * state_size + 1
        ) * self.mixing_width


class VDN(ValueDecomposition):
    mixer: Literal["vdn"]  # type: ignore[assignment]  # frozen, so narrower is sound


class QMIX(ValueDecomposition):
    mixer: Literal["qmix"]  # type: ignore[assignment]


ALGORITHMS = {
    "qmix": Algorithm(learner=LEARNER, version=1, hyperparameters=QMIX, teacher=False, losses=LOSSES, units=UNITS),
    "vdn": Algorithm(learner=LEARNER, version=1, hyperparameters=VDN, teacher=False, losses=LOSSES, units=UNITS),
}
