"""Axes: S seed, N agent."""

import pytest
import torch

from baselines.kernels.optim import LaneAdam, clip_by_network, clip_by_norm, soft_update


def test_clipping_is_for_each_network_alone():
    gradient = torch.tensor([[[3.0, 4.0], [0.3, 0.0]]])  # norms 5 and .3
    clipped = clip_by_norm(gradient, 0.5)
    torch.testing.assert_close(clipped, torch.tensor([[[0.3, 0.4], [0.3, 0.0]]]))
    assert torch.equal(clip_by_norm(torch.zeros(1, 1, 2, 2), 0.5), torch.zeros(1, 1, 2, 2))


def test_clipping_takes_the_norm_of_a_whole_matrix_and_mends_strides():
    gradient = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]]).mT.reshape(1, 1, 3, 2).mT
    clipped = clip_by_norm(gradient, 1.0)
    assert clipped.is_contiguous()
    torch.testing.assert_close(clipped[0, 0], torch.tensor([[0.6, 0.0, 0.0], [0.0, 0.8, 0.0]]))


def test_a_networks_gradients_are_clipped_together_as_torch_does():
    """Network 0 of each seed is above the limit, network 1 below it."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([10.0, 0.01]).view(1, 2, 1)
    weight = torch.randn(3, 2, 4, 5, generator=generator) * scale.unsqueeze(-1)
    bias = torch.randn(3, 2, 4, generator=generator) * scale
    clipped = clip_by_network([weight.clone(), bias.clone()], 0.5)
    for s in range(3):
        for n in range(2):
            own = [torch.nn.Parameter(torch.zeros_like(g[s, n])) for g in (weight, bias)]
            for parameter, gradient in zip(own, (weight, bias), strict=True):
                parameter.grad = gradient[s, n].clone()
            torch.nn.utils.clip_grad_norm_(own, 0.5)
            for ours, parameter in zip(clipped, own, strict=True):
                torch.testing.assert_close(ours[s, n], parameter.grad)
    assert torch.equal(clipped[0][:, 1], weight[:, 1])


def test_targets_move_by_tau():
    target = {"weight_0": torch.tensor([1.0])}
    soft_update(target, {"weight_0": torch.tensor([2.0])}, 0.01)
    assert target["weight_0"].item() == pytest.approx(1.01)


def test_first_adam_step_goes_by_the_learning_rate_and_moves_the_stacked_parameter():
    """The ratio m / sqrt(v) is 1 at the first step, whatever the gradient."""
    parameters = {"weight_0": torch.ones(3, 2, 4)}
    adam = LaneAdam(parameters, [slice(0, 2), slice(2, 3)], lr=0.01, grad_clip=0.5)
    adam.step(0, adam.leaves[0]["weight_0"].square().sum(-1))
    torch.testing.assert_close(parameters["weight_0"][:2], torch.full((2, 2, 4), 0.99))
    assert torch.equal(parameters["weight_0"][2], torch.ones(2, 4))
    assert adam.state()["step"].tolist() == [1, 1, 0]


def test_every_step_is_torch_adams_to_the_last_bit():
    generator = torch.Generator().manual_seed(0)
    start = {"weight_0": torch.randn(3, 2, 7, 5, generator=generator), "bias_0": torch.zeros(3, 2, 7)}
    ours = {name: p.clone() for name, p in start.items()}
    adam = LaneAdam(ours, [slice(0, 2), slice(2, 3)], lr=0.01, grad_clip=1e9)
    theirs = [[p[lanes].clone().requires_grad_() for p in start.values()] for lanes in adam.groups]
    references = [torch.optim.Adam(leaves, lr=0.01, eps=1e-8, foreach=True) for leaves in theirs]
    for _ in range(50):
        x = torch.randn(5, generator=generator)
        for group, (leaves, reference) in enumerate(zip(theirs, references, strict=True)):
            adam.step(group, loss(adam.leaves[group]["weight_0"], adam.leaves[group]["bias_0"], x))
            reference.zero_grad()
            loss(leaves[0], leaves[1], x).sum().backward()
            reference.step()
    for group, lanes in enumerate(adam.groups):
        for p, leaf in zip(ours.values(), theirs[group], strict=True):
            assert torch.equal(p[lanes], leaf)


def loss(weight: torch.Tensor, bias: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (weight @ x + bias).tanh().square().mean(-1)


def test_a_state_goes_on_where_it_was_taken():
    def step(adam: LaneAdam) -> None:
        for group, leaves in enumerate(adam.leaves):
            adam.step(group, leaves["weight_0"].square().sum(-1))

    first, second = ({"weight_0": torch.ones(3, 2, 4)} for _ in range(2))
    adam = LaneAdam(first, [slice(0, 2), slice(2, 3)], lr=0.01, grad_clip=0.5)
    step(adam)
    kept = adam.state()
    second["weight_0"].copy_(first["weight_0"])
    step(adam)
    assert kept["step"].tolist() == [1, 1, 1]
    again = LaneAdam(second, [slice(0, 1), slice(1, 3)], lr=0.01, grad_clip=0.5)
    again.load_state(kept)
    step(again)
    assert torch.equal(first["weight_0"], second["weight_0"])


def test_seeds_of_one_group_must_have_taken_equal_steps():
    parameters = {"weight_0": torch.ones(2, 2, 4)}
    adam = LaneAdam(parameters, [slice(0, 2)], lr=0.01, grad_clip=0.5)
    with pytest.raises(ValueError, match=r"Adam steps: got \[1.0, 2.0\]"):
        adam.load_state(adam.state() | {"step": torch.tensor([1.0, 2.0])})


def test_steps_counted_on_the_device_are_the_same_steps():
    """As on a GPU, where the step ends in two operations: last bits may differ. Both load a state."""
    generator = torch.Generator().manual_seed(0)
    start = {"weight_0": torch.randn(2, 2, 4, generator=generator)}
    ends = []
    for as_tensors in (False, True):
        ours = {name: p.clone() for name, p in start.items()}
        adam = LaneAdam(ours, [slice(0, 2)], lr=0.01, grad_clip=0.5, steps_as_tensors=as_tensors)
        for _ in range(30):
            adam.step(0, adam.leaves[0]["weight_0"].square().sum(-1))
        again = LaneAdam(ours, [slice(0, 2)], lr=0.01, grad_clip=0.5, steps_as_tensors=not as_tensors)
        again.load_state(adam.state())
        again.step(0, again.leaves[0]["weight_0"].square().sum(-1))
        ends.append((ours["weight_0"], again.state()["step"].tolist()))
    torch.testing.assert_close(ends[0][0], ends[1][0], rtol=1e-5, atol=0)
    assert ends[0][1] == ends[1][1] == [31.0, 31.0]
