"""EPyMARL's pretrained adversary as an opponent of ours: its batch normalisation folded into the first layer.

Axes: I input entry, H hidden unit, A action entry.

uoe-agents/epymarl cbc38c0, src/envs/pretrained: `DDPG.step` takes the greatest output of a network in evaluation mode,
    y = fc3(relu(fc2(relu(fc1(in_fn(x)))))),
    in_fn(x) = (x - running_mean) / sqrt(running_var + EPSILON) * weight + bias.
`PretrainedAdversary` gives it the adversary's observation of the state in which all agents act. So does
`opponents.Pretrained`.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

EPSILON = 1e-5  # torch.nn.BatchNorm1d's default; not in the file
LAYERS = ("fc1", "fc2", "fc3")
NORM = ("weight", "bias", "running_mean", "running_var")
WHERE = "agent_params[0].policy"

Tensors = dict[str, NDArray[np.float64]]


def folded(content: bytes) -> bytes:
    """A file of EPyMARL's `torch.save` -> safetensors of a plain MLP, float32: `weight_i` [out, in], `bias_i` [out].

    It folds in float64 and adds in a fixed order, so the file is the same on every machine. Only tensors are unpickled.
    Raises ValueError if the content is not such a file.
    """
    own = _policy(content)
    scale = own["in_fn.weight"] / np.sqrt(own["in_fn.running_var"] + EPSILON)  # [I]
    shift = own["in_fn.bias"] - own["in_fn.running_mean"] * scale
    first = own["fc1.weight"]  # [H, I]
    bias = np.zeros(len(first))
    for i in range(first.shape[1]):
        bias += first[:, i] * shift[i]
    tensors = {"weight_0": first * scale, "bias_0": own["fc1.bias"] + bias}
    for i, layer in enumerate(LAYERS[1:], start=1):
        tensors |= {f"weight_{i}": own[f"{layer}.weight"], f"bias_{i}": own[f"{layer}.bias"]}
    return save({name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()})


def _policy(content: bytes) -> Tensors:
    """The policy's tensors by name, checked, as float64."""
    try:
        loaded: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # many kinds are possible, one of them from a module that is not imported here
        reason = str(error).partition("\n")[0]
        raise ValueError(f"got no file of tensors ({reason}); allowed: one that torch.save wrote") from error
    try:
        policy = loaded["agent_params"][0]["policy"]
        own = {name: policy[name].double().numpy() for name in _names()}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{WHERE}: got no such tensors ({error!r}); allowed: {', '.join(_names())}") from error
    got, expected = {name: tensor.shape for name, tensor in own.items()}, _shapes(own)
    if got != expected:
        raise ValueError(f"{WHERE}: got the shapes {got}; allowed: {expected}")
    if not all(np.isfinite(tensor).all() for tensor in own.values()):
        raise ValueError(f"{WHERE}: got numbers that are not finite; allowed: finite ones")
    return own


def _names() -> list[str]:
    return [f"in_fn.{name}" for name in NORM] + [f"{layer}.{name}" for layer in LAYERS for name in ("weight", "bias")]


def _shapes(own: Tensors) -> dict[str, tuple[int, ...]]:
    """The shapes of a stack of layers with the biases' widths."""
    widths = [own["in_fn.weight"].size, *(own[f"{layer}.bias"].size for layer in LAYERS)]
    shapes: dict[str, tuple[int, ...]] = {f"in_fn.{name}": (widths[0],) for name in NORM}
    for i, layer in enumerate(LAYERS):
        shapes |= {f"{layer}.weight": (widths[i + 1], widths[i]), f"{layer}.bias": (widths[i + 1],)}
    return shapes
