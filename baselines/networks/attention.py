"""MAAC's critic (Iqbal and Sha 2019; eq. 4 and 5 of Gao et al. 2021): values with attention over the other agents.

Axes: S seed, N agent, B batch, O observation entry, A action entry, H hidden unit, K head, D = H / K entry of a head.
Samples are columns, as in kernels/nn.py. Parameters have dotted names; those of agents lead with [S, N], shared ones
with [S].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from baselines.kernels.layers import part
from baselines.kernels.nn import Parameters, initial, leaky_relu
from baselines.kernels.products import affine
from baselines.streams import Streams

# Parameters that all agents' losses reach: state-action encoders, since others attend to them, and the layers that make
# keys, selectors and values from encodings. MAAC divides their gradients by N (utils/critics.py, `scale_shared_grads`).
SHARED = ("encoder", "key", "selector", "value")


def initial_critic(
    obs: int,
    actions: int,
    agents: int,
    width: int,
    streams: Sequence[Streams],
    device: torch.device | str,
    dtype: torch.dtype,
) -> Parameters:
    """Fresh networks, all as torch.nn.Linear draws them: g_i, the encoder of an observation and an action; the
    encoder of an observation alone; f_i, the head, of that encoding and what was attended to; W_k, W_q and V.
    """
    given = (streams, device, dtype, "linear")
    parts = {
        "encoder": initial([obs + actions, width], agents, *given),
        "state_encoder": initial([obs, width], agents, *given),
        "head": initial([2 * width, width, actions], agents, *given),
    }
    shared = {name: initial([width, width], 1, *given) for name in ("key", "selector", "value")}
    for name, own in shared.items():
        parts[name] = {n: p[:, 0].contiguous() for n, p in own.items() if name == "value" or n == "weight_0"}
    return {f"{name}.{n}": p for name, own in parts.items() for n, p in own.items()}


def normalised(x: Tensor) -> Tensor:
    """Batch normalisation without scale and shift, by the batch's own mean and variance: [S, N, entry, B]."""
    mean, variance = moments(x)
    return (x - mean) / (variance + NORM_EPSILON).sqrt()


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance over the batch, [S, N, entry, 1] each."""
    mean = x.mean(-1, keepdim=True)
    return mean, (x - mean).square().mean(-1, keepdim=True)


NORM_EPSILON = 1e-5  # torch.nn.BatchNorm1d's


def action_values(critic: Mapping[str, Tensor], obs: Tensor, actions: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Each agent's values of all its actions [S, N, A, B], with the others' actions as given; and attention logits.

    obs [S, N, O, B] and actions [S, N, A, B], both `normalised`. The unscaled logits [S, K, B, N, N] are those of agent
    i (rows) for agent j; those of an agent for itself are zero.
    """
    seeds, agents, _, batch = obs.shape
    encoded = _of_agents(part(critic, "encoder"), torch.cat([obs, actions], 2))
    states = _of_agents(part(critic, "state_encoder"), obs)
    columns = encoded.transpose(1, 2).flatten(2)  # [S, H, N B]
    keys = _of_all(critic["key.weight_0"], None, columns)
    values = leaky_relu(_of_all(critic["value.weight_0"], critic["value.bias_0"], columns))
    selectors = _of_all(critic["selector.weight_0"], None, states.transpose(1, 2).flatten(2))

    def by_sample(x: Tensor) -> Tensor:
        """[S, K D, N B] -> [S K B, N, D]."""
        split = x.view(seeds, heads, -1, agents, batch)
        return split.permute(0, 1, 4, 3, 2).reshape(-1, agents, split.shape[2])

    own = torch.eye(agents, dtype=torch.bool, device=obs.device)
    key = by_sample(keys)
    logits = torch.bmm(by_sample(selectors), key.mT)
    weights = (logits / math.sqrt(key.shape[-1])).masked_fill(own, -torch.inf).softmax(-1)
    attended = torch.bmm(weights, by_sample(values)).view(seeds, heads, batch, agents, -1)
    others = attended.permute(0, 3, 1, 4, 2).flatten(2, 3)  # [S, N, K D, B]
    q = _of_agents(part(critic, "head"), torch.cat([states, others], 2), last=True)
    return q, logits.masked_fill(own, 0).view(seeds, heads, batch, agents, agents)


def _of_agents(network: Parameters, x: Tensor, last: bool = False) -> Tensor:
    """Each agent's own layers, [S, N, in, B] -> [S, N, out, B], leaky ReLU after each; last: not after the last."""
    found, layers = x.flatten(0, 1), len(network) // 2
    for n in range(layers):
        found = affine(network[f"weight_{n}"].flatten(0, 1), network[f"bias_{n}"].flatten(0, 1).unsqueeze(-1), found)
        found = found if last and n == layers - 1 else leaky_relu(found)
    return found.unflatten(0, x.shape[:2])


def _of_all(weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """A layer that all agents share: [S, out, in] x [S, in, M] -> [S, out, M]."""
    none = weight.new_zeros(*weight.shape[:2]) if bias is None else bias
    return affine(weight, none.unsqueeze(-1), x)
