"""QMIX (Rashid et al. 2018) and VDN (Sunehag et al. 2017) with a team's shared network, as in EPyMARL (cbc38c0).

Axes: S seed, E environment copy, B batch of episodes, T time step, N agent, O observation entry, A action, X state
entry; K task.

| paper | here |
|---|---|
| QMIX, eq. 6: the loss | `td_loss` |
| QMIX, eq. 6: its target y^tot | `ValueDecomposition._targets` |
| the same, eq. 4: max over u' | `greedy_values` |
| the same: r + gamma Q_tot | `one_step_targets` |
| QMIX, Sec. 4 and eq. 5: Q_tot grows with each Q_i; hypernetworks of the state | `mixers.QMIX` |
| VDN, Sec. 3: Q_tot is the sum of the Q_i | `mixers.VDN` |
| QMIX, Sec. 4: the agents' network: observation, last action, agent id to Q_i | `ValueDecomposition._update` |
| QMIX, its training details: epsilon-greedy, falling | `ValueDecomposition.exploring` |
| the same: replay, a batch of episodes | `ValueDecomposition.learn` |
| the same: copies to the target network | `ValueDecomposition._update_target` |

Beyond the paper, by hyperparameter: a mean over the steps (eq. 6 sums), double Q, lambda-returns, standardised rewards,
a time limit that counts as an end, agents without a GRU, hypernetworks of two layers. Like EPyMARL, it uses Adam (the
paper has RMSprop) and clips gradients by a team's norm. If a task has no state, all agents' observations replace it.
Departs from EPyMARL: reward moments leave out steps that were not played, epsilon falls by whole episodes' steps
(episodes times the episode limit), and a step's loss is the team's. EPyMARL writes it once for each agent, with the
same mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from baselines import schedules, specs
from baselines.kernels.layers import named, part
from baselines.kernels.nn import Parameters
from baselines.kernels.optim import TeamAdam
from baselines.learner import Acting, Rollout, Task
from baselines.losses.masks import Reduction, available_q, reduced
from baselines.losses.returns import RewardMoments, td_lambda_targets
from baselines.networks.acting import Inform, Play
from baselines.networks.agents import agent_inputs, input_size, state_size, team_q
from baselines.networks.informing import evaluation_noise, informing, round_noise
from baselines.networks.mixers import QMIX, VDN, Chosen, Mixer
from baselines.networks.packing import Packed
from baselines.networks.team import Information, SharedNetwork, TeamNetwork
from baselines.replay.episodes import EpisodeBatch, WholeEpisodes, ends, last_actions
from baselines.schedules import as_coefficients, steps_unplayed, unplayed
from baselines.streams import Streams
from baselines.training_state import (
    restore_counts,
    restored,
    restored_moments,
    saved,
    saved_counts,
    saved_moments,
)

NoisePair = tuple[Tensor | None, Tensor | None]
COUNTED = ("updates", "episodes", "epochs", "last_target_update")


def td_loss(q_tot: Tensor, targets: Tensor, mask: Tensor, reduction: Reduction = "mean") -> Tensor:
    """QMIX's eq. 6, MKT-MARL's eq. 5: (y^tot - Q_tot)^2 without a half, over the steps played.

    [S, B, T] x2, mask [S, B, T] bool -> [S].
    """
    return reduced((targets.detach() - q_tot).square(), mask, reduction)


@torch.no_grad()
def greedy_values(target_q: Tensor, avail_actions: Tensor, online_q: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Each agent's target value of its best available action, and that action: [S, B, T, N] both.

    target_q, online_q, avail_actions (bool): [S, B, T, N, A]. With online_q the online network chooses the action and
    the target network values it (double Q, van Hasselt et al. 2016; EPyMARL and PyMARL2 with `double_q`), without it
    the target network does both. The best joint action is each agent's best: mixers are monotonic.
    """
    actions = available_q(target_q if online_q is None else online_q, avail_actions).argmax(-1, keepdim=True)
    return target_q.gather(-1, actions).squeeze(-1), actions.squeeze(-1)


@torch.no_grad()
def one_step_targets(rewards: Tensor, terminated: Tensor, target_q_tot: Tensor, gamma: float) -> Tensor:
    """y^tot = r + gamma Q_tot(tau', u', s'; theta^-); the last term is 0 if the step ended in a terminal state.

    rewards, terminated (bool): [S, B, T]; target_q_tot [S, B, T+1], with each step's best u' -> [S, B, T].
    """
    return rewards + gamma * target_q_tot[:, :, 1:].masked_fill(terminated, 0)


class ExtraLoss(Protocol):
    """A method's addition to the TD loss of a task's batch."""

    def coefficients(self, task: int, epochs_done: int) -> dict[str, float]:
        """Its weights, by name. epochs_done: before this round; an epoch is one episode of each task."""
        ...

    def __call__(
        self, task: int, batch: EpisodeBatch, q: Tensor, loss_td: Tensor, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The team's loss, and further terms to report, all [S].

        q [S, B, T+1, N, A]: the online Q_i of the batch. loss_td [S]. coefficients: 0-d tensors.
        """
        ...


class ValueDecomposition:
    """A `Learner`: Q-learning of Q_tot. One update of a task after each of its rounds, once a batch is stored.

    network, mixer: the team's. information: for a network that reads z. extra_loss: for methods that minimise more than
    the TD loss. dtype: of parameters, replay and noise. Otherwise see `Learner`. Reports "td", eq. 6, and the terms of
    the extra loss.
    """

    replays: Sequence[WholeEpisodes]

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.ValueDecomposition,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        network: TeamNetwork,
        mixer: Mixer,
        information: Information | None = None,
        extra_loss: ExtraLoss | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        h = hyperparameters
        self.tasks, self.hyperparameters = tuple(tasks), h
        self.copies, self.steps = h.update_episodes, None
        self._streams, self._device, self._dtype = streams, torch.device(device), dtype
        self.replays = [WholeEpisodes(task, h.replay_size, streams, device, dtype) for task in tasks]
        self._network, self._mixer, self._extra_loss = network, mixer, extra_loss
        self._information = information
        parameters = named("agent", network.initial(streams, device, dtype))
        if information is not None:
            parameters |= named("information", information.initial(streams, device, dtype))
        parameters |= named("mixer", mixer.initial(streams, device, dtype))
        self._adam = TeamAdam(parameters, h.lr, h.grad_clip)
        self._online = {name: leaf.detach() for name, leaf in self._adam.leaves.items()}
        self._target = {name: p.clone() for name, p in self._online.items()}
        self._moments = [RewardMoments.initial(len(streams), device) for _ in tasks]
        self._counts: dict[str, int] = dict.fromkeys([*COUNTED, *map(unplayed, range(len(tasks)))], 0)

    def exploring(self, task: int, episodes_done: int) -> Acting:
        """Epsilon-greedy. Epsilon falls with the task's own environment steps and is constant within a round."""
        h, own = self.hyperparameters, self.tasks[task]
        steps_done = episodes_done * own.episode_limit - self._counts[unplayed(task)]
        epsilon = schedules.linear(h.epsilon_start, h.epsilon_end, h.epsilon_anneal_steps, steps_done)
        shape = (own.episode_limit, self.copies, own.agents, 1 + own.action_size)
        drawn = [
            torch.rand(shape, generator=s["exploration"], dtype=self._dtype, device=self._device) for s in self._streams
        ]
        inform = informing(
            self._information,
            part(self._online, "information"),
            round_noise(self._information, own, self.copies, self._streams, self._like()),
        )
        return self._play(task, epsilon, torch.stack(drawn, 1), inform)

    def greedy(self, task: int) -> Acting:
        return self._play(
            task,
            inform=informing(
                self._information, part(self._online, "information"), evaluation_noise(self._streams, self._like())
            ),
        )

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """A round of a task: store it, draw a batch, make one update (MKT-MARL, Algorithm 1, lines 5 to 16)."""
        replay, batch_size = self.replays[task], self.hyperparameters.batch_size
        replay.append(rollout)
        self._count_round(task, rollout)
        if replay.episodes < batch_size:
            return {}
        weights = self._extra_loss.coefficients(task, episodes_done - self.copies) if self._extra_loss else {}
        batch = replay.sample(batch_size)
        batch = batch.longest_first() if self._packs(task) else batch
        losses = self._update(task, batch, as_coefficients(weights, self._device), self._update_noise(batch))
        self._counts["updates"] += 1
        self._update_target()
        return losses

    def _packs(self, task: int) -> bool:
        """Whether updates leave out steps that were not played. This changes the last bits of sums over steps."""
        return self.tasks[task].alone and self.hyperparameters.use_rnn and not self._one_step(task)

    def _one_step(self, task: int) -> bool:
        """Whether the task is a game of one step, whose target is its reward."""
        return self.tasks[task].episode_limit == 1 and self.hyperparameters.time_limit_terminal

    def _count_round(self, task: int, rollout: Rollout) -> None:
        self._counts["episodes"] += self.copies
        self._counts[unplayed(task)] += steps_unplayed(self.tasks[task], rollout)
        if task == len(self.tasks) - 1:  # the last task of an epoch, which is one episode of each
            self._counts["epochs"] += self.copies

    def policy(self) -> dict[str, Tensor]:
        """The agents' network, in the form of `Teacher.weights`, and the module that makes z, as information.*."""
        own = part(self._online, "agent") | named("information", part(self._online, "information"))
        return {name: p.clone() for name, p in own.items()}

    def state(self) -> dict[str, Tensor]:
        """Networks, targets, Adam, reward moments and counts, by dotted name; copies."""
        state = saved(self._networks(), {"adam": self._adam}) | saved_moments("rewards", self._moments)
        return state | saved_counts(self._counts, len(self._streams))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave for these seeds, beside any others. Raises ValueError: see TeamAdam."""
        restored(state, self._networks(), {"adam": self._adam})
        self._moments = restored_moments(state, "rewards", self._moments)
        restore_counts(state, self._counts)

    def _networks(self) -> dict[str, Parameters]:
        return {"online": self._online, "target": self._target}

    # ------------------------------------------------------------------------------------------- one update

    def _update(
        self, task: int, batch: EpisodeBatch, coefficients: Mapping[str, Tensor], noise: NoisePair = (None, None)
    ) -> dict[str, Tensor]:
        """One step of all parameters that this task reads, down the TD loss or a method's loss; losses [S].

        noise [S, B, T+1, N, Z]: for z of the online network and of the target network.
        """
        h, leaves = self.hyperparameters, self._adam.leaves
        previous = last_actions(batch.actions) if h.obs_last_action else None
        inputs = agent_inputs(batch.obs, previous, self.tasks[task].action_size, h.obs_agent_id)
        seen, kept = (Packed.seen(batch.mask), Packed(batch.mask[0])) if self._packs(task) else (None, None)
        q = self._q(leaves, task, inputs, batch.state, noise[0], seen)  # Q_i of every action
        q_tot = self._q_tot(leaves, self._taken(task, batch, q), kept)  # Q_tot(tau, u, s; theta)
        y = self._targets(task, batch, inputs, q.detach(), noise[1], seen)  # y^tot
        loss = loss_td = td_loss(q_tot, y, batch.mask, h.loss_reduction)  # (y^tot - Q_tot)^2
        terms: dict[str, Tensor] = {}
        if self._extra_loss is not None:
            loss, terms = self._extra_loss(task, batch, q, loss_td, coefficients)
        self._adam.step(loss)
        return {name: x.detach() for name, x in ({"td": loss_td} | terms).items()}

    @torch.no_grad()
    def _targets(
        self, task: int, batch: EpisodeBatch, inputs: Tensor, q: Tensor, noise: Tensor | None, seen: Packed | None
    ) -> Tensor:
        """y^tot = r + gamma max_u' Q_tot(tau', u', s'; theta^-), [S, B, T].

        The target network is theta^-. It chooses u'. With double Q the online network chooses it, by its Q_i in q.
        """
        h = self.hyperparameters
        if self._one_step(task):
            return self._rewards(task, batch)
        target_q = self._q(self._target, task, inputs, batch.state, noise, seen)
        best_q, best = greedy_values(target_q, batch.avail_actions, q if h.double_q else None)  # u', agent by agent
        most = self._best(target_q, batch.avail_actions)
        target_q_tot = self._q_tot(self._target, Chosen(best_q, best, batch.state, task, most), seen)
        terminated = batch.terminated
        if h.time_limit_terminal:  # EPyMARL 23379c2: its TimeLimit wrapper ends an episode as a terminal state does
            terminated = terminated | ends(batch.mask)
        rewards = self._rewards(task, batch)  # r, or MKT-MARL's r-hat
        if h.td_lambda is None:
            return one_step_targets(rewards, terminated, target_q_tot, h.gamma)
        return td_lambda_targets(rewards, terminated, batch.mask, target_q_tot, h.gamma, h.td_lambda)

    def _rewards(self, task: int, batch: EpisodeBatch) -> Tensor:
        """The batch's team rewards [S, B, T]; if they are standardised, r-hat = (r - mean) / deviation.

        Mean and deviation are running ones over all rewards of the task's batches so far, this batch included.
        """
        if not self.hyperparameters.standardise_rewards:
            return batch.rewards
        self._moments[task] = self._moments[task].updated(batch.rewards, batch.mask)
        return self._moments[task].standardised(batch.rewards)

    def _taken(self, task: int, batch: EpisodeBatch, q: Tensor) -> Chosen:
        """The mixer's inputs for the taken actions, at the first T of T+1 steps."""
        own, best = q[:, :, :-1], self._best(q[:, :, :-1], batch.avail_actions[:, :, :-1])
        return Chosen(taken(own, batch.actions), batch.actions, batch.state[:, :, :-1], task, best)

    def _best(self, q: Tensor, avail_actions: Tensor) -> Tensor | None:
        """The value of each agent's best available action, [S, B, T, N], for a mixer that compares."""
        return greedy_values(q.detach(), avail_actions)[0] if self._mixer.compares else None

    def _update_target(self) -> None:
        """Copy the online networks when the interval since the last copy is over, as EPyMARL and PyMARL2 do.

        In epochs this is MKT-MARL's Algorithm 1, lines 14 to 16: "epochs" grows with the last task of each.
        """
        h, counts = self.hyperparameters, self._counts
        now = counts[h.target_update_unit]
        if now - counts["last_target_update"] >= h.target_update_interval:
            counts["last_target_update"] = now
            for name, p in self._target.items():
                p.copy_(self._online[name])

    # --------------------------------------------------------------------------------------------- networks

    def _play(self, task: int, epsilon: float = 0.0, noise: Tensor | None = None, inform: Inform | None = None) -> Play:
        h, agent = self.hyperparameters, self._agent(self._online, task)
        return Play(agent, h.use_rnn, h.obs_agent_id, h.obs_last_action, epsilon, noise, inform)

    def _update_noise(self, batch: EpisodeBatch) -> NoisePair:
        """The noise of one update, from each seed's "update" stream; the online network's first."""
        if self._information is None:
            return None, None
        shape = (2, *batch.obs.shape[1:4], self._information.noise)
        drawn = [
            torch.randn(shape, generator=s["update"], dtype=self._dtype, device=self._device) for s in self._streams
        ]
        online, target = torch.stack(drawn, 1)
        return online, target

    def _like(self) -> Tensor:
        """A tensor with the device and dtype of its computations."""
        return next(iter(self._online.values()))

    def _q(
        self,
        parameters: Mapping[str, Tensor],
        task: int,
        inputs: Tensor,
        state: Tensor,
        noise: Tensor | None,
        seen: Packed | None,
    ) -> Tensor:
        """Q_i [S, B, T+1, N, A], online or target. The module that makes z learns with the agents from their losses.

        After the step of a game of one step no value counts: there Q_i is zero.
        """
        one_step = self._one_step(task)
        steps = slice(1 if one_step else None)
        inputs, state, z = inputs[:, :, steps], state[:, :, steps], None
        if self._information is not None and noise is not None:
            own, read = part(parameters, "information"), (inputs, state, noise[:, :, steps])
            if seen is None:
                z = self._information.z(own, *read)
            else:
                z = seen.back(self._information.z(own, *map(seen.picked, read)))
        q = team_q(self._agent(parameters, task), inputs, self.hyperparameters.use_rnn, z, seen)
        return pad(q, (0, 0, 0, 0, 0, 1)) if one_step else q

    def _agent(self, parameters: Mapping[str, Tensor], task: int) -> Mapping[str, Tensor]:
        """The layers that give this task's Q_i, online or target."""
        return self._network.of_task(part(parameters, "agent"), task)

    def _q_tot(self, parameters: Mapping[str, Tensor], chosen: Chosen, kept: Packed | None = None) -> Tensor:
        """Q_tot [S, B, T], online or target; zero at steps that are not kept."""
        own = part(parameters, "mixer")
        if kept is None:
            return self._mixer.q_tot(own, chosen)
        return kept.back(self._mixer.q_tot(own, chosen.only(kept)))


def qmix(
    tasks: Sequence[Task],
    hyperparameters: specs.ValueDecomposition,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """The `Learner` QMIX or VDN on one task, as the hyperparameters say. Raises ValueError for more tasks."""
    if len(tasks) != 1:
        raise ValueError(f"a single-task learner got {len(tasks)} tasks; allowed: 1 (several: qmix_multi ...)")
    h, (task,) = hyperparameters, tasks
    inputs = input_size(task, h.obs_agent_id, h.obs_last_action)
    network = SharedNetwork(inputs, h.hidden_width, h.hidden_layers, task.action_size, h.use_rnn)
    mixer = named_mixer(h, task.agents, state_size(task))
    return ValueDecomposition(tasks, h, streams, device, network=network, mixer=mixer, dtype=dtype)


def taken(q: Tensor, actions: Tensor) -> Tensor:
    """q [S, B, T, N, A] at actions [S, B, T, N]."""
    return q.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def named_mixer(h: specs.ValueDecomposition, agents: int, states: int) -> Mixer:
    """The mixer that the hyperparameters name, for this many agents and state entries."""
    if h.mixer == "vdn":
        return VDN()
    width, layers, hypernet = h.mixing_width, h.hypernetwork_layers, h.hypernetwork_width
    if width is None or layers is None or hypernet is None:
        raise ValueError(f"the mixer qmix needs its sizes, got {width}, {layers}, {hypernet}")
    return QMIX(agents, states, width, layers, hypernet)
