"""MKT-MARL (Mai et al. 2023): its networks, its losses, its lambda. The parts that it shares with QMIX are in qmix.py.

Axes: S seed, B batch of episodes, T time step, N agent, A action, I input entry of the agents' network, X state entry;
K task, k one of them. Losses are [S], one for each seed, of one task's minibatch.

| paper | here | the paper's values |
|---|---|---|
| eq. 1 and 2, Fig. 4: E_k, F, EA_k | `MultiTaskNetwork` | an MLP (Sec. V-B); widths: none |
| eq. 3: L_KL | `distillation_loss` | t = 1 (Sec. V-D) |
| eq. 4: SE_k | `embedded_state` | "mixing map embed dim" 32 (Table III), read as its width |
| eq. 4: f, "the same as QMIX" | `EmbeddedState.q_tot`, `qmix.named_mixer` | 32; hypernets of 2 layers, 64 (Table III) |
| eq. 5: L_TD | `qmix.td_loss` | B = 32 |
| eq. 5: y^tot; r-hat | `qmix.ValueDecomposition._targets`, `qmix.ValueDecomposition._rewards` | double Q; gamma: none |
| eq. 6: L | `combined_loss` | |
| Sec. IV-D, V-D, Table IV: lambda | `annealing_coefficient` | .1 to .95 in 30,000 of 50,000 epochs, then .95 |
| Algorithm 1, line 5: ROLLOUT | `qmix.ValueDecomposition.exploring` | epsilon 1 to .05 (Table III) in steps: none |
| lines 5 and 6: D_k, a minibatch | `qmix.ValueDecomposition.learn` | D_k of 5,000 episodes, B = 32 |
| lines 7, 9 and 11: q^T, L_KL, lambda | `Distillation` | |
| lines 8, 10 and 12: q^S, L_TD, the step | `qmix.ValueDecomposition._update` | Adam, .0005 |
| lines 14 to 16: target networks | `qmix.ValueDecomposition._update_target` | every 200 epochs (Sec. V-D) |
| lines 1, 2, 18: networks, D_k; the result | `qmix.ValueDecomposition.__init__`, `qmix.ValueDecomposition.policy` | |
| all of it together | `mkt_marl`, `team_network`, `team_mixer` | |

suites/mkt_marl.toml has every value with its source. The harness does lines 3 and 4: in each epoch it plays an episode
of each task in turn and hands it to `learn`. Departures from the paper, and readings where it is silent:
- Eq. 1 prints E_k of all observations at once, and one c. We read it for each agent alone: Q_i = EA_k(F(E_k(o_i, i))),
  with parameters that all agents share (Sec. IV-B).
- An epoch is one episode and one update of each task: 50,000 episodes of 25 steps are Sec. V-D's 1.25M steps per task.
- B is 32 whole episodes, as EPyMARL samples; line 6 samples 32 transitions. Eq. 3 and 5 then see up to 800 steps
  (32 x 25). There is no update before 32 episodes are stored.
- Eq. 3 and 5 sum over the batch, eq. 3 also over agents. "mean", the suite's value, averages over steps in both, and in
  eq. 3 also over agents: L_KL has 1/n of its weight in the paper's eq. 6. `distill_reduction` "mean over steps" sums
  over agents, which keeps the paper's ratio; "mean over episodes" also sums over an episode's steps; "sum" is as
  printed. Gradients are clipped at norm 10 (EPyMARL's value; the paper does not say). With this clipping a sum of 800
  steps would be another method.
- Eq. 5 is as in EPyMARL: double Q (Table III), rewards standardised by running moments of each task (Sec. IV-C: in each
  minibatch), gamma .99, and a time limit that ends an episode like a terminal state.
- If a task has no state of its own, s is all agents' observations concatenated (`agents.state_size`), as in EPyMARL.
- In line 12 the layers of other tasks do not change: they get no gradient, no moment and no step of Adam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from baselines import schedules, specs
from baselines.kernels.layers import initial_linear, joined, mlp_of_rows, named, part
from baselines.kernels.nn import Parameters
from baselines.learner import Task
from baselines.losses.masks import Reduction, available_q, reduced
from baselines.networks.agents import input_size, state_size
from baselines.networks.mixers import Chosen, Mixer
from baselines.qmix import ValueDecomposition, named_mixer
from baselines.replay.episodes import EpisodeBatch
from baselines.streams import Streams
from baselines.teachers import TeamTeacher


@dataclass(frozen=True)
class MultiTaskNetwork:
    """Eq. 1 and 2: E_k, one Linear for each task; F, layers that all tasks share; EA_k, one Linear for each task.

    inputs, actions: I and A of each task. hidden_layers: of F alone. The suite file reads "the same number of MLP
    layers as the single-task network" (Sec. IV-B) as not counting E_k and EA_k. A `TeamNetwork`.
    """

    inputs: tuple[int, ...]
    actions: tuple[int, ...]
    embedding_width: int
    hidden_layers: int
    hidden_width: int

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        """Drawn in this order, by the paper's letters: E_0.*, E_1.*, ..., F.*, EA_0.*, EA_1.*, ..."""
        where = streams, device, dtype
        body = [self.embedding_width, *[self.hidden_width] * self.hidden_layers]
        embeddings = initial_mappings("E", [(size, body[0]) for size in self.inputs], *where)
        shared = named("F", initial_linear(body, *where))
        return embeddings | shared | initial_mappings("EA", [(body[-1], size) for size in self.actions], *where)

    def of_task(self, parameters: Mapping[str, Tensor], task: int) -> Parameters:
        """Q_i = EA_k(F(E_k(inputs of agent i))), as the layers of one MLP, which `agents.mlp_q` runs.

        ReLU after E_k and after every layer of F: the paper names no activation, and EPyMARL's agent has ReLU after
        every layer but the last. The parameters of other tasks are not read and get no gradient.
        """
        return joined(parameters, (f"E_{task}", "F", f"EA_{task}"))


def initial_mappings(
    letters: str,
    sizes: Sequence[tuple[int, int]],
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """One Linear for each task, the paper's "separate" layers: letters_0.*, letters_1.*, ... sizes: in and out."""
    parameters: Parameters = {}
    for k, size in enumerate(sizes):
        parameters |= named(f"{letters}_{k}", initial_linear(size, streams, device, dtype))
    return parameters


def embedded_state(embeddings: Mapping[str, Tensor], state: Tensor, task: int) -> Tensor:
    """Eq. 4's SE_k(s), the state that the mixer reads: [S, B, T, X_k] -> [S, B, T, width].

    One Linear without activation: the paper only says that it maps to one length, and the hypernetworks have a ReLU.
    """
    return mlp_of_rows(part(embeddings, f"SE_{task}"), state)


@dataclass(frozen=True)
class EmbeddedState:
    """Eq. 4: a mixer f that reads SE_k(s), which has the same length for all tasks. It is a `Mixer` itself.

    state_sizes: X of each task. width: of f's input. f is drawn first, then SE_0, SE_1, ...
    """

    mixer: Mixer
    state_sizes: tuple[int, ...]
    width: int

    @property
    def compares(self) -> bool:
        return self.mixer.compares

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        where = streams, device, dtype
        sizes = [(size, self.width) for size in self.state_sizes]
        return self.mixer.initial(*where) | initial_mappings("SE", sizes, *where)

    def q_tot(self, parameters: Parameters, chosen: Chosen) -> Tensor:
        """f(Q_1 ... Q_n, SE_k(s)), [S, B, T]."""
        state = embedded_state(parameters, chosen.state, chosen.task)
        return self.mixer.q_tot(parameters, replace(chosen, state=state))


def distillation_loss(
    teacher_q: Tensor,
    student_q: Tensor,
    avail_actions: Tensor,
    mask: Tensor,
    temperature: float,
    reduction: Reduction | Literal["mean over steps", "mean over episodes"] = "mean",
) -> Tensor:
    """Eq. 3: KL(softmax(Q^T / t) || softmax(Q^S)), [S]; t divides only the teacher's values, as printed.

    teacher_q, student_q, avail_actions (bool): [S, B, T, N, A]; mask [S, B, T] bool, the steps that were played. The
    softmax leaves out unavailable and padded actions, which the paper does not mention. An agent with only one action
    left counts with 0. No gradient reaches the teacher.

    reduction: the divisor of the sum over steps played and agents. "mean": agents' transitions, steps times N. "mean
    over steps": the team's transitions, steps. "mean over episodes": the batch's episodes with a played step. "sum": 1.
    For two agents and full batches of 32 episodes of 25 steps, these losses are as 1 : 2 : 50 : 1600.
    """
    teacher, student, avail = (x.movedim(-1, 1) for x in (teacher_q.detach(), student_q, avail_actions))
    log_teacher = available_q(teacher / temperature, avail).log_softmax(1)
    log_student = available_q(student, avail).log_softmax(1)
    kl = (log_teacher.exp() * (log_teacher - log_student)).sum(1)  # [S, B, T, N]
    if reduction == "mean over steps":
        return reduced(kl.sum(-1), mask, "mean")
    if reduction == "mean over episodes":
        return reduced(kl, mask, "sum") / mask.any(-1).sum(-1).clamp(min=1)
    return reduced(kl, mask, reduction)


def combined_loss(loss_kl: Tensor, loss_td: Tensor, annealing: float | Tensor) -> Tensor:
    """Eq. 6: (1 - lambda) L_KL + lambda L_TD, [S]."""
    return (1 - annealing) * loss_kl + annealing * loss_td


def annealing_coefficient(start: float, end: float, epochs: int, hold_epochs: int, epochs_done: int) -> float:
    """Eq. 6's lambda in the epoch after `epochs_done` others: linear, then `end` for the last `hold_epochs` (Sec. V-D).

    The paper: .1 to .95 over the first 30,000 of 50,000 epochs. Its ablations (Table IV) are other ends of this line:
    lambda 0, .5 and 1 start where they end; "annealing reverse" runs from .95 to .1, since -1 * lambda as printed would
    increase the TD loss. Raises ValueError if the hold leaves no epoch for annealing.
    """
    if hold_epochs >= epochs and start != end:
        raise ValueError(
            f"hold_epochs: got {hold_epochs} of {epochs} epochs, with nothing left to go from {start} to {end}; "
            f"allowed: fewer than {epochs}"
        )
    return schedules.linear(start, end, epochs - hold_epochs, epochs_done)


class Distillation:
    """MKT-MARL's loss, eq. 6, with one teacher per task. Reports "kl", eq. 3, and "lambda".

    Raises ValueError if a task has no teacher, or one that does not fit it.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        hyperparameters: specs.MKTMARL,
        device: torch.device | str,
        dtype: torch.dtype,
    ):
        self._h, self._epochs = hyperparameters, [task.episodes for task in tasks]
        self._teachers = [TeamTeacher.of(task, k, device, dtype) for k, task in enumerate(tasks)]

    def coefficients(self, task: int, epochs_done: int) -> dict[str, float]:
        """Line 11, in the epoch after `epochs_done` others."""
        h, epochs = self._h, self._epochs[task]
        hold = int(h.lambda_hold_share * epochs)
        return {"lambda": annealing_coefficient(h.lambda_start, h.lambda_end, epochs, hold, epochs_done)}

    def __call__(
        self, task: int, batch: EpisodeBatch, q: Tensor, loss_td: Tensor, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """`qmix.ExtraLoss`: eq. 6."""
        h, avail = self._h, batch.avail_actions[:, :, :-1]
        teacher_q = self._teachers[task].q_values(batch)  # line 7
        reduction = h.distill_reduction or h.loss_reduction
        loss_kl = distillation_loss(teacher_q, q[:, :, :-1], avail, batch.mask, h.distill_temperature, reduction)
        annealing = coefficients["lambda"]
        terms = {"kl": loss_kl, "lambda": annealing.to(loss_kl.dtype).expand_as(loss_kl)}
        return combined_loss(loss_kl, loss_td, annealing), terms


def mkt_marl(
    tasks: Sequence[Task],
    hyperparameters: specs.MKTMARL,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """The `Learner`: QMIX or VDN on several tasks that also learns from one teacher per task.

    At lambda = 1 it is `qmix_multi` to the last bit. MKT-MARL-VDN (Sec. VI-D) is the mixer "vdn".
    """
    h = hyperparameters
    network, mixer, extra_loss = team_network(tasks, h), team_mixer(tasks, h), Distillation(tasks, h, device, dtype)
    return ValueDecomposition(
        tasks, h, streams, device, network=network, mixer=mixer, extra_loss=extra_loss, dtype=dtype
    )


def team_network(tasks: Sequence[Task], h: specs.MultiTask) -> MultiTaskNetwork:
    """Eq. 1 and 2 on these tasks. An agent's inputs are its observation and its one-hot number (Sec. IV-B)."""
    return MultiTaskNetwork(
        inputs=tuple(input_size(task, h.obs_agent_id, h.obs_last_action) for task in tasks),
        actions=tuple(task.action_size for task in tasks),
        embedding_width=h.observation_embedding_width,
        hidden_layers=h.hidden_layers,
        hidden_width=h.hidden_width,
    )


def team_mixer(tasks: Sequence[Task], h: specs.MultiTask) -> Mixer:
    """QMIX on SE_k(s), eq. 4, or VDN, which sums over any number of agents and reads no state.

    Raises ValueError if QMIX gets tasks with different numbers of agents: it has one weight per agent.
    """
    agents = [task.agents for task in tasks]
    if h.mixer == "qmix" and len(set(agents)) > 1:
        raise ValueError(
            f"QMIX on several tasks needs the same number of agents in all of them, got {agents}; "
            'allowed: equal numbers, or VDN (mixer = "vdn"), which sums over any number'
        )
    width = h.state_embedding_width
    inner = named_mixer(h, agents[0], width or 0)
    return inner if width is None else EmbeddedState(inner, tuple(state_size(task) for task in tasks), width)
