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


SHAKES = 4  # how often inputs are moved by a rounding
OTHER = 1e-2  # results that are off by a larger share are other results, such as other random numbers
ROUNDINGS = 8  # how many roundings of an input the steps of a computation may amount to


@dataclass(frozen=True)
class Exact:
    """A result in double precision, and what it is where the inputs are moved by a rounding.

    Attributes:
        value: of the inputs themselves.
        shaken: of inputs that were moved, each time another way.
    """

    value: Any
    shaken: list[Any]

    def each(self, change: Callable[[Any], Any]) -> Exact:
        """Every result, changed."""
        return Exact(change(self.value), [change(one) for one in self.shaken])

    def part(self, key: Any) -> Exact:
        """A part of every result."""
        return self.each(lambda one: one[key])


def moved_by_a_rounding(value: torch.Tensor, seed: int | None) -> torch.Tensor:
    """Numbers of single precision in double precision, each half a unit in its last place up or down."""
    if seed is None:
        return value
    generator = torch.Generator().manual_seed(1000 * seed + value.numel())
    signs = torch.randint(0, 2, value.shape, generator=generator, dtype=torch.float64) * 2 - 1
    return value * (1 + signs * 2.0**-24)


@dataclass
class Comparison:
    """How two results are compared.

    Attributes:
        tolerance: for floating-point elements.
        values: False: only shapes and element types are compared.
        exact: computes PyTorch's result in double precision, of the inputs themselves, or of inputs that differ from
            these by a rounding in single precision: which way, a seed says. Numbers that differ by more than the
            tolerance are judged by it one by one, see `_is_right`.
    """

    tolerance: Tolerance = Tolerance()
    values: bool = True
    exact: Callable[[int | None], Any] | None = None

    def difference(self, actual: Any, expected: Any) -> str | None:
        """The first difference between Kadam's result, as PyTorch's types, and PyTorch's; None if there is none."""
        found = self._difference(actual, expected)
        if found is None or self.exact is None or _APART not in found:
            return found
        try:
            exact = Exact(self.exact(None), [self.exact(seed) for seed in range(SHAKES)])
        except Exception:  # PyTorch has no such operator in double precision
            return found
        return found if self._difference(actual, expected, exact) is not None else None

    def _difference(self, actual: Any, expected: Any, exact: Exact | None = None) -> str | None:
        if isinstance(expected, torch.Tensor):
            return self._difference_of_tensors(actual, expected, exact)
        if isinstance(expected, (list, tuple)):
            if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
                return f"{_brief(actual)} instead of {len(expected)} parts"
            actual, expected = dict(enumerate(actual)), dict(enumerate(expected))
        if isinstance(expected, dict):
            return self._difference_of_parts(actual, expected, exact)
        if isinstance(expected, float) and isinstance(actual, float):
            precise = None if exact is None else exact.each(lambda one: torch.tensor(one, dtype=torch.float64))
            return self._difference_of_tensors(torch.tensor(actual), torch.tensor(expected), precise)
        if self.values and actual != expected and str(actual) != str(expected):
            return f"{_brief(actual)} instead of {_brief(expected)}"
        return None

    def _difference_of_parts(self, actual: Any, expected: dict[Any, Any], exact: Exact | None) -> str | None:
        if not isinstance(actual, dict):
            return f"{_brief(actual)} instead of parts"
        if actual.keys() != expected.keys():
            return f"parts {list(actual)} instead of {list(expected)}"
        for key, other in expected.items():
            found = self._difference(actual[key], other, None if exact is None else exact.part(key))
            if found is not None:
                return f"part {key}: {found}"
        return None

    def _difference_of_tensors(self, actual: Any, expected: torch.Tensor, exact: Exact | None) -> str | None:
        if not isinstance(actual, torch.Tensor):
            return f"{_brief(actual)} instead of a tensor"
        if actual.layout is not expected.layout:
            return f"a tensor of layout {actual.layout} instead of {expected.layout}"
        if expected.layout is not torch.strided:
            actual, expected = actual.to_dense(), expected.to_dense()
            exact = None if exact is None else exact.each(torch.Tensor.to_dense)
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
        given = actual.double(), expected.double()
        return None if self._is_right(*given, exact.each(torch.Tensor.detach)) else found

    def _is_right(self, actual: torch.Tensor, expected: torch.Tensor, exact: Exact) -> bool:
        """Whether each number is right.

        A number is right if it is PyTorch's within the tolerance, or the exact one within it, or as near to the exact
        one as can be asked of single precision: within a few times what the exact number moves by when the inputs move
        by a rounding. Where numbers cancel, that is more than the tolerance, for PyTorch too. What is rounded on the
        way, PyTorch's own result tells: a number may be off by twice the largest share that PyTorch's are off by.
        """
        relative, absolute = self.tolerance.relative or 1.3e-6, self.tolerance.absolute or 1e-5
        whole = exact.value
        moved = torch.stack([(one - whole).abs() for one in exact.shaken]).amax(0).nan_to_num(0, 0, 0)
        bound = absolute + relative * whole.abs().nan_to_num(0, 0, 0) + ROUNDINGS * moved
        share = ((expected - whole).abs() / (whole.abs() + absolute)).nan_to_num(0, 0, 0).amax() if whole.numel() else 0
        if share <= OTHER:
            bound = bound + 2 * share * whole.abs().nan_to_num(0, 0, 0)
        alike = torch.isclose(actual, expected, relative, absolute, equal_nan=True)
        near = ((actual - whole).abs() <= bound) | (actual == whole) | (actual.isnan() & whole.isnan())
        return bool((alike | near).all())


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


def _brief(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor {value.dtype} {list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"{len(value)} parts"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
