"""Axes: S seed, M sample."""

import pytest
import torch
from torch.nn import LSTM, GRUCell, Linear, LSTMCell

from baselines.kernels import layers
from baselines.streams import Streams, derived_seed


def streams(*seeds: int) -> list[Streams]:
    return [Streams(seed) for seed in seeds]


def test_initial_linear_draws_what_torch_draws():
    """Layer by layer from the same random numbers; torch rounds its bound a little differently."""
    parameters = layers.initial_linear([7, 5, 3], streams(4, 9), "cpu", torch.float32)
    for s, seed in enumerate((4, 9)):
        torch.manual_seed(derived_seed(seed, "initialisation"))
        for layer, module in enumerate((Linear(7, 5), Linear(5, 3))):
            torch.testing.assert_close(parameters[f"weight_{layer}"][s], module.weight.data, rtol=1e-6, atol=1e-7)
            torch.testing.assert_close(parameters[f"bias_{layer}"][s], module.bias.data, rtol=1e-6, atol=1e-7)


def test_initial_gru_draws_what_torch_draws():
    parameters = layers.initial_gru(5, 6, streams(4, 9), "cpu", torch.float32)
    for s, seed in enumerate((4, 9)):
        torch.manual_seed(derived_seed(seed, "initialisation"))
        for name, p in GRUCell(5, 6).named_parameters():
            torch.testing.assert_close(parameters[name][s], p.data, rtol=1e-6, atol=1e-7)


def test_initial_lstm_draws_what_torch_draws():
    parameters = layers.initial_lstm(5, 6, streams(4, 9), "cpu", torch.float32)
    for s, seed in enumerate((4, 9)):
        torch.manual_seed(derived_seed(seed, "initialisation"))
        for name, p in LSTMCell(5, 6).named_parameters():
            torch.testing.assert_close(parameters[name][s], p.data, rtol=1e-6, atol=1e-7)


def test_lstm_cell_is_torchs():
    """Three steps, in values and gradients, from a state of its own."""
    torch.manual_seed(0)
    parameters = layers.initial_lstm(5, 6, streams(1, 2), "cpu", torch.float64)
    parameters = {name: p.requires_grad_() for name, p in parameters.items()}
    x, h, c = (torch.randn(2, *shape, dtype=torch.float64) for shape in ((3, 5, 7), (6, 7), (6, 7)))
    hidden, cell, ours = h, c, []
    for t in range(3):
        gates_ih = layers.linear(parameters["weight_ih"], parameters["bias_ih"], x[:, t])
        gates_hh = layers.linear(parameters["weight_hh"], parameters["bias_hh"], hidden)
        hidden, cell = layers.lstm_cell(gates_ih, gates_hh, cell)
        ours.append(hidden)
    gradients = torch.autograd.grad(torch.stack(ours).sin().sum() + cell.sin().sum(), list(parameters.values()))
    for s in range(2):
        lstm = LSTM(5, 6).double()
        lstm.load_state_dict({f"{name}_l0": p[s].detach() for name, p in parameters.items()})
        y, (_, last) = lstm(x[s].mT, (h[s].mT.unsqueeze(0).contiguous(), c[s].mT.unsqueeze(0).contiguous()))
        torch.testing.assert_close(torch.stack(ours)[:, s].mT, y, rtol=0, atol=1e-14)
        torch.testing.assert_close(cell[s].mT, last[0], rtol=0, atol=1e-14)
        theirs = torch.autograd.grad(y.sin().sum() + last.sin().sum(), list(lstm.parameters()))
        for a, b in zip(gradients, theirs, strict=True):
            torch.testing.assert_close(a[s], b, rtol=0, atol=1e-12)


def test_a_seed_starts_the_same_in_any_company():
    company = layers.initial_linear([7, 5], streams(1, 2, 3), "cpu", torch.float32)
    alone = layers.initial_linear([7, 5], streams(2), "cpu", torch.float32)
    assert all(torch.equal(p[1], alone[name][0]) for name, p in company.items())


def test_columns_and_rows_are_inverses():
    x = torch.randn(2, 3, 5, 4)
    filled = layers.columns(x)
    assert filled.shape == (2, 4, 32)
    assert not filled[..., 15:].any()
    assert layers.columns(torch.randn(2, 32, 1, 4)).shape == (2, 4, 32)
    assert layers.columns(torch.randn(2, 33, 1, 4)).shape == (2, 4, 64)
    assert torch.equal(layers.rows(filled, (3, 5)), x)


@pytest.mark.parametrize("sizes", [[4, 6, 3], [1, 6, 3], [4, 6, 1], [4, 1, 3], [1, 1], [4, 2]])
@pytest.mark.parametrize("samples", [4, 20])
def test_mlp_is_torchs(sizes, samples):
    """In values and gradients; width 1 has a path of its own, and so have few samples."""
    torch.manual_seed(0)
    parameters = layers.initial_linear(sizes, streams(1, 2), "cpu", torch.float64)
    parameters = {name: p.requires_grad_() for name, p in parameters.items()}
    x = torch.randn(2, sizes[0], samples, dtype=torch.float64, requires_grad=True)
    ours = layers.mlp(parameters, x)
    expected = []
    for s in range(2):
        y = x[s].mT
        for layer in range(len(sizes) - 1):
            weight, bias = parameters[f"weight_{layer}"][s], parameters[f"bias_{layer}"][s]
            y = torch.nn.functional.linear(y.relu() if layer else y, weight, bias)
        expected.append(y.mT)
    theirs = torch.stack(expected)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    leaves = [x, *parameters.values()]
    for a, b in zip(
        torch.autograd.grad(ours.sin().sum(), leaves), torch.autograd.grad(theirs.sin().sum(), leaves), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_parts_have_names():
    parameters = layers.named("E_1", {"weight_0": torch.zeros(1)}) | layers.named("E_10", {"weight_0": torch.ones(1)})
    assert list(parameters) == ["E_1.weight_0", "E_10.weight_0"]
    assert layers.part(parameters, "E_1") == {"weight_0": torch.zeros(1)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [[1, 64], [2, 1], [17, 1], [64, 1], [1, 1], [5, 33], [11, 9]])
@pytest.mark.parametrize("samples", [4, 32, 96, 800])
def test_a_seeds_layer_and_gradients_do_not_depend_on_its_place(sizes, samples, dtype):
    """Bit for bit; without a path of its own for width 1, or with samples as rows, this fails."""
    torch.manual_seed(0)
    inputs = torch.randn(5, samples, sizes[0], dtype=dtype)
    parameters = layers.initial_linear(sizes, streams(1, 2, 3, 4, 5), "cpu", dtype)

    def layer(lanes: slice) -> list[torch.Tensor]:
        leaves = [p[lanes].clone().requires_grad_() for p in parameters.values()]
        x = layers.columns(inputs[lanes].clone()).requires_grad_()
        y = layers.linear(leaves[0], leaves[1], x)
        return [y, *torch.autograd.grad(y.square().sum(), [x, *leaves])]

    together = layer(slice(0, 5))
    for s in range(5):
        assert all(torch.equal(a[s], b[0]) for a, b in zip(together, layer(slice(s, s + 1)), strict=True))
