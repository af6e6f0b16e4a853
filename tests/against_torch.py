"""One program on PyTorch and on Kadam, from the same NumPy inputs: values, types, shapes and gradients must agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import kadam

Array = np.ndarray[Any, np.dtype[Any]]
TOLERANCES = {np.dtype(np.float32): (2e-5, 2e-6), np.dtype(np.float64): (1e-7, 1e-11)}


def compare(
    function: Callable[..., Any],
    *arrays: Any,
    constant: Sequence[int] = (),
    order: int = 1,
    tolerance: tuple[float, float] | None = None,
) -> None:
    """Run `function(m, *tensors)`, m being `torch` and then `kadam`, and compare.

    Args:
        function: returns a tensor, or several.
        arrays: what the tensors are made of; those of floating-point numbers require grad.
        constant: positions of arrays that do not.
        order: of the derivatives that are compared: 0, 1 or 2.
        tolerance: relative and absolute; by default that of the narrowest floating-point array.
    """
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    floats = [one.dtype for one in arrays if isinstance(one, np.ndarray) and one.dtype.kind == "f"]
    near = tolerance or TOLERANCES[min(floats, key=lambda kind: kind.itemsize, default=np.dtype(np.float64))]
    expected = _outcome(torch, function, arrays, constant, order)
    computed = _outcome(kadam, function, arrays, constant, order)
    assert expected.keys() == computed.keys()
    for name, one in expected.items():
        other = computed[name]
        assert (one.shape, one.dtype) == (other.shape, other.dtype), name
        np.testing.assert_allclose(other, one, *near, err_msg=name)


def _outcome(m: Any, function: Callable[..., Any], arrays: Sequence[Any], constant: Sequence[int], order: int) -> Any:
    """Every value and gradient of a run, by name."""
    tensors = [_tensor(m, one, position not in constant and order > 0) for position, one in enumerate(arrays)]
    results = function(m, *tensors)
    results = results if isinstance(results, tuple | list) else [results]
    found = {f"result {index}": one.detach().numpy() for index, one in enumerate(results)}
    leaves = [one for one in tensors if getattr(one, "requires_grad", False)]
    outer = [one for one in results if one.requires_grad]
    for level in range(1, order + 1):
        if not outer:
            break
        total = sum((one * _weights(m, one)).sum() for one in outer)
        outer = m.autograd.grad(total, leaves, create_graph=level < order, allow_unused=True)
        found |= {f"derivative {level} of {i}": one.detach().numpy() for i, one in enumerate(outer) if one is not None}
        outer = [one for one in outer if one is not None and one.requires_grad]
    return found


def _tensor(m: Any, value: Any, may_require_grad: bool) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return m.from_numpy(value.copy()).requires_grad_(may_require_grad and value.dtype.kind == "f")


def _weights(m: Any, tensor: Any) -> Any:
    """A cotangent: numbers that depend on the shape alone, none of them 0 and no two alike."""
    values = np.cos(np.arange(tensor.numel()) * 0.7 + 0.3) + 1.5
    kind = str(tensor.dtype).removeprefix("torch.")
    return m.from_numpy(values.astype(kind).reshape(tuple(tensor.shape)))
