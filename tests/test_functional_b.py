"""Convolution, pooling, embedding, recurrence, attention and resampling against PyTorch and against mathematics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare
from kadam.nn import functional as F
from kadam.recording.step import state
from spatial_cases import DRAWN, FIRST, REFUSED, SECOND


def of_kind(arrays: Any, kind: type) -> list[Any]:
    """The arrays, those of floating-point numbers of the given kind."""
    return [one.astype(kind) if one.dtype.kind == "f" else one for one in arrays]


@pytest.mark.parametrize("name", [*FIRST, *SECOND])
def test_single_precision(name: str) -> None:
    function, *arrays = {**FIRST, **SECOND}[name]
    compare(function, *of_kind(arrays, np.float32), tolerance=(2e-4, 2e-5))


@pytest.mark.parametrize("name", FIRST)
def test_double_precision(name: str) -> None:
    function, *arrays = FIRST[name]
    compare(function, *arrays, tolerance=(1e-7, 1e-9))


@pytest.mark.parametrize("name", SECOND)
def test_second_derivative(name: str) -> None:
    """Of a square, because the derivative of a linear function depends on nothing."""
    function, *arrays = SECOND[name]

    def squared(m: Any, *tensors: Any) -> Any:
        found = function(m, *tensors)
        return [one * one for one in (found if isinstance(found, tuple) else (found,)) if one.is_floating_point()]

    compare(squared, *arrays, order=2, tolerance=(1e-6, 1e-7))


@pytest.mark.parametrize("name", DRAWN)
def test_draws_as_pytorch(name: str) -> None:
    function, *arrays = DRAWN[name]

    def seeded(m: Any, *tensors: Any) -> Any:
        m.manual_seed(11)
        found = function(m, *tensors)
        return [*(found if isinstance(found, tuple) else (found,)), m.rand(3)]

    compare(seeded, *of_kind(arrays, np.float32), tolerance=(1e-4, 1e-5))


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_pytorchs_exception(name: str) -> None:
    torch = pytest.importorskip("torch")
    function, *arrays = REFUSED[name]
    with pytest.raises(Exception) as expected:
        function(torch, *[torch.from_numpy(one) for one in arrays])
    with pytest.raises(type(expected.value)) as raised:
        function(kadam, *[kadam.from_numpy(one) for one in arrays])
    assert isinstance(raised.value, kadam.errors.KadamError | ValueError)


# ---- Facts that need no reference


def test_convolution_of_ones_counts_the_window() -> None:
    ones, kernel = kadam.ones(1, 1, 4, 4), kadam.ones(1, 1, 3, 3)
    counted = F.conv2d(ones, kernel, padding=1)[0, 0]
    assert counted.tolist() == [[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_transposed_convolution_is_the_derivative_of_convolution(axes: int) -> None:
    kadam.manual_seed(0)
    convolve, transpose = getattr(F, f"conv{axes}d"), getattr(F, f"conv_transpose{axes}d")
    x = kadam.randn(2, 3, *(7,) * axes, dtype=kadam.float64, requires_grad=True)
    weight = kadam.randn(4, 3, *(3,) * axes, dtype=kadam.float64)
    y = convolve(x, weight, stride=2, padding=1)
    ct = kadam.randn(*y.shape, dtype=kadam.float64)
    (expected,) = kadam.autograd.grad(y, x, ct)
    assert kadam.allclose(transpose(ct, weight, stride=2, padding=1), expected)


def test_global_pooling_is_the_mean_and_the_maximum() -> None:
    x = kadam.arange(24.0).reshape(2, 3, 4)
    assert F.adaptive_avg_pool2d(x, 1).flatten().tolist() == x.mean((1, 2)).tolist()
    assert F.adaptive_max_pool2d(x, 1).flatten().tolist() == x.amax((1, 2)).tolist()


def test_padding_row_gets_no_gradient() -> None:
    weight = kadam.ones(4, 2, requires_grad=True)
    F.embedding(kadam.tensor([0, 1, 1, 3]), weight, padding_idx=1).sum().backward()
    assert weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("look_up", [F.embedding, lambda i, w, **o: F.embedding_bag(i, w, mode="sum", **o)])
def test_gradients_by_frequency(look_up: Callable[..., Any]) -> None:
    """As documented; PyTorch's own bags divide by the counts of other rows."""
    weight = kadam.ones(4, 2, requires_grad=True)
    look_up(kadam.tensor([[0, 1, 1], [1, 3, 0]]), weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad[:, 0].tolist() == [1, 1, 0, 1]


def test_rows_beyond_the_norm_are_scaled_in_place() -> None:
    weight = kadam.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    found = F.embedding(kadam.tensor([0, 1, 0]), weight, max_norm=1.0)
    assert kadam.allclose(weight, kadam.tensor([[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]]))
    assert kadam.equal(found, weight[kadam.tensor([0, 1, 0])])


def test_one_hot_of_recorded_classes() -> None:
    scores = kadam.eye(3, requires_grad=True) * 2
    assert F.one_hot(scores.argmax(1), 4).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


def test_attention_without_a_source_is_zero() -> None:
    q = kadam.randn(2, 3, 4, requires_grad=True)
    mask = kadam.tensor([[True, True, True], [False, False, False], [True, False, True]])
    found = F.scaled_dot_product_attention(q, q, q, mask)
    assert found[:, 1].abs().sum().item() == 0
    found.sum().backward()
    assert q.grad.isfinite().all()


def test_causal_attention_sees_no_future() -> None:
    q, k, v = (kadam.randn(1, 5, 4) for _ in range(3))
    before = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    v[:, 3:] = 7.0
    after = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert kadam.equal(before[:, :3], after[:, :3])
    assert not kadam.equal(before[:, 3:], after[:, 3:])


@pytest.mark.parametrize("mode", ["RNN_TANH", "RNN_RELU", "LSTM", "GRU"])
def test_layer_is_its_cell_step_by_step(mode: str) -> None:
    gates = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}[mode] * 5
    x, h, c = kadam.randn(20, 2, 3), kadam.randn(2, 5), kadam.randn(2, 5) if mode == "LSTM" else None
    weights = [kadam.randn(gates, 3), kadam.randn(gates, 5), kadam.randn(gates), kadam.randn(gates)]
    output, last, last_cell = F.rnn_layer(mode, x, h, c, *weights)
    for step in range(20):
        found = F.rnn_cell(mode, x[step], h, c, *weights)
        h, c = found if mode == "LSTM" else (found, None)
        assert kadam.allclose(output[step], h, atol=1e-5)
    assert kadam.equal(output[-1], last)
    assert last_cell is None if c is None else kadam.allclose(last_cell, c, atol=1e-5)


# ---- What is recorded


def recorded(call: Callable[[], Any]) -> tuple[int, Counter[str]]:
    """How many tensors a call makes in the recording, and which nodes."""
    kadam.ones(1).item()
    made, nodes = len(state.rec.created), len(state.rec.current_path().builder.nodes)
    call()
    added = state.rec.current_path().builder.nodes[nodes:]
    return len(state.rec.created) - made, Counter(type(one.primitive).__name__ for one in added)


X = kadam.randn(2, 4, 6, 6)
CALLS = {
    "conv2d": lambda: F.conv2d(X, X[:, :, :3, :3], X[0, :2, 0, 0], padding="same"),
    "conv_transpose2d": lambda: F.conv_transpose2d(X, X.transpose(0, 1)),
    "max_pool2d": lambda: F.max_pool2d(X, 2),
    "avg_pool2d": lambda: F.avg_pool2d(X, 3, 2, 1, count_include_pad=False),
    "adaptive_avg_pool2d": lambda: F.adaptive_avg_pool2d(X, (4, 5)),
    "pad": lambda: F.pad(X, (1, 1, 1, 1), "reflect"),
    "interpolate": lambda: F.interpolate(X, scale_factor=1.5, mode="bilinear"),
    "pixel_shuffle": lambda: F.pixel_shuffle(X, 2),
    "scaled_dot_product_attention": lambda: F.scaled_dot_product_attention(X, X, X, is_causal=True),
}


@pytest.mark.parametrize("name", CALLS)
def test_layer_is_one_recorded_call(name: str) -> None:
    views = {"conv2d": 2, "conv_transpose2d": 1}.get(name, 0)  # of X, which are seen at once or recorded too
    made, _ = recorded(CALLS[name])
    assert 1 <= made <= 1 + views


@pytest.mark.parametrize(("mode", "gates", "per_step"), [("RNN_TANH", 1, 4), ("LSTM", 4, 16), ("GRU", 3, 17)])
def test_recurrent_graph_stays_small(mode: str, gates: int, per_step: int) -> None:
    steps, h = 24, kadam.randn(2, 5)
    operands = [kadam.randn(steps, 2, 3), h, h if mode == "LSTM" else None, kadam.randn(gates * 5, 3)]
    operands += [kadam.randn(gates * 5, 5), kadam.randn(gates * 5), kadam.randn(gates * 5)]
    _, nodes = recorded(lambda: F.rnn_layer(mode, *operands))
    assert nodes["Dot"] == steps + 1  # the input's part is one product for all steps
    assert nodes.total() <= per_step * steps + 30


# ---- Sequences of several lengths


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding_are_inverse(batch_first: bool) -> None:
    from kadam.nn.utils import rnn

    lengths = [2, 4, 1]
    parts = [kadam.arange(10.0 * size).reshape(size, 10) + size for size in lengths]
    padded = rnn.pad_sequence(parts, batch_first, padding_value=-1.0)
    packed = rnn.pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 2, 1, 1]
    assert packed.sorted_indices.tolist() == [1, 0, 2]
    again, found = rnn.pad_packed_sequence(packed, batch_first, padding_value=-1.0)
    assert kadam.equal(again, padded)
    assert found.tolist() == lengths
    assert all(kadam.equal(one, part) for one, part in zip(rnn.unpack_sequence(packed), parts, strict=True))
    assert kadam.equal(rnn.pack_sequence(parts, enforce_sorted=False).data, packed.data)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("packed", [False, True])
def test_network_of_two_layers_and_directions(kind: str, packed: bool) -> None:
    steps = np.random.default_rng(0).standard_normal((17, 3, 2))

    def run(m: Any, x: Any) -> Any:
        m.manual_seed(0)
        network = getattr(m.nn, kind)(2, 3, num_layers=2, bidirectional=True, dtype=m.float64)
        pad, pack = m.nn.utils.rnn.pad_packed_sequence, m.nn.utils.rnn.pack_padded_sequence
        output, last = network(pack(x, [2, 17, 9], enforce_sorted=False) if packed else x)
        if packed:
            output, _ = pad(output, padding_value=0.5)
        results = [output, *(last if isinstance(last, tuple) else (last,))]
        total = sum((one * one).sum() for one in results)
        return [*results, *m.autograd.grad(total, list(network.parameters()), retain_graph=True)]

    compare(run, steps, tolerance=(1e-7, 1e-9))
