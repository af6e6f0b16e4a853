"""Spread and order of samples: covariances, quantiles, differences, integrals by the trapezoid rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from kadam.dtypes import FLOAT, int64
from kadam.errors import DTypeError, RangeError, ShapeError
from kadam.ops.compare import isnan, where
from kadam.ops.promotion import cast, constant, floating, stretched
from kadam.ops.reduce import any as any_true
from kadam.ops.reduce import mean, sum
from kadam.primitives import sort as p
from kadam.primitives.index import Gather
from kadam.primitives.move import Reshape
from kadam.recording.arguments import guarded
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.precision import listed
from kadam.recording.tensor import Recorded, is_current, read
from kadam.shapes import axis_of, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _check_weights(name: str, weights: Tensor | None, count: int, right_kind: bool, kind: str) -> None:
    """Raise where weights make no sense.

    Raises:
        DTypeError: they are no numbers of the right kind.
        ShapeError: they are not one for each observation.
    """
    if weights is None:
        return
    if len(weights.shape) > 1:
        raise ShapeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {len(weights.shape)}. Fix: flatten()."
        )
    if not right_kind:
        raise DTypeError(f"cov(): expected {name} to have {kind} dtype but got {weights.dtype}. Fix: convert them.")
    if weights.numel() != count:
        raise ShapeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{weights.numel()} != {count}. Fix: one for each column."
        )


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariances of variables (rows) over observations (columns). As `torch.cov`.

    Raises:
        RangeError: weights that are negative, as far as their values are known.
        ShapeError: more than two axes.
    """
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        known = isinstance(weights, Recorded) and weights._node is None and is_current(weights)
        if known and (read(weights) < 0).any():  # type: ignore[arg-type]
            raise RangeError(f"cov(): {name} cannot be negative. Fix: {name}.abs(), or leave those observations out.")
    return _cov(input, correction, fweights, aweights)


@operation(grad="SqueezeBackward0")
def _cov(input: Tensor, correction: int, fweights: Tensor | None, aweights: Tensor | None) -> Tensor:
    if len(input.shape) > 2:
        raise ShapeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {len(input.shape)} "
            "dimensions. Fix: flatten it to [variables, observations]."
        )
    x = floating(input).reshape(1, -1) if len(input.shape) < 2 else floating(input)
    _check_weights("fweights", fweights, x.shape[1], fweights is None or fweights.dtype.category < FLOAT, "integral")
    _check_weights(
        "aweights", aweights, x.shape[1], aweights is None or aweights.dtype.category == FLOAT, "floating point"
    )
    weight = None
    for given in (fweights, aweights):
        if given is not None:
            weight = cast(given, x.dtype) if weight is None else weight * given
    if weight is None:
        centred = x - mean(x, 1, True)
        left: Any = max(x.shape[1] - correction, 0)
        product = centred @ centred.mT
    else:
        total = sum(weight)
        centred = x - sum(x * weight, 1, True) / total
        left = total - correction
        if aweights is not None:
            left = total - correction * sum(weight * aweights) / total
        product = (centred * weight) @ centred.mT
    result = product / left
    matrix: Tensor = result
    return matrix.reshape(()) if matrix.shape[0] == 1 else matrix


@operation(grad="ClampBackward1")
def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables (rows) over observations (columns). As `torch.corrcoef`."""
    spread = cov(input)
    if not spread.shape:
        return spread / spread
    scale = spread.diagonal().sqrt()
    return (spread / scale.unsqueeze(1) / scale.unsqueeze(0)).clamp(-1, 1)


@operation
def _quantile(input: Tensor, q: Tensor, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool) -> Tensor:
    x = emit(Reshape((count(input.shape),)), input) if dim is None or not input.shape else input
    axis = axis_of(0 if dim is None else dim, len(x.shape))
    moved = x.movedim(axis, -1)
    line = emit(Gather(len(moved.shape) - 1), moved, emit(p.SortIndices(len(moved.shape) - 1), moved))
    size = line.shape[-1]
    missing = sum(isnan(moved), -1, True)
    valid = cast(size - missing, line.dtype) if skip_nan else constant(size, line.dtype, tuple(missing.shape))
    flat_q = q.reshape(-1)
    place = flat_q * (valid - 1)  # [..., q]
    low = place.floor()
    if interpolation == "lower":
        weight = low * 0
    elif interpolation == "higher":
        weight = cast(place > low, low.dtype)
    elif interpolation == "nearest":
        weight = place.round() - low
    elif interpolation == "midpoint":
        weight = where(place > low, 0.5, 0.0).to(low.dtype)
    else:
        weight = place - low
    low_at = cast(low.clamp(0, size - 1), int64)
    high_at = cast(place.ceil().clamp(0, size - 1), int64)
    last = len(line.shape) - 1
    below, above = emit(Gather(last), line, low_at), emit(Gather(last), line, high_at)
    found = below + weight * (above - below)
    if not skip_nan:
        spoiled = stretched(any_true(isnan(moved), -1, True), tuple(found.shape))
        found = where(spoiled, math.nan, found)
    result = found.movedim(-1, 0)
    if keepdim:
        result = result.unsqueeze(axis + 1) if x is input else result.reshape(-1, *[1] * len(input.shape))
    return result.select(0, 0) if not q.shape else result


@listed("quantile")
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The values below which given shares of the elements lie. As `torch.quantile`.

    Raises:
        DTypeError: the elements are no floating-point numbers.
        ShapeError: a share outside [0, 1].
    """
    return _quantile(input, _shares(input, q), dim, keepdim, interpolation, False)


@listed("nanquantile")
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """`quantile` of what is not nan. As `torch.nanquantile`."""
    return _quantile(input, _shares(input, q), dim, keepdim, interpolation, True)


def _shares(input: Tensor, q: Any) -> Tensor:
    from kadam.ops.creation import tensor

    if input.dtype.category != FLOAT:
        raise DTypeError("quantile() input tensor must be either float or double dtype. Fix: x.float().")
    share = q if isinstance(q, Recorded) else tensor(q, dtype=input.dtype)
    values = read(share)
    if values.size and (values.min() < 0 or values.max() > 1):
        raise ShapeError(
            "quantile() q values must be in the range [0, 1]. Fix: give q as shares: 0.95 for the 95th percentile."
        )
    return share  # type: ignore[return-value]


@guarded
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """Differences of neighbours along an axis. As `torch.diff`."""
    from kadam.ops.combine import cat

    if not input.shape:
        raise ShapeError("diff: expects input to be at least one-dimensional. Fix: x.reshape(1).")
    if n < 0:
        raise ShapeError(f"diff: order must be non-negative but got {n}. Fix: n=1.")
    if n == 0:
        return input.clone()
    parts = [one for one in (prepend, input, append) if one is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(n):
        size = x.shape[dim]
        if size <= 1:
            return x.narrow(dim, 0, 0)
        high, low = x.narrow(dim, 1, size - 1), x.narrow(dim, 0, size - 1)
        x = high ^ low if x.dtype.category == 0 else high - low
    return x


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral by the trapezoid rule along an axis. As `torch.trapezoid`."""
    size = y.shape[dim]
    middle = (y.narrow(dim, 1, size - 1) + y.narrow(dim, 0, size - 1)) / 2.0
    if x is None:
        return (middle * dx).sum(dim)
    step = diff(x, dim=dim if len(x.shape) > 1 else -1)
    if len(x.shape) == 1 and len(y.shape) > 1:
        step = step.reshape([-1 if axis == axis_of(dim, len(y.shape)) else 1 for axis in range(len(y.shape))])
    return (middle * step).sum(dim)


trapz = trapezoid
