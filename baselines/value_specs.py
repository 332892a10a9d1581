"""Hyperparameters of VDN, QMIX and MKT-MARL. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baselines.hyperparameters import (
    Cost,
    Count,
    Fraction,
    Hyperparameters,
    Positive,
    TaskSizes,
    dense_size,
    layered_size,
    layered_weights,
    misfit,
    multi_task_size,
)


class ValueDecomposition(Hyperparameters):
    """What VDN (Sunehag et al. 2017) and QMIX (Rashid et al. 2018) share; one team network, names as in Table III of
    MKT-MARL. The mixer's sizes belong to QMIX and are left out for VDN; of td_steps and td_lambda one is given.
    """

    use_rnn: bool  # the agents' second hidden layer is a GRU
    hidden_layers: Count  # of the agents' network
    hidden_width: Count  # units of each
    parameter_sharing: Literal[True]
    obs_agent_id: bool  # the agent's number is an input
    obs_last_action: bool  # and its last action
    obs_individual_obs: Literal[False]
    agent_output: Literal["q"]
    action_selector: Literal["epsilon_greedy"]
    epsilon_start: Fraction
    epsilon_end: Fraction
    epsilon_anneal_steps: Annotated[int, Field(ge=0)]  # environment steps of the task
    epsilon_evaluation: Annotated[float, Field(ge=0, le=0)]  # evaluations are greedy
    mixer: Literal["vdn", "qmix"]
    mixing_width: Count | None = None  # QMIX: units of the mixing network
    hypernetwork_layers: Literal[1, 2] | None = None  # QMIX: of what makes its weights
    hypernetwork_width: Count | None = None  # QMIX: units there
    optimizer: Literal["adam"]
    lr: Positive  # Adam's step size
    gamma: Fraction  # discount
    double_q: bool  # the online network chooses the action that the target network values
    td_steps: Literal[1] | None = None  # one-step targets
    td_lambda: Fraction | None = None  # lambda-returns
    time_limit_terminal: bool  # an episode's last step counts as terminal when the time limit ends it
    loss_reduction: Literal["mean", "sum"]  # over the batch's steps that were played
    grad_clip: Positive  # largest gradient norm, over all of a team's parameters
    standardise_rewards: bool  # by running moments of each task
    batch_size: Count  # episodes
    replay_size: Count  # episodes
    update_episodes: Count  # episodes of a task between two updates of it; they run as parallel copies
    target_update_interval: Count
    target_update_unit: Literal["updates", "episodes", "epochs"]  # epoch: one episode of each task

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        sizes = {n: getattr(self, n) for n in ("mixing_width", "hypernetwork_layers", "hypernetwork_width")}
        rule = ("none", "leave it out") if self.mixer == "vdn" else ("a size", "give it")
        for name, size in sizes.items():
            if (size is None) == (self.mixer == "qmix"):
                raise misfit(f'{size} with mixer = "{self.mixer}"', *rule, key=name)
        if (self.td_steps is None) == (self.td_lambda is None):
            got = f"td_steps = {self.td_steps} and td_lambda = {self.td_lambda}"
            raise misfit(got, "one of the two", "leave the other out")
        if self.use_rnn and self.hidden_layers != 2:
            raise misfit(
                f"{self.hidden_layers} with use_rnn", "2 (a Linear and the GRU)", "correct one of them", "hidden_layers"
            )
        return self

    @property
    def round_episodes(self) -> int:
        return self.update_episodes

    def least(self, episode_limit: int) -> dict[str, tuple[float, float]]:
        """The replay must hold a batch, or nothing would ever be learnt."""
        return {"replay_size": (self.replay_size, self.batch_size)}

    def cost(self, agents: int, obs_size: int, action_size: int, episode_limit: int, episodes: int) -> Cost:
        """Of one task: matrix products of its updates (the rollout is small beside them); replay and parameters.

        The state is taken for all observations in a row.
        """
        steps = self.batch_size * (episode_limit + 1)
        agent = self._agent_weights(agents, obs_size, action_size)
        mixing = self._mixing_weights(agents, agents * obs_size)
        update = 2 * 4 * steps * (agents * agent + mixing)  # target, online and twice as much for its gradient
        updates = max(0, episodes - self.batch_size + self.update_episodes) // self.update_episodes
        row = agents * (4 * obs_size + action_size + 2) + 5
        held = min(episodes, self.replay_size) * (episode_limit + 1) * row
        return Cost(operations=float(updates * update), bytes=float(held + 4 * 4 * (agent + mixing)))

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """The agents' network."""
        sizes = ((self._inputs(t.agents, t.observation, t.actions), t.actions) for t in tasks)
        return sum(layered_size(*size, self.hidden_width, self.hidden_layers, self.use_rnn) for size in sizes)

    def _agent_weights(self, agents: int, obs_size: int, action_size: int) -> int:
        """Multiply-adds of the agents' network for one sample."""
        inputs = self._inputs(agents, obs_size, action_size)
        return layered_weights(inputs, action_size, self.hidden_width, self.hidden_layers, self.use_rnn)

    def _inputs(self, agents: int, obs_size: int, action_size: int) -> int:
        """Entries of what the agents' network reads."""
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


class MultiTask(ValueDecomposition):
    """QMIX or VDN on several tasks with MKT-MARL's networks (Mai et al. 2023, eq. 1, 2 and 4)."""

    use_rnn: Literal[False]  # type: ignore[assignment]
    observation_embedding_width: Count  # units of E_k
    separate_observation_embedding: Literal[True]
    separate_action_mapping: Literal[True]
    separate_state_embedding: Literal[True] | None = None  # QMIX
    state_embedding_width: Count | None = None  # QMIX: units of SE_k
    separate_replay: Literal[True]
    task_order: Literal["one update a task, in turn"]

    @model_validator(mode="after")
    def _embeds_what_the_mixer_reads(self) -> Self:
        for name in ("separate_state_embedding", "state_embedding_width"):
            got = getattr(self, name)
            if (got is None) == (self.mixer == "qmix"):
                rule = ("none", "leave it out") if self.mixer == "vdn" else ("a value", "give it")
                raise misfit(f'{got} with mixer = "{self.mixer}"', *rule, key=name)
        return self

    def policy_size(self, tasks: Sequence[TaskSizes]) -> int:
        """F once, E_k and EA_k of every task."""
        inputs = [self._inputs(t.agents, t.observation, t.actions) for t in tasks]
        body = self.observation_embedding_width, *[self.hidden_width] * self.hidden_layers
        return multi_task_size(inputs, dense_size(*body), tasks, body[0], body[-1])

    def _agent_weights(self, agents: int, obs_size: int, action_size: int) -> int:
        """E_k, F and EA_k."""
        inputs, width = self._inputs(agents, obs_size, action_size), self.hidden_width
        body = self.observation_embedding_width * width + (self.hidden_layers - 1) * width**2
        return inputs * self.observation_embedding_width + body + width * action_size

    def _mixing_weights(self, agents: int, state_size: int) -> int:
        """SE_k, and the hypernetworks that read it."""
        if self.state_embedding_width is None:
            return 0
        return state_size * self.state_embedding_width + super()._mixing_weights(agents, self.state_embedding_width)


class MultiTaskVDN(MultiTask):
    mixer: Literal["vdn"]  # type: ignore[assignment]


class MultiTaskQMIX(MultiTask):
    mixer: Literal["qmix"]  # type: ignore[assignment]


class MKTMARL(MultiTask):
    """Mai et al. 2023."""

    distill_loss: Literal["kl"]
    distill_temperature: Positive  # eq. 3: of the teacher's values
    # Of eq. 3, over steps and agents; "mean over steps" sums over agents, as printed. None: as loss_reduction says.
    distill_reduction: Literal["mean", "mean over steps", "sum"] | None = None
    lambda_start: Fraction  # eq. 6: weight of the TD loss in the first epoch
    lambda_end: Fraction  # and at the end of the annealing
    lambda_schedule: Literal["linear", "constant"]
    lambda_hold_share: Annotated[float, Field(ge=0, lt=1)]  # last share of the epochs, in which it stays at its end

    @model_validator(mode="after")
    def _is_constant_where_it_says_so(self) -> Self:
        if self.lambda_schedule == "constant" and self.lambda_start != self.lambda_end:
            ends = f"lambda_start = {self.lambda_start} and lambda_end = {self.lambda_end}"
            raise misfit(
                f'{ends} with lambda_schedule = "constant"', 'the same, or the schedule "linear"', "correct one of them"
            )
        return self
