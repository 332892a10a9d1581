"""QPLEX: against a plain loop of torch.nn, its advantage constraint, lanes, and that it learns.

Axes: S seed, B batch, T time step, N agent, X state entry, A action.
"""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from baselines import specs
from baselines.networks.mixers import Chosen
from baselines.qplex import POSITIVE, QPLEX, qplex
from baselines.streams import Streams
from tests.informed import a_task, assert_same, lane, trained, unseen
from tests.teams import SETTINGS

MIXER = QPLEX(agents=3, actions=4, state_size=5, width=6, layers=2, advantage_width=7, kernels=4)
LEARNING = SETTINGS | {
    "mixer": "qplex",
    "hypernetwork_width": 8,
    "advantage_layers": 2,
    "advantage_width": 8,
    "kernels": 4,
}


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(parameters: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Linear - ReLU - Linear of one sample, by torch.nn."""
    sizes = [parameters[f"{name}.weight_{i}"][0] for i in (0, 1)]
    first, last = (nn.Linear(into.shape[1], into.shape[0]).double() for into in sizes)
    for i, layer in enumerate((first, last)):
        layer.weight.data, layer.bias.data = parameters[f"{name}.weight_{i}"][0], parameters[f"{name}.bias_{i}"][0]
    return last(first(x).relu()).detach()


def test_it_is_the_papers_sum() -> None:
    """Eq. 9 to 11 with the definition of A_i and V_i, sample by sample: V_tot + sum of lambda_i w_i (Q_i - max Q_i)."""
    parameters = MIXER.initial([Streams(0)], "cpu", torch.float64)
    q, state = drawn(1, 1, 2, 3, 3, 4), drawn(2, 1, 2, 3, 5)
    actions = torch.randint(4, (1, 2, 3, 3), generator=torch.Generator().manual_seed(3))
    chosen = Chosen(q.gather(-1, actions.unsqueeze(-1)).squeeze(-1), actions, state, 0, q.max(-1).values)
    found = MIXER.q_tot(parameters, chosen)
    for b, t in itertools.product(range(2), range(3)):
        s, a = state[0, b, t], nn.functional.one_hot(actions[0, b, t], 4).double().flatten()
        w, bias = plain(parameters, "w", s).abs() + POSITIVE, plain(parameters, "b", s)
        best, own = chosen.best[0, b, t], chosen.q[0, b, t]  # type: ignore[index]
        importance = sum(
            (plain(parameters, f"key_{k}", s).abs() + POSITIVE)
            * plain(parameters, f"agents_{k}", s).sigmoid()
            * plain(parameters, f"action_{k}", torch.cat([s, a])).sigmoid()
            for k in range(4)
        )
        expected = (w * best + bias).sum() + (importance * w * (own - best)).sum()
        torch.testing.assert_close(found[0, b, t], expected, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_the_best_joint_action_is_each_agents_best(seed: int) -> None:
    """The advantage constraint: none of the 64 joint actions has a higher value, and all others have a lower one."""
    parameters = MIXER.initial([Streams(seed)], "cpu", torch.float64)
    q, state = drawn(seed, 1, 1, 1, 3, 4), drawn(seed + 1, 1, 1, 1, 5)
    joint = torch.tensor([*itertools.product(range(4), repeat=3)]).view(1, 64, 1, 3)
    every = q.expand(1, 64, 1, 3, 4)
    own = every.gather(-1, joint.unsqueeze(-1)).squeeze(-1)
    found = MIXER.q_tot(parameters, Chosen(own, joint, state.expand(1, 64, 1, 5), 0, every.max(-1).values))
    assert joint[0, found.argmax(), 0].tolist() == q.argmax(-1).flatten().tolist()
    assert (found == found.max()).sum() == 1


def test_a_seeds_numbers_are_its_own_and_all_of_it_learns() -> None:
    alone = None
    for seeds in ((3,), (1, 5, 3)):
        streams, task = [Streams(seed) for seed in seeds], a_task()
        learner = qplex([task], specs.QPLEX.model_validate(LEARNING), streams, "cpu")
        before = learner.state()
        state = trained(learner, task, streams, 6, unseen(5)).state()
        online = [name for name in before if name.startswith("online.")]
        assert not [name for name in online if torch.equal(before[name], state[name])]
        own = lane(state, seeds.index(3))
        assert_same(own, alone or own)
        alone = own


def test_its_loss_falls() -> None:
    """The reward is the share of agents that take action 1, so a state's expected value is quickly learned."""
    streams, task = [Streams(0)], a_task()
    h = specs.QPLEX.model_validate(LEARNING | {"batch_size": 16, "lr": 0.01, "gamma": 0.0, "grad_clip": 10.0})
    learner = qplex([task], h, streams, "cpu")
    trained(learner, task, streams, 8, unseen(5))
    losses = []
    for _ in range(120):
        batch = learner.replays[0].sample(16)
        losses.append(float(learner._update(0, batch, {})["td"]))
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_without_best_values_it_says_what_is_missing() -> None:
    chosen = Chosen(drawn(0, 1, 1, 1, 3), torch.zeros(1, 1, 1, 3, dtype=torch.int64), drawn(1, 1, 1, 1, 5))
    with pytest.raises(ValueError, match="no best values"):
        MIXER.q_tot(MIXER.initial([Streams(0)], "cpu", torch.float64), chosen)
