"""Where a result of Kadam differs from PyTorch's, within the tolerances that PyTorch's own tests set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.testing._internal.common_device_type import precisionOverride, toleranceOverride
from torch.testing._internal.opinfo.core import DecorateInfo


@dataclass(frozen=True)
class Tolerance:
    """Bounds on the relative and the absolute difference; None: PyTorch's defaults for the element type."""

    relative: float | None = None
    absolute: float | None = None


def tolerance_of(decorators: Iterable[Any]) -> Tolerance:
    """The widest tolerance that PyTorch's tests give an entry in single precision on the CPU."""
    relative, absolute = 1.3e-6, 1e-5
    widened = False
    for decorator in _decorators(decorators):
        overrides = getattr(decorator, "d", {})
        found = overrides.get(torch.float32)
        if isinstance(decorator, toleranceOverride) and found is not None:
            relative, absolute, widened = max(relative, found.rtol), max(absolute, found.atol), True
        if isinstance(decorator, precisionOverride) and found is not None:
            absolute, widened = max(absolute, found), True
    return Tolerance(relative, absolute) if widened else Tolerance()


def _decorators(decorators: Iterable[Any]) -> Iterable[Any]:
    for one in decorators:
        if not isinstance(one, DecorateInfo):
            yield one
        elif one.device_type in (None, "cpu") and (one.dtypes is None or torch.float32 in one.dtypes):
            yield from one.decorators


@dataclass
class Comparison:
    """How two results are compared.

    Attributes:
        tolerance: for floating-point elements.
        values: False: only shapes and element types are compared.
        exact: computes PyTorch's result in double precision. Where numbers differ by more than the tolerance, Kadam's
            may be as near to it as the tolerance says, or twice as far as PyTorch's own, or differ from PyTorch's by
            the tolerance of the largest number: sums have no one right order.
    """

    tolerance: Tolerance = Tolerance()
    values: bool = True
    exact: Callable[[], Any] | None = None

    def difference(self, actual: Any, expected: Any) -> str | None:
        """The first difference between Kadam's result, as PyTorch's types, and PyTorch's; None if there is none."""
        found = self._difference(actual, expected)
        if found is None or self.exact is None or _APART not in found:
            return found
        try:
            exact = self.exact()
        except Exception:  # PyTorch has no such operator in double precision
            return found
        return found if self._difference(actual, expected, exact) is not None else None

    def _difference(self, actual: Any, expected: Any, exact: Any = None) -> str | None:
        if isinstance(expected, torch.Tensor):
            return self._difference_of_tensors(actual, expected, exact)
        if isinstance(expected, (list, tuple)):
            if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
                return f"{_brief(actual)} instead of {len(expected)} parts"
            actual, expected = dict(enumerate(actual)), dict(enumerate(expected))
        if isinstance(expected, dict):
            return self._difference_of_parts(actual, expected, exact)
        if isinstance(expected, float) and isinstance(actual, float):
            precise = None if exact is None else torch.tensor(exact, dtype=torch.float64)
            return self._difference_of_tensors(torch.tensor(actual), torch.tensor(expected), precise)
        if self.values and actual != expected and str(actual) != str(expected):
            return f"{_brief(actual)} instead of {_brief(expected)}"
        return None

    def _difference_of_parts(self, actual: Any, expected: dict[Any, Any], exact: Any) -> str | None:
        if not isinstance(actual, dict):
            return f"{_brief(actual)} instead of parts"
        if actual.keys() != expected.keys():
            return f"parts {list(actual)} instead of {list(expected)}"
        for key, other in expected.items():
            found = self._difference(actual[key], other, None if exact is None else exact[key])
            if found is not None:
                return f"part {key}: {found}"
        return None

    def _difference_of_tensors(self, actual: Any, expected: torch.Tensor, exact: torch.Tensor | None) -> str | None:
        if not isinstance(actual, torch.Tensor):
            return f"{_brief(actual)} instead of a tensor"
        if actual.layout is not expected.layout:
            return f"a tensor of layout {actual.layout} instead of {expected.layout}"
        if expected.layout is not torch.strided:
            actual, expected = actual.to_dense(), expected.to_dense()
            exact = exact if exact is None else exact.to_dense()
        if actual.shape != expected.shape:
            return f"shape {list(actual.shape)} instead of {list(expected.shape)}"
        if actual.dtype != expected.dtype:
            return f"{actual.dtype} instead of {expected.dtype}"
        if not self.values:
            return None
        expected = expected.detach()
        found = _apart_by(actual, expected, self.tolerance.relative, self.tolerance.absolute)
        if found is None or exact is None or not expected.is_floating_point():
            return found
        return _apart_from_exact(actual.double(), expected.double(), exact.detach(), found)


_APART = "difference: "


def _apart_by(
    actual: torch.Tensor, expected: torch.Tensor, relative: float | None, absolute: float | None
) -> str | None:
    try:
        torch.testing.assert_close(actual, expected, rtol=relative, atol=absolute, equal_nan=True)
    except AssertionError as error:
        lines = [line for line in str(error).splitlines() if line and not line.startswith("Tensor-likes")]
        return "; ".join(lines) or str(error)
    return None


def _apart_from_exact(actual: torch.Tensor, expected: torch.Tensor, exact: torch.Tensor, found: str) -> str | None:
    """What was found, unless Kadam's result is as near to the exact one as PyTorch's is, or within a few roundings."""
    if _apart_by(actual, exact, 1.3e-6, 1e-5) is None or _apart_by(actual, expected, 0, _roundings(expected)) is None:
        return None
    error = (expected - exact).abs().nan_to_num(0, 0, 0).max().item()
    scale = exact.abs().nan_to_num(0, 0, 0).max().item()
    if error > 1e-2 * scale:  # another result, such as other random numbers
        return found
    return None if _apart_by(actual, exact, 1.3e-6, max(1e-5, 2 * error)) is None else found


def _roundings(values: torch.Tensor) -> float:
    """PyTorch's tolerance for the largest number: others may be sums of such numbers that cancelled."""
    return 1e-5 + 1.3e-6 * values.abs().nan_to_num(0, 0, 0).max().item()


def _brief(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor {value.dtype} {list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"{len(value)} parts"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
