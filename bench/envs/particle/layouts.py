"""Observations across team sizes: one layout for all, and the part that a smaller team's teacher can read.

Axes: N agent (of the task), M agent (of the layout's or the teacher's task).
Simple spread: an observation of N agents has 6N entries: [velocity 2, position 2, landmarks 2N, other agents 2(N - 1),
their messages 2(N - 1)].
Simple adversary, both sides ours: an adversary has [landmarks 2L, other agents 2(N - 1)]; a good agent has the goal 2
before these. A team of M has M // 2 adversaries, and as many landmarks as good agents, like KnowRU's tasks IV to VI.
Treasure collection: see collect_treasure.py. A team of M has M // 4 banks, and as many treasures as collectors, like
KnowRU's tasks VII and VIII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.envs import Params, layouts
from bench.envs.particle.params import (
    CollectTreasureParams,
    SimpleAdversaryParams,
    SimpleSpreadParams,
    SpeakerListenerParams,
)

if TYPE_CHECKING:
    from torch import Tensor

OWN = 4  # entries about oneself: velocity 2, position 2


def width(params: Params, agents: int, communication: bool = True) -> int:
    """Entries of an observation in the layout of a team of `agents` agents, if the scenario has such layouts."""
    if isinstance(params, SimpleSpreadParams):
        return 6 * agents if communication else 6 * agents - 2 * (agents - 1)
    if _both_sides(params, agents):
        return 2 * (agents - agents // 2) + 2 * agents
    if isinstance(params, CollectTreasureParams) and agents != len(params.obs_sizes):
        return _treasure_team(agents).obs_size
    return layouts.width(params, agents, communication or _silent(params))


def slots(params: Params, agents: int, communication: bool = True) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
    """The place of each of a task's O entries in that layout; ValueError if the layout is smaller.

    Without communication: the places of the entries before it. Nobody speaks in simple spread, so these entries are
    always zero.
    """
    if isinstance(params, SimpleSpreadParams):
        return observation_slots(params.agents, agents)[: width(params, params.agents, communication)]
    if isinstance(params, SimpleAdversaryParams) and _both_sides(params, agents):
        return adversary_slots(params, agents)
    if isinstance(params, CollectTreasureParams) and agents != len(params.obs_sizes):
        return treasure_slots(params, agents)
    return layouts.slots(params, agents, communication or _silent(params))


def _both_sides(params: Params, agents: int) -> bool:
    """Whether it is simple adversary with both sides ours, in another team's layout."""
    both = isinstance(params, SimpleAdversaryParams) and params.controlled == "all"
    return both and agents != len(params.obs_sizes)


def adversary_slots(params: SimpleAdversaryParams, layout_agents: int) -> tuple[tuple[int, ...], ...]:
    """The places of each agent's entries of simple adversary in the layout of a task with M = layout_agents agents.

    Each entry keeps the place of its kind: the k-th landmark, the k-th other adversary, the k-th other good agent. An
    adversary's last two entries are padding and stay last. Raises ValueError if M's team has fewer of a kind.
    """
    adversaries, good = layout_agents // 2, layout_agents - layout_agents // 2
    if params.adversaries > adversaries or max(params.agents, params.landmarks) > good:
        got = f"{params.adversaries} adversaries, {params.agents} good agents and {params.landmarks} landmarks"
        raise ValueError(f"layout_agents: got {layout_agents} for {got}; allowed: a team with as many of each")
    width = 2 * good + 2 * layout_agents

    def row(is_good: bool) -> tuple[int, ...]:
        goal, own = 2 * is_good, 2 * (not is_good)  # entries for the goal; for oneself among adversaries, left out
        enemies = goal + 2 * good
        friends = enemies + 2 * adversaries - own
        return (
            *range(goal + 2 * params.landmarks),
            *range(enemies, enemies + 2 * params.adversaries - own),
            *range(friends, friends + 2 * params.agents - goal),
            *range(width - own, width),
        )

    return tuple(row(kind == "agent") for kind in params.kinds)


def _treasure_team(agents: int) -> CollectTreasureParams:
    banks = max(1, agents // 4)
    collectors = max(1, agents - banks)
    return CollectTreasureParams(
        name="fullobs_collect_treasure", collectors=collectors, banks=banks, treasures=collectors, dynamics="maac"
    )


def treasure_slots(params: CollectTreasureParams, layout_agents: int) -> tuple[tuple[int, ...], ...]:
    """The places of each agent's entries of treasure collection in the layout of a task with M = layout_agents agents.

    The k-th nearest agent or treasure stays the k-th nearest, and the k-th bank stays the k-th bank. A bank's last
    entries are padding and stay last. Raises ValueError if M's team has fewer of a kind.
    """
    team, own = _treasure_team(layout_agents), params
    if own.collectors > team.collectors or own.banks > team.banks or own.treasures > team.treasures:
        got = f"{own.collectors} collectors, {own.banks} banks and {own.treasures} treasures"
        raise ValueError(f"layout_agents: got {layout_agents} for {got}; allowed: a team with as many of each")
    others, goods = (min(own.visible, n) for n in (own.collectors + own.banks - 1, own.treasures))
    wide, banks = min(own.visible, layout_agents - 1), range(own.banks)

    def row(collector: bool) -> tuple[int, ...]:
        carries = team.banks if collector else 0
        agent, treasure = 4 + 2 * team.banks, 2 + team.banks  # entries of another agent, of a treasure
        of_agent = (0, 1, 2, 3, *(4 + b for b in banks), *(4 + team.banks + b for b in banks))
        first = 4 + carries
        last = first + wide * agent
        return (
            *range(4),
            *(4 + b for b in banks if collector),
            *(first + k * agent + e for k in range(others) for e in of_agent),
            *(last + k * treasure + e for k in range(goods) for e in (0, 1, *(2 + b for b in banks))),
            *(team.obs_size - 1 - b for b in reversed(banks) if not collector),
        )

    return tuple(row(kind == "collector") for kind in params.kinds)


def _silent(params: Params) -> bool:
    """Whether the observation has no communication entries: there is nothing to leave out."""
    return not isinstance(params, SpeakerListenerParams)


def nearest(params: Params, obs: Tensor, agents: int) -> Tensor:
    """The part of obs [..., N, O] that a team of fewer agents can read: [..., N, width(params, agents)]."""
    if isinstance(params, SimpleSpreadParams):
        return nearest_view(obs, params.agents, agents)
    return layouts.nearest(params, obs, agents)


def observation_slots(agents: int, layout_agents: int) -> tuple[int, ...]:
    """The place of each of the 6N entries in the layout of a task with M = layout_agents agents, of width 6M.

    Each entry keeps the place of its kind: the k-th landmark stays the k-th landmark, the j-th other agent the j-th
    other agent. All other places belong to absent objects and are zero. Raises ValueError if M < N.
    """
    if agents < 1 or layout_agents < agents:
        raise ValueError(f"layout_agents: got {layout_agents} for {agents} agents; allowed: at least {max(agents, 1)}")
    others = OWN + 2 * layout_agents
    messages = others + 2 * (layout_agents - 1)
    own = range(OWN)
    landmarks = range(OWN, OWN + 2 * agents)
    company = 2 * (agents - 1)
    return (*own, *landmarks, *range(others, others + company), *range(messages, messages + company))


def nearest_view(obs: Tensor, agents: int, teacher_agents: int) -> Tensor:
    """The part of N agents' observations for a teacher that was trained with M = teacher_agents < N agents.

    Own velocity and position, the M nearest landmarks, the M - 1 nearest other agents, and their silence:
    [..., N, 6N] -> [..., N, 6M]. Of two objects at the same distance, the one with the lower index counts as nearer.
    Our choice: the chosen objects keep their index order and are not sorted by distance. The teacher never saw sorted
    objects, and this way an object changes its place only when the chosen set changes.

    Raises ValueError if M is not in 1 ... N - 1 or the last axes are not [N, 6N].
    """
    if not 1 <= teacher_agents < agents:
        raise ValueError(f"teacher_agents: got {teacher_agents} for {agents} agents; allowed: 1 to {agents - 1}")
    if obs.shape[-2:] != (agents, 6 * agents):
        raise ValueError(f"obs: got shape {tuple(obs.shape)}; allowed: [..., {agents}, {6 * agents}]")
    import torch  # imported here: sizes are also needed without torch

    own, landmarks, others, _ = obs.split([OWN, 2 * agents, 2 * (agents - 1), 2 * (agents - 1)], dim=-1)
    near = _nearest(landmarks, teacher_agents)
    company = _nearest(others, teacher_agents - 1)
    return torch.cat([own, near, company, torch.zeros_like(company)], dim=-1)


def _nearest(relative: Tensor, count: int) -> Tensor:
    """The `count` nearest of K points given as [..., 2K] relative positions, in index order: [..., 2 count]."""
    points = relative.unflatten(-1, (-1, 2))
    order = points.square().sum(-1).argsort(dim=-1, stable=True)
    chosen = order[..., :count].sort(dim=-1).values.unsqueeze(-1).expand(*order.shape[:-1], count, 2)
    return points.gather(-2, chosen).flatten(-2)
