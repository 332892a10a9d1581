"""The MuJoCo tasks' parameters in a suite file, and the sizes that follow. Imports neither torch nor gymnasium."""

from __future__ import annotations

from typing import Literal, NamedTuple

from bench.envs.params import Params


class Sizes(NamedTuple):
    """observation, action: entries. ends_early: whether there are terminal states."""

    observation: int
    action: int
    ends_early: bool


SIZES = {
    "Ant-v4": Sizes(27, 8, True),
    "HalfCheetah-v4": Sizes(17, 6, False),
    "Hopper-v4": Sizes(11, 3, True),
    "Humanoid-v4": Sizes(376, 17, True),
    "HumanoidStandup-v4": Sizes(376, 17, False),
    "Reacher-v4": Sizes(11, 2, False),
    "Walker2d-v4": Sizes(17, 6, True),
}
ANT_CONTACT_FORCES = 84  # external forces and torques on 14 bodies


class MujocoParams(Params):
    """One robot. It sees its joints, in the task's units, and acts with torques: A numbers in [-1, 1]."""

    name: Literal["HalfCheetah-v4", "Hopper-v4", "Humanoid-v4", "HumanoidStandup-v4", "Reacher-v4", "Walker2d-v4"]

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (SIZES[self.name].observation,)

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (SIZES[self.name].action,)

    @property
    def continuous(self) -> bool:
        return True

    @property
    def ends_early(self) -> bool:
        return SIZES[self.name].ends_early


class AntParams(MujocoParams):
    """The only task with a parameter. use_contact_forces: whether it sees contact forces and pays for them."""

    name: Literal["Ant-v4"]  # type: ignore[assignment]
    use_contact_forces: bool = False

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        return (SIZES[self.name].observation + ANT_CONTACT_FORCES * self.use_contact_forces,)
