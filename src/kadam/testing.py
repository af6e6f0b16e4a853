"""Comparisons for tests. As `torch.testing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kadam import dtypes, missing
from kadam.errors import OperandError
from kadam.ops.compare import isclose
from kadam.ops.creation import as_tensor
from kadam.ops.require import ArgumentError
from kadam.recording.modes import no_grad
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor

# (rtol, atol) by element type, as PyTorch has them
_TOLERANCES = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}  # fmt: skip
_EXACT = (0.0, 0.0)
_NUMBERS = (int, float, complex, np.number)


class _Options(NamedTuple):
    tolerances: tuple[float, float] | None
    equal_nan: bool
    check_dtype: bool
    check_stride: bool


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise unless two tensors, arrays or numbers, or sequences or mappings of such, are close.

    As `torch.testing.assert_close`: |actual - expected| <= atol + rtol |expected|; the tolerances are by default those
    of the element types.

    Raises:
        AssertionError: they are not close, or not of one shape, type or kind.
        TypeError: they are nothing that can be compared.
        ValueError: only one of the tolerances is given.
    """
    if (rtol is None) != (atol is None):
        lacking = "rtol" if rtol is None else "atol"
        raise ArgumentError(
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {lacking}. Fix: give both."
        )
    tolerances = None if rtol is None or atol is None else (rtol, atol)
    options = _Options(tolerances, equal_nan, check_dtype, check_stride)
    for one, other, place in list(_pairs(actual, expected, "")):
        with no_grad():
            said = _difference(one, other, options)
        if said is not None:
            said += f"\n\nThe failure occurred for item {place}" if place else ""
            raise AssertionError(msg(said) if callable(msg) else msg or said)


def _pairs(actual: Any, expected: Any, place: str) -> Iterator[tuple[Any, Any, str]]:
    """What is compared with what, each with its place in the nest."""
    both = (actual, expected)
    where = f"\n\nThe failure occurred for item {place}" if place else ""
    if all(isinstance(one, Sequence) and not isinstance(one, str | bytes) for one in both):
        if len(actual) != len(expected):
            raise AssertionError(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{where}")
        for index in range(len(actual)):
            yield from _pairs(actual[index], expected[index], f"{place}[{index}]")
    elif all(isinstance(one, Mapping) for one in both):
        absent, more = set(expected) - set(actual), set(actual) - set(expected)
        if absent or more:
            lines = [
                f"{what} keys in the actual mapping: {sorted(keys)}"
                for what, keys in (("Missing", absent), ("Additional", more))
                if keys
            ]
            raise AssertionError("\n".join(["The keys of the mappings do not match:", *lines]) + where)
        for key in sorted(expected) if _can_be_sorted(expected) else expected:
            yield from _pairs(actual[key], expected[key], f"{place}[{key!r}]")
    elif _is_comparable(actual, expected):
        yield actual, expected, place
    else:
        raise OperandError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.{where} Fix: "
            "compare tensors with tensors, numbers with numbers."
        )


def _can_be_sorted(keys: Mapping[Any, Any]) -> bool:
    try:
        sorted(keys)
    except TypeError:
        return False
    return True


def _is_comparable(actual: Any, expected: Any) -> bool:
    both = (actual, expected)
    if None in [one if one is None else 0 for one in both]:
        return True
    if all(isinstance(one, _NUMBERS) for one in both):
        return True
    is_related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    return is_related and all(isinstance(one, Recorded | np.ndarray) for one in both)


def _difference(actual: Any, expected: Any, options: _Options) -> str | None:
    """What is wrong with a pair; None if it is close."""
    if actual is None or expected is None:
        return None if actual is expected else f"None mismatch: {actual} is not {expected}"
    if isinstance(actual, bool | np.bool_) and isinstance(expected, bool | np.bool_):
        return None if actual == expected else f"Booleans mismatch: {actual} is not {expected}"
    if isinstance(actual, _NUMBERS):
        return _difference_of_numbers(actual, expected, options)
    return _difference_of_tensors(as_tensor(actual).detach(), as_tensor(expected).detach(), options)


def _difference_of_numbers(actual: Any, expected: Any, options: _Options) -> str | None:
    if options.check_dtype and type(actual) is not type(expected):
        return f"The (d)types do not match: {type(actual)} != {type(expected)}."
    is_exact = all(isinstance(one, int | np.integer) for one in (actual, expected))
    tolerances = options.tolerances or (_EXACT if is_exact else _TOLERANCES["float64"])
    if np.isclose(actual, expected, *tolerances, equal_nan=options.equal_nan):
        return None
    return _of_scalars(actual, expected, options.tolerances, tolerances)


def _of_scalars(actual: Any, expected: Any, given: Any, tolerances: tuple[float, float]) -> str:
    apart = abs(actual - expected)
    relative = float("inf") if expected == 0 else apart / abs(expected)
    verdict, limits = _verdict("Scalars", given or tolerances)
    return (
        f"{verdict}\n\nExpected {expected} but got {actual}.\nAbsolute difference: {apart}{limits[0]}\n"
        f"Relative difference: {relative}{limits[1]}"
    )


def _verdict(what: str, tolerances: tuple[float, float]) -> tuple[str, tuple[str, str]]:
    """The first line of a message, and what the absolute and the relative difference may be."""
    if not any(tolerances):
        return f"{what} are not equal!", ("", "")
    rtol, atol = tolerances
    return f"{what} are not close!", (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")


def _difference_of_tensors(actual: Tensor, expected: Tensor, options: _Options) -> str | None:
    attributes = [
        ("shape", actual.shape, expected.shape, True),
        ("device", actual.device, expected.device, True),
        ("dtype", actual.dtype, expected.dtype, options.check_dtype),
        ("stride()", actual.stride(), expected.stride(), options.check_stride),
    ]
    for name, one, other, is_checked in attributes:
        if is_checked and one != other:
            return f"The values for attribute '{name}' do not match: {one} != {other}."
    limits = [_TOLERANCES.get(one.dtype.name, _EXACT) for one in (actual, expected)]
    tolerances = options.tolerances or (max(one[0] for one in limits), max(one[1] for one in limits))
    common = dtypes.promote(actual.dtype, expected.dtype)
    if common.category < dtypes.FLOAT:
        common = dtypes.int64
    actual, expected = actual.to(common), expected.to(common)
    close = isclose(actual, expected, *tolerances, equal_nan=options.equal_nan)
    if close.all():
        return None
    if not actual.dim():
        return _of_scalars(actual.item(), expected.item(), options.tolerances, tolerances)
    return _of_elements(actual, expected, close, tolerances)


def _of_elements(actual: Tensor, expected: Tensor, close: Tensor, tolerances: tuple[float, float]) -> str:
    verdict, limits = _verdict("Tensor-likes", tolerances)
    apart, size = (actual - expected).abs(), expected.abs()
    wrong, total = int((~close).sum()), actual.numel()
    lines = [f"{verdict}\n", f"Mismatched elements: {wrong} / {total} ({wrong / total:.1%})"]
    for name, difference, limit in (("absolute", apart, limits[0]), ("relative", apart / size, limits[1])):
        difference = difference.masked_fill(close, 0)
        place = int(difference.argmax())
        index = tuple(int(one) for one in np.unravel_index(place, tuple(actual.shape)))
        lines.append(f"Greatest {name} difference: {difference.flatten()[place].item()} at index {index}{limit}")
    return "\n".join(lines)


__all__ = ["assert_close"]

missing.install(__name__)
