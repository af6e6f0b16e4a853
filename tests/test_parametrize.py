"""Weights computed from others: weight and spectral normalisation, and parametrizations at large."""

from __future__ import annotations

import numpy as np
import pytest

import kadam
from kadam import nn
from kadam.nn.utils import parametrize

pytestmark = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`")


@pytest.mark.parametrize(
    "change",
    [
        lambda m, layer: m.nn.utils.weight_norm(layer),
        lambda m, layer: m.nn.utils.weight_norm(layer, dim=None),
        lambda m, layer: m.nn.utils.spectral_norm(layer),
        lambda m, layer: m.nn.utils.parametrizations.weight_norm(layer),
        lambda m, layer: m.nn.utils.parametrizations.spectral_norm(layer),
    ],
    ids=["weight_norm", "weight_norm whole", "spectral_norm", "parametrized weight", "parametrized spectral"],
)
@pytest.mark.parametrize("make", [lambda m: m.nn.Linear(4, 3), lambda m: m.nn.ConvTranspose1d(4, 2, 3)])
def test_training_as_in_pytorch(change, make):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        m.manual_seed(0)
        layer = change(m, make(m))
        x = m.randn(5, 4) if layer.weight.dim() == 2 else m.randn(5, 4, 6)
        optimizer = m.optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (layer(x) ** 2).mean().backward()
            optimizer.step()
        layer.eval()
        layer(x)
        found.append((repr(layer), {name: value.detach().numpy() for name, value in layer.state_dict().items()}))
    (ours, our_state), (theirs, their_state) = found
    assert ours == theirs
    assert list(our_state) == list(their_state)
    for name, value in their_state.items():
        np.testing.assert_allclose(our_state[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_normalisation_is_taken_off_again():
    layer = nn.Linear(4, 3)
    weight = layer.weight.detach().clone()
    nn.utils.remove_weight_norm(nn.utils.weight_norm(layer))
    np.testing.assert_allclose(layer.weight.detach().numpy(), weight.numpy(), rtol=1e-6)
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight"]
    nn.utils.remove_spectral_norm(nn.utils.spectral_norm(layer))
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="not found"):
        nn.utils.remove_weight_norm(layer)


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, value):
        return value / 2


def test_a_parameter_as_a_function_of_another():
    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear"
    assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    layer(kadam.ones(1, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    value = layer.weight.detach().clone()
    assert kadam.equal(value, value.T)
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert kadam.equal(layer.weight, value)
    assert not parametrize.is_parametrized(layer)


def test_an_inverse_keeps_the_value_there_is():
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert kadam.equal(layer.weight, before)
    assert kadam.equal(layer.parametrizations.weight.original, before / 2)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert kadam.equal(layer.weight, before / 2)


def test_values_are_computed_once_inside_cached():
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    assert layer.weight is not layer.weight
    with parametrize.cached():
        assert layer.weight is layer.weight


def test_shapes_and_names_are_checked():
    class Wider(nn.Module):
        def forward(self, x):
            return x.repeat(2, 1)

    with pytest.raises(ValueError, match="may not change the shape"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Wider())
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(nn.Linear(2, 2), "nothing", Symmetric())
    with pytest.raises(ValueError, match="does not have a parametrization"):
        parametrize.remove_parametrizations(nn.Linear(2, 2), "weight")


def test_parametrizations_move_to_another_module():
    torch = pytest.importorskip("torch")

    def moved(m):
        p = m.nn.utils.parametrize

        class Doubled(m.nn.Module):
            def forward(self, x):
                return 2 * x

        first, second = m.nn.Linear(2, 2), m.nn.Linear(2, 2)
        for one, value in ((first, 1.0), (second, 5.0)):
            m.nn.init.constant_(one.weight, value)
        p.register_parametrization(first, "weight", Doubled())
        p.transfer_parametrizations_and_params(first, second)
        kinds = [p.type_before_parametrizations(one).__name__ for one in (first, second, m.nn.Linear(1, 1))]
        return kinds, second.weight.tolist(), sorted(second.state_dict()), p.is_parametrized(second, "weight")

    assert moved(kadam) == moved(torch)


def test_a_second_parametrization_follows_the_first():
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):

        class Double(m.nn.Module):
            def forward(self, x):
                return x * 2

        class Upper(m.nn.Module):
            def forward(self, x):
                return x.triu()

            def right_inverse(self, x):
                return x

        layer = m.nn.Linear(2, 2, bias=False)
        layer.weight.data = m.ones(2, 2)
        m.nn.utils.parametrize.register_parametrization(layer, "weight", Double())
        m.nn.utils.parametrize.register_parametrization(layer, "weight", Upper())
        layer(m.ones(1, 2)).sum().backward()
        original = layer.parametrizations.weight.original
        found.append([layer.weight.tolist(), original.tolist(), original.grad.tolist()])
    assert found[0] == found[1] == [[[2.0, 2.0], [0.0, 2.0]], [[1.0, 1.0]] * 2, [[2.0, 2.0], [0.0, 2.0]]]
