"""Passes that are written out, compared with autograd's, and so are the losses' gradients.

Axes: S seed, M member, K network of a lane, I, O entries of input and output, A action entry, B batch.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import grad

from baselines import sac
from baselines.kernels import nn
from baselines.kernels.nn import Parameters
from baselines.kernels.optim import FusedAdam, LaneAdam
from baselines.kernels.perceptrons import Perceptrons
from baselines.losses.gaussian import gaussian, squashed, squashed_gradient
from baselines.streams import Streams

S, M, B, DOUBLE = 2, 2, 32, torch.float64


def made(*sizes: int, networks: int = 1, dtype: torch.dtype = DOUBLE) -> Parameters:
    drawn = nn.initial(sizes, M * networks, [Streams(s) for s in range(S)], "cpu", dtype)
    noise = torch.Generator().manual_seed(1)
    return {name: p + 0.1 * torch.randn(p.shape, generator=noise, dtype=dtype) for name, p in drawn.items()}


def plain(parameters: Parameters, x: Tensor, networks: int) -> Tensor:
    """[S, M K, ...], [S, M, I, B] -> [S, M, K O, B]."""
    read, last = x.repeat_interleave(networks, 1), len(parameters) // 2 - 1
    for n in range(last + 1):
        read = parameters[f"weight_{n}"] @ read + parameters[f"bias_{n}"].unsqueeze(-1)
        read = read if n == last else read.relu()
    return read.unflatten(1, (M, networks)).flatten(2, 3)


@pytest.mark.parametrize("networks", [1, 2])
@pytest.mark.parametrize("sizes", [(5, 3), (5, 16, 1), (5, 16, 8, 3), (5, 8, 16, 8, 2)])
def test_outputs_and_gradients_are_autograd_s(sizes: tuple[int, ...], networks: int) -> None:
    """Two steps with another batch size between them; then the inputs' gradients."""
    ours, theirs = (made(*sizes, networks=networks) for _ in range(2))
    passes, fused = Perceptrons(ours, networks), FusedAdam(ours, networks, 0.01)
    adam, drawn = LaneAdam(theirs, [slice(None)], 0.01, grad_clip=None), torch.Generator().manual_seed(3)
    for batch in (B, 2 * B):
        x = torch.randn(S, M, sizes[0], batch, generator=drawn, dtype=DOUBLE)
        expected = plain(adam.leaves[0], x, networks)
        found, by_output = passes.outputs(x), torch.randn(expected.shape, generator=drawn, dtype=DOUBLE)
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)
        adam.step(0, (expected * by_output).sum((-1, -2)))
        passes.descend(by_output, fused)
        for name, p in ours.items():
            assert torch.allclose(p, theirs[name], rtol=0, atol=1e-12), name
    x = x.requires_grad_()
    expected = grad((plain(theirs, x, networks) * by_output).sum(), x)[0]
    passes.outputs(x.detach())
    assert torch.allclose(passes.of_inputs(by_output, 2), expected[:, :, 2:], rtol=0, atol=1e-12)


def test_one_that_does_not_learn_gives_the_same() -> None:
    own = made(5, 16, 8, 3, networks=2)
    x = torch.randn(S, M, 5, B, dtype=DOUBLE)
    assert torch.equal(Perceptrons(own, 2, learns=False).outputs(x), Perceptrons(own, 2).outputs(x))


def test_lanes_apart_step_like_lanes_of_their_own() -> None:
    """After three steps one lane's count and step size are changed; the others go on as before."""
    ours, gradients = made(4, 8, 2, networks=2), made(4, 8, 2, networks=2)
    apart, alone = FusedAdam(ours, 2, 0.01, apart=True), {}
    theirs = {name: p.clone() for name, p in ours.items()}
    for s, m in ((0, 0), (1, 1)):
        own = {name: p[s : s + 1, 2 * m : 2 * m + 2].clone() for name, p in theirs.items()}
        alone[s, m] = own, FusedAdam(own, 2, 0.01)

    def step() -> None:
        for call, (s, m) in enumerate((s, m) for s in range(S) for m in range(M)):
            given = [g[s, 2 * m : 2 * m + 2] for g in gradients.values()]
            apart.step(call, given)
            if (s, m) in alone:
                alone[s, m][1].step(0, given)

    for _ in range(3):
        step()
    state = apart.state()
    assert state["step"].tolist() == [[3.0] * 4] * 2
    state["step"][1, 2:], state["lr"][1, 2:] = 0, 0.5
    apart.load_state(state)
    own, adam = alone[1, 1]
    fresh = FusedAdam(own, 2, 0.5)
    fresh.load_state(adam.state() | {"step": torch.zeros(1)})
    alone[1, 1] = own, fresh
    step()
    assert apart.state()["step"].tolist() == [[4.0] * 4, [4.0, 4.0, 1.0, 1.0]]
    for (s, m), (own, _) in alone.items():
        for name, p in own.items():
            assert torch.equal(ours[name][s, 2 * m : 2 * m + 2], p[0]), (s, m, name)


def test_seeds_that_differ_in_steps_are_refused() -> None:
    adam = FusedAdam(made(4, 2), 1, 0.01)
    with pytest.raises(ValueError, match="Adam steps: got"):
        adam.load_state(adam.state() | {"step": torch.tensor([1.0, 2.0])})


def close_to_autograd(loss: Callable[..., Tensor], inputs: tuple[Tensor, ...], found: tuple[Tensor, ...]) -> None:
    leaves = [x.detach().requires_grad_() for x in inputs]
    for ours, expected in zip(found, grad(loss(*leaves).sum(), leaves), strict=True):
        assert torch.allclose(ours.expand_as(expected), expected, rtol=0, atol=1e-12)


def test_losses_have_the_gradients_that_stand_beside_them() -> None:
    drawn = torch.Generator().manual_seed(0)
    q, log_prob, targets = (torch.randn(S, M, *x, generator=drawn, dtype=DOUBLE) for x in ((2, B), (B,), (B,)))
    alpha = torch.rand(S, M, generator=drawn, dtype=DOUBLE)
    close_to_autograd(lambda q: sac.critic_loss(q, targets), (q,), (sac.critic_gradient(q, targets),))
    close_to_autograd(lambda q, p: sac.actor_loss(q, p, alpha), (q, log_prob), sac.actor_gradients(q, alpha))


def test_a_squashed_gaussian_has_its_gradient() -> None:
    """Some log standard deviations are cut off on either side. Below u = -10 torch's softplus has another gradient."""
    drawn = torch.Generator().manual_seed(0)
    heads = torch.randn(S, M, 6, B, generator=drawn, dtype=DOUBLE)
    noise, of_actions = torch.randn(2, S, M, 3, B, generator=drawn, dtype=DOUBLE)
    of_log_prob = torch.randn(S, M, B, generator=drawn, dtype=DOUBLE)

    def loss(heads: Tensor) -> Tensor:
        actions, log_prob = squashed(*gaussian(heads, -1, 0.5), noise)
        return (actions * of_actions).sum() + (log_prob * of_log_prob).sum()

    mean, log_std = gaussian(heads, -1, 0.5)
    assert {-1.0, 0.5} <= {*log_std.flatten().tolist()}
    actions, _ = squashed(mean, log_std, noise)
    close_to_autograd(loss, (heads,), (squashed_gradient(heads, log_std, noise, actions, of_actions, of_log_prob),))
