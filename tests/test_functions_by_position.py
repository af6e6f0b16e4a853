"""Functions that `torch` has beside `torch.nn.functional`: called as PyTorch's signatures say, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import kadam


def _numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _weights(m, gates, size, hidden, layers=1, ways=1, biases=True, projection=0):
    found, out = [], projection or hidden
    for layer in range(layers):
        for way in range(ways):
            width = size if layer == 0 else out * ways
            shapes = [(gates * hidden, width), (gates * hidden, out)]
            shapes += [(gates * hidden,)] * 2 if biases else []
            shapes += [(projection, hidden)] if projection else []
            found += [m.from_numpy(_numbers(*shape, seed=len(found) + 7 * layer + way)) for shape in shapes]
    return found


CALLS = {
    "batch_norm": lambda m, x: m.batch_norm(
        x(4, 3), x(3, seed=1), x(3, seed=2), m.zeros(3), m.ones(3), True, 0.1, 1e-5, False
    ),
    "batch_norm, at rest": lambda m, x: m.batch_norm(x(4, 3), None, None, m.zeros(3), m.ones(3), False, 0.1, 1, True),
    "instance_norm": lambda m, x: m.instance_norm(x(2, 3, 5), None, None, None, None, True, 0.1, 1e-5, False),
    "binary_cross_entropy_with_logits": lambda m, x: m.binary_cross_entropy_with_logits(
        x(4), m.tensor([0.0, 1.0, 1.0, 0.0]), reduction=2
    ),
    "cosine_embedding_loss": lambda m, x: m.cosine_embedding_loss(
        x(4, 3), x(4, 3, seed=1), m.tensor([1.0, -1.0, 1.0, -1.0]), margin=0.1, reduction=0
    ),
    "hinge_embedding_loss": lambda m, x: m.hinge_embedding_loss(x(4), m.tensor([1.0, -1.0, 1.0, -1.0])),
    "kl_div, of each": lambda m, x: m.kl_div(x(4, 3), x(4, 3, seed=1).softmax(1), log_target=True),
    "kl_div": lambda m, x: m.kl_div(x(4, 3).log_softmax(1), x(4, 3, seed=1).softmax(1), 2),
    "ctc_loss": lambda m, x: m.ctc_loss(
        x(6, 2, 4).log_softmax(2), m.tensor([[1, 2], [3, 1]]), m.tensor([6, 5]), m.tensor([2, 1]), 0, 2, False
    ),
    "adaptive_max_pool1d": lambda m, x: m.adaptive_max_pool1d(x(2, 3, 7), 3),
    "affine_grid_generator": lambda m, x: m.affine_grid_generator(x(2, 2, 3), (2, 3, 4, 5), False),
    "embedding_renorm_": lambda m, x: m.embedding_renorm_(x(5, 3), m.tensor([1, 4]), 0.5, 2.0),
    "norm_except_dim": lambda m, x: (m.norm_except_dim(x(3, 4, 2), 2, 1), m.norm_except_dim(x(3, 4), 2, -1)),
    "conv_tbc": lambda m, x: m.conv_tbc(x(7, 2, 3), x(3, 3, 4, seed=1), x(4, seed=2), 1),
    "lstm": lambda m, x: m.lstm(
        x(5, 2, 3), (x(4, 2, 4, seed=1), x(4, 2, 4, seed=2)), _weights(m, 4, 3, 4, 2, 2),
        True, 2, 0.0, False, True, False,
    ),
    "lstm, projected": lambda m, x: m.lstm(
        x(2, 5, 3), (x(1, 2, 2, seed=1), x(1, 2, 4, seed=2)), _weights(m, 4, 3, 4, projection=2),
        True, 1, 0.0, True, False, True,
    ),
    "gru": lambda m, x: m.gru(
        x(5, 2, 3), x(2, 2, 4, seed=1), _weights(m, 3, 3, 4, 2, biases=False), False, 2, 0.0, False, False, False
    ),
    "rnn_tanh": lambda m, x: m.rnn_tanh(
        x(5, 2, 3), x(1, 2, 4, seed=1), _weights(m, 1, 3, 4), True, 1, 0.0, False, False, False
    ),
    "rnn_relu": lambda m, x: m.rnn_relu(
        x(5, 2, 3), x(1, 2, 4, seed=1), _weights(m, 1, 3, 4), True, 1, 0.0, False, False, False
    ),
    "lstm_cell": lambda m, x: m.lstm_cell(x(2, 3), (x(2, 4), x(2, 4, seed=1)), *_weights(m, 4, 3, 4)),
    "gru_cell": lambda m, x: m.gru_cell(x(2, 3), x(2, 4), *_weights(m, 3, 3, 4)),
    "rnn_tanh_cell": lambda m, x: m.rnn_tanh_cell(x(2, 3), x(2, 4), *_weights(m, 1, 3, 4, biases=False)),
    "rnn_relu_cell": lambda m, x: m.rnn_relu_cell(x(2, 3), x(2, 4), *_weights(m, 1, 3, 4)),
    "norms": lambda m, x: (m.nuclear_norm(x(3, 4)), m.frobenius_norm(x(3, 4), (0, 1)), m.frobenius_norm(x(3, 4), 1)),
    "slice_copy": lambda m, x: m.slice_copy(x(5, 4), 0, 1, 5, 2),
    "in place": lambda m, x: [
        getattr(m, name)(x(4).abs() / 4 + shift)
        for name, shift in [
            ("arccos_", 0), ("arccosh_", 2), ("arcsin_", 0), ("arcsinh_", 0), ("arctan_", 0), ("arctanh_", 0),
            ("conj_physical_", 0), ("detach_", 0), ("i0_", 0),
        ]
    ],
    "in place, two": lambda m, x: (
        m.gcd_(m.tensor([12, 8]), m.tensor([8, 6])), m.lcm_(m.tensor([4, 3]), m.tensor([6, 2])),
        m.ldexp_(m.tensor([1.0, 2.0]), m.tensor([2, 3])), m.as_strided_(x(6), (2, 2), (1, 2)),
    ),
    "control": lambda m, x: (
        m.cond(x(2).sum() > 100, lambda a: a + 1, lambda a: a * 2, (x(3),)),
        m.tensor([m.sym_max(2, 3), m.sym_int(2.5), m.sym_sum([1, 2]), int(m.sym_not(True))]),
    ),
}  # fmt: skip


def _flat(found):
    return [one for each in found for one in _flat(each)] if isinstance(found, list | tuple) else [found]


@pytest.mark.parametrize("name", CALLS)
def test_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = (
        _flat(CALLS[name](m, lambda *shape, seed=0, m=m: m.from_numpy(_numbers(*shape, seed=seed))))
        for m in (kadam, torch)
    )
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert tuple(one.shape) == tuple(other.shape)
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def test_dropout_of_channels_and_in_place():
    x = kadam.ones(4, 50)
    assert kadam.dropout_(x, 0.5, True) is x
    assert set(x.flatten().tolist()) == {0.0, 2.0}
    assert kadam.feature_dropout(kadam.ones(2, 8, 3, 3), 0.5, True).amax((2, 3)).shape == (2, 8)


def test_global_switches():
    torch = pytest.importorskip("torch")
    for m in (kadam, torch):
        for mode in ("warn", 2, "default"):
            m.set_deterministic_debug_mode(mode)
            assert m.get_deterministic_debug_mode() == {"warn": 1, "default": 0}.get(mode, mode)
        assert not m.is_deterministic_algorithms_warn_only_enabled()
        assert not m.is_warn_always_enabled()
    with pytest.raises(RuntimeError):
        kadam.set_deterministic_debug_mode("other")
