"""Axes: S seed, B batch, T time step, N agent, X state entry."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import Linear, ReLU, Sequential
from torch.nn.functional import elu

from baselines.kernels.layers import part
from baselines.kernels.nn import Parameters
from baselines.networks.mixers import QMIX, VDN, Chosen
from baselines.streams import Streams

S, B, T, N, X = 3, 2, 5, 4, 6
NETWORKS = ("hyper_w_1", "hyper_w_final", "hyper_b_1", "V")


def chosen(q: Tensor, state: Tensor) -> Chosen:
    return Chosen(q, torch.zeros(q.shape, dtype=torch.int64), state)


def random(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(S, B, T, N, dtype=dtype), torch.randn(S, B, T, X, dtype=dtype)


def started(mixer: QMIX) -> Parameters:
    parameters = mixer.initial([Streams(seed) for seed in range(S)], "cpu", torch.float64)
    return {name: p.requires_grad_() for name, p in parameters.items()}


class PlainQMIX:
    """One seed's mixer of torch.nn modules, one transition at a time, the agents in a loop."""

    def __init__(self, mixer: QMIX, parameters: Parameters, s: int):
        self.embed = mixer.mixing_embed_dim
        self.networks = {name: self.network(part(parameters, name), s) for name in NETWORKS}

    @staticmethod
    def network(parameters: Parameters, s: int) -> Sequential:
        modules = []
        for layer in range(len(parameters) // 2):
            weight, bias = parameters[f"weight_{layer}"][s], parameters[f"bias_{layer}"][s]
            linear = Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
            linear.load_state_dict({"weight": weight, "bias": bias})
            modules += [linear, ReLU()]
        return Sequential(*modules[:-1])

    def __call__(self, q: Tensor, state: Tensor) -> Tensor:
        made = {name: network(state) for name, network in self.networks.items()}
        hidden, weights = made["hyper_b_1"], made["hyper_w_1"].abs()
        for i, q_i in enumerate(q):
            hidden = hidden + q_i * weights[i * self.embed :][: self.embed]
        return elu(hidden) @ made["hyper_w_final"].abs() + made["V"][0]

    def named_parameters(self) -> dict[str, Tensor]:
        """By our names."""
        return {
            f"{name}.{kind}_{int(place) // 2}": p
            for name, network in self.networks.items()
            for place, kind, p in ((*key.split("."), p) for key, p in network.named_parameters())
        }


def test_vdn_is_the_sum():
    q = torch.tensor([[[[1.0, 2.0, -4.0]]]])
    assert VDN().q_tot({}, chosen(q, torch.zeros(1, 1, 1, 0))).tolist() == [[[-1.0]]]
    assert VDN().initial([Streams(0)], "cpu", torch.float32) == {}


def test_qmix_by_hand():
    """One agent, one state entry, one mixing entry: w1 = |-2s|, b1 = s, w = |-3s|, V = relu(s) + 1; elu(-1) below 0."""
    one, none = torch.ones(1, 1, 1), torch.zeros(1, 1)
    parameters = {"hyper_w_1.weight_0": -2 * one, "hyper_w_final.weight_0": -3 * one, "hyper_b_1.weight_0": one}
    parameters |= {"V.weight_0": one, "V.weight_1": one, "V.bias_1": none + 1}
    parameters |= {f"{name}.bias_0": none for name in ("hyper_w_1", "hyper_w_final", "hyper_b_1", "V")}
    q, state = torch.tensor([[[[3.0], [3.0], [-1.0]]]]), torch.tensor([[[[1.0], [-1.0], [1.0]]]])
    q_tot = QMIX(1, 1, 1, 1, 0).q_tot(parameters, chosen(q, state))
    below = 3 * (torch.tensor(-1.0).exp().item() - 1)
    assert q_tot.flatten().tolist() == pytest.approx([3 * 7 + 2, 3 * 5 + 1, below + 2])


@pytest.mark.parametrize("hypernet_layers", [1, 2])
def test_qmix_equals_a_plain_loop(hypernet_layers):
    """In Q_tot and in the gradients of all parameters, Q and the state."""
    mixer = QMIX(N, X, 8, hypernet_layers, 7)
    parameters, (q, state) = started(mixer), random()
    q.requires_grad_()
    state.requires_grad_()
    q_tot = mixer.q_tot(parameters, chosen(q, state))
    ours = torch.autograd.grad(q_tot.sin().sum(), [q, state, *parameters.values()])
    gradients = dict(zip(parameters, ours[2:], strict=True))
    for s in range(S):
        plain = PlainQMIX(mixer, parameters, s)
        expected = torch.stack([torch.stack([plain(q[s, b, t], state[s, b, t]) for t in range(T)]) for b in range(B)])
        torch.testing.assert_close(q_tot[s], expected, rtol=0, atol=1e-13)
        own = plain.named_parameters()
        theirs = torch.autograd.grad(expected.sin().sum(), [q, state, *own.values()])
        torch.testing.assert_close(ours[0][s], theirs[0][s], rtol=0, atol=1e-13)
        torch.testing.assert_close(ours[1][s], theirs[1][s], rtol=0, atol=1e-13)
        assert own.keys() == gradients.keys()
        for name, gradient in zip(own, theirs[2:], strict=True):
            torch.testing.assert_close(gradients[name][s], gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize("hypernet_layers", [1, 2])
def test_qmix_is_monotonic_in_every_agents_q(hypernet_layers):
    """In its gradient and over large steps, with weights far larger than at the start."""
    mixer = QMIX(N, X, 8, hypernet_layers, 7)
    parameters, (q, state) = started(mixer), random()
    large = {name: 5 * p for name, p in parameters.items()}
    q.requires_grad_()
    q_tot = mixer.q_tot(large, chosen(q, state))
    assert (torch.autograd.grad(q_tot.sum(), q)[0] >= 0).all()
    for i in range(N):
        raised = q.detach().clone()
        raised[..., i] += 3
        assert (mixer.q_tot(large, chosen(raised, state)) > q_tot).all()


def test_state_values_can_be_negative_and_depend_on_the_state():
    """V(s) is no weight: it stays signed."""
    mixer = QMIX(N, X, 8, 2, 7)
    parameters, (_, state) = started(mixer), random()
    still = {name: 0 * p if name.startswith("hyper") else p for name, p in parameters.items()}
    values = mixer.q_tot(still, chosen(torch.zeros(S, B, T, N, dtype=torch.float64), state))
    assert values.min() < 0 < values.max()


def test_parameters_are_drawn_in_the_order_of_the_original():
    """One hypernetwork after another: w_1, w_final, b_1, V."""
    mixer = QMIX(2, 3, 4, 2, 5)
    shapes = {name: tuple(p.shape) for name, p in mixer.initial([Streams(0)], "cpu", torch.float32).items()}
    assert list(shapes) == [
        f"{network}.{kind}_{layer}"
        for network, count in (("hyper_w_1", 2), ("hyper_w_final", 2), ("hyper_b_1", 1), ("V", 2))
        for layer in range(count)
        for kind in ("weight", "bias")
    ]
    assert shapes["hyper_w_1.weight_0"] == (1, 5, 3)
    assert shapes["hyper_w_1.weight_1"] == (1, 8, 5)
    assert shapes["hyper_w_final.weight_1"] == (1, 4, 5)
    assert shapes["hyper_b_1.weight_0"] == (1, 4, 3)
    assert shapes["V.weight_0"] == (1, 4, 3)
    assert shapes["V.weight_1"] == (1, 1, 4)
