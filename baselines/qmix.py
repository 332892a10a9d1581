"""QMIX (Rashid et al. 2018) and VDN (Sunehag et al. 2017) with a team's shared network, as EPyMARL (cbc38c0) has them.

Axes: S seed, E environment copy, B batch of episodes, T time step, N agent, O observation entry, A action, X state
entry; K task.

Departs from EPyMARL: reward moments leave out steps that were not played, epsilon falls by whole episodes' steps
(episodes times the episode limit), and a step's loss is the team's, where EPyMARL writes it once for each agent: the
same mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import schedules, value_specs
from baselines.acting import Play
from baselines.agents import agent_inputs, initial_recurrent, mlp_q, recurrent_q
from baselines.episodes import EpisodeBatch, WholeEpisodes
from baselines.layers import initial_linear, named, part
from baselines.learner import Acting, Rollout, Task
from baselines.masks import Reduction, reduced
from baselines.mixers import QMIX, VDN, Chosen, Mixer
from baselines.nn import Parameters
from baselines.optim import TeamAdam, same_in_all
from baselines.returns import RewardMoments, greedy_values, one_step_targets, td_lambda_targets
from baselines.streams import Streams

COUNTED = ("updates", "episodes", "epochs", "last_target_update")


def team_q(agent: Mapping[str, Tensor], inputs: Tensor, use_rnn: bool) -> Tensor:
    """Q_i [S, B, T, N, A] of whole sequences of inputs [S, B, T, N, I]."""
    return recurrent_q(agent, inputs)[0] if use_rnn else mlp_q(agent, inputs)


def td_loss(q_tot: Tensor, targets: Tensor, mask: Tensor, reduction: Reduction = "mean") -> Tensor:
    """MKT-MARL's eq. 5: (y^tot - Q_tot)^2, without a half, over the steps played: [S, B, T] x2, mask bool -> [S]."""
    return reduced((targets.detach() - q_tot).square(), mask, reduction)


def last_actions(actions: Tensor) -> Tensor:
    """What each agent did one step before, -1 at the start: [S, B, T, N] -> [S, B, T+1, N], int64."""
    return torch.cat([torch.full_like(actions[:, :, :1], -1), actions], 2)


def input_size(task: Task, agent_id: bool, last_action: bool) -> int:
    """I, the entries that `agent_inputs` gives for this task."""
    return task.obs_size + task.action_size * last_action + task.agents * agent_id


class ValueDecomposition:
    """A `Learner`: Q-learning of Q_tot. One update of a task after each of its rounds, once a batch is stored.

    Constructor: see `Learner`; dtype: of parameters, replay and noise. Reports "td", eq. 5 of MKT-MARL.
    Of several tasks this class trains what they all share; which layers that are, `multi_task.py` says.
    """

    replays: Sequence[WholeEpisodes]

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: value_specs.ValueDecomposition,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        h = hyperparameters
        self.tasks, self.hyperparameters, self.copies = tuple(tasks), h, h.update_episodes
        self._streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.replays = [WholeEpisodes(task, h.replay_size, streams, device, dtype) for task in tasks]
        self._mixer = self._team_mixer()
        network = named("agent", self._initial_agent())
        network |= named("mixer", self._mixer.initial(streams, device, dtype)) | self._initial_embeddings()
        self._adam = TeamAdam(network, h.lr, h.grad_clip)
        self._online = {name: leaf.detach() for name, leaf in self._adam.leaves.items()}
        self._target = {name: p.clone() for name, p in self._online.items()}
        self._moments = [RewardMoments.initial(len(streams), device) for _ in tasks]
        self._counts = dict.fromkeys(COUNTED, 0)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Epsilon-greedy; epsilon falls with the task's own environment steps and stays for a round."""
        h, own = self.hyperparameters, self.tasks[task]
        steps_done = episodes_done * own.episode_limit
        epsilon = schedules.linear(h.epsilon_start, h.epsilon_end, h.epsilon_anneal_steps, steps_done)
        shape = (own.episode_limit, self.copies, own.agents, 1 + own.action_size)
        drawn = [
            torch.rand(shape, generator=s["exploration"], dtype=self._dtype, device=self._device) for s in self._streams
        ]
        return self._play(task, epsilon, torch.stack(drawn, 1))

    def greedy(self, task: int) -> Acting:
        return self._play(task)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        self.replays[task].append(rollout)
        self._counts["episodes"] += self.copies
        if task == len(self.tasks) - 1:
            self._counts["epochs"] += self.copies  # an epoch: one episode of each task (MKT-MARL, Algorithm 1)
        if self.replays[task].episodes < self.hyperparameters.batch_size:
            return {}
        losses = self._update(task, self.replays[task].sample(self.hyperparameters.batch_size), episodes_done)
        self._counts["updates"] += 1
        self._update_target()
        return losses

    def policy(self) -> dict[str, Tensor]:
        """The agents' network, as `Teacher.weights` expects it."""
        return {name: p.clone() for name, p in part(self._online, "agent").items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, Adam, reward moments and counts, by dotted name; copies."""
        seeds = len(self._streams)
        state = named("online", self._online) | named("target", self._target)
        state = {name: p.clone() for name, p in state.items()} | named("adam", self._adam.state())
        for k, moments in enumerate(self._moments):
            state |= {f"rewards_{k}.{name}": x.clone() for name, x in vars(moments).items()}
        return state | {f"count.{n}": torch.full((seeds,), float(c)) for n, c in self._counts.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave, of these seeds in this or another company. Raises ValueError: see TeamAdam."""
        for name, network in (("online", self._online), ("target", self._target)):
            for key, p in network.items():
                p.copy_(state[f"{name}.{key}"])
        self._adam.load_state(part(state, "adam"))
        self._moments = [RewardMoments(**part(state, f"rewards_{k}")) for k in range(len(self.tasks))]
        self._counts = {name: same_in_all(state[f"count.{name}"], name) for name in COUNTED}

    # ------------------------------------------------------------------------------------------- one update

    def _update(self, task: int, batch: EpisodeBatch, episodes_done: int) -> dict[str, Tensor]:
        """One step of everything that this task reads; losses [S]."""
        h, leaves = self.hyperparameters, self._adam.leaves
        previous = last_actions(batch.actions) if h.obs_last_action else None
        inputs = agent_inputs(batch.obs, previous, self.tasks[task].action_size, h.obs_agent_id)
        q = team_q(self._agent(leaves, task), inputs, h.use_rnn)
        loss_td = self._td_loss(task, batch, inputs, q)
        loss, terms = self._objective(task, batch, q, loss_td, episodes_done)
        self._adam.step(loss)
        return {name: x.detach() for name, x in ({"td": loss_td} | terms).items()}

    def _objective(
        self, task: int, batch: EpisodeBatch, q: Tensor, loss_td: Tensor, episodes_done: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What the team minimises, and further terms to report, all [S]. A method built on this one changes it.

        q [S, B, T+1, N, A]: the online Q_i of the batch. loss_td [S]: this class's own.
        """
        return loss_td, {}

    def _td_loss(self, task: int, batch: EpisodeBatch, inputs: Tensor, q: Tensor) -> Tensor:
        """`td_loss` of the batch: [S]."""
        q_tot = self._q_tot(self._adam.leaves, task, self._taken(batch, q))
        targets = self._targets(task, batch, inputs, q.detach())
        return td_loss(q_tot, targets, batch.mask, self.hyperparameters.loss_reduction)

    @torch.no_grad()
    def _targets(self, task: int, batch: EpisodeBatch, inputs: Tensor, q: Tensor) -> Tensor:
        """y [S, B, T], by the target network at its own best actions or, with double Q, at the online network's."""
        h = self.hyperparameters
        target_q = team_q(self._agent(self._target, task), inputs, h.use_rnn)
        best_q, best = greedy_values(target_q, batch.avail_actions, q if h.double_q else None)
        target_q_tot = self._q_tot(self._target, task, Chosen(best_q, best, batch.state))
        terminated = batch.terminated
        if h.time_limit_terminal:  # EPyMARL 23379c2: its TimeLimit wrapper ends an episode as a terminal state does
            terminated = terminated.clone()
            terminated[:, :, -1] = True
        rewards = self._rewards(task, batch)
        if h.td_lambda is None:
            return one_step_targets(rewards, terminated, target_q_tot, h.gamma)
        return td_lambda_targets(rewards, terminated, batch.mask, target_q_tot, h.gamma, h.td_lambda)

    def _rewards(self, task: int, batch: EpisodeBatch) -> Tensor:
        """The batch's team rewards, standardised by the task's running moments, this batch included; [S, B, T]."""
        if not self.hyperparameters.standardise_rewards:
            return batch.rewards
        self._moments[task] = self._moments[task].updated(batch.rewards, batch.mask)
        return self._moments[task].standardised(batch.rewards)

    def _taken(self, batch: EpisodeBatch, q: Tensor) -> Chosen:
        """What the mixer reads of the actions that were taken, T steps of T+1."""
        return Chosen(taken(q[:, :, :-1], batch.actions), batch.actions, batch.state[:, :, :-1])

    def _update_target(self) -> None:
        """Copy the online networks when the interval is over, as EPyMARL and PyMARL2: counted from the last copy."""
        h, counts = self.hyperparameters, self._counts
        now = counts[h.target_update_unit]
        if now - counts["last_target_update"] >= h.target_update_interval:
            counts["last_target_update"] = now
            for name, p in self._target.items():
                p.copy_(self._online[name])

    # --------------------------------------------------------------------------------------------- networks

    def _play(self, task: int, epsilon: float = 0.0, noise: Tensor | None = None) -> Play:
        h = self.hyperparameters
        return Play(self._agent(self._online, task), h.use_rnn, h.obs_agent_id, h.obs_last_action, epsilon, noise)

    def _initial_agent(self) -> Parameters:
        """The team's network. Raises ValueError where there is more than one task: the sizes are one task's."""
        if len(self.tasks) != 1:
            raise ValueError(f"a single-task learner got {len(self.tasks)} tasks; allowed: 1 (several: qmix_multi ...)")
        h, (task,) = self.hyperparameters, self.tasks
        size = input_size(task, h.obs_agent_id, h.obs_last_action)
        if h.use_rnn:
            return initial_recurrent((size, h.hidden_width, task.action_size), self._streams, self._device, self._dtype)
        sizes = [size, *[h.hidden_width] * h.hidden_layers, task.action_size]
        return initial_linear(sizes, self._streams, self._device, self._dtype)

    def _initial_embeddings(self) -> Parameters:
        """Further parameters, by full name."""
        return {}

    def _team_mixer(self) -> Mixer:
        return mixer(self.hyperparameters, self.tasks[0].agents, state_size(self.tasks[0]))

    def _agent(self, network: Mapping[str, Tensor], task: int) -> Parameters:
        """The layers that give this task's Q_i, under some network's parameters."""
        return part(network, "agent")

    def _q_tot(self, network: Mapping[str, Tensor], task: int, chosen: Chosen) -> Tensor:
        """Q_tot [S, B, T] under some network's parameters; chosen.state is the task's own state."""
        return self._mixer.q_tot(part(network, "mixer"), chosen)


def taken(q: Tensor, actions: Tensor) -> Tensor:
    """q [S, B, T, N, A] at actions [S, B, T, N]."""
    return q.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def state_size(task: Task) -> int:
    """X: the task's own, or that of all observations in a row."""
    return task.state_size or task.agents * task.obs_size


def mixer(h: value_specs.ValueDecomposition, agents: int, states: int) -> Mixer:
    """The mixer that the hyperparameters name, for so many agents and entries of the state."""
    if h.mixer == "vdn":
        return VDN()
    width, layers, hypernet = h.mixing_width, h.hypernetwork_layers, h.hypernetwork_width
    if width is None or layers is None or hypernet is None:
        raise ValueError(f"the mixer qmix needs its sizes, got {width}, {layers}, {hypernet}")
    return QMIX(agents, states, width, layers, hypernet)
