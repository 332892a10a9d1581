"""Stacked multilayer perceptrons: S x N networks that share no parameter, one batched product per layer.

Axes: S seed, N agent, B batch, O observation entry, A action entry, H hidden unit; D = N*O + N*A, a joint input's
entries: the observations of all agents, then their actions.

Samples are columns: a layer maps [S, N, in, B] to [S, N, out, B] with weights [S, N, out, in] (torch.nn.Linear's)
and biases [S, N, out]. Every intermediate is then contiguous without a copy, a bias gradient is a sum over the inner
axis, and a softmax over A runs along B (25 times faster on a CPU than over 5 inner entries).
Between layers is an `Activation`: ReLU as in openai/maddpg (3ceefa0), or leaky ReLU as in KnowRU's code (b0c9817).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu_, pad

from baselines.kernels.products import affine
from baselines.learner import Layout
from baselines.streams import Streams

Parameters = dict[str, Tensor]  # weight_0, bias_0, weight_1, ...: each leads with [S, N]
Activation = Callable[[Tensor], Tensor]  # in place, exact in every entry: no rounding depends on a place in memory
InitialWeights = Literal["xavier", "xavier_leaky_relu", "linear"]
# If a product has few rows and the number of samples is not a multiple of 4, its last bits depend on the place in the
# stack (MKL 2024.2, measured for all sizes up to 69). So observations are padded, and batch sizes are multiples of it.
WHOLE_COLUMNS = 4
FEW_SAMPLES = 16  # below, MKL is up to 4 times faster with samples as rows; measured at 4 and 8, equal at 16
LEAK = 0.01  # the slope of the leaky ReLU below zero


def leaky_relu(x: Tensor) -> Tensor:
    """In place."""
    return leaky_relu_(x, LEAK)


ACTIVATIONS: Mapping[str, Activation] = {"relu": torch.relu_, "leaky_relu": leaky_relu}


def initial(
    sizes: Sequence[int],
    agents: int,
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
    weights: InitialWeights = "xavier",
) -> Parameters:
    """Fresh networks.

    weights: "xavier" makes weights Xavier-uniform and biases zero, the default of tf.contrib.layers.fully_connected in
    openai/maddpg. "xavier_leaky_relu" multiplies their bound by a leaky ReLU's gain, sqrt(2 / (1 + LEAK^2)), and draws
    biases as torch.nn.Linear does, uniform in +-1/sqrt(fan_in): KnowRU's code (b0c9817). "linear" draws both as
    torch.nn.Linear does: DVM's code (SamirW/maddpg-pytorch 7f49028).
    sizes: entries of the input, of each hidden layer, of the output. Drawn seed by seed, layer by layer, from each
    seed's "initialisation" stream on the CPU. So a seed starts from the same numbers, whichever seeds run with it.
    """
    leaky = weights == "xavier_leaky_relu"
    gain = math.sqrt(2 / (1 + LEAK**2)) if leaky else 1.0
    parameters: Parameters = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        drawn = {
            "weight": ((fan_out, fan_in), gain * math.sqrt(6 / (fan_in + fan_out))),
            "bias": ((fan_out,), 0.0 if weights == "xavier" else 1 / math.sqrt(fan_in)),
        }
        if weights == "linear":
            drawn["weight"] = (fan_out, fan_in), 1 / math.sqrt(fan_in)
        for name, (shape, bound) in drawn.items():
            own = torch.zeros(len(streams), agents, *shape, dtype=dtype)
            for lane, stream in zip(own, streams, strict=True):
                if bound:
                    lane.uniform_(-bound, bound, generator=stream["initialisation"])
            parameters[f"{name}_{layer}"] = own.to(device)
    return parameters


def entry_slots(layout: Layout, device: torch.device | str) -> Tensor | None:
    """The layout's slots as an index [O], or [N, O] if agents differ; None if the entries fill the input in order."""
    if layout.slots == tuple(range(layout.width)):
        return None
    return torch.tensor(layout.slots, device=device)


def per_agent(joint: Tensor, agents: int, actions: int) -> tuple[Tensor, Tensor]:
    """Views of a joint input [S, B, D] by agent: observations [S, N, O, B] and actions [S, N, A, B].

    With a batch for each agent, [S, N, B, D]: agent i's observations and actions in batch i.
    """
    obs, taken = joint.tensor_split((joint.shape[-1] - agents * actions,), dim=-1)
    by_agent = [part.unflatten(-1, (agents, -1)) for part in (obs, taken)]
    if joint.dim() == 4:
        by_agent = [part.diagonal(dim1=1, dim2=3).movedim(-1, 2) for part in by_agent]  # [S, B, N, entry]
    return by_agent[0].permute(0, 2, 3, 1), by_agent[1].permute(0, 2, 3, 1)


def actor_logits(
    actor: Parameters, obs: Tensor, slots: Tensor | None = None, activation: Activation = torch.relu_
) -> Tensor:
    """Logits [S, N, A, B] of observations [S, N, O, B].

    slots: for each of the observation's first entries, its place in the first layer's input, [O], or [N, O] if agents
    differ; later entries are not read. The other entries of the input are zero. Their weights neither add to the sum
    nor get a gradient, so no padded observation is ever built.
    """
    last, samples = len(actor) // 2 - 1, obs.shape[-1]
    if samples % WHOLE_COLUMNS:
        obs = pad(obs, (0, -samples % WHOLE_COLUMNS))
    first = unpadded(actor, slots)["weight_0"]
    read = obs.narrow(2, 0, first.shape[-1]).mT.flatten(0, 1).contiguous().mT
    hidden = _hidden_layers(actor, activation(_affine(first, actor["bias_0"], read)), activation)
    logits = _affine(actor[f"weight_{last}"], actor[f"bias_{last}"], hidden)
    return logits.unflatten(0, first.shape[:2])[..., :samples]


def unpadded(actor: Parameters, slots: Tensor | None) -> Parameters:
    """The actor whose first layer reads unpadded observations: `actor_logits`'s work on slots, done once."""
    if slots is None:
        return actor
    weight = actor["weight_0"]
    if slots.dim() == 1:
        return actor | {"weight_0": weight.index_select(-1, slots)}
    return actor | {"weight_0": weight.gather(-1, slots.unsqueeze(1).expand(*weight.shape[:-1], -1))}


def joint_layer(critic: Parameters, joint: Tensor) -> Tensor:
    """The critics' first layers [S, N, H, D] applied to the joint input, before the activation: [S*N, H, B].

    Input [S, B, D]: a seed's N critics read the same, so there is one [N*H, D] x [D, B] product per seed. Input
    [S, N, B, D]: each critic reads its own.
    """
    weight, bias = critic["weight_0"], critic["bias_0"]
    if joint.dim() == 4:
        return _affine(weight, bias, joint.flatten(0, 1).mT)
    first = affine(weight.flatten(1, 2), bias.flatten(1).unsqueeze(-1), joint.mT)
    return first.view(-1, weight.shape[2], joint.shape[1])


def own_action_weights(critic: Parameters, agents: int, actions: int) -> Tensor:
    """The entries of each critic's first layer that read its own agent's action: [S*N, H, A]."""
    on_actions = critic["weight_0"][..., -agents * actions :].unflatten(-1, (agents, actions))  # [S, N, H, N, A]
    return on_actions.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2).flatten(0, 1)


def values(critic: Parameters, hidden: Tensor, activation: Activation = torch.relu_) -> Tensor:
    """Q [S, N, B] from the first hidden layer's output [S*N, H, B].

    The single output is a sum of products, not a batched product of width 1. For a stack of one network some BLAS
    libraries take a matrix-vector path, and a seed's numbers would depend on the other seeds.
    """
    last = len(critic) // 2 - 1
    weight, bias = critic[f"weight_{last}"], critic[f"bias_{last}"]
    hidden = _hidden_layers(critic, hidden, activation)
    q = (hidden * weight.view(-1, hidden.shape[1], 1)).sum(1) + bias.view(-1, 1)
    return q.view(*bias.shape[:2], -1)


def joint_values(critic: Parameters, joint: Tensor, activation: Activation = torch.relu_) -> Tensor:
    """Q [S, N, B] of the joint input [S, B, D], or of one for each critic, [S, N, B, D]."""
    return values(critic, activation(joint_layer(critic, joint)), activation)


def own_action_values(
    critic: Parameters, joint: Tensor, own_actions: Tensor, activation: Activation = torch.relu_
) -> Tensor:
    """MADDPG's eq. 5: Q_i [S, N, B] with agent i's action in the joint input [S, B, D] or [S, N, B, D] replaced by its
    entry in own_actions [S, N, A, B]. The gradient reaches only own_actions.

    The joint input's product needs no gradient: each critic adds the effect of its own action's change.
    """
    critic = detached(critic)
    _, agents, actions, _ = own_actions.shape
    change = own_actions - per_agent(joint, agents, actions)[1]
    weights = own_action_weights(critic, agents, actions)
    first = joint_layer(critic, joint)
    return values(critic, activation(torch.baddbmm(first, weights, change.flatten(0, 1))), activation)


def detached(parameters: Parameters) -> Parameters:
    """The same tensors, detached from the graph."""
    return {name: tensor.detach() for name, tensor in parameters.items()}


def _affine(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """[S, N, out, in] x [S*N, in, B] + [S, N, out] -> [S*N, out, B]; few samples are rows in memory."""
    weight = weight.flatten(0, 1)
    if x.shape[-1] < FEW_SAMPLES:
        return torch.baddbmm(bias.view(-1, 1, bias.shape[-1]), x.mT, weight.mT).mT
    return affine(weight, bias.view(-1, bias.shape[-1], 1), x)


def _hidden_layers(network: Parameters, hidden: Tensor, activation: Activation) -> Tensor:
    """From the first hidden layer's output to the last one's, [S*N, H, B] both."""
    for layer in range(1, len(network) // 2 - 1):
        hidden = activation(_affine(network[f"weight_{layer}"], network[f"bias_{layer}"], hidden))
    return hidden
