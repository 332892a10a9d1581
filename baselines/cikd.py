"""Collaborative inter-agent knowledge distillation on SAC (Hong et al. 2019): the best member teaches all others.

Axes: S seed, M member, X student (M - 1), K block of consecutive transitions, B transition of a block, O observation
entry, A action entry.

| paper | here |
|---|---|
| Algorithm 1, lines 4-18: members, who plays, one buffer, updates, recent returns | `ensemble_sac.EnsembleSAC` |
| line 20: when | `ensemble_sac.EnsembleSAC.compares` |
| line 21, Sec. 4.4: who teaches | `CIKD._teacher` |
| eq. 1: KL(teacher's policy, student's), mean over states of the buffer | `policy_loss` |
| Sec. 4.4: the l2 loss of the critics | `critic_loss` |
| line 22: each student minimises both, on the buffer | `CIKD.share` |
| Sec. 5.3: hardcopy | `Hardcopy` |
| Sec. 5.4: a random teacher | teacher = "random" |
| Sec. 5.5: students that forget all before they are taught | reset = "policy_and_critics" |
| App. A: the policy alone, the critics alone | distilled = "policy", "critics" |

Where the paper is silent, this follows the code (pfnet-research/piekd@ddd9cc5): five epochs over the whole buffer in
blocks of 256 consecutive transitions, where only the order of blocks is random; a fresh Adam at 1e-3 for each network;
then one soft update of the students' target critics. Departs from the code: a student's policy and critics use the same
order of blocks (the code draws one for each network), and by default a student's SAC keeps its own Adam. In the code
the distillation's Adam replaces it for good: replaces_optimizer = true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines import specs
from baselines.ensemble_sac import EnsembleSAC, drawn_orders, lanes, put, taken
from baselines.kernels.capture import Captured
from baselines.kernels.nn import Parameters, initial
from baselines.kernels.optim import MOMENTS, FusedAdam, soft_update
from baselines.kernels.perceptrons import Perceptrons
from baselines.learner import Shared, Task
from baselines.losses.gaussian import divergence
from baselines.specs.ensemble_sac import minibatches
from baselines.streams import Streams

EACH = {"policy": 1, "critics": 2}  # networks of a member
NAMES = {"policy": "distill_policy", "critics": "distill_critic"}  # of losses


def policy_loss(teacher: tuple[Tensor, Tensor], student: tuple[Tensor, Tensor]) -> Tensor:
    """Eq. 1: mean KL(teacher || student) of means and log standard deviations [S, X, A, B] before tanh -> [S, X]."""
    return divergence(*teacher, *student).mean(-1)


def policy_gradient(teacher: tuple[Tensor, Tensor], student: tuple[Tensor, Tensor], heads: Tensor) -> Tensor:
    """Gradient of `policy_loss` by the student's outputs `heads` [S, X, 2 A, B]. student: these after their bounds."""
    (mean, log_std), (own_mean, own_log_std) = teacher, student
    apart = (own_mean - mean) / own_log_std.exp()
    of_mean = apart / own_log_std.exp()
    of_log_std = 1 - (2 * (log_std - own_log_std)).exp() - apart.square()
    within = heads.chunk(2, -2)[1] == own_log_std
    return torch.cat([of_mean, of_log_std * within], -2) / heads.shape[-1]


def critic_loss(teacher: Tensor, student: Tensor) -> Tensor:
    """Sec. 4.4: mean squared difference of each critic's values, [S, X, 2, B] x2 -> [S, X, 2]."""
    return (teacher - student).square().mean(-1)


def critic_gradient(teacher: Tensor, student: Tensor) -> Tensor:
    """Gradient of `critic_loss` by the student's values, [S, X, 2, B] each."""
    return 2 * (student - teacher) / student.shape[-1]


def others(member: Tensor, members: int) -> Tensor:
    """All members but one of each seed, in order: [S] -> [S, M - 1]."""
    rest = torch.arange(members - 1).expand(len(member), -1)
    return rest + (rest >= member.unsqueeze(-1))


def critics_of(members: Tensor) -> Tensor:
    """Indices of both critics of some members: [S, X] -> [S, 2 X]."""
    return (2 * members.unsqueeze(-1) + torch.arange(2)).flatten(1)


class CIKD(EnsembleSAC):
    """A `Learner` and an `Ensemble`. A distillation reports the last epoch's mean losses over students [S]."""

    teaches = True

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.CIKD,
        streams: Sequence[Streams],
        device: torch.device | str,
        *,
        dtype: torch.dtype = torch.float32,
    ):
        self._h = hyperparameters
        super().__init__(tasks, hyperparameters, streams, device, dtype=dtype)
        if self._h.replaces_optimizer:
            self._actor_adam = FusedAdam(self._actor, 1, self._h.lr, apart=True)
            self._critic_adam = FusedAdam(self._critics, 2, self._h.lr, apart=True)

    def share(self) -> Shared:
        """Algorithm 1, lines 21-22: students are copied out, taught and written back. The teacher does not change."""
        h, elected = self._h, self.elected()
        teacher = self._teacher(elected)
        students = others(teacher, self.members)
        own = {
            "policy": (self._actor, students, self._actor_adam),
            "critics": (self._critics, critics_of(students), self._critic_adam),
        }
        if h.reset:
            for network, places, _ in own.values():
                put(network, places, taken(self._fresh(network), places))
        chosen = {name: part for name, part in own.items() if h.distilled in (name, "policy_and_critics")}
        copies = {name: taken(network, places) for name, (network, places, _) in chosen.items()}
        adams = {name: FusedAdam(copy, EACH[name], h.distill_lr) for name, copy in copies.items()}
        passes = {name: Perceptrons(copy, EACH[name]) for name, copy in copies.items()}
        losses = self._distil(teacher, passes, adams)
        for name, (network, places, adam) in chosen.items():
            put(network, places, copies[name])
            if h.replaces_optimizer:
                goes_on_with(adam, places, adams[name], h.distill_lr)
                self._captured = Captured(lambda *arguments: self._update(*arguments), self._device)
        critics = own["critics"][1]
        targets, online = taken(self._targets, critics), taken(self._critics, critics)
        soft_update(targets, online, h.tau if h.student_targets == "one_soft_update" else 1.0)
        put(self._targets, critics, targets)
        return Shared(elected, teacher, losses)

    def _teacher(self, elected: Tensor) -> Tensor:
        if self._h.teacher == "best_recent":
            return elected
        drawn = [torch.randint(self.members, (), generator=s["update"], device=self._device) for s in self._streams]
        return torch.stack(drawn).cpu()

    @torch.no_grad()
    def _distil(
        self, teacher: Tensor, passes: Mapping[str, Perceptrons], adams: Mapping[str, FusedAdam]
    ) -> dict[str, Tensor]:
        """Epochs over the buffer for the students in `passes`; their losses."""
        count, blocks = self.members - 1, minibatches(self.replay.stored, self._h.distill_batch_size)
        mean, log_std, q = self._outputs(teacher, blocks)
        seeds, losses = lanes(others(teacher, self.members)).to(self._device), dict[str, list[Tensor]]()
        for _ in range(self._h.distill_epochs):
            losses = {name: [] for name in passes}
            for block in drawn_orders(self._streams, "update", count, blocks, self._device).unbind(-1):
                obs, actions = self._block(block)
                at = seeds, block
                if "policy" in passes:
                    heads, taught = passes["policy"].outputs(obs.mT), (mean[at], log_std[at])
                    student = self._cut(heads)
                    losses["policy"].append(policy_loss(taught, student))
                    passes["policy"].descend(policy_gradient(taught, student, heads), adams["policy"])
                if "critics" in passes:
                    values = passes["critics"].outputs(torch.cat([obs, actions], -1).mT)
                    losses["critics"].append(critic_loss(q[at], values))
                    passes["critics"].descend(critic_gradient(q[at], values), adams["critics"])
        return {NAMES[name]: by_seed(torch.stack(found, 1)) for name, found in losses.items()}

    @torch.no_grad()
    def _outputs(self, teacher: Tensor, blocks: int) -> tuple[Tensor, Tensor, Tensor]:
        """The teacher's outputs on the whole buffer: means and log standard deviations [S, K, A, B], Q [S, K, 2, B]."""
        one = teacher.unsqueeze(-1)
        policy, critics = taken(self._actor, one), taken(self._critics, critics_of(one))
        found: tuple[list[Tensor], ...] = ([], [], [])
        for k in range(blocks):
            obs, actions = self._block(torch.full((len(teacher), 1), k, device=self._device))
            outputs = (*self._gaussian(policy, obs.mT), self._values(critics, obs, actions))
            for kept, output in zip(found, outputs, strict=True):
                kept.append(output.squeeze(1))
        mean, log_std, q = (torch.stack(kept, 1) for kept in found)
        return mean, log_std, q

    def _block(self, block: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks of the buffer, counted from the oldest: [S, X] -> observations [S, X, B, O], actions [S, X, B, A]."""
        size = self._h.distill_batch_size
        index = size * block.unsqueeze(-1) + torch.arange(size, device=self._device)
        obs, actions = self.replay.seen_and_done(index.flatten(1))
        return obs.unflatten(1, index.shape[1:]), actions.unflatten(1, index.shape[1:])

    def _fresh(self, network: Parameters) -> Parameters:
        """Newly drawn initial networks."""
        weights = [network[f"weight_{n}"] for n in range(len(network) // 2)]
        sizes = [weights[0].shape[-1], *(weight.shape[-2] for weight in weights)]
        return initial(sizes, weights[0].shape[1], self._streams, self._device, self._dtype)


class Hardcopy(EnsembleSAC):
    """SAC-CIKD (hardcopy), Sec. 5.3: students become copies of the teacher and, as in the code, of its Adam's moments.

    They keep their own target critics and temperature.
    """

    teaches = True

    def share(self) -> Shared:
        teacher = self.elected()
        students = others(teacher, self.members)
        as_many = teacher.unsqueeze(-1).expand_as(students)
        put(self._actor, students, taken(self._actor, as_many))
        put(self._critics, critics_of(students), taken(self._critics, critics_of(as_many)))
        copy_moments(self._actor_adam, students, as_many)
        copy_moments(self._critic_adam, critics_of(students), critics_of(as_many))
        return Shared(teacher, teacher)


def copy_moments(adam: FusedAdam, places: Tensor, sources: Tensor) -> None:
    """Copy moments from the networks at `sources` [S, X] to those at `places` [S, X]."""
    state = adam.state()
    moments = moments_of(state)
    put(moments, places, taken(moments, sources))
    adam.load_state(state)


def goes_on_with(adam: FusedAdam, places: Tensor, other: FusedAdam, lr: float) -> None:
    """Give some networks [S, X] of an Adam with separate lanes another Adam's moments, step count and step size."""
    state, new = adam.state(), other.state()
    put(moments_of(state), places, new)
    state["step"][lanes(places), places] = new["step"].double().unsqueeze(-1)
    state["lr"][lanes(places), places] = lr
    adam.load_state(state)


def moments_of(state: Mapping[str, Tensor]) -> Parameters:
    """An Adam's moments, without its counts."""
    return {name: p for name, p in state.items() if name.partition(".")[0] in MOMENTS}


def by_seed(losses: Tensor) -> Tensor:
    """Each seed's mean, [S, ...] -> [S]; one seed after the other, so it does not depend on other seeds."""
    return torch.stack([own.contiguous().flatten().mean() for own in losses])
