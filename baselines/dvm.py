"""Distillation with value matching (Wadhwania et al. 2019): what happens between the two phases of a run.

Axes: S seed, N agent, B batch, O observation entry, A action entry, P permutation of agents, K networks of a critic;
D = N*O + N*A, a joint input's entries.

| paper | here |
|---|---|
| Sec. III-A: softmax with a temperature; eq. 3: L_KL of agent i's policy and the distilled one | `distillation_loss` |
| Sec. III-B: permutations of o and a, consistent with each other | `permuted`, `orders` |
| Sec. III-C.2: the same of Gaussian policies, in closed form | `gaussian.divergence` |
| eq. 6: L_MSE over all permutations, of Q, and of V where there is one | `matching_loss` |
| Algorithm 1, lines 17 to 24: j iterations, agent by agent | `Distillation.iterate` |
| Sec. III-A: hard update of all agents | `DVM.turn` |
| Sec. V-B: No DVM, Distillation, Value Matching; Sec. V-B.2: without learning | `DVM`, by copied and keep_learning |
| Sec. II-B: on MADDPG; Sec. III-C, Algorithm 1: on MA-SAC | `parts_of`, `dvm_masac` |

Like its authors' code (SamirW/maddpg-pytorch e791f82, bf45000, ea0951c; pytorch-soft-actor-critic 7810569): the
distilled networks are fresh, with an Adam of their own; targets become copies, too; the agents' Adam goes on; the
replay is emptied, and MADDPG's exploration starts again. Of two Qs, the smaller values are matched.
Departs from Algorithm 1: the permutations of an iteration make one step for each agent, down the sum of eq. 6; the
algorithm lists one step for each permutation. For MA-SAC the algorithm lists only Q, eq. 6 also V. Departs from the
code: there every critic sees one random order per batch (`permutations`); its MA-SAC sums eq. 3 over the batch, and
clips the gradients of two Qs as those of one network.
Observations of a batch are the team's at the same steps; agent i reads its own.
Push box (Sec. V-A.2): if the first phase has several tasks, each has its own team. The second phase's team consists of
the first agent of each: its networks, targets and Adam, distilled from its own task's replay.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.layers import named, part
from baselines.kernels.nn import Parameters, actor_logits, initial, joint_values, per_agent
from baselines.kernels.optim import LaneAdam
from baselines.learner import Acting, Rollout, Task
from baselines.losses.gaussian import divergence
from baselines.maddpg import LARGE_BATCH, LARGE_BATCH_LANES, evenly
from baselines.maddpg_epsilon_greedy import EpsilonGreedyMADDPG
from baselines.masac import MASAC
from baselines.streams import Streams
from baselines.training_state import restore_counts, restored, saved, saved_counts

MATCHING = {"critic": "matching", "value": "matching_value"}  # names of the critics' losses


def distillation_loss(agent: Tensor, distilled: Tensor, temperature: float) -> Tensor:
    """Eq. 3: KL(pi_i || pi_0) of logits [S, 1, A, B] divided by a temperature, averaged over the batch: [S, 1]."""
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


Team = EpsilonGreedyMADDPG | MASAC
Source = tuple[Team, Sequence[int]]  # a team, and some of its agents


@dataclass(frozen=True)
class Critic:
    """own: the agents' networks [S, N K, ...]; the smallest of K values counts. target: theirs. acts: it is a Q."""

    own: Parameters
    target: Parameters | None
    sizes: Sequence[int]
    networks: int = 1
    acts: bool = True

    def values(self, critic: Parameters, joint: Tensor, obs_entries: int) -> Tensor:
        """Values [S, N, B] of joint inputs [S, B, D], by networks [S, N K, ...]."""
        found = joint_values(critic, joint if self.acts else joint[..., :obs_entries])
        return found if self.networks == 1 else found.unflatten(1, (-1, self.networks)).amin(2)


@dataclass(frozen=True)
class Parts:
    """The parts of a team that are distilled and matched.

    policies: the agents', and their targets if they have any. heads: the policies' outputs for obs [S, N, O, B].
    distance: eq. 3, of an agent's heads and the distilled policy's: [S, 1].
    """

    policies: tuple[Parameters, ...]
    sizes: Sequence[int]
    heads: Callable[[Parameters, Tensor], Tensor]
    distance: Callable[[Tensor, Tensor], Tensor]
    critics: Mapping[str, Critic]


def parts_of(team: Team) -> Parts:
    """The parts of a team. Gaussian policies have their own divergence; that of categorical ones has a temperature."""
    if isinstance(team, MASAC):
        q = Critic(team.q, None, team.q_sizes, team.hyperparameters.q_networks)
        v = Critic(team.v, team.target_v, team.v_sizes, acts=False)

        def apart(agent: Tensor, distilled: Tensor) -> Tensor:
            return divergence(*team.cut(agent.detach()), *team.cut(distilled)).mean(-1)

        return Parts((team.actor,), team.actor_sizes, actor_logits, apart, {"critic": q, "value": v})
    critic = Critic(team.critic, team.target_critic, team.critic_sizes)
    assert isinstance(team.hyperparameters, specs.DVMMADDPG)
    distance = partial(distillation_loss, temperature=team.hyperparameters.temperature)
    policies = team.actor, team.target_actor
    return Parts(policies, team.actors.sizes, team.actors.logits, distance, {"critic": critic})


class Distillation:
    """The distilled policy and the matched critics of S teams, [S, 1, ...] each, and their progress.

    sources: teams, each with the agents to distil, from that team's replay. losses: of the last iteration, means over
    agents, [S]: "distillation", "matching" for Q, "matching_value" for V.
    """

    def __init__(self, sources: Sequence[Source], hyperparameters: specs.DVM, device: torch.device | str):
        team = sources[0][0]
        self._h, self._device, self._team = hyperparameters, device, team
        self._sources = [(own, parts_of(own), agents) for own, agents in sources]
        h, parts = hyperparameters, self._sources[0][1]
        drawn = (team.streams, device, team.actor["weight_0"].dtype, team.hyperparameters.initial_weights)
        self.policy = initial(parts.sizes, 1, *drawn)
        self.critics = {name: initial(own.sizes, own.networks, *drawn) for name, own in parts.critics.items()}
        large = torch.device(device).type == "cpu" and h.distillation_batch_size >= LARGE_BATCH
        seeds, (lr, clip) = len(team.streams), (h.distillation_lr, h.distillation_grad_clip)
        self._groups = evenly(seeds, LARGE_BATCH_LANES if large else seeds)
        self._adams = {
            f"adam_{name}": LaneAdam(network, self._groups, lr, clip, clipping="network")
            for name, network in (("policy", self.policy), *self.critics.items())
        }
        names = ("distillation", *(MATCHING[name] for name in self.critics))
        self.losses = {name: torch.zeros(seeds, device=device) for name in names}
        self.counts = {"iterations": 0}

    @property
    def over(self) -> bool:
        return self.counts["iterations"] >= max(self._h.distillation_iterations, self._h.matching_iterations)

    def iterate(self) -> None:
        """One iteration of Algorithm 1: for each agent, a step of the policy and one of each critic."""
        for group, lanes in enumerate(self._groups):
            found: dict[str, list[Tensor]] = {name: [] for name in self.losses}
            for team, parts, agents in self._sources:
                self._step(team, parts, agents, group, lanes, found)
            for name, own in found.items():
                if own:
                    self.losses[name][lanes] = torch.stack(own).mean(0)
        self.counts["iterations"] += 1

    def _step(
        self,
        team: Team,
        parts: Parts,
        distilled: Sequence[int],
        group: int,
        lanes: slice,
        found: Mapping[str, list[Tensor]],
    ) -> None:
        """Steps for some agents of a team, on one batch. found: gets their losses, [S of the group] each."""
        h, done = self._h, self.counts["iterations"]
        agents, actions = team.task.agents, team.task.action_size
        joint = team.replay.sample(h.distillation_batch_size, lanes).joint
        obs, _ = per_agent(joint, agents, actions)
        seen = joint.shape[-1] - agents * actions
        with torch.no_grad():
            heads = parts.heads(of_lanes(parts.policies[0], lanes), obs)
            taught = {n: c.values(of_lanes(c.own, lanes), joint, seen) for n, c in parts.critics.items()}
            chosen = orders(h.permutations, agents, team.streams[lanes], self._device)
            inputs = permuted(joint, agents, actions, chosen).flatten(1, 2)  # [S, P B, D]
        policy = self._adams["adam_policy"]
        for i in distilled:
            if done < h.distillation_iterations:
                own = slice(i, i + 1)
                loss = parts.distance(heads[:, own], parts.heads(policy.leaves[group], obs[:, own]))
                policy.step(group, loss)
                found["distillation"].append(loss.detach().squeeze(1))
            for name, critic in parts.critics.items() if done < h.matching_iterations else ():
                adam, q = self._adams[f"adam_{name}"], taught[name]
                values = critic.values(adam.leaves[group], inputs, seen).view(len(q), -1, q.shape[-1])
                loss = matching_loss(q[:, i], values)
                adam.step(group, loss.unsqueeze(1))
                found[MATCHING[name]].append(loss.detach() / values.shape[1])

    def state(self) -> dict[str, Tensor]:
        """Networks, Adam, losses and the count of iterations, by dotted name; copies."""
        return saved(self._networks(), self._adams) | saved_counts(self.counts, len(self._team.streams))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave."""
        restored(state, self._networks(), self._adams)
        restore_counts(state, self.counts)

    def _networks(self) -> dict[str, Parameters]:
        return {"policy": self.policy, **self.critics, "losses": self.losses}


class DVM:
    """A `Learner`, and `Phased`: MADDPG or MA-SAC in both phases, with the distillation between them.

    tasks: the first phase's, then the second's. base: makes a team from tasks, hyperparameters, streams, device and
    options. At the turn it reports the last iteration's "distillation" (eq. 3), "matching" (eq. 6, a mean over
    permutations) and, if there is a V, "matching_value".
    """

    steps = None

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.DVM,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        base: Callable[..., Team] = EpsilonGreedyMADDPG,
        **options: Any,
    ):
        self._h = hyperparameters
        count = len(tasks) - 1
        if count > 1 and tasks[-1].agents != count:
            got = f"{count} before the last, of {tasks[-1].agents} agents"
            raise ValueError(f"tasks: got {got}; allowed: one per agent")

        def made(own: Sequence[Task]) -> Team:
            return base(own, hyperparameters, streams, device, **options)

        self._teams = [made([task, tasks[-1]]) for task in tasks[:-1]]  # the first phase's
        self.team = self._teams[0] if count == 1 else made(tasks[-1:])  # the second phase's
        self.copies, self.replays = self.team.copies, tuple(team.replay for team in self._teams)
        self.team.replay = self.replays[0]  # it goes on with this one, emptied
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
        """Like the team's own; does nothing after the turn if the team stops learning."""
        if self._frozen:
            return {}
        if self._turned:
            for replay in self.replays[1:]:  # all hold the same number of entries
                replay.append(rollout)
        return self._playing(task).learn(0, rollout, episodes_done)

    def ready(self) -> bool:
        """Whether policy and critics are distilled and matched. If not, makes one more iteration."""
        if not self.distilled.over:
            self.distilled.iterate()
        return self.distilled.over

    def turn(self) -> dict[str, Tensor]:
        """Hard copies for all agents, an empty replay, exploration from its start; losses [S]."""
        team, copied = self.team, self._h.copied
        if len(self._teams) > 1:
            team.load_state(first_agents([own.state() for own in self._teams], team.task.agents))
        parts = parts_of(team)
        if copied in ("policy", "both"):
            copy_to_all(self.distilled.policy, *parts.policies)
        for name, critic in parts.critics.items() if copied in ("critic", "both") else ():
            copy_to_all(self.distilled.critics[name], *(own for own in (critic.own, critic.target) if own))
        team.changed()
        self._counts["turned_at"] = team.replay.episodes
        self._restart()
        return {name: loss.clone() for name, loss in self.distilled.losses.items()}

    def policy(self) -> dict[str, Tensor]:
        return self.team.policy()

    def state(self) -> dict[str, Tensor]:
        """The state of team and distilled networks, and the place of the turn; copies."""
        own = named("distilled", self.distilled.state()) | saved_counts(self._counts, len(self.team.streams))
        for k, team in enumerate(self._teams if len(self._teams) > 1 else ()):
            own |= named(f"first_{k}", team.state())
        return self.team.state() | own

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` gave. The replay learns what was cleared before its log is restored."""
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

    def _playing(self, task: int) -> Team:
        """The team that plays a task now."""
        return self.team if self._turned or task >= len(self._teams) else self._teams[task]

    def _restart(self) -> None:
        """Empty the replays and restart exploration."""
        for replay in self.replays:
            replay.clear(self._counts["turned_at"])
        if isinstance(self.team, EpsilonGreedyMADDPG):
            assert isinstance(self._h, specs.DVMMADDPG)
            self.team.epsilon_start, self.team.explored_from = self._h.epsilon_restart, self._counts["turned_at"]


def dvm_masac(
    tasks: Sequence[Task],
    hyperparameters: specs.DVMMASAC,
    streams: Sequence[Streams],
    device: torch.device | str,
    **options: Any,
) -> DVM:
    """`DVM` on MA-SAC: Q and V are both matched, with observations in the same orders."""
    return DVM(tasks, hyperparameters, streams, device, base=MASAC, **options)


def first_agents(states: Sequence[Mapping[str, Tensor]], agents: int) -> dict[str, Tensor]:
    """The state of a team whose agent k is the first agent of team k. All teams' Adam must have made equal steps."""
    return {
        name: p if name.endswith(".step") else torch.cat([own[name][:, : p.shape[1] // agents] for own in states], 1)
        for name, p in states[0].items()
    }


def of_lanes(networks: Parameters, lanes: slice) -> Parameters:
    """The networks of some seeds, detached from the graph."""
    return {name: p[lanes].detach() for name, p in networks.items()}


@torch.no_grad()
def copy_to_all(one: Parameters, *teams: Parameters) -> None:
    """One agent's networks [S, K, ...] become those of every agent [S, N K, ...], in place."""
    for team in teams:
        for name, p in team.items():
            own = one[name]
            p.copy_(own.repeat(1, p.shape[1] // own.shape[1], *(1,) * (p.dim() - 2)))
