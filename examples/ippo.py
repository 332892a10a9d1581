"""Independent PPO (de Witt et al. 2020) in plain PyTorch: each agent learns alone, from its own observations.

Axes: N agent, B sample (environments x steps), T step, O observation entry, A action. Settings: Schulman et al. 2017,
except for the number of samples, which follows from the episode's length. Nothing was tuned.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Categorical

from bench.guests import Obs, Task

DECLARATION = {
    "says": "independent PPO, an actor and a critic for each agent",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "settings of Schulman et al. (2017), untuned"},
    "hyperparameters": {
        "environments": 8,
        "width": 64,
        "lr": 3e-4,
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "clip": 0.2,
        "epochs": 10,
        "minibatches": 4,
        "entropy": 0.01,
    },
}


class Agent(nn.Module):
    def __init__(self, obs_size: int, actions: int, width: int):
        super().__init__()
        self.actor, self.critic = (
            nn.Sequential(
                nn.Linear(obs_size, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, n)
            )
            for n in (actions, 1)
        )

    def act(self, obs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sampled actions [B], their log probabilities [B] and values [B] of obs [B, O]."""
        chosen = Categorical(logits=self.actor(obs))
        action = chosen.sample()
        return action, chosen.log_prob(action), self.critic(obs).squeeze(-1)


def train(task: Task) -> None:
    torch.manual_seed(task.seed)
    h, team = task.hyperparameters, task.team
    sizes = zip(team.obs_sizes, team.action_sizes, strict=True)
    agents = {name: Agent(*own, h["width"]) for name, own in zip(team.agents, sizes, strict=True)}
    optimizers = {name: torch.optim.Adam(agent.parameters(), h["lr"], eps=1e-5) for name, agent in agents.items()}
    environments = [task.environment() for _ in range(h["environments"])]

    @torch.no_grad()
    def policy(obs: Mapping[str, Obs], t: int) -> dict[str, NDArray[np.int64]]:
        return {name: agent.actor(torch.from_numpy(obs[name])).argmax(-1).numpy() for name, agent in agents.items()}

    task.report(0, policy)
    while task.steps_left >= len(environments) * task.episode_limit:
        rollout = play(environments, agents)
        for name, agent in agents.items():
            update(agent, optimizers[name], rollout[name], h)
        task.report(task.steps, policy)


@torch.no_grad()
def play(environments: list, agents: Mapping[str, Agent]) -> dict[str, dict[str, Tensor]]:
    """An episode of each environment: by agent, tensors [T, E, ...]; values has one more step, the end's."""
    rows: dict[str, dict[str, list[Tensor]]] = {name: {} for name in agents}

    def keep(name: str, **tensors: Tensor) -> None:
        for key, tensor in tensors.items():
            rows[name].setdefault(key, []).append(tensor)

    seen = [environment.reset()[0] for environment in environments]
    while all(environment.agents for environment in environments):
        obs = {name: torch.from_numpy(np.stack([own[name] for own in seen])) for name in agents}
        taken = {}
        for name, agent in agents.items():
            taken[name], log_prob, value = agent.act(obs[name])
            keep(name, obs=obs[name], action=taken[name], log_prob=log_prob, value=value)
        stepped = [env.step({name: int(taken[name][e]) for name in agents}) for e, env in enumerate(environments)]
        seen = [step[0] for step in stepped]
        for name in agents:
            keep(name, reward=torch.tensor([step[1][name] for step in stepped], dtype=torch.float32))
    for name, agent in agents.items():  # a time limit is not a terminal state: the last observation has a value
        keep(name, value=agent.critic(torch.from_numpy(np.stack([own[name] for own in seen]))).squeeze(-1))
    return {name: {key: torch.stack(own) for key, own in columns.items()} for name, columns in rows.items()}


def update(agent: Agent, optimizer: torch.optim.Optimizer, rollout: Mapping[str, Tensor], h: Mapping) -> None:
    """PPO's clipped objective on generalised advantages."""
    rewards, values = rollout["reward"], rollout["value"]
    advantages, running = torch.zeros_like(rewards), torch.zeros(rewards.shape[1])
    for t in reversed(range(len(rewards))):
        running = rewards[t] + h["gamma"] * values[t + 1] - values[t] + h["gamma"] * h["gae_lambda"] * running
        advantages[t] = running
    returns, advantages = (advantages + values[:-1]).flatten(), advantages.flatten()
    obs, action, log_prob = (rollout[key].flatten(0, 1) for key in ("obs", "action", "log_prob"))
    for _ in range(h["epochs"]):
        for batch in torch.randperm(len(returns)).chunk(h["minibatches"]):
            chosen = Categorical(logits=agent.actor(obs[batch]))
            ratio = (chosen.log_prob(action[batch]) - log_prob[batch]).exp()
            gain = (advantages[batch] - advantages[batch].mean()) / (advantages[batch].std() + 1e-8)
            surrogate = torch.min(ratio * gain, ratio.clamp(1 - h["clip"], 1 + h["clip"]) * gain).mean()
            error = (agent.critic(obs[batch]).squeeze(-1) - returns[batch]).square().mean()
            loss = -surrogate + 0.5 * error - h["entropy"] * chosen.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()
