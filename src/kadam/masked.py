"""Reductions and normalisations that leave elements out, as a mask says. As `torch.masked` with strided tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes, missing
from kadam.dtypes import COMPLEX, FLOAT, INTEGER, dtype
from kadam.errors import AxisError, DTypeError, ShapeError
from kadam.ops import compare, pointwise, reduce
from kadam.ops import softmax as soft
from kadam.ops.creation import ones_like
from kadam.ops.require import ArgumentError
from kadam.ops.sort import nanmedian as _nanmedian
from kadam.shapes import axes_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Axes = int | Sequence[int] | None


def _least(record: dtype) -> Any:
    """What no element of a type is below."""
    if record.category >= FLOAT:
        return -math.inf
    return False if record is dtypes.bool_ else dtypes.iinfo(record).min


def _greatest(record: dtype) -> Any:
    """What no element of a type is above."""
    if record.category >= FLOAT:
        return math.inf
    return True if record is dtypes.bool_ else dtypes.iinfo(record).max


def _spread(input: Tensor, mask: Tensor) -> Tensor:
    """A mask for each element of a tensor.

    Raises:
        AxisError: the mask has more axes than the tensor.
    """
    if len(mask.shape) > len(input.shape):
        raise AxisError(
            f"masked: mask.ndim ({len(mask.shape)}) is larger than input.ndim ({len(input.shape)}). Fix: a mask of "
            f"shape {list(input.shape)}."
        )
    return mask.bool().broadcast_to(tuple(input.shape))


def _filled(input: Tensor, mask: Tensor | None, value: Any) -> Tensor:
    """The tensor with a value where the mask leaves elements out."""
    return input if mask is None else compare.where(_spread(input, mask), input, value).to(input.dtype)


def _axes(input: Tensor, dim: Axes) -> tuple[int, ...]:
    return axes_of(dim if dim is None or isinstance(dim, int) else tuple(dim), len(input.shape))


def _as(input: Tensor, record: dtype | None) -> Tensor:
    return input if record is None else input.to(record)


def _summable(input: Tensor, record: dtype | None) -> Tensor:
    """Whole numbers add up as int64."""
    return _as(input, record or (dtypes.int64 if input.dtype.category <= INTEGER else None))


def sum(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The sum of the elements that the mask keeps. As `torch.masked.sum`."""
    return reduce.sum(_filled(_summable(input, dtype), mask, 0), _axes(input, dim), keepdim)


def prod(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The product of the elements that the mask keeps. As `torch.masked.prod`."""
    result = _filled(_summable(input, dtype), mask, 1)
    for axis in reversed(_axes(input, dim)):
        result = reduce.prod(result, axis, keepdim=True)
    return result if keepdim else result.squeeze(_axes(input, dim))


def cumsum(input: Tensor, dim: int, *, dtype: dtype | None = None, mask: Tensor | None = None) -> Tensor:
    """The running sum of the elements that the mask keeps. As `torch.masked.cumsum`."""
    return reduce.cumsum(_filled(_summable(input, dtype), mask, 0), dim)


def cumprod(input: Tensor, dim: int, *, dtype: dtype | None = None, mask: Tensor | None = None) -> Tensor:
    """The running product of the elements that the mask keeps. As `torch.masked.cumprod`."""
    return reduce.cumprod(_filled(_summable(input, dtype), mask, 1), dim)


def amax(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The largest of the elements that the mask keeps. As `torch.masked.amax`."""
    x = _as(input, dtype)
    return reduce.amax(_filled(x, mask, _least(x.dtype)), _axes(input, dim), keepdim)


def amin(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The smallest of the elements that the mask keeps. As `torch.masked.amin`."""
    x = _as(input, dtype)
    return reduce.amin(_filled(x, mask, _greatest(x.dtype)), _axes(input, dim), keepdim)


def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the largest element is that the mask keeps, in the elements' own type. As `torch.masked.argmax`."""
    x = _as(input, dtype)
    return reduce.argmax(_filled(x, mask, _least(x.dtype)), dim, keepdim).to(x.dtype)


def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the smallest element is that the mask keeps, in the elements' own type. As `torch.masked.argmin`."""
    x = _as(input, dtype)
    return reduce.argmin(_filled(x, mask, _greatest(x.dtype)), dim, keepdim).to(x.dtype)


def _count(input: Tensor, axes: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements the mask keeps."""
    kept = ones_like(input, dtype=dtypes.bool_) if mask is None else _spread(input, mask)
    return reduce.sum(kept.long(), axes, keepdim)


def mean(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The mean of the elements that the mask keeps. As `torch.masked.mean`.

    Raises:
        DTypeError: the elements are whole numbers.
    """
    x, axes = _as(input, dtype), _axes(input, dim)
    if x.dtype.category < FLOAT:
        raise DTypeError(f"masked.mean: expects floating or complex numbers, got {x.dtype}. Fix: dtype=torch.float32.")
    if mask is None:
        return reduce.mean(x, axes, keepdim)
    return reduce.sum(_filled(x, mask, 0), axes, keepdim) / _count(x, axes, keepdim, mask).to(x.dtype)


def median(
    input: Tensor,
    dim: int = -1,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The median of the elements that the mask keeps. As `torch.masked.median`.

    Raises:
        ArgumentError: the elements are no floating-point numbers, or one that is kept is nan.
    """
    x = _as(input, dtype)
    if x.dtype.category != FLOAT:
        raise ArgumentError(f"masked.median: expects floating-point numbers, got {x.dtype}. Fix: dtype=torch.float32.")
    if compare.isnan(_filled(x, mask, 0)).any():
        raise ArgumentError("masked.median expects no nan among what is kept. Fix: leave nan out by the mask.")
    found: Tensor = _nanmedian(_filled(x, mask, math.nan), dim, keepdim)[0]
    return found


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The norm of the elements that the mask keeps. As `torch.masked.norm`."""
    x, order = _as(input, dtype), 2.0 if ord is None else float(ord)
    left_out = math.inf if order == -math.inf else 0
    return reduce.vector_norm(_filled(x, mask, left_out), order, _axes(input, dim), keepdim)


def _variance(
    input: Tensor,
    dim: Axes,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool,
    record: dtype | None,
    mask: Tensor | None,
) -> Tensor:
    x = _as(input, record or (dtypes.default_float() if input.dtype.category < FLOAT else None))
    axes = _axes(input, dim)
    if unbiased is not None and correction is not None:
        raise ArgumentError("masked.var: Only one of unbiased and correction may be given. Fix: correction=1.")
    fewer = correction if correction is not None else 1 if unbiased is None else int(unbiased)
    count = _count(x, axes, True, mask).to(x.dtype)
    middle = reduce.sum(_filled(x, mask, 0), axes, True) / count
    away = _filled(x - middle, mask, 0)
    squares = reduce.sum((away * pointwise.conj(away)).real if x.dtype.category == COMPLEX else away * away, axes, True)
    found = squares / pointwise.clamp((count.real if count.is_complex() else count) - fewer, min=0)
    return found if keepdim else found.squeeze(axes)


def var(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance of the elements that the mask keeps. As `torch.masked.var`."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor,
    dim: Axes = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The standard deviation of the elements that the mask keeps. As `torch.masked.std`."""
    return pointwise.sqrt(_variance(input, dim, unbiased, correction, keepdim, dtype, mask))


def logsumexp(
    input: Tensor,
    dim: Axes = None,
    *,
    keepdim: bool = False,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """log(sum(exp(x))) of the elements that the mask keeps. As `torch.masked.logsumexp`."""
    x = _as(input, dtype)
    return reduce.logsumexp(_filled(x, mask, _least(x.dtype)), _axes(input, dim), keepdim).to(x.dtype)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: dtype | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """log(exp(x) + exp(y)) of the elements that the masks keep. As `torch.masked.logaddexp`.

    Raises:
        ShapeError: the shapes differ.
    """
    if tuple(input.shape) != tuple(other.shape):
        raise ShapeError(
            f"masked.logaddexp: input and other must have one shape; they have {list(input.shape)} and "
            f"{list(other.shape)}. Fix: expand one of them."
        )
    first, second = _as(input, dtype), _as(other, dtype)
    return pointwise.logaddexp(_filled(first, input_mask, -math.inf), _filled(second, other_mask, -math.inf))


def softmax(input: Tensor, dim: int, *, dtype: dtype | None = None, mask: Tensor | None = None) -> Tensor:
    """The shares of exp(x) among the elements that the mask keeps. As `torch.masked.softmax`."""
    return soft.softmax(_filled(_as(input, dtype), mask, -math.inf), dim)


def log_softmax(input: Tensor, dim: int, *, dtype: dtype | None = None, mask: Tensor | None = None) -> Tensor:
    """The logarithms of `softmax`. As `torch.masked.log_softmax`."""
    return soft.log_softmax(_filled(_as(input, dtype), mask, -math.inf), dim)


def softmin(input: Tensor, dim: int, *, dtype: dtype | None = None, mask: Tensor | None = None) -> Tensor:
    """The shares of exp(-x) among the elements that the mask keeps. As `torch.masked.softmin`."""
    return soft.softmax(-_filled(_as(input, dtype), mask, math.inf), dim)


def normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The elements that the mask keeps, over their norm. As `torch.masked.normalize`."""
    x = _as(input, dtype)
    length = norm(x, ord, dim, keepdim=True, mask=mask)
    return _filled(x, mask, 0) / pointwise.clamp(length, min=eps)


__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp", "logsumexp", "mean", "median",
    "norm", "normalize", "prod", "softmax", "softmin", "std", "sum", "var",
]  # fmt: skip

missing.install(__name__)
