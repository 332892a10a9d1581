"""Players of simple adversary's adversaries that are not ours: trained weights, chance, or a script.

Axes: S seed, E environment copy, K adversary, O entry of an adversary's own observation, A = 5 action entry, H hidden.

An opponent reads only an adversary's observations, and acts with one-hot or soft vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from bench.envs import AssetMissing, Assets
from bench.envs.particle.params import Dynamics, SimpleAdversaryParams
from bench.envs.particle.physics import capped, soft_actions

ACTIONS = 5


@dataclass(frozen=True)
class OpponentWeights:
    """A trained opponent. tensors: those of a plain MLP, by name (`Pretrained`). sha256: its file's."""

    tensors: Mapping[str, Tensor]
    sha256: str


class Opponent(Protocol):
    """A policy of observations [S, E, K, O] -> actions [S, E, K, A]."""

    def reset(self, generators: Sequence[torch.Generator]) -> None:
        """New episodes begin. Seed s may use the state of generators[s], but must not draw from it."""
        ...

    def __call__(self, obs: Tensor) -> Tensor: ...

    def state(self, lane: int) -> dict[str, NDArray[Any]]:
        """What a seed's opponent needs to go on."""
        ...

    def resume(self, states: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        """Go on from the `state` of each seed."""
        ...


class Memoryless:
    """An opponent that keeps nothing from one step to the next."""

    def reset(self, generators: Sequence[torch.Generator]) -> None: ...

    def state(self, lane: int) -> dict[str, NDArray[Any]]:
        return {}

    def resume(self, states: Sequence[Mapping[str, NDArray[Any]]]) -> None: ...


class RandomOpponent:
    """Uniform one-hot actions. Each seed has a stream of its own, seeded again by each reset."""

    def __init__(self) -> None:
        self._generators: list[torch.Generator] = []

    def reset(self, generators: Sequence[torch.Generator]) -> None:
        """Seed from a copy of the environment's stream, so starts are the same against every opponent."""
        self._generators = []
        for generator in generators:
            twin = torch.Generator()
            twin.set_state(generator.get_state())
            seed = int(torch.randint(2**62, (), generator=twin))
            self._generators.append(torch.Generator().manual_seed(seed))

    def __call__(self, obs: Tensor) -> Tensor:
        drawn = [torch.randint(ACTIONS, tuple(obs.shape[1:3]), generator=g) for g in self._generators]
        return torch.nn.functional.one_hot(torch.stack(drawn), ACTIONS).to(obs.device, torch.float64)

    def state(self, lane: int) -> dict[str, NDArray[Any]]:
        return {"opponent": self._generators[lane].get_state().numpy()}

    def resume(self, states: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        self._generators = [torch.Generator() for _ in states]
        for generator, state in zip(self._generators, states, strict=True):
            generator.set_state(torch.from_numpy(state["opponent"]))


class GreedyScript(Memoryless):
    """Each adversary goes to the landmark that a good agent is nearest to: it guesses that this is the goal.

    The push is the relative position of that landmark, with full force from a distance of 1 on; velocities are unseen.
    """

    def __init__(self, params: SimpleAdversaryParams):
        self._landmarks, self._fellows = params.landmarks, params.adversaries - 1
        self._dynamics: Dynamics = params.dynamics

    def __call__(self, obs: Tensor) -> Tensor:
        seen = obs.unflatten(-1, (-1, 2))
        landmarks, good = seen[..., : self._landmarks, :], seen[..., self._landmarks + self._fellows :, :]
        x, y = (landmarks.unsqueeze(-2) - good.unsqueeze(-3)).unbind(-1)
        guess = (x * x + y * y).amin(dim=-1).argmin(dim=-1)
        chosen = guess[..., None, None].expand(*guess.shape, 1, 2)
        return soft_actions(capped(landmarks.gather(-2, chosen).squeeze(-2)), self._dynamics)


class Pretrained(Memoryless):
    """A plain MLP with ReLU between its layers. It takes the action of the greatest output; all K adversaries share it.

    tensors: "weight_0" [H, O], "bias_0" [H], ..., the last "weight_i" [A, H], "bias_i" [A]. Played in float64.
    """

    def __init__(self, weights: OpponentWeights, params: SimpleAdversaryParams, device: torch.device):
        got = {name: tuple(tensor.shape) for name, tensor in weights.tensors.items()}
        depth = max(1, len(got) // 2)
        width = params.adversary_obs_size
        widths = [width, *(got.get(f"bias_{i}", (0,))[0] for i in range(depth - 1)), ACTIONS]
        expected = {f"weight_{i}": (widths[i + 1], widths[i]) for i in range(depth)}
        expected |= {f"bias_{i}": (widths[i + 1],) for i in range(depth)}
        if got != expected:
            raise ValueError(f"opponent's tensors: got {got}; allowed: an MLP of {width} inputs, as {expected}")
        self._tensors = {name: tensor.to(device, torch.float64) for name, tensor in weights.tensors.items()}
        self._depth = depth

    def __call__(self, obs: Tensor) -> Tensor:
        # Seed by seed: a product's rounding depends on its shape, and that must not depend on other seeds.
        logits = torch.stack([self._logits(own.flatten(0, 1)) for own in obs])
        return torch.nn.functional.one_hot(logits.argmax(-1).view(obs.shape[:-1]), ACTIONS).double()

    def _logits(self, x: Tensor) -> Tensor:
        for i in range(self._depth):
            x = torch.addmm(self._tensors[f"bias_{i}"], x if i == 0 else x.relu(), self._tensors[f"weight_{i}"].mT)
        return x


def make_opponent(
    params: SimpleAdversaryParams, weights: OpponentWeights | None, device: torch.device
) -> Opponent | None:
    """The player of the adversaries; None if all are ours. Raises AssetMissing, ValueError for weights' shapes."""
    key, mend = f"scenario {params.name!r}, key 'opponent'", 'or choose opponent = "random" or "greedy_script"'
    if params.opponent != "pretrained":
        if weights is not None:
            raise ValueError(f"{key}: got weights for {params.opponent!r}; allowed: weights only with 'pretrained'")
        return {"random": RandomOpponent(), "greedy_script": GreedyScript(params), None: None}[params.opponent]
    if weights is None:
        name = f"of SHA-256 {params.opponent_sha256}" if params.opponent_sha256 else "of a trained adversary"
        raise AssetMissing(f"{key}: got 'pretrained' without weights; allowed: weights {name}; train one, {mend}")
    if params.opponent_sha256 and weights.sha256 != params.opponent_sha256:
        named = f"got weights of SHA-256 {weights.sha256}; allowed: {params.opponent_sha256}"
        raise AssetMissing(f"{key}: {named}; give the file that opponent_sha256 names, {mend}")
    return Pretrained(weights, params, device)


def load_opponent(assets: Assets, name: str) -> OpponentWeights:
    """Weights from the file `<sha256>.safetensors`. Raises AssetMissing."""
    content = assets.read(name)
    try:
        return OpponentWeights(load(content), name.partition(".")[0])
    except SafetensorError as error:
        raise AssetMissing(f"{name}: not a safetensors file ({error}); save the opponent's weights as one") from error
