"""PTDE (Chen et al. 2024): personalised global information, then distillation. Its additions to QMIX, VDN or MAPPO.

Axes: S seed, B batch of episodes, T time step, N agent, I input entry (observation, last action, agent id), X state
entry, H hidden unit, Z entry of z, A action; M sample, a column (see kernels/layers.py).

| paper | here | as released (chenyiqun/ptde-open 38903d8) |
|---|---|---|
| Sec. 3.1, Fig. 1: GIU | `GIU` | one Linear without activation, then the two heads |
| Sec. 3.2, eq. 1 to 3, Fig. 2: GIP | `GIP` | hidden widths 64, ELU |
| the same: Agent-Hyper Network | `personal` | Linear - ReLU - Linear for weights, one Linear for the bias |
| the same: Distribution Generator, N(mu, sigma^2) | `Gaussian` | variance exp(.), .01 at least |
| Sec. 3.1: Q_i of h_i and z_i | `team.InformedNetwork` | z enters by addition |
| Sec. 3.4, eq. 7 and 8, Algorithm 1: stage 1 | `stage_1`, `qmix.td_loss` | no term on z |
| Sec. 3.3, eq. 5, Fig. 4: the student | `Student` | two hidden layers of 64; executes with variance .01 |

Stage 2 is in `ptde_distill.py`. Where the paper is silent, or says "an MLP", the released code decides:
- z is sampled in every step, in training, for targets and in evaluations.
- Eq. 2's generated weights are linear in the inputs of the hyper-network's last layer. So the product with the state is
  computed as one bilinear form: a step's state makes one H x H matrix for all agents, while the weights themselves
  would be X x H numbers for each agent. It is the same function, with the same gradients and the same initialisation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import elu, leaky_relu
from torch.utils.checkpoint import checkpoint

from baselines import specs
from baselines.kernels.layers import columns, initial_linear, linear, mlp, mlp_of_rows, named, part, rows
from baselines.kernels.nn import Parameters
from baselines.learner import Task
from baselines.networks.agents import input_size, state_size
from baselines.networks.team import Information, InformedNetwork
from baselines.qmix import ValueDecomposition, named_mixer
from baselines.streams import Streams

AT_ONCE = 4096  # steps with matrices in memory at once: 64 MB for H = 64 and float32; beyond it they are recomputed


@dataclass(frozen=True)
class Gaussian:
    """The Distribution Generator: mean and variance of z, each by Linear - LeakyReLU - Linear; z is a sample.

    variance_floor: the variance is exp of the head's output, but at least this.
    """

    inputs: int
    width: int
    variance_floor: float

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        sizes = [self.inputs, self.width, self.width]
        mean = named("mean", initial_linear(sizes, streams, device, dtype))
        return mean | named("variance", initial_linear(sizes, streams, device, dtype))

    def of(self, parameters: Mapping[str, Tensor], hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance [S, Z, M] of hidden [S, H, M]."""
        mean = leaky_mlp(part(parameters, "mean"), hidden)
        return mean, leaky_mlp(part(parameters, "variance"), hidden).exp().clamp(min=self.variance_floor)


def leaky_mlp(parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Linear - LeakyReLU - Linear, [S, in, M] -> [S, out, M]."""
    hidden = leaky_relu(linear(parameters["weight_0"], parameters["bias_0"], x))  # slope .01, torch's
    return linear(parameters["weight_1"], parameters["bias_1"], hidden)


def sampled(mean: Tensor, variance: Tensor, noise: Tensor) -> Tensor:
    """mean + sqrt(variance) noise: a sample that passes gradients."""
    return mean + variance.sqrt() * noise


@dataclass(frozen=True)
class GIU:
    """Sec. 3.1: all z have one distribution, made from the state alone; `Information`. COPA as released, too."""

    state_size: int
    gaussian: Gaussian

    @property
    def noise(self) -> int:
        return self.gaussian.width

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        encoder = initial_linear([self.state_size, self.gaussian.inputs], streams, device, dtype)
        return named("encoder", encoder) | self.gaussian.initial(streams, device, dtype)

    def distribution(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance [S, B, T, N, Z], the same for all N."""
        hidden = mlp(part(parameters, "encoder"), columns(state))
        shape = (*inputs.shape[:-1], self.gaussian.width)
        mean, variance = (rows(x, state.shape[1:-1]) for x in self.gaussian.of(parameters, hidden))
        return mean.unsqueeze(-2).expand(shape), variance.unsqueeze(-2).expand(shape)

    def z(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        return sampled(*self.distribution(parameters, inputs, state), noise)


@dataclass(frozen=True)
class GIP:
    """Sec. 3.2: z_i ~ N(mu, sigma^2) of ELU(s W(o_i) + b(o_i)), whose weights are generated for each agent.

    inputs: I. state_size: X. width: H, of all hidden layers. An `Information`.
    """

    inputs: int
    state_size: int
    width: int
    gaussian: Gaussian

    @property
    def noise(self) -> int:
        return self.gaussian.width

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        personal = initial_personal(self.inputs, self.state_size, self.width, streams, device, dtype)
        return personal | self.gaussian.initial(streams, device, dtype)

    def distribution(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance [S, B, T, N, Z]."""
        hidden = columns(personal(parameters, inputs, state))
        mean, variance = (rows(x, inputs.shape[1:-1]) for x in self.gaussian.of(parameters, hidden))
        return mean, variance

    def z(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        return sampled(*self.distribution(parameters, inputs, state), noise)


def initial_personal(
    inputs: int, states: int, width: int, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """The Agent-Hyper Network. generator.*: Linear(I, H), before ReLU. matrix, vector: weights and biases of its last
    Linear(H, X H), ordered by the state entry that they multiply: matrix [S, H H, X], vector [S, H, X]. bias.*:
    Linear(I, H). A row of matrix stands for a unit of the generator and one of the output, in this order.
    """
    where = streams, device, dtype
    last = initial_linear([width, states * width], *where)
    matrix = last["weight_0"].unflatten(1, (states, width)).permute(0, 3, 2, 1).flatten(1, 2).contiguous()
    vector = last["bias_0"].unflatten(1, (states, width)).mT.contiguous()
    made = named("generator", initial_linear([inputs, width], *where)) | {"matrix": matrix, "vector": vector}
    return made | named("bias", initial_linear([inputs, width], *where))


def personal(parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor) -> Tensor:
    """Eq. 2: ELU(s W(o_i) + b(o_i)), [S, B, T, N, H] of inputs [S, B, T, N, I] and state [S, B, T, X].

    Long batches are split into parts of time steps. The backward pass recomputes their matrices.
    """
    steps = max(1, AT_ONCE // state.shape[1])
    if state.shape[2] <= steps:
        return _personal(parameters, inputs, state)
    parts = zip(inputs.split(steps, 2), state.split(steps, 2), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([_personal(parameters, *own) for own in parts], 2)
    return torch.cat([checkpoint(_personal, parameters, *own, use_reentrant=False) for own in parts], 2)


def _personal(parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor) -> Tensor:
    seeds, batch, time, agents, _ = inputs.shape
    own = mlp_of_rows(part(parameters, "generator"), inputs).relu()  # [S, B, T, N, H]
    width, steps = own.shape[-1], columns(state)
    matrix = (steps.mT @ parameters["matrix"].mT)[:, : batch * time]  # [S, B*T, H*H]
    found = own.reshape(-1, agents, width) @ matrix.reshape(-1, width, width)
    of_state = rows(linear(parameters["vector"], steps.new_zeros(seeds, width), steps), (batch, time, 1))
    return elu(found.view(own.shape) + of_state + mlp_of_rows(part(parameters, "bias"), inputs))


@dataclass(frozen=True)
class Student:
    """Eq. 5: the part of z that follows from an agent's own inputs; `Information` that does not read the state.

    Two hidden layers, ReLU and LeakyReLU. In execution it gives a sample of variance `variance`, as released; 0: its
    mean.
    """

    inputs: int
    width: int
    z_width: int
    variance: float

    @property
    def noise(self) -> int:
        return self.z_width

    def initial(self, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype) -> Parameters:
        first = named("first", initial_linear([self.inputs, self.width], streams, device, dtype))
        return first | named("last", initial_linear([self.width, self.width, self.z_width], streams, device, dtype))

    def mean(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """[S, I, M] -> [S, Z, M]."""
        return leaky_mlp(part(parameters, "last"), mlp(part(parameters, "first"), x).relu())

    def z(self, parameters: Mapping[str, Tensor], inputs: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        mean = rows(self.mean(parameters, columns(inputs)), inputs.shape[1:-1])
        return mean + math.sqrt(self.variance) * noise


def module_of(task: Task, h: specs.Personal | specs.PersonalActors, inputs: int) -> GIU | GIP:
    """GIU or GIP, as the hyperparameters say, for a task whose agents' networks read `inputs` entries."""
    states = state_size(task)
    gaussian = Gaussian(h.encoder_width, h.z_width, h.variance_floor)
    return GIU(states, gaussian) if h.information == "giu" else GIP(inputs, states, h.encoder_width, gaussian)


def stage_1(
    tasks: Sequence[Task],
    hyperparameters: specs.Personal,
    streams: Sequence[Streams],
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """The `Learner`: QMIX or VDN whose agents read z (Algorithm 1). Raises ValueError for more than one task."""
    if len(tasks) != 1:
        raise ValueError(f"PTDE learns one task, got {len(tasks)}; allowed: 1")
    h, (task,) = hyperparameters, tasks
    inputs = input_size(task, h.obs_agent_id, h.obs_last_action)
    return informed(tasks, h, streams, device, module_of(task, h, inputs), dtype=dtype)


def informed(
    tasks: Sequence[Task],
    h: specs.Informed,
    streams: Sequence[Streams],
    device: torch.device | str,
    information: Information,
    *,
    dtype: torch.dtype = torch.float32,
) -> ValueDecomposition:
    """QMIX or VDN on one task, whose agents read the z that `information` makes from the state."""
    (task,) = tasks
    inputs = input_size(task, h.obs_agent_id, h.obs_last_action)
    network = InformedNetwork(inputs, h.hidden_width, task.action_size, h.z_width, h.z_head)
    mixer = named_mixer(h, task.agents, state_size(task))
    return ValueDecomposition(
        tasks, h, streams, device, network=network, mixer=mixer, information=information, dtype=dtype
    )
