"""Methods that keep the rules, for tests of the harness. Run in a process of their own."""

import numpy as np
import pytest

DECLARATION = {
    "says": "keeps the rules",
    "tuning": {"runs": 4, "steps": 1000, "seeds": [0, 7], "says": "four learning rates"},
    "teacher": True,
}


def leaning(obs, t):
    """Each agent pushes along the larger of its first landmark's coordinates; at first it stands still."""
    chosen = {}
    for agent, own in obs.items():
        x, y = own[:, 4], own[:, 5]
        along_x, along_y = np.where(x > 0, 1, 2), np.where(y > 0, 3, 4)
        chosen[agent] = np.where(np.abs(x) > np.abs(y), along_x, along_y) * (t > 0)
    return chosen


def still(obs, t):
    return {agent: np.zeros(len(own), np.int64) for agent, own in obs.items()}


def leans(task):
    """Trains nothing; takes its steps in two environments in turn, and reports after each episode."""
    environments = [task.environment(), task.environment()]
    task.report(0, leaning)
    while task.steps_left:
        for environment in environments:
            obs, _ = environment.reset(seed=1)
            t = 0
            while environment.agents:
                actions = leaning({agent: own[None] for agent, own in obs.items()}, t)
                obs, *_ = environment.step({agent: int(own[0]) for agent, own in actions.items()})
                t += 1
            task.report(task.steps, leaning)


def imitates(task):
    """Plays what its teacher would, where it has one."""
    if task.teacher is None:
        task.report(0, still)
        return

    def policy(obs, t):
        return {agent: values.argmax(-1) for agent, values in task.teacher(obs, t).items()}

    task.report(0, policy)


def writes_down(task):
    """Puts an environment's observations where a test can read them: into the hash of its actions."""
    environment = task.environment()
    first, _ = environment.reset(seed=5)
    second, _ = environment.reset(seed=5)
    assert not np.array_equal(first["agent_0"], second["agent_0"])
    assert environment.state().shape == environment.state_space.shape
    for agent in environment.possible_agents:
        assert environment.observation_space(agent).contains(first[agent])
    rewards, terminated, truncated = {}, {}, {}
    for _ in range(task.episode_limit):
        assert environment.agents == environment.possible_agents
        _, rewards, terminated, truncated, _ = environment.step(dict.fromkeys(environment.agents, 0))
    assert environment.agents == []
    assert all(truncated.values())
    assert not any(terminated.values())
    assert set(rewards) == set(environment.possible_agents)
    assert all(isinstance(reward, float) and reward < 0 for reward in rewards.values())
    assert task.steps == task.episode_limit
    with pytest.raises(ValueError, match="report: got step 1; allowed: 25, the environment's count of steps"):
        task.report(1, still)
    task.report(task.steps, still)


def runs_out(task):
    """Steps until the environment refuses, and lets that end it."""
    task.report(0, still)
    environment = task.environment()
    while True:
        environment.reset()
        while environment.agents:
            environment.step(dict.fromkeys(environment.agents, 0))
