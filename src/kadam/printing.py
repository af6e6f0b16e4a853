"""How a tensor reads when it is printed: PyTorch's text, character for character.

A large tensor is first cut down to the elements that will be shown, and only those are looked at.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from kadam import dtypes

Array = np.ndarray[Any, np.dtype[Any]]

# A column of real numbers is written in scientific notation when its magnitudes leave these bounds.
LARGEST_FIXED = 1.0e8
SMALLEST_FIXED = 1.0e-4
WIDEST_FIXED_RATIO = 1000.0


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed, as `torch.set_printoptions`; None leaves an option as it is.

    Args:
        precision: digits after the point (at first 4).
        threshold: a tensor with more elements than this is summarised (at first 1000).
        edgeitems: how many elements a summary shows at each end of an axis (at first 3).
        linewidth: the columns of a line (at first 80).
        profile: "default", "short" or "full", taken before the options above.
        sci_mode: scientific notation always (True), never (False), or by magnitude (None). Unlike the
            others it is set by every call: leaving it out returns to None.
    """
    chosen = dict(_PROFILES.get(profile or "", {}))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen.update((name, value) for name, value in given.items() if value is not None)
    for name, value in chosen.items():
        setattr(_options, name, value)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options now in force, as keyword arguments for `set_printoptions`."""
    return dataclasses.asdict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print tensors with these options of `set_printoptions` inside the `with` block only."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def format_tensor(
    array: Array,
    dtype: dtypes.dtype,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    prefix: str = "tensor(",
) -> str:
    """The text of a tensor with these values, as `repr(torch_tensor)`.

    Args:
        array: the values, in the NumPy type that stores `dtype`.
        dtype: the element type; named in the text when it is not one of the defaults.
        requires_grad: whether a leaf takes part in differentiation.
        grad_fn: name of the operation that made the tensor, such as `MeanBackward0`; supersedes `requires_grad`.
        prefix: what stands before the values; continued lines are indented to its length.
    """
    text = prefix + (_values(array, len(prefix)) if array.size else "[]")
    return with_suffixes(text, list(_suffixes(array, dtype, requires_grad, grad_fn)), len(prefix))


def format_without_values(shape: Iterable[int], dtype: dtypes.dtype, requires_grad: bool, grad_fn: str | None) -> str:
    """The text of a tensor on the meta device."""
    known = [dtypes.default_float(), dtypes.default_complex()]
    suffixes = ["device='meta'", f"size={tuple(shape)}", *[f"dtype={dtype}" for _ in range(dtype not in known)]]
    if requires_grad:
        suffixes.append("requires_grad=True" if grad_fn is None else f"grad_fn=<{grad_fn}>")
    return with_suffixes("tensor(...", suffixes, len("tensor("))


# ---- the numbers ----------------------------------------------------------------------------------


def _values(array: Array, indent: int) -> str:
    """The bracketed numbers, summarised when there are more than the threshold."""
    summarised = array.size > _options.threshold
    cut = [summarised and size > 2 * _options.edgeitems for size in array.shape]
    shown = _edges(array, cut)
    texts, width = _complex_column(shown) if array.dtype.kind == "c" else _column(shown)
    return texts[0] if array.ndim == 0 else _nested(iter(texts), width, list(shown.shape), cut, indent)


def _edges(array: Array, cut: list[bool]) -> Array:
    """`array` with only the first and last `edgeitems` positions of each axis that is cut."""
    if not any(cut):
        return array
    edge = _options.edgeitems
    positions = [
        [*range(edge), *range(size - edge, size)] if is_cut else range(size)
        for size, is_cut in zip(array.shape, cut, strict=True)
    ]
    shown: Array = array[np.ix_(*positions)]
    return shown


def _nested(texts: Iterator[str], width: int, sizes: list[int], cut: list[bool], indent: int) -> str:
    """Brackets around the next `sizes[0]` items of `texts`, or of rows of them, with dots where the axis is cut."""
    if len(sizes) == 1:
        return _row([next(texts) for _ in range(sizes[0])], width, cut[0], indent)
    items = [_nested(texts, width, sizes[1:], cut[1:], indent + 1) for _ in range(sizes[0])]
    if cut[0]:
        items.insert(sizes[0] // 2, "...")
    return "[" + ("," + "\n" * (len(sizes) - 1) + " " * (indent + 1)).join(items) + "]"


def _row(items: list[str], width: int, is_cut: bool, indent: int) -> str:
    """One bracketed row of numbers, continued on further lines where it would pass the line's end."""
    if is_cut:
        items.insert(len(items) // 2, " ..." if items else "...")
    per_line = max(1, math.floor((_options.linewidth - indent) / (width + 2)))
    lines = [", ".join(items[start : start + per_line]) for start in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _column(array: Array) -> tuple[list[str], int]:
    """The texts of all elements, padded to the width of the widest counted one, and that width.

    Zeros, infinities and NaN have no say in the width of real numbers, so they can stand out.
    """
    if array.dtype.kind in "biu":
        texts = [str(value) for value in array.ravel().tolist()]
        width = max(map(len, texts), default=1)
    else:
        values = array.ravel().astype(np.float64)
        counted = np.isfinite(values) & (values != 0)
        text_of = _real_format(values[counted])
        texts = [text_of(value) for value in values.tolist()]
        width = max((len(text) for text, counts in zip(texts, counted.tolist(), strict=True) if counts), default=1)
    return [text.rjust(width) for text in texts], width


def _complex_column(array: Array) -> tuple[list[str], int]:
    """The texts of complex numbers: real parts in one column, imaginary parts in the other."""
    reals, real_width = _column(array.real)
    imags, imag_width = _column(array.imag)
    texts = [_joined(real, imag.lstrip()) for real, imag in zip(reals, imags, strict=True)]
    return texts, real_width + imag_width + 1


def _joined(real: str, imag: str) -> str:
    return f"{real}{imag}j" if imag.startswith("-") else f"{real}+{imag}j"


def _real_format(counted: Array) -> Callable[[float], str]:
    """How to write each number of a column, judged by its finite nonzero ones."""
    precision = _options.precision
    if counted.size and _is_scientific(np.abs(counted)):
        return f"{{:.{precision}e}}".format
    if bool(np.all(counted == np.ceil(counted))):
        return _whole
    return f"{{:.{precision}f}}".format


def _is_scientific(magnitudes: Array) -> bool:
    if _options.sci_mode is not None:
        return _options.sci_mode
    least, most = float(magnitudes.min()), float(magnitudes.max())
    return most / least > WIDEST_FIXED_RATIO or most > LARGEST_FIXED or least < SMALLEST_FIXED


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


# ---- what follows the numbers -----------------------------------------------------------------------


def _suffixes(array: Array, dtype: dtypes.dtype, requires_grad: bool, grad_fn: str | None) -> Iterator[str]:
    """What the numbers alone do not tell."""
    told: tuple[dtypes.dtype, ...] = (dtypes.default_float(),)
    if array.size == 0:
        shape_is_told = array.ndim == 1
    else:
        told += (dtypes.default_complex(), dtypes.int64, dtypes.bool_)
        shape_is_told = _options.edgeitems > 0
    if not shape_is_told:
        yield f"size={tuple(array.shape)}"
    if dtype not in told:
        yield f"dtype={dtype}"
    if grad_fn is not None:
        yield f"grad_fn=<{grad_fn}>"
    elif requires_grad:
        yield "requires_grad=True"


def with_suffixes(text: str, suffixes: list[str], indent: int, fresh_line: bool = False) -> str:
    """`text` and its suffixes, closed; a suffix that would pass the line's end (or the first) starts a new line."""
    # Two columns more than the line holds: PyTorch's count, kept so that lines break where its lines break.
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if fresh_line or column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column, fresh_line = indent + len(suffix), False
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
