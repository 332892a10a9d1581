"""Football's parameters in a suite file, and the sizes that follow. Imports neither torch nor gfootball.

Axes: N agent, L player of ours, R player of theirs, O observation entry, A action, X state entry.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bench.envs.params import Params

ACTIONS = 19  # gfootball's default set
ROLES = 10  # gfootball's e_PlayerRole, from goalkeeper to centre forward
SENDERS = 12  # who has the ball: one of eleven players, or nobody, which comes last
OF_PLAYER = 4  # place and velocity, two entries each
BALL = 3


class Scene(NamedTuple):
    """Players of each side, goalkeepers included, and those that agents control, by their number in gfootball."""

    ours: int
    theirs: int
    attackers: tuple[int, ...]


# gfootball 2.10.2's own scenes; 3_vs_2 is made from its 3_vs_1 (scenes.py). Number 0 is the goalkeeper.
SCENES = {
    "academy_3_vs_1_with_keeper": Scene(4, 2, (1, 2, 3)),
    "academy_3_vs_2_with_keeper": Scene(4, 3, (1, 2, 3)),
    "academy_run_pass_and_shoot_with_keeper": Scene(3, 2, (1, 2)),
    "academy_counterattack_easy": Scene(11, 11, (7, 8, 9, 10)),
    "academy_counterattack_hard": Scene(11, 11, (7, 8, 9, 10)),
}


class FootballParams(Params):
    """An attack on the game's own defence.

    features: "ptde" is Table 8 of PTDE: velocities of others are relative to one's own. "ptde_released" is its authors'
    code: they are absolute, and one's own number follows, one-hot.
    rewards: +1 and -1 for goals. "checkpoints" adds .1 for each of ten rings around the opponents' goal when an agent
    has the ball in it for the first time.
    control: "attackers" gives each agent one player for good; "engine" lets the game choose among all our players whom
    agents control, and change it.
    """

    name: Literal[
        "academy_3_vs_1_with_keeper",
        "academy_3_vs_2_with_keeper",
        "academy_run_pass_and_shoot_with_keeper",
        "academy_counterattack_easy",
        "academy_counterattack_hard",
    ]
    features: Literal["ptde", "ptde_released"] = "ptde"
    rewards: Literal["scoring", "scoring,checkpoints"] = "scoring,checkpoints"
    control: Literal["attackers", "engine"] = "attackers"

    @property
    def scene(self) -> Scene:
        return SCENES[self.name]

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        """Oneself, all our players, all of theirs, the ball, its team; in "ptde_released" also one's own number."""
        scene = self.scene
        size = OF_PLAYER * (1 + scene.ours + scene.theirs) + BALL + 3
        return (size + scene.ours * (self.features == "ptde_released"),) * len(scene.attackers)

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (ACTIONS,) * len(self.scene.attackers)

    @property
    def own_state(self) -> bool:
        return True

    @property
    def state_size(self) -> int:
        """Players' places, velocities, tiredness and roles; the ball's place, velocity, spin, team and player."""
        return (self.scene.ours + self.scene.theirs) * (OF_PLAYER + 1 + ROLES) + 3 * BALL + 3 + SENDERS

    @property
    def common_reward(self) -> bool:
        return True

    @property
    def ends_early(self) -> bool:
        return True

    @property
    def episodes_at_once(self) -> int | None:
        return 8  # each is a process; the paper uses 8 threads

    @property
    def process_bytes(self) -> int:
        return 150 * 2**20  # measured: docs/environments.md

    @property
    def repeats(self) -> bool:
        """False: episodes repeat on one machine, but each user compiles the engine with another compiler."""
        return False

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("win_rate", "goal_balance", "broken_off")
