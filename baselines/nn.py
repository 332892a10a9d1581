"""Stacked multilayer perceptrons: S x N networks that share no parameter, one batched product a layer.

Axes: S seed, N agent, B batch, O observation entry, A action entry, H hidden unit; D = N*O + N*A, a joint input's
entries: the observations of all agents, then their actions.

Samples are columns: a layer maps [S, N, in, B] to [S, N, out, B] with weights [S, N, out, in] (torch.nn.Linear's)
and biases [S, N, out]. Every intermediate is then contiguous without a copy, a bias gradient is a sum over the inner
axis, and a softmax over A runs along B (25 times faster on a CPU than over 5 inner entries).
ReLU between layers, as openai/maddpg (3ceefa0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

from baselines.learner import Layout
from baselines.products import affine
from baselines.streams import Streams

Parameters = dict[str, Tensor]  # weight_0, bias_0, weight_1, ...: each leads with [S, N]
# A product with few rows and a number of samples that no 4 divides gives other last bits in another place of the stack
# (MKL 2024.2, measured for all sizes to 69); so observations are filled up, and batch sizes are multiples of it.
WHOLE_COLUMNS = 4
FEW_SAMPLES = 16  # below, MKL is up to 4 times faster with samples as rows; measured at 4 and 8, equal at 16


def initial(
    sizes: Sequence[int], agents: int, streams: Sequence[Streams], device: torch.device | str, dtype: torch.dtype
) -> Parameters:
    """Xavier-uniform weights, zero biases: the default of tf.contrib.layers.fully_connected, as openai/maddpg used.

    sizes: entries of the input, of each hidden layer, of the output. Drawn seed by seed, layer by layer, from each
    seed's "initialisation" stream on the CPU, so that a seed starts from the same numbers in any company.
    """
    parameters: Parameters = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        bound = math.sqrt(6 / (fan_in + fan_out))
        weight = torch.empty(len(streams), agents, fan_out, fan_in, dtype=dtype)
        for lane, stream in zip(weight, streams, strict=True):
            lane.uniform_(-bound, bound, generator=stream["initialisation"])
        parameters[f"weight_{layer}"] = weight.to(device)
        parameters[f"bias_{layer}"] = torch.zeros(len(streams), agents, fan_out, dtype=dtype, device=device)
    return parameters


def entry_slots(layout: Layout, device: torch.device | str) -> Tensor | None:
    """The layout's slots as an index [O]; None where the observation fills the layout in order."""
    if layout.slots == tuple(range(layout.width)):
        return None
    return torch.tensor(layout.slots, device=device)


def per_agent(joint: Tensor, agents: int, actions: int) -> tuple[Tensor, Tensor]:
    """Views of a joint input [S, B, D] by agent: observations [S, N, O, B] and actions [S, N, A, B]."""
    obs, taken = joint.tensor_split((joint.shape[-1] - agents * actions,), dim=-1)
    by_agent = (part.unflatten(-1, (agents, -1)).permute(0, 2, 3, 1) for part in (obs, taken))
    return next(by_agent), next(by_agent)


def actor_logits(actor: Parameters, obs: Tensor, slots: Tensor | None = None) -> Tensor:
    """Logits [S, N, A, B] of observations [S, N, O, B].

    slots [O]: the entry of the first layer's input that each observation entry is. The other entries read zero, so
    their weights neither add to the sum nor get a gradient, and no padded observation is ever built.
    """
    last, samples = len(actor) // 2 - 1, obs.shape[-1]
    if samples % WHOLE_COLUMNS:
        obs = pad(obs, (0, -samples % WHOLE_COLUMNS))
    first = unpadded(actor, slots)["weight_0"]
    hidden = _relu_layers(actor, _affine(first, actor["bias_0"], obs.mT.flatten(0, 1).contiguous().mT).relu_())
    logits = _affine(actor[f"weight_{last}"], actor[f"bias_{last}"], hidden)
    return logits.unflatten(0, first.shape[:2])[..., :samples]


def unpadded(actor: Parameters, slots: Tensor | None) -> Parameters:
    """The actor whose first layer reads observations as they come: what `actor_logits` makes of slots, made once."""
    return actor if slots is None else actor | {"weight_0": actor["weight_0"].index_select(-1, slots)}


def joint_layer(critic: Parameters, joint: Tensor) -> Tensor:
    """What the critics' first layers [S, N, H, D] make of the joint input [S, B, D], before ReLU: [S, N*H, B].

    A seed's N critics read the same input: one [N*H, D] x [D, B] product a seed.
    """
    weight, bias = critic["weight_0"], critic["bias_0"]
    return affine(weight.flatten(1, 2), bias.flatten(1).unsqueeze(-1), joint.mT)


def own_action_weights(critic: Parameters, agents: int, actions: int) -> Tensor:
    """The entries of each critic's first layer that read its own agent's action: [S*N, H, A]."""
    on_actions = critic["weight_0"][..., -agents * actions :].unflatten(-1, (agents, actions))  # [S, N, H, N, A]
    return on_actions.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2).flatten(0, 1)


def values(critic: Parameters, hidden: Tensor) -> Tensor:
    """Q [S, N, B] from the first hidden layer's output [S*N, H, B].

    The one output is a sum of products, not a batched product of width 1: for a stack of one network some BLAS take a
    matrix-vector path, and a seed's numbers would depend on its companions.
    """
    last = len(critic) // 2 - 1
    weight, bias = critic[f"weight_{last}"], critic[f"bias_{last}"]
    hidden = _relu_layers(critic, hidden)
    q = (hidden * weight.view(-1, hidden.shape[1], 1)).sum(1) + bias.view(-1, 1)
    return q.view(*bias.shape[:2], -1)


def joint_values(critic: Parameters, joint: Tensor) -> Tensor:
    """Q [S, N, B] of the joint input [S, B, D]."""
    return values(critic, joint_layer(critic, joint).relu_().view(_stack_shape(critic, joint)))


def own_action_values(critic: Parameters, joint: Tensor, own_actions: Tensor) -> Tensor:
    """Q_i [S, N, B] with agent i's action in the joint input [S, B, D] replaced by its entry in own_actions
    [S, N, A, B]; the gradient reaches own_actions alone.

    The joint input's product is still shared by the N critics: each adds what its own action's change makes of it.
    """
    critic = detached(critic)
    _, agents, actions, _ = own_actions.shape
    change = own_actions - per_agent(joint, agents, actions)[1]
    weights = own_action_weights(critic, agents, actions)
    first = joint_layer(critic, joint).view(_stack_shape(critic, joint))
    return values(critic, torch.baddbmm(first, weights, change.flatten(0, 1)).relu_())


def detached(parameters: Parameters) -> Parameters:
    """The same tensors, cut from the graph."""
    return {name: tensor.detach() for name, tensor in parameters.items()}


def _affine(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """[S, N, out, in] x [S*N, in, B] + [S, N, out] -> [S*N, out, B]; few samples stand as rows in memory."""
    weight = weight.flatten(0, 1)
    if x.shape[-1] < FEW_SAMPLES:
        return torch.baddbmm(bias.view(-1, 1, bias.shape[-1]), x.mT, weight.mT).mT
    return affine(weight, bias.view(-1, bias.shape[-1], 1), x)


def _stack_shape(critic: Parameters, joint: Tensor) -> tuple[int, int, int]:
    """[S*N, H, B]."""
    seeds, agents, hidden = critic["bias_0"].shape
    return seeds * agents, hidden, joint.shape[1]


def _relu_layers(network: Parameters, hidden: Tensor) -> Tensor:
    """From the first hidden layer's output to the last one's, [S*N, H, B] both."""
    for layer in range(1, len(network) // 2 - 1):
        hidden = _affine(network[f"weight_{layer}"], network[f"bias_{layer}"], hidden).relu_()
    return hidden
