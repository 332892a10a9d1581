"""PTDE's module: the outputs of GIU and GIP for a state, how z enters an agent's values; CSRL's commander.

Axes: S seed, B episode, T time step, N agent, O observation entry, X state entry, A action, Z entry of z.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.csrl import Commander, csrl
from baselines.kernels.layers import part
from baselines.networks.agents import recurrent_q
from baselines.networks.team import InformedNetwork
from baselines.ptde import GIP, GIU, Gaussian, personal
from baselines.streams import Streams
from tests.informed import INFORMED, a_task, assert_same, lane, trained, unseen


def drawn(module: GIU | GIP, agents: int = 4, seed: int = 0) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Parameters, inputs [1, B, T, N, I] and state [1, B, T, X], float64."""
    g = torch.Generator().manual_seed(seed)
    parameters = module.initial([Streams(seed)], "cpu", torch.float64)
    inputs = torch.randn(1, 3, 5, agents, 7, generator=g, dtype=torch.float64)
    return parameters, inputs, torch.randn(1, 3, 5, 9, generator=g, dtype=torch.float64)


def test_giu_tells_all_agents_alike_and_gip_each_its_own() -> None:
    """Means and variances; samples differ between agents in both, as each draws its own noise."""
    gaussian = Gaussian(8, 6, 0.01)
    for module, alike in ((GIU(9, gaussian), True), (GIP(7, 9, 8, gaussian), False)):
        parameters, inputs, state = drawn(module)
        for told in module.distribution(parameters, inputs, state):
            same = (told - told[:, :, :, :1]).abs().amax(-1) == 0
            assert bool(same.all()) if alike else not bool(same[:, :, :, 1:].any())
            assert told.shape == (1, 3, 5, 4, 6)
        z = module.z(parameters, inputs, state, torch.randn(1, 3, 5, 4, 6, dtype=torch.float64))
        assert not bool((z[:, :, :, 0] == z[:, :, :, 1]).any())


def test_a_variance_has_a_floor() -> None:
    gaussian = Gaussian(8, 6, 0.3)
    _, variance = GIU(9, gaussian).distribution(*drawn(GIU(9, gaussian)))
    lifted = gaussian.of(gaussian.initial([Streams(0)], "cpu", torch.float64), torch.zeros(1, 8, 32).double())[1]
    assert variance.min() == 0.3 or variance.min() > 0.3
    assert lifted.min() >= 0.3


def test_the_product_with_generated_weights_is_the_papers() -> None:
    """Eq. 2 with weights in memory, agent by agent, from the same numbers; one agent's step at a time."""
    module = GIP(7, 9, 8, Gaussian(8, 6, 0.01))
    parameters, inputs, state = drawn(module)
    ours = personal(parameters, inputs, state)
    matrix, vector = parameters["matrix"][0].view(8, 8, 9), parameters["vector"][0]  # [j, k, x], [k, x]
    generator, bias = part(parameters, "generator"), part(parameters, "bias")
    for b, t, n in ((0, 0, 0), (2, 4, 3), (1, 2, 1)):
        o, s = inputs[0, b, t, n], state[0, b, t]
        hidden = (generator["weight_0"][0] @ o + generator["bias_0"][0]).relu()
        weights = torch.einsum("jkx,j->xk", matrix, hidden) + vector.mT  # W(o), [X, H]
        expected = torch.nn.functional.elu(s @ weights + bias["weight_0"][0] @ o + bias["bias_0"][0])
        torch.testing.assert_close(ours[0, b, t, n], expected, rtol=0, atol=1e-12)


def test_in_parts_it_is_the_same_with_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for at_once in (4096, 6):  # five steps at once, or two
        monkeypatch.setattr("baselines.ptde.AT_ONCE", at_once)
        parameters, inputs, state = drawn(GIP(7, 9, 8, Gaussian(8, 6, 0.01)))
        leaves = {name: p.requires_grad_() for name, p in parameters.items() if not name.startswith(("mean", "var"))}
        z = personal(leaves, inputs, state)
        found.append([z.detach(), *torch.autograd.grad(z.square().sum(), list(leaves.values()))])
        with torch.no_grad():
            torch.testing.assert_close(personal(leaves, inputs, state), z, rtol=0, atol=1e-12)
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("head", ["additive", "mlp"])
def test_without_weights_of_z_it_is_the_base_with_that_head(head) -> None:
    """Whatever z is, Q_i is the same network's value without it; with weights it is not."""
    network = InformedNetwork(7, 8, 4, 6, head)
    agent = network.initial([Streams(0)], "cpu", torch.float64)
    inputs = torch.randn(1, 2, 5, 3, 7, dtype=torch.float64)
    z, other = torch.randn(2, 1, 2, 5, 3, 6, dtype=torch.float64).unbind()
    assert not torch.equal(recurrent_q(agent, inputs, z=z)[0], recurrent_q(agent, inputs, z=other)[0])
    agent["out.weight_0"][:, :, 8:] = 0
    q = recurrent_q(agent, inputs, z=z)[0]
    assert torch.equal(q, recurrent_q(agent, inputs, z=other)[0])
    base = {name: p[:, :, :8] if name == "out.weight_0" else p for name, p in agent.items()}
    empty = torch.zeros(1, 2, 5, 3, 0, dtype=torch.float64)
    torch.testing.assert_close(q, recurrent_q(base, inputs, z=empty)[0], rtol=0, atol=1e-12)


def test_z_is_added_as_released() -> None:
    """Q(h, z) - Q(h, 0) does not depend on h; with the paper's MLP on both, it does."""
    for head, added in (("additive", True), ("mlp", False)):
        agent = InformedNetwork(7, 8, 4, 6, head).initial([Streams(0)], "cpu", torch.float64)  # type: ignore[arg-type]
        one, other = torch.randn(2, 1, 1, 1, 3, 7, dtype=torch.float64).unbind()
        z = torch.randn(1, 1, 1, 3, 6, dtype=torch.float64)
        gains = [recurrent_q(agent, i, z=z)[0] - recurrent_q(agent, i, z=0 * z)[0] for i in (one, other)]
        assert torch.allclose(*gains, rtol=0, atol=1e-12) is added


def test_csrls_commander_is_gip_without_its_distribution() -> None:
    """The same numbers from the same parameters, no noise; independent of other seeds; counted without torch."""
    module = GIP(7, 9, 8, Gaussian(8, 6, 0.01))
    parameters, inputs, state = drawn(module)
    commander, nothing = Commander(7, 9, 8), torch.zeros(1, 3, 5, 4, 0)
    assert torch.equal(commander.z(parameters, inputs, state, nothing), personal(parameters, inputs, state))
    h, found = specs.CSRL.model_validate(INFORMED | {"commander_interval": 1}), []
    for seeds in ((3,), (5, 3)):
        streams, task = [Streams(seed) for seed in seeds], a_task(state=6)
        learner = csrl([task], h, streams, "cpu")
        found.append(lane(trained(learner, task, streams, 5, unseen(6)).state(), seeds.index(3)))
        sizes = specs.TaskSizes(task.agents, task.obs_size, task.action_size, task.episode_limit)
        assert h.policy_size([sizes]) * len(seeds) == sum(p.numel() for p in learner.policy().values())
    assert_same(*found)
