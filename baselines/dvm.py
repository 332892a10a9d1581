"""Distillation with value matching (Wadhwania et al. 2019) on MADDPG: what happens between the two phases of a run.

Axes: S seed, N agent, B batch, A action entry, P permutation of agents; D = N*O + N*A, a joint input's entries.

| paper | here |
|---|---|
| Sec. III-A: softmax with a temperature; eq. 3: L_KL of agent i's policy and the distilled one | `distillation_loss` |
| Sec. III-B: permutations of o and a, consistent with each other | `permuted`, `orders` |
| eq. 6: L_MSE over all permutations, of Q | `matching_loss` |
| Algorithm 1, lines 17 to 24: j iterations, agent by agent | `Distillation.iterate` |
| Sec. III-A: hard update of all agents | `DVM.turn` |
| Sec. V-B: No DVM, Distillation, Value Matching; Sec. V-B.2: without learning | `DVM`, by copied and keep_learning |

As its authors' code (SamirW/maddpg-pytorch e791f82, bf45000, ea0951c): the distilled networks are fresh, with an Adam
of their own; targets become copies, too; the agents' Adam goes on; the replay is emptied, and exploration starts again.
Departs from Algorithm 1: the permutations of an iteration make one step for each agent, down the sum of eq. 6, where it
lists a step for each. Departs from the code: there every critic sees one random order a batch (`permutations`).
Observations of a batch are the team's at the same steps, and agent i is asked about its own.
Push box (Sec. V-A.2): where the first phase has several tasks, each has a team of its own, and the second phase's team
is made of the first agent of each: its networks, targets and Adam, distilled from its own task's replay.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import named, part
from baselines.kernels.nn import Parameters, initial, joint_values, per_agent
from baselines.kernels.optim import LaneAdam
from baselines.learner import Acting, Rollout, Task
from baselines.maddpg_epsilon_greedy import EpsilonGreedyMADDPG
from baselines.streams import Streams
from baselines.training_state import restore_counts, restored, saved, saved_counts


def distillation_loss(agent: Tensor, distilled: Tensor, temperature: float) -> Tensor:
    """Eq. 3: KL(pi_i || pi_0) of logits [S, 1, A, B] over a temperature, a mean over the batch: [S, 1]."""
    log_agent = (agent.detach() / temperature).log_softmax(-2)
    log_distilled = (distilled / temperature).log_softmax(-2)
    return (log_agent.exp() * (log_agent - log_distilled)).sum(-2).mean(-1)


def matching_loss(agent: Tensor, matched: Tensor) -> Tensor:
    """Eq. 6: Q_i [S, B] against Q_0 in every order of agents [S, P, B]: a sum over P, a mean over the batch: [S]."""
    return (matched - agent.detach().unsqueeze(1)).square().sum(1).mean(-1)


def permuted(joint: Tensor, agents: int, actions: int, orders: Tensor) -> Tensor:
    """Joint inputs [S, B, D] with the agents in other orders [S, P, N], actions with observations: [S, P, B, D]."""
    split = joint.shape[-1] - agents * actions
    own = [x.unflatten(-1, (agents, -1)).unsqueeze(1) for x in joint.split([split, agents * actions], -1)]
    index = orders[:, :, None, :, None]
    shape = (-1, orders.shape[1], joint.shape[1], -1, -1)
    found = [x.expand(shape).gather(3, index.expand(*x.expand(shape).shape)) for x in own]
    return torch.cat([x.flatten(-2) for x in found], -1)


def orders(kind: str, agents: int, streams: Sequence[Streams], device: torch.device | str) -> Tensor:
    """[S, P, N]: all permutations of the agents, or one that each seed draws from its "update" stream."""
    if kind == "all":
        every = torch.tensor(list(itertools.permutations(range(agents))), device=device)
        return every.expand(len(streams), -1, -1)
    drawn = [torch.rand(1, agents, generator=s["update"], device=device).argsort(-1) for s in streams]
    return torch.stack(drawn)


Source = tuple[EpsilonGreedyMADDPG, Sequence[int]]  # a team, and which of its agents


class Distillation:
    """The distilled policy and the matched critic of S teams, [S, 1, ...] each, and how far they are.

    sources: teams, each with those of its agents that are distilled, from that team's replay. losses: of the last
    iteration, means over agents, [S].
    """

    def __init__(self, sources: Sequence[Source], hyperparameters: specs.DVMMADDPG, device: torch.device | str):
        team = sources[0][0]
        self._sources, self._team, self._h, self._device = sources, team, hyperparameters, device
        h, like = hyperparameters, team.actor["weight_0"].dtype
        drawn = (team.streams, device, like, h.initial_weights)
        self.policy = initial(team.actors.sizes, 1, *drawn)
        self.critic = initial(team.critic_sizes, 1, *drawn)
        self._adams = {
            name: LaneAdam(network, team.groups, h.distillation_lr, h.distillation_grad_clip, clipping="network")
            for name, network in (("adam_policy", self.policy), ("adam_critic", self.critic))
        }
        self.losses = {name: torch.zeros(len(team.streams), device=device) for name in ("distillation", "matching")}
        self.counts = {"iterations": 0}

    @property
    def over(self) -> bool:
        return self.counts["iterations"] >= max(self._h.distillation_iterations, self._h.matching_iterations)

    def iterate(self) -> None:
        """One iteration of Algorithm 1: for each agent, a step of the policy and one of the critic."""
        for group, lanes in enumerate(self._team.groups):
            found: dict[str, list[Tensor]] = {"distillation": [], "matching": []}
            for team, agents in self._sources:
                self._step(team, agents, group, lanes, found)
            for name, own in found.items():
                if own:
                    self.losses[name][lanes] = torch.stack(own).mean(0)
        self.counts["iterations"] += 1

    def _step(
        self,
        team: EpsilonGreedyMADDPG,
        distilled: Sequence[int],
        group: int,
        lanes: slice,
        found: Mapping[str, list[Tensor]],
    ) -> None:
        """Steps for some agents of a team, on one batch; found: gets their losses, [S of the group] each."""
        h, done = self._h, self.counts["iterations"]
        agents, actions = team.task.agents, team.task.action_size
        joint = team.replay.sample(h.distillation_batch_size, lanes).joint
        obs, _ = per_agent(joint, agents, actions)
        actor, critic = ({n: p[lanes].detach() for n, p in net.items()} for net in (team.actor, team.critic))
        with torch.no_grad():
            logits, q = team.actors.logits(actor, obs), joint_values(critic, joint)
            chosen = orders(h.permutations, agents, team.streams[lanes], self._device)
            inputs = permuted(joint, agents, actions, chosen).flatten(1, 2)  # [S, P B, D]
        policy, matched = self._adams["adam_policy"], self._adams["adam_critic"]
        for i in distilled:
            if done < h.distillation_iterations:
                own = slice(i, i + 1)
                student = team.actors.logits(policy.leaves[group], obs[:, own])
                loss = distillation_loss(logits[:, own], student, h.temperature)
                policy.step(group, loss)
                found["distillation"].append(loss.detach().squeeze(1))
            if done < h.matching_iterations:
                values = joint_values(matched.leaves[group], inputs).view(len(q), -1, q.shape[-1])
                loss = matching_loss(q[:, i], values)
                matched.step(group, loss.unsqueeze(1))
                found["matching"].append(loss.detach() / values.shape[1])

    def state(self) -> dict[str, Tensor]:
        """Networks, Adam, losses and the count of iterations, by dotted name; copies."""
        found = saved({"policy": self.policy, "critic": self.critic, "losses": self.losses}, self._adams)
        return found | saved_counts(self.counts, len(self._team.streams))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""
        restored(state, {"policy": self.policy, "critic": self.critic, "losses": self.losses}, self._adams)
        restore_counts(state, self.counts)


class DVM:
    """A `Learner`, and `Phased`: MADDPG in both phases, with the distillation between them.

    tasks: the first phase's, then the second's. Reports at the turn "distillation" (eq. 3) and "matching" (eq. 6, a
    mean over permutations), of the last iteration.
    """

    steps = None

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.DVMMADDPG,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        lanes_per_call: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        self._h = hyperparameters
        count = len(tasks) - 1
        if count > 1 and tasks[-1].agents != count:
            raise ValueError(f"tasks: got {count} before the last, of {tasks[-1].agents} agents; allowed: one an agent")

        def made(own: Sequence[Task]) -> EpsilonGreedyMADDPG:
            return EpsilonGreedyMADDPG(
                own, hyperparameters, streams, device, lanes_per_call=lanes_per_call, dtype=dtype
            )

        self._teams = [made([task, tasks[-1]]) for task in tasks[:-1]]  # of the first phase
        self.team = self._teams[0] if count == 1 else made(tasks[-1:])  # of the second
        self.copies, self.replays = self.team.copies, tuple(team.replay for team in self._teams)
        self.team.replay = self.replays[0]  # it goes on there, emptied
        everybody: list[Source] = [(self.team, range(tasks[-1].agents))]
        first: list[Source] = [(team, (0,)) for team in self._teams]
        self.distilled = Distillation(everybody if count == 1 else first, hyperparameters, device)
        self._counts = {"turned_at": -1}  # episodes before the turn

    def exploring(self, task: int, episodes_done: int) -> Acting:
        return self.greedy(task) if self._frozen else self._playing(task).exploring(0, episodes_done)

    def greedy(self, task: int) -> Acting:
        return self._playing(task).greedy(0)

    def values(self, task: int, obs: Tensor) -> Tensor:
        """`Valued`."""
        return self._playing(task).values(0, obs)

    def learn(self, task: int, rollout: Rollout, episodes_done: int) -> dict[str, Tensor]:
        """As `EpsilonGreedyMADDPG.learn`; nothing after the turn where the team stays as it is."""
        if self._frozen:
            return {}
        if self._turned:
            for replay in self.replays[1:]:  # all hold equally many
                replay.append(rollout)
        return self._playing(task).learn(0, rollout, episodes_done)

    def ready(self) -> bool:
        """Whether policy and critic are distilled and matched; else an iteration more."""
        if not self.distilled.over:
            self.distilled.iterate()
        return self.distilled.over

    def turn(self) -> dict[str, Tensor]:
        """Hard copies for all agents, an empty replay, exploration from its start; losses [S]."""
        team, copied = self.team, self._h.copied
        if len(self._teams) > 1:
            team.load_state(first_agents([own.state() for own in self._teams]))
        if copied in ("policy", "both"):
            copy_to_all(self.distilled.policy, team.actor, team.target_actor)
        if copied in ("critic", "both"):
            copy_to_all(self.distilled.critic, team.critic, team.target_critic)
        team.changed()
        self._counts["turned_at"] = team.replay.episodes
        self._restart()
        return {name: loss.clone() for name, loss in self.distilled.losses.items()}

    def policy(self) -> dict[str, Tensor]:
        return self.team.policy()

    def state(self) -> dict[str, Tensor]:
        """The team's, the distilled networks' and where the turn was; copies."""
        own = named("distilled", self.distilled.state()) | saved_counts(self._counts, len(self.team.streams))
        for k, team in enumerate(self._teams if len(self._teams) > 1 else ()):
            own |= named(f"first_{k}", team.state())
        return self.team.state() | own

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave. The replay is told what was cleared before its log is restored."""
        self.team.load_state(state)
        self.distilled.load_state(part(state, "distilled"))
        restore_counts(state, self._counts)
        for k, team in enumerate(self._teams if len(self._teams) > 1 else ()):
            team.load_state(part(state, f"first_{k}"))
        if self._turned:
            self._restart()

    @property
    def _turned(self) -> bool:
        return self._counts["turned_at"] >= 0

    @property
    def _frozen(self) -> bool:
        return self._turned and not self._h.keep_learning

    def _playing(self, task: int) -> EpsilonGreedyMADDPG:
        """Who plays a task now."""
        return self.team if self._turned or task >= len(self._teams) else self._teams[task]

    def _restart(self) -> None:
        """Empty replays, and exploration from its start."""
        for replay in self.replays:
            replay.clear(self._counts["turned_at"])
        self.team.epsilon_start, self.team.explored_from = self._h.epsilon_restart, self._counts["turned_at"]


def first_agents(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The state of a team whose agent k is the first agent of team k; Adam has taken equally many steps in all."""
    return {
        name: p if name.endswith(".step") else torch.cat([own[name][:, :1] for own in states], 1)
        for name, p in states[0].items()
    }


@torch.no_grad()
def copy_to_all(one: Parameters, *teams: Parameters) -> None:
    """One network [S, 1, ...] becomes that of every agent [S, N, ...], in place."""
    for team in teams:
        for name, p in team.items():
            p.copy_(one[name].expand_as(p))
