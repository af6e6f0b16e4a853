"""Where a result of Kadam differs from PyTorch's, within the tolerances that PyTorch's own tests set."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
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
ROUNDINGS = 4  # how many roundings of an input the steps of a computation may amount to
AS_PYTORCH = 2  # how often as far from the exact number as PyTorch's own may lie
EXCUSED = 1e-2  # of a number, or of the root mean square of its tensor: the most that it may be off by for all that
FAR = 10  # tolerances: what is off by fewer is excused even so
OTHER = 1e-3  # of the largest number: what is off by more is another number, such as another random one


@dataclass(frozen=True)
class Runs:
    """What PyTorch computes of the same inputs, and of inputs that are moved by a rounding, each time another way.

    Attributes:
        exact: the results in double precision, of the inputs themselves first.
        single: those in single precision, of the same inputs.
    """

    exact: list[Any]
    single: list[Any]

    def each(self, change: Callable[[Any], Any]) -> Runs:
        """Every result, changed."""
        return Runs([change(one) for one in self.exact], [change(one) for one in self.single])

    def part(self, key: Any) -> Runs:
        """A part of every result."""
        return self.each(lambda one: one[key])


def moved_by_a_rounding(value: torch.Tensor, seed: int | None) -> torch.Tensor:
    """Numbers of single precision, each a unit in its last place up or down; without a seed as they are.

    Whole numbers stay, where there are no others: they are exact, and what takes them may take no others (labels of 1
    and -1, for which a number beside 1 is no label).
    """
    if seed is None or _is_whole(value.detach()):
        return value
    content = value.detach().resolve_conj().resolve_neg().reshape(-1).numpy().tobytes()
    generator = torch.Generator().manual_seed(1000 * zlib.crc32(content) + seed)  # no two inputs move alike
    signs = torch.randint(0, 2, value.shape, generator=generator, dtype=torch.float64) * 2 - 1
    return (value.to(torch.promote_types(value.dtype, torch.float64)) * (1 + signs * 2.0**-23)).to(value.dtype)


def _is_whole(value: torch.Tensor) -> bool:
    parts = torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
    return bool((parts == parts.round()).all())


@dataclass
class Comparison:
    """How two results are compared.

    Attributes:
        tolerance: for floating-point elements.
        values: False: only shapes and element types are compared.
        again: computes PyTorch's result again, of inputs that differ from the given ones by a rounding in single
            precision (which way, a seed says; None: not at all), in double precision if the second argument says so.
            Numbers that differ by more than the tolerance are judged by it one by one, see `_is_right`.
        shakes: how many seeds there are.
        excused: results that differed by more than the tolerance and were taken for right all the same.
    """

    tolerance: Tolerance = Tolerance()
    values: bool = True
    again: Callable[[int | None, bool], Any] | None = None
    shakes: int = SHAKES
    excused: int = 0

    def difference(self, actual: Any, expected: Any) -> str | None:
        """The first difference between Kadam's result, as PyTorch's types, and PyTorch's; None if there is none."""
        found = self._difference(actual, expected)
        if found is None or self.again is None or _APART not in found:
            return found
        given = [None], [None, *range(self.shakes)]  # most are right without a shake
        try:
            right = any(self._difference(actual, expected, self._runs(seeds)) is None for seeds in given)
        except Exception:  # PyTorch has no such operator in double precision, or a result of another form
            return found
        self.excused += right
        return None if right else found

    def _runs(self, seeds: Sequence[int | None]) -> Runs:
        assert self.again is not None
        return Runs([self.again(seed, True) for seed in seeds], [self.again(seed, False) for seed in seeds])

    def _difference(self, actual: Any, expected: Any, runs: Runs | None = None) -> str | None:
        if isinstance(expected, torch.Tensor):
            return self._difference_of_tensors(actual, expected, runs)
        if isinstance(expected, (list, tuple)):
            if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
                return f"{_brief(actual)} instead of {len(expected)} parts"
            actual, expected = dict(enumerate(actual)), dict(enumerate(expected))
        if isinstance(expected, dict):
            return self._difference_of_parts(actual, expected, runs)
        if isinstance(expected, float) and isinstance(actual, float):
            again = None if runs is None else runs.each(lambda one: torch.tensor(one, dtype=torch.float64))
            return self._difference_of_tensors(torch.tensor(actual), torch.tensor(expected), again)
        if self.values and actual != expected and str(actual) != str(expected):
            return f"{_brief(actual)} instead of {_brief(expected)}"
        return None

    def _difference_of_parts(self, actual: Any, expected: dict[Any, Any], runs: Runs | None) -> str | None:
        if not isinstance(actual, dict):
            return f"{_brief(actual)} instead of parts"
        if actual.keys() != expected.keys():
            return f"parts {list(actual)} instead of {list(expected)}"
        for key, other in expected.items():
            found = self._difference(actual[key], other, None if runs is None else runs.part(key))
            if found is not None:
                return f"part {key}: {found}"
        return None

    def _difference_of_tensors(self, actual: Any, expected: torch.Tensor, runs: Runs | None) -> str | None:
        if not isinstance(actual, torch.Tensor):
            return f"{_brief(actual)} instead of a tensor"
        if actual.layout is not expected.layout:
            return f"a tensor of layout {actual.layout} instead of {expected.layout}"
        if expected.layout is not torch.strided:
            actual, expected = actual.to_dense(), expected.to_dense()
            runs = None if runs is None else runs.each(torch.Tensor.to_dense)
        if actual.shape != expected.shape:
            return f"shape {list(actual.shape)} instead of {list(expected.shape)}"
        if actual.dtype != expected.dtype:
            return f"{actual.dtype} instead of {expected.dtype}"
        if not self.values:
            return None
        expected = expected.detach()
        found = _apart_by(actual, expected, self.tolerance.relative, self.tolerance.absolute)
        if found is None or runs is None or not expected.is_floating_point():
            return found
        given = actual.double(), expected.double()
        return None if self._is_right(*given, runs.each(torch.Tensor.detach)) else found

    def _is_right(self, actual: torch.Tensor, expected: torch.Tensor, runs: Runs) -> bool:
        """Whether each number is right.

        A number is right if it is PyTorch's within the tolerance, or the exact one within it, or as near to the exact
        one as can be asked of single precision: within a few times what the exact number moves by when the inputs move
        by a rounding, and twice what PyTorch's own is off by, at most, when they do. Where numbers cancel, or steps on
        the way are rounded, that is more than the tolerance. It excuses this number and no other, and never one that
        is off by more than a share of itself or of its tensor: such a number tells nothing.
        """
        relative, absolute = self.tolerance.relative or 1.3e-6, self.tolerance.absolute or 1e-5
        exact = runs.exact[0]
        size = exact.abs().nan_to_num(0, 0, 0)
        moved = _farthest(runs.exact, [exact] * len(runs.exact))
        own = _farthest(runs.single, runs.exact)
        own = own.where(own <= OTHER * size.amax() if size.numel() else own < 0, torch.zeros_like(own))
        tolerated = absolute + relative * size
        most = (EXCUSED * torch.maximum(size, size.square().mean().sqrt())).maximum(FAR * tolerated)
        bound = tolerated + (ROUNDINGS * moved + AS_PYTORCH * own).minimum(most)
        alike = torch.isclose(actual, expected, relative, absolute, equal_nan=True)
        near = ((actual - exact).abs() <= bound) | (actual == exact) | (actual.isnan() & exact.isnan())
        return bool((alike | near).all())


def _farthest(found: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> torch.Tensor:
    """How far each number of some tensors lies from that of others, at most; no number counts as no distance."""
    each = [(one - other).abs() for one, other in zip(found, others, strict=True)]
    return torch.stack(each).nan_to_num(0, 0, 0).amax(0)


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
