"""Methods whose actions are numbers, on a task of one agent. Run in a process of their own."""

import gymnasium
import numpy as np
import pytest

DECLARATION = {
    "says": "pushes",
    "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "nothing was tuned"},
    "hyperparameters": {"push": 0.25},
}


def pushes(task):
    """By gymnasium's interface; pushes each joint alike."""
    environment, push = task.gymnasium(), task.hyperparameters["push"]
    assert isinstance(environment, gymnasium.Env)
    assert task.team.continuous
    size = task.team.action_size
    assert environment.action_space == gymnasium.spaces.Box(-1, 1, (size,), np.float32)

    def policy(obs, t):
        return {agent: np.full((len(own), size), push) for agent, own in obs.items()}

    task.report(0, policy)
    over = True
    while task.steps_left:
        if over:
            obs, _ = environment.reset(seed=1)
            assert environment.observation_space.contains(obs)
        obs, reward, terminated, truncated, _ = environment.step(np.full(size, push, np.float32))
        assert isinstance(reward, float)
        over = terminated or truncated
    task.report(task.steps, policy)


def errs(task):
    """An invalid action is refused where it is given; in an evaluation it ends the run."""
    environment = task.environment()
    environment.reset()
    (agent,), size = environment.agents, task.team.action_size
    for wrong, says in (
        (np.full(size, 1.5), "got 1.5; allowed: -1 to 1"),
        (np.full(size, np.nan), "got nan; allowed: -1 to 1"),
        (np.zeros(size, int), "allowed: floats of shape"),
        (np.zeros(size + 1), "allowed: floats of shape"),
    ):
        with pytest.raises(ValueError, match=says):
            environment.step({agent: wrong})
    assert task.steps == 0
    task.report(0, lambda obs, t: {agent: np.full((len(obs[agent]), size), -2.0)})
