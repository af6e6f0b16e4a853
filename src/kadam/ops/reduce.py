"""Axes reduced: sums, means, spreads, extremes, norms; and running sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import BOOL, FLOAT, dtype
from kadam.errors import AxisError, DTypeError, KadamError, ShapeError
from kadam.ops import results
from kadam.ops.arithmetic import pow as power
from kadam.ops.compare import isfinite, isinf, maximum, minimum, ne, where
from kadam.ops.numpy_names import numpy_names
from kadam.ops.pointwise import exp, log, sqrt
from kadam.ops.promotion import cast, constant, floating
from kadam.primitives import reduce as p
from kadam.primitives import scan
from kadam.primitives.broadcast import Sum
from kadam.primitives.elementwise import Abs
from kadam.primitives.index import Gather
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.in_place import in_place
from kadam.recording.memory import severed
from kadam.recording.operation import Fixed, operation
from kadam.recording.tensor import Recorded
from kadam.shapes import axes_of, axis_of, count, kept

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Axes = int | Sequence[int] | None


class EmptyError(ShapeError):
    """A reduction over nothing that has no value."""


class EmptyAxisError(KadamError, IndexError):
    """A reduction over an axis without elements that has no value."""


def _kept(input: Tensor, result: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """In a body: the result with the reduced axes of size 1, if they are to be kept."""
    return emit(Reshape(kept(tuple(input.shape), axes)), result) if keepdim and axes else result


def _summed(input: Tensor, dim: Axes, keepdim: bool) -> Tensor:
    axes = axes_of(dim, len(input.shape))
    return _kept(input, emit(Sum(axes), input), axes, keepdim)


@operation(grad="SumBackward0")
def _sum_all(input: Tensor, dtype: dtype | None) -> Tensor:
    return _summed(_summable(input, dtype), None, False)


@operation(grad="SumBackward1")
def _sum(input: Tensor, dim: tuple[int, ...] | int | None, keepdim: bool, dtype: dtype | None) -> Tensor:
    return _summed(_summable(input, dtype), dim, keepdim)


def _summable(input: Tensor, record: dtype | None) -> Tensor:
    if record is not None:
        return cast(input, record)
    return input if input.dtype.category >= FLOAT else cast(input, dtypes.int64)


@numpy_names
def sum(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor:
    """The sum over axes (all by default). As `torch.sum`."""
    return _sum_all(input, dtype) if dim is None and not keepdim else _sum(input, dim, keepdim, dtype)  # type: ignore[arg-type]


def _mean_of(input: Tensor, dim: Axes, keepdim: bool, record: dtype | None) -> Tensor:
    x = input if record is None else cast(input, record)
    if x.dtype.category < FLOAT:
        raise DTypeError(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {_legacy(x.dtype)}. Fix: x.float().mean()."
        )
    axes = axes_of(dim, len(x.shape))
    size = count([x.shape[axis] for axis in axes])
    total = _summed(x, dim, keepdim)
    return total / size if size else total * math.nan


def _legacy(record: dtype) -> str:
    return {"int64": "Long", "int32": "Int", "bool": "Bool", "uint8": "Byte"}.get(record.name, record.name)


@operation(grad="MeanBackward0")
def _mean_all(input: Tensor, dtype: dtype | None) -> Tensor:
    return _mean_of(input, None, False, dtype)


@operation(grad="MeanBackward1")
def _mean(input: Tensor, dim: tuple[int, ...] | int | None, keepdim: bool, dtype: dtype | None) -> Tensor:
    return _mean_of(input, dim, keepdim, dtype)


@numpy_names
def mean(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor:
    """The mean over axes (all by default). As `torch.mean`.

    Raises:
        DTypeError: the elements are integers.
    """
    return _mean_all(input, dtype) if dim is None and not keepdim else _mean(input, dim, keepdim, dtype)  # type: ignore[arg-type]


@numpy_names
@operation
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor:
    """The product over one axis (all by default). As `torch.prod`."""
    x = _summable(input, dtype)
    axes = axes_of(dim, len(x.shape))
    return _kept(x, emit(p.Prod(axes), x), axes, keepdim)


def _variance(input: Tensor, dim: Axes, correction: Any, keepdim: bool) -> tuple[Tensor, Tensor]:
    if input.dtype.category < FLOAT:
        raise DTypeError("std and var only support floating point and complex dtypes. Fix: x.float().")
    axes = axes_of(dim, len(input.shape))
    size = count([input.shape[axis] for axis in axes])
    centre = _mean_of(input, axes if axes else None, True, None) if axes else input
    gap = input - centre
    if gap.dtype.is_complex:
        gap = emit(Abs(), gap)
    total = _summed(gap * gap, axes, keepdim) if axes else gap * gap
    left = max_of(size - correction, 0)
    spread = total / left if left else total * math.nan if size <= 1 else total / 0.0
    return spread, centre if keepdim or not axes else emit(Reshape(tuple(spread.shape)), centre)


def max_of(a: float, b: float) -> float:
    """The larger of two numbers (the builtin's name is taken here)."""
    return a if a > b else b


@operation(grad="VarBackward0", once=True)
def _var(input: Tensor, dim: tuple[int, ...] | int | None, correction: Fixed, keepdim: bool) -> Tensor:
    return _variance(input, dim, correction, keepdim)[0]


@operation(grad="StdBackward0", once=True)
def _std(input: Tensor, dim: tuple[int, ...] | int | None, correction: Fixed, keepdim: bool) -> Tensor:
    return _root(_variance(input, dim, correction, keepdim)[0])


@operation(grad="VarMeanBackward0", once=True)
def _var_mean(
    input: Tensor, dim: tuple[int, ...] | int | None, correction: Fixed, keepdim: bool
) -> tuple[Tensor, Tensor]:
    return _variance(input, dim, correction, keepdim)


@operation(grad="StdMeanBackward0", once=True)
def _std_mean(
    input: Tensor, dim: tuple[int, ...] | int | None, correction: Fixed, keepdim: bool
) -> tuple[Tensor, Tensor]:
    spread, centre = _variance(input, dim, correction, keepdim)
    return _root(spread), centre


def _spread_arguments(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    """`dim` and `correction` of the overloads (unbiased), (dim, unbiased) and (dim, correction=)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


@numpy_names
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """The variance over axes, with Bessel's correction by default. As `torch.var`."""
    dim, less = _spread_arguments(dim, unbiased, correction)
    return _var(input, dim, less, keepdim)


@numpy_names
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> Tensor:
    """The standard deviation over axes, with Bessel's correction by default. As `torch.std`."""
    dim, less = _spread_arguments(dim, unbiased, correction)
    return _std(input, dim, less, keepdim)


@numpy_names
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """The variance and the mean over axes. As `torch.var_mean`."""
    dim, less = _spread_arguments(dim, unbiased, correction)
    return _var_mean(input, dim, less, keepdim)


@numpy_names
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean over axes. As `torch.std_mean`."""
    dim, less = _spread_arguments(dim, unbiased, correction)
    return _std_mean(input, dim, less, keepdim)


def _not_empty(name: str, input: Tensor, axes: Sequence[int], dim: Axes) -> None:
    if 0 in [input.shape[axis] for axis in axes]:
        raise (EmptyAxisError if isinstance(dim, int) or dim else EmptyError)(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0, or to have non-zero size; the "
            f"tensor is {input._spec.type}. Fix: give dim of an axis with elements, or look whether x.numel() > 0 "
            "first."
        )


@numpy_names
@operation
def amax(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """The largest element over axes; equal ones share the gradient. As `torch.amax`."""
    axes = axes_of(dim, len(input.shape))
    _not_empty("amax", input, axes, dim)
    return _kept(input, emit(p.Max(axes), input), axes, keepdim)


@numpy_names
@operation
def amin(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """The smallest element over axes; equal ones share the gradient. As `torch.amin`."""
    axes = axes_of(dim, len(input.shape))
    _not_empty("amin", input, axes, dim)
    return _kept(input, emit(p.Min(axes), input), axes, keepdim)


@operation(grad="MaxBackward1")
def _max_all(input: Tensor) -> Tensor:
    _not_empty("max", input, range(len(input.shape)), None)
    return emit(p.Max(tuple(range(len(input.shape)))), input)


@operation(grad="MinBackward1")
def _min_all(input: Tensor) -> Tensor:
    _not_empty("min", input, range(len(input.shape)), None)
    return emit(p.Min(tuple(range(len(input.shape)))), input)


def picked(input: Tensor, place: Tensor, axis: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    """In a body: the elements of one axis at `place` (of which that axis is dropped), and the places."""
    if not input.shape:
        return input * 1, place
    column = emit(Reshape(kept(tuple(input.shape), (axis,))), place)
    values = emit(Gather(axis), input, column)
    if keepdim:
        return values, column
    return emit(Reshape(tuple(place.shape)), values), place


@operation(grad="MaxBackward0")
def _max_along(input: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    axis = axis_of(dim, len(input.shape))
    _not_empty("max", input, [axis] if input.shape else [], dim)
    return results.max(*picked(input, _place(p.ArgMax, input, axis), axis, keepdim))


@operation(grad="MinBackward0")
def _min_along(input: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    axis = axis_of(dim, len(input.shape))
    _not_empty("min", input, [axis] if input.shape else [], dim)
    return results.min(*picked(input, _place(p.ArgMin, input, axis), axis, keepdim))


def _place(primitive: type[p.ArgMax] | type[p.ArgMin], input: Tensor, axis: int) -> Tensor:
    return emit(primitive(axis), input) if input.shape else constant(0, dtypes.int64)


@numpy_names
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
    """The largest element; along an axis with its place; or the larger of two tensors' elements. As `torch.max`."""
    if isinstance(dim, Recorded) or other is not None:
        return maximum(input, dim if other is None else other)
    return _max_all(input) if dim is None else _max_along(input, dim, keepdim)


@numpy_names
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
    """The smallest element; along an axis with its place; or the smaller of two tensors' elements. As `torch.min`."""
    if isinstance(dim, Recorded) or other is not None:
        return minimum(input, dim if other is None else other)
    return _min_all(input) if dim is None else _min_along(input, dim, keepdim)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element. As `torch.aminmax`."""
    return results.aminmax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def _arg(name: str, primitive: type[p.ArgMax] | type[p.ArgMin], input: Tensor, dim: int | None, keep: bool) -> Tensor:
    if dim is None:
        if 0 in input.shape:
            raise EmptyAxisError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Fix: give dim of an axis "
                "with elements, or look whether x.numel() > 0 first."
            )
        place = emit(primitive(0), emit(Reshape((count(input.shape),)), input))
        return emit(Reshape((1,) * len(input.shape)), place) if keep else place
    axis = axis_of(dim, len(input.shape))
    if not input.shape:
        return constant(0, dtypes.int64)
    _not_empty(name, input, [axis], axis)
    return _kept(input, emit(primitive(axis), input), (axis,), keep)


@numpy_names
@operation(differentiable=False)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is, the first of equals. As `torch.argmax`."""
    return _arg("argmax", p.ArgMax, input, dim, keepdim)


@numpy_names
@operation(differentiable=False)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is, the first of equals. As `torch.argmin`."""
    return _arg("argmin", p.ArgMin, input, dim, keepdim)


def _truths(input: Tensor) -> Tensor:
    return input if input.dtype.category == BOOL else ne(input, 0)


@numpy_names
@operation(differentiable=False)
def all(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """Whether all elements over axes are true. As `torch.all`."""
    axes = axes_of(dim, len(input.shape))
    result = _kept(input, emit(p.Min(axes), _truths(input)), axes, keepdim)
    return cast(result, dtypes.uint8) if input.dtype is dtypes.uint8 else result


@numpy_names
@operation(differentiable=False)
def any(input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> Tensor:
    """Whether an element over axes is true. As `torch.any`."""
    axes = axes_of(dim, len(input.shape))
    result = _kept(input, emit(p.Max(axes), _truths(input)), axes, keepdim)
    return cast(result, dtypes.uint8) if input.dtype is dtypes.uint8 else result


@numpy_names
@operation(grad="LogsumexpBackward0")
def logsumexp(input: Tensor, dim: int | tuple[int, ...], keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) over axes, without overflow. As `torch.logsumexp`."""
    x = floating(input)
    axes = axes_of(dim, len(x.shape))
    high = _kept(x, emit(p.Max(axes), x), axes, True).detach()
    high = where(isfinite(high), high, 0.0).to(x.dtype)
    total = log(_summed(exp(x - high), axes, True)) + high
    return total if keepdim or not axes else emit(Reshape(tuple(emit(Sum(axes), x).shape)), total)


@operation(grad="LinalgVectorNormBackward0", once=True)
def vector_norm(
    input: Tensor,
    ord: Fixed = 2,
    dim: int | tuple[int, ...] | None = None,
    keepdim: bool = False,
    dtype: dtype | None = None,
) -> Tensor:
    """(sum |x|**ord) ** (1 / ord) over axes. As `torch.linalg.vector_norm`.

    Raises:
        DTypeError: the elements are integers.
    """
    x = input if dtype is None else cast(input, dtype)
    if x.dtype.category < FLOAT:
        raise DTypeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {_legacy(x.dtype)}. Fix: "
            "x.float()."
        )
    axes = axes_of(dim, len(x.shape))
    size = emit(Abs(), x)
    if ord == math.inf:
        return _kept(x, emit(p.Max(axes), size), axes, keepdim)
    if ord == -math.inf:
        return _kept(x, emit(p.Min(axes), size), axes, keepdim)
    if ord == 0:
        return _summed(severed(size, cast(ne(x, 0), size.dtype)), axes, keepdim)
    if ord == 1:
        return _summed(size, axes, keepdim)
    if ord == 2:
        return _root_of_squares(x if not x.dtype.is_complex else size, axes, keepdim)
    if ord > 0:  # type: ignore[operator]
        return _root_of_powers(size, float(ord), axes, keepdim)  # type: ignore[arg-type]
    return _root_of_inverse_powers(size, float(ord), axes, keepdim)  # type: ignore[arg-type]


def _root_of_squares(x: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """In a body: the Euclidean norm, whose derivative at zero is zero as PyTorch has it."""
    return _root(_summed(x * x, axes, keepdim))


def _root(total: Tensor) -> Tensor:
    """In a body: the square root of a sum of squares; its derivative is zero where these all are."""
    zero = total == 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, total).to(total.dtype))).to(total.dtype)


def _root_of_powers(size: Tensor, order: float, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """In a body: a norm of a positive order, whose derivative at zero is zero as PyTorch has it."""
    zero = size == 0
    total = _summed(where(zero, 0.0, power(where(zero, 1.0, size), order)), axes, keepdim)
    nothing = total == 0
    return where(nothing, 0.0, power(where(nothing, 1.0, total), 1.0 / order))


def _root_of_inverse_powers(size: Tensor, order: float, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """In a body: a norm of a negative order, which is zero, with a derivative of zero, where any element is."""
    zero = size == 0
    total = _summed(where(zero, math.inf, power(where(zero, 1.0, size), order)), axes, keepdim)
    nothing = isinf(total)
    return where(nothing, 0.0, power(where(nothing, 1.0, total), 1.0 / order)).to(size.dtype)


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over what broadcasting from `size` would repeat. As `Tensor.sum_to_size`.

    Raises:
        ShapeError: `size` does not stretch to the tensor's shape.
    """
    wanted = tuple(size[0]) if len(size) == 1 and isinstance(size[0], list | tuple) else size
    shape = tuple(input.shape)
    fresh = len(shape) - len(wanted)
    odd = fresh < 0 or [one for one, there in zip(wanted, shape[fresh:], strict=True) if one not in (1, there)]
    if odd:
        raise ShapeError(
            f"sum_to_size: size {list(wanted)} is not expandable to size {list(shape)}. Fix: a size of 1 where axes "
            "are to be summed."
        )
    axes = [axis for axis, there in enumerate(shape) if axis < fresh or (wanted[axis - fresh] == 1 and there != 1)]
    return (sum(input, axes) if axes else input).reshape(wanted)


@numpy_names
def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Axes = None,
    keepdim: bool = False,
    dtype: dtype | None = None,
) -> Tensor:
    """A norm of the elements over axes. As `torch.norm`."""
    if p == "nuc":
        from kadam.linalg import matrix_norm

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise ShapeError(f"norm: Order {p} not supported. Fix: p is 'fro', 'nuc', or a number.")
    order = 2.0 if p is None or p == "fro" else float(p)
    return vector_norm(input, order, dim, keepdim, dtype)  # type: ignore[arg-type]


@operation(grad="DistBackward0")
def dist(input: Tensor, other: Tensor, p: Fixed = 2) -> Tensor:
    """The norm of the difference. As `torch.dist`."""
    return vector_norm(input - other, p)


@numpy_names
@operation
def cumsum(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
    """Running sums along an axis. As `torch.cumsum`."""
    x = _summable(input, dtype)
    return emit(scan.CumSum(axis_of(dim, len(x.shape))), x) if x.shape else x * 1


@numpy_names
@operation
def cumprod(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
    """Running products along an axis. As `torch.cumprod`."""
    x = _summable(input, dtype)
    return emit(scan.CumProd(axis_of(dim, len(x.shape))), x) if x.shape else x * 1


@operation(grad="LogcumsumexpBackward0", once=True)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Running log-sum-exps along an axis. As `torch.logcumsumexp`."""
    x = floating(input)
    axis = axis_of(dim, len(x.shape))
    if not x.shape:
        return x * 1
    high = _kept(x, emit(p.Max((axis,)), x), (axis,), True).detach()
    high = where(isfinite(high), high, 0.0).to(x.dtype)
    return log(emit(scan.CumSum(axis), exp(x - high))) + high


@operation(grad="CummaxBackward0")
def cummax(input: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Running maxima along an axis, and where they are. As `torch.cummax`."""
    axis = axis_of(dim, len(input.shape))
    if not input.shape:
        return results.cummax(input.clone(), constant(0, dtypes.int64))
    place = emit(scan.CumArgMax(axis), input)
    return results.cummax(emit(Gather(axis), input, place), place)


@operation(grad="CumminBackward0")
def cummin(input: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Running minima along an axis, and where they are. As `torch.cummin`."""
    axis = axis_of(dim, len(input.shape))
    if not input.shape:
        return results.cummin(input.clone(), constant(0, dtypes.int64))
    place = emit(scan.CumArgMin(axis), input)
    return results.cummin(emit(Gather(axis), input, place), place)


@numpy_names
def count_nonzero(input: Tensor, dim: Axes = None) -> Tensor:
    """How many elements over axes are not zero. As `torch.count_nonzero`."""
    return sum(ne(input, 0), dim)


@numpy_names
@operation(grad="NansumBackward0")
def nansum(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor:
    """The sum over axes of what is not nan. As `torch.nansum`."""
    return sum(where(input != input, 0, input), dim, keepdim, dtype=dtype)


@numpy_names
def nanmean(input: Tensor, dim: Axes = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor:
    """The mean over axes of what is not nan. As `torch.nanmean`."""
    return nansum(input, dim, keepdim, dtype=dtype) / sum(input == input, dim, keepdim)


def check_axis(input: Tensor, dim: int) -> int:
    """The axis as a number in [0, rank).

    Raises:
        AxisError: the tensor has no such axis.
    """
    if not input.shape and dim not in (0, -1):
        raise AxisError(
            f"Dimension out of range (expected to be in range of [-1, 0], but got {dim}). Fix: dim=0 or dim=-1."
        )
    return axis_of(dim, len(input.shape))


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice of an axis scaled down to a norm of at most `maxnorm`. As `torch.renorm`.

    Raises:
        ShapeError: fewer than two axes.
    """
    if len(input.shape) < 2:
        raise ShapeError(
            "renorm: input needs at least 2 dimensions. Fix: unsqueeze(0) makes a vector a matrix of one row."
        )
    axis = check_axis(input, dim)
    others = [other for other in range(len(input.shape)) if other != axis]
    size = vector_norm(input, float(p), tuple(others), True)
    return input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


cumsum_, cumprod_ = in_place(cumsum), in_place(cumprod)
