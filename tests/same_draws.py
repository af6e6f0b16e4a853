"""Whether Kadam draws what PyTorch draws: one call, made with either from the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam

Call = Callable[[Any], Any]  # of `torch` or `kadam`


def torch_with_the_same_numbers() -> Any:
    """PyTorch; skips the test where there is none, or where the processor has it make other numbers."""
    torch = pytest.importorskip("torch")
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        pytest.skip("PyTorch's own numbers depend on the processor: Kadam's are those of one with AVX2")
    return torch


def values(tensor: Any) -> np.ndarray[Any, Any]:
    """The values of a tensor of either, in double precision."""
    tensor = tensor.detach()
    return np.asarray((tensor.double() if tensor.is_floating_point() else tensor).tolist())


def check_same(torch: Any, call: Call, tolerance: float = 0.0) -> None:
    """The same values and properties, errors and warnings, and then the same place in the generator's sequence."""
    expected, expected_warnings = _outcome(torch, call)
    result, raised_warnings = _outcome(kadam, call)
    if isinstance(expected, Exception):
        assert isinstance(result, type(expected)), repr(result)
        return
    assert not isinstance(result, Exception), repr(result)
    assert tuple(result.shape) == tuple(expected.shape)
    assert str(result.dtype) == str(expected.dtype)
    assert result.requires_grad == expected.requires_grad
    np.testing.assert_allclose(values(result), values(expected), rtol=tolerance, atol=tolerance)
    assert raised_warnings == expected_warnings
    assert kadam.rand(1).item() == torch.rand(1).item()


def _outcome(library: Any, call: Call) -> tuple[Any, list[type[Warning]]]:
    """What a call returns or raises, and its warnings."""
    library.manual_seed(7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call(library)
        except Exception as error:
            result = error
    return result, [one.category for one in caught]
