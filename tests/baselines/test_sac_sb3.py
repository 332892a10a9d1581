"""SAC's losses are stable-baselines3's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import Linear

from tests.baselines.test_sac import ACTIONS, BATCH, OBS, WARMUP, Play


def test_losses_are_stable_baselines3_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights, batch and noise: to 1e-5, with its 1e-6 in the likelihood's logarithm unchanged.

    Its temperature's loss has log alpha where eq. 18 has alpha; what both multiply is compared.
    """
    sb3 = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed (extra `examples`)")
    import gymnasium
    from stable_baselines3.common.logger import Logger
    from stable_baselines3.common.type_aliases import ReplayBufferSamples

    class World(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(-1, 1, (OBS,))
        action_space = gymnasium.spaces.Box(-1, 1, (ACTIONS,))

    learner = Play((0,), hidden_width=32).steps(WARMUP - 1).learner
    learner._actor["bias_2"][:, :, ACTIONS:] -= 1  # far from tanh's ends, where its 1e-6 would count
    state, (batch, noise) = learner.state(), learner._drawn()
    h = learner.hyperparameters
    theirs = sb3.SAC(
        "MlpPolicy",
        World(),
        learning_rate=h.lr,
        batch_size=BATCH,
        tau=h.tau,
        gamma=h.gamma,
        ent_coef=f"auto_{h.temperature_start}",
        policy_kwargs={"net_arch": [32, 32]},
        device="cpu",
    )
    linears = {
        "actor": [*theirs.actor.latent_pi, theirs.actor.mu, theirs.actor.log_std],
        **{f"critic {i}": [*q] for i, q in enumerate(theirs.critic.q_networks)},
        **{f"target {i}": [*q] for i, q in enumerate(theirs.critic_target.q_networks)},
    }
    for name, layers in linears.items():
        (kind, _, i), own = name.partition(" "), [layer for layer in layers if isinstance(layer, Linear)]
        weights = [state[f"{kind}.weight_{n}"][0, int(i or 0)] for n in range(3)]
        biases = [state[f"{kind}.bias_{n}"][0, int(i or 0)] for n in range(3)]
        if kind == "actor":
            weights[2:], biases[2:] = weights[2].chunk(2), biases[2].chunk(2)
        for layer, weight, bias in zip(own, weights, biases, strict=True):
            layer.load_state_dict({"weight": weight, "bias": bias})
    theirs.log_ent_coef.data.copy_(state["temperature.log"].view(1))

    dones = batch.terminated[0].float().unsqueeze(-1)
    rewards = batch.rewards[0].unsqueeze(-1)
    sample = ReplayBufferSamples(batch.obs[0], batch.actions[0], batch.next_obs[0], dones, rewards)
    monkeypatch.setattr(theirs.replay_buffer, "sample", lambda *_, **__: sample)
    draws = iter([noise[0, 1, 0].T, noise[0, 0, 0].T])  # it samples in the states first
    monkeypatch.setattr("torch.distributions.normal._standard_normal", lambda *_, **__: next(draws))
    theirs._logger = Logger(None, [])
    theirs.train(1, BATCH)
    said = theirs.logger.name_to_value
    ours = {name: loss.item() for name, loss in learner._update(batch, noise, {}).items()}
    assert ours["critic"] == pytest.approx(said["train/critic_loss"], abs=1e-5)
    assert ours["actor"] == pytest.approx(said["train/actor_loss"], abs=1e-5)
    assert ours["alpha"] == pytest.approx(said["train/ent_coef"], rel=1e-6)
    log_alpha = state["temperature.log"].item()
    assert ours["temperature"] / ours["alpha"] == pytest.approx(said["train/ent_coef_loss"] / log_alpha, abs=1e-5)
    found = learner.state()
    for name, layers in linears.items():
        if not name.startswith("actor"):
            kind, _, i = name.partition(" ")
            first = next(layer for layer in layers if isinstance(layer, Linear))
            assert torch.allclose(found[f"{kind}.weight_0"][0, int(i)], first.weight, atol=1e-4), name
