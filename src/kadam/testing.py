"""Comparisons for tests. As `torch.testing`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kadam import missing
from kadam.ops.creation import as_tensor
from kadam.recording.tensor import Recorded, read

# (rtol, atol) by element type, as PyTorch has them
_TOLERANCES = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
    msg: Any = None,
    **options: Any,
) -> None:
    """Raise unless two tensors (or sequences or mappings of them) are close. As `torch.testing.assert_close`.

    Raises:
        AssertionError: they are not, with the largest difference.
    """
    if isinstance(actual, dict):
        for key in expected:
            assert_close(actual[key], expected[key], rtol=rtol, atol=atol, equal_nan=equal_nan, msg=msg)
        return
    if isinstance(actual, list | tuple) and any(isinstance(one, Recorded) for one in actual):
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other, rtol=rtol, atol=atol, equal_nan=equal_nan, msg=msg)
        return
    a, b = (one if isinstance(one, Recorded) else as_tensor(one) for one in (actual, expected))
    if a.shape != b.shape:
        raise AssertionError(msg or f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}.")
    if check_dtype and a.dtype is not b.dtype:
        raise AssertionError(msg or f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}.")
    relative, absolute = _TOLERANCES.get(b.dtype.name, (0.0, 0.0))
    relative, absolute = relative if rtol is None else rtol, absolute if atol is None else atol
    wide = np.complex128 if b.dtype.is_complex else np.float64
    x, y = read(a).astype(wide), read(b).astype(wide)
    if not np.allclose(x, y, relative, absolute, equal_nan):
        worst = np.abs(x - y).max()
        raise AssertionError(
            msg or f"Tensor-likes are not close! Greatest absolute difference: {worst} (up to {absolute} allowed)"
        )


missing.install(__name__)
