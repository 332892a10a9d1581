"""Updates as a CUDA graph could repeat them: the same operations on the same shapes, and nothing read by the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from baselines.kernels import optim
from baselines.knowru import knowru
from baselines.maac import MAAC
from baselines.maddpg import MADDPG
from baselines.mappo import mappo
from baselines.masac import MASAC
from baselines.mkt_marl import mkt_marl
from baselines.qmix import qmix
from baselines.sac import SAC
from tests import distilled
from tests.baselines import test_knowru_maac, test_maac, test_masac
from tests.baselines.conftest import Run
from tests.baselines.test_sac import WARMUP, Play
from tests.teams import distilling, ppo, single, started, taught, toy_task

Operation = tuple[str, Any, Any]  # name, shapes that come of it, numbers that it was given by the host
Update = tuple[object, list[Operation], dict[str, float]]  # of which task or group; the schedules' coefficients
Spy = Callable[[Any], list[Update]]
READ = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "_unique2", "equal")


class Operations(TorchDispatchMode):
    """The calls, the resulting shapes, and the host's numbers, which a graph would freeze."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name, given = func.overloadpacket.__name__, tree_leaves((args, kwargs or {}))
        shapes = [tuple(x.shape) for x in tree_leaves(out) if isinstance(x, torch.Tensor)]
        numbers = [x for x in given if isinstance(x, bool | int | float)]
        if name == "lift_fresh":  # a tensor that was just made of numbers of the host
            numbers += [x.tolist() for x in given if isinstance(x, torch.Tensor)]
        self.seen.append((name, shapes, numbers))
        return out


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Spies on a learner's updates, with Adam's steps counted as on a GPU."""
    honest = optim.StepCount
    monkeypatch.setattr(optim, "StepCount", lambda lr, device, as_tensor=None: honest(lr, device, as_tensor=True))

    def spy(learner: Any) -> list[Update]:
        found: list[Update] = []
        update = learner._update

        def watched(self: object, *arguments: object) -> object:
            with Operations() as mode:
                losses = update(self, *arguments)
            given = [x for own in arguments if isinstance(own, Mapping) for x in own.items()]
            found.append((arguments[0], mode.seen, {name: x.item() for name, x in given}))
            return losses

        monkeypatch.setattr(learner, "_update", watched)
        return found

    return spy


def the_same(found: list[Update], scheduled: bool = False) -> None:
    """By task, or group of lanes: every update repeats the first one, however far its schedules are."""
    for which in {which for which, *_ in found}:
        own = [operations for this, operations, _ in found if this == which]
        seen = {tuple(coefficients.items()) for this, _, coefficients in found if this == which}
        assert (len(seen) > 1) is scheduled
        assert len(own) >= 3
        assert len(own[0]) > 50
        assert not [name for one in own for name, *_ in one if name in READ]
        assert all(one == own[0] for one in own)


class Frozen:
    """Its update has a number that changes, which a graph would repeat; `how` says in what way."""

    def __init__(self, how: Callable[[Any, float], Any]):
        self.how, self.done = how, 0

    def _update(self, task: int) -> Any:
        self.done += 1
        loss = torch.ones(3, device="cpu")
        for _ in range(60):
            loss = loss + 1
        return self.how(loss, 1 / self.done)


@pytest.mark.parametrize(
    "how",
    [
        lambda loss, x: loss * x,
        lambda loss, x: x - loss,
        lambda loss, x: loss.mul_(x),
        lambda loss, x: loss.lerp(loss, x),
        lambda loss, x: torch.where(loss > 0, loss, x),
        lambda loss, x: loss * torch.tensor(x),
        lambda loss, x: loss * torch.tensor([x] * 3),
        lambda loss, x: loss * torch.full((), x),
        lambda loss, x: loss.add(loss, alpha=x),
        lambda loss, x: loss[: int(3 * x) // 3],
        lambda loss, x: loss * torch.from_numpy(np.full(3, x)),
    ],
)
def test_a_number_that_changes_is_seen(how: Callable[[Any, float], Any], updates: Spy) -> None:
    found = updates(Frozen)
    for learner in (Frozen(how), Frozen(lambda loss, x: loss * 0.5)):
        for _ in range(3):
            learner._update(0)
    with pytest.raises(AssertionError):
        the_same(found[:3])
    the_same(found[3:])


@pytest.mark.parametrize("method", [MADDPG, knowru])
def test_maddpg_s(method: Any, updates: Spy, start: Callable[..., Run]) -> None:
    found = updates(MADDPG)
    start(method, seeds=(0, 1)).play(8)
    the_same(found, scheduled=method is knowru)


TEAMS = {
    "qmix": (qmix, single()),
    "vdn": (qmix, single("vdn")),
    "gru": (qmix, single(use_rnn=True)),
    "mappo": (mappo, ppo()),
    "mkt_marl": (mkt_marl, distilling()),
}


@pytest.mark.parametrize("method", TEAMS)
def test_a_team_s(method: str, updates: Spy) -> None:
    kind, h = TEAMS[method]
    task = taught(toy_task(), (0, 1)) if method == "mkt_marl" else toy_task()
    own = started(kind, [task], h, seeds=(0, 1))
    found = updates(type(own.learner))
    own.play(12)
    the_same(found, scheduled=method == "mkt_marl")


def test_a_distilled_team_s(updates: Spy) -> None:
    own = distilled.toy(seeds=(0, 1))
    found = updates(type(own.learner))
    own.play(12)
    the_same(found)


def test_sac_s(updates: Spy) -> None:
    """Each update first gets a batch, another one each time. The first update allocates memory for all."""
    play = Play((0, 1))
    found = updates(SAC)
    play.steps(WARMUP + 3)
    the_same([("all", operations, given) for _, operations, given in found[1:]])


@pytest.mark.parametrize("is_taught", [False, True])
def test_maac_s(is_taught: bool, updates: Spy) -> None:
    found = updates(MAAC)
    seeds = (0, 1)
    own = test_knowru_maac.start(seeds, test_knowru_maac.taught(seeds)) if is_taught else test_maac.maac(seeds)
    own.play(25)
    the_same([("all", operations, given) for _, operations, given in found], scheduled=is_taught)


def test_masac_s(updates: Spy) -> None:
    team = test_masac.learner(0, 1)
    found = updates(MASAC)
    test_masac.played(team, range(6))
    the_same([("all", operations, given) for _, operations, given in found[1:]])
