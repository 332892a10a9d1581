"""Whole episodes of many seeds side by side.

Axes: S seed (lane), E episode copy, T step, N agent, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.learner import Acting, Rollout, Seen
from bench.envs import Environment


@dataclass(frozen=True)
class Played:
    """One round of one task. outcome: what each episode reported at its end, by name, [S, E] each."""

    rollout: Rollout
    outcome: Mapping[str, Tensor]


def parts(episodes: int, at_once: int | None) -> list[int]:
    """Sizes of the batches in which this many episodes are played. at_once: the most in one batch; None: all."""
    most = at_once or episodes
    return [min(most, episodes - start) for start in range(0, episodes, most)]


@torch.inference_mode()
def play(
    environment: Environment,
    generators: Sequence[torch.Generator],
    copies: int,
    steps: int,
    act: Acting,
    ends_early: bool = False,
    short: bool = False,
) -> Played:
    """Episodes of every seed in parallel, seed s starting from generators[s], of at most `steps` steps each.

    ends_early: whether an episode may end before the limit. Then the rollout has a mask of the played steps. It is
    still as long as the limit, so no sum over steps depends on the length of the other episodes. After an end, values
    are zero and the last observation repeats. short: whether to stop asking `act` once all episodes are over. That is
    safe if `act` draws no random numbers, or if a seed plays alone.
    Runs in inference mode, where calling an operation costs a sixth less: the result carries no gradients.
    """
    obs = environment.reset(generators, copies).float()
    avail, state = environment.avail_actions(), environment.global_state()
    seen, could, actions, rewards, terminated = [obs], [avail], [], [], []
    states = [] if state is None else [state]
    first = torch.ones(obs.shape[:2], dtype=torch.bool)
    over, masks, outcome = torch.zeros_like(first, device=obs.device), [], {}
    for _ in range(steps):
        action = act(Seen(obs, avail, first, states[-1] if states else None))
        given = environment.step(action)
        first, after, could_do, reward, ended = (
            torch.zeros_like(first),
            given.obs.float(),
            environment.avail_actions(),
            given.rewards,
            given.terminated,
        )
        if ends_early:
            masks.append(~over)
            after = torch.where(over[..., None, None], obs, after)
            could_do = torch.where(over[..., None, None], avail, could_do)
            action = action.masked_fill(over[..., None, None], 0)
            reward, ended = reward.masked_fill(over.unsqueeze(-1), 0), ended & ~over
        if (state := environment.global_state()) is not None:
            states.append(torch.where(over.unsqueeze(-1), states[-1], state) if ends_early else state)
        told = given.outcome.items()
        outcome = {name: torch.where(over, outcome[name], own) if name in outcome else own for name, own in told}
        obs, avail = after, could_do
        for kept, own in ((seen, obs), (could, avail), (actions, action), (rewards, reward), (terminated, ended)):
            kept.append(own)
        if ends_early:
            over = over | given.terminated | given.truncated
            if short and bool(over.all()):
                break
    for kept in (seen, could, *([states] if states else [])):
        kept.extend([kept[-1]] * (steps + 1 - len(kept)))
    for kept in (actions, rewards, terminated, *([masks] if ends_early else [])):
        kept.extend([torch.zeros_like(kept[-1])] * (steps - len(kept)))
    rollout = Rollout(
        obs=torch.stack(seen, 2),
        actions=torch.stack(actions, 2),
        rewards=torch.stack(rewards, 2),
        terminated=torch.stack(terminated, 2),
        avail_actions=torch.stack(could, 2),
        state=torch.stack(states, 2).float() if states else None,
        mask=torch.stack(masks, 2) if ends_early else None,
    )
    return Played(rollout, outcome)
