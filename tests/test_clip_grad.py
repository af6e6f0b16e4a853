"""Bounds on gradients, and parameters as one vector, against PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kadam.nn import utils
from kadam.recording.step import state
from kadam.recording.tensor import from_array, read

SHAPES = ((3, 4), (5,), ())


def gradients(scale: float = 1.0) -> list[np.ndarray[Any, Any]]:
    draw = np.random.default_rng(3)
    return [np.asarray(scale * draw.normal(size=shape)).astype(np.float32) for shape in SHAPES]


def parameters(scale: float = 1.0) -> list[Any]:
    params = [from_array(np.zeros(shape, np.float32), requires_grad=True) for shape in (*SHAPES, (2,))]
    for param, grad in zip(params, gradients(scale), strict=False):
        param.grad = from_array(grad)
    return params  # the last one has no gradient


def torch_parameters(torch: Any, scale: float = 1.0) -> list[Any]:
    params = [torch.zeros(shape, requires_grad=True) for shape in (*SHAPES, (2,))]
    for param, grad in zip(params, gradients(scale), strict=False):
        param.grad = torch.from_numpy(grad)
    return params


def equal_gradients(params: list[Any], expected: list[Any]) -> None:
    assert params[-1].grad is None
    for param, other in zip(params[:-1], expected[:-1], strict=True):
        np.testing.assert_allclose(read(param.grad), other.grad.numpy(), rtol=2e-6)


@pytest.mark.parametrize("max_norm", [0.5, 1, 100.0])
@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, math.inf, -math.inf, "inf", 0])
def test_clip_grad_norm(norm_type: Any, max_norm: float) -> None:
    torch = pytest.importorskip("torch")
    params, expected = parameters(), torch_parameters(torch)
    norm = utils.clip_grad_norm_(params, max_norm, norm_type)
    other = torch.nn.utils.clip_grad_norm_(expected, max_norm, norm_type)
    assert norm.shape == ()
    assert norm.item() == pytest.approx(other.item(), rel=1e-6)
    equal_gradients(params, expected)


def test_the_norm_is_bounded() -> None:
    params = parameters(10.0)
    before = utils.clip_grad_norm_(iter(params), 2.0).item()
    assert before == pytest.approx(math.sqrt(sum(float((grad**2).sum()) for grad in gradients(10.0))), rel=1e-5)
    assert utils.get_total_norm([param.grad for param in params[:-1]]).item() == pytest.approx(2.0, rel=1e-5)


def test_it_is_two_calls_and_reads_nothing() -> None:
    params = parameters()
    utils.clip_grad_norm_(params, 1.0)
    read(params[0].grad)
    rec = state.rec
    assert rec is not None
    utils.clip_grad_norm_(params, 0.7)
    assert state.rec is rec
    assert sum(1 for call in rec.here.line() if call.outputs) == 2


def test_one_tensor_alone() -> None:
    params = parameters()
    assert utils.clip_grad_norm_(params[0], 0.1).item() == pytest.approx(
        float(np.linalg.norm(gradients()[0])), rel=1e-6
    )
    assert np.linalg.norm(read(params[0].grad)) == pytest.approx(0.1, rel=1e-4)
    utils.clip_grad_value_(params[1], 0.2)
    assert np.abs(read(params[1].grad)).max() <= np.float32(0.2)


def test_clip_grad_value() -> None:
    torch = pytest.importorskip("torch")
    params, expected = parameters(), torch_parameters(torch)
    utils.clip_grad_value_(params, 0.5)
    torch.nn.utils.clip_grad_value_(expected, 0.5)
    equal_gradients(params, expected)


def test_clip_grads_with_norm() -> None:
    torch = pytest.importorskip("torch")
    params, expected = parameters(), torch_parameters(torch)
    utils.clip_grads_with_norm_(params, 1.0, from_array(np.array(4.0, np.float32)))
    torch.nn.utils.clip_grads_with_norm_(expected, 1.0, torch.tensor(4.0))
    equal_gradients(params, expected)


def test_no_gradients() -> None:
    params = [parameters()[-1]]
    assert utils.clip_grad_norm_(params, 1.0).item() == 0.0
    utils.clip_grad_value_(params, 1.0)
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((param for param in ()), 1.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_norms_that_are_not_finite(bad: float) -> None:
    params = parameters()
    params[0].grad = from_array(np.full((3, 4), bad, np.float32))
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert not math.isfinite(utils.clip_grad_norm_(params, 1.0).item())
    assert np.isnan(read(params[0].grad)).all()


def test_the_old_name() -> None:
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad_norm(parameters(), 1.0)


def test_parameters_as_one_vector() -> None:
    draw = np.random.default_rng(0)
    arrays = [np.asarray(draw.normal(size=shape)).astype(np.float32) for shape in SHAPES]
    params = [from_array(array.copy(), requires_grad=True) for array in arrays]
    vector = utils.parameters_to_vector(params)
    flat = np.concatenate([array.ravel() for array in arrays])
    np.testing.assert_array_equal(read(vector), flat)
    vector.sum().backward()
    assert all((read(param.grad) == 1).all() for param in params)
    utils.vector_to_parameters(from_array(2 * flat), params)
    for param, array in zip(params, arrays, strict=True):
        assert param.requires_grad
        np.testing.assert_array_equal(read(param), 2 * array)
    with pytest.raises(TypeError):
        utils.vector_to_parameters(flat, params)  # type: ignore[arg-type]
