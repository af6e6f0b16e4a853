"""Discrete Fourier transforms. As `torch.fft`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes, missing
from kadam.dtypes import FLOAT, dtype
from kadam.errors import AxisError, DTypeError, ShapeError
from kadam.ops.combine import cat, roll
from kadam.ops.creation import arange, check_options
from kadam.ops.out import give_out
from kadam.ops.pointwise import conj
from kadam.ops.promotion import cast, floating
from kadam.primitives.complex import Real
from kadam.primitives.elementwise import WHOLES
from kadam.primitives.fourier import Fourier
from kadam.primitives.move import Flip, padded
from kadam.recording.calls import emit, node_of, symbol
from kadam.recording.operation import operation
from kadam.recording.precision import listed
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor

# A norm says which of the two directions divides by the number of points, and by which power of it.
_POWER = {None: 0.0, "backward": 0.0, "ortho": 0.5, "forward": 1.0}
_OTHER_WAY = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _power(norm: str | None, inverse: bool) -> float:
    """The power of the number of points that a transform in one direction divides by.

    Raises:
        ShapeError: no such norm.
    """
    if norm not in _POWER:
        raise ShapeError(f"fft: Invalid normalization mode: {norm!r}. Fix: norm='backward', 'ortho' or 'forward'.")
    return 1.0 - _POWER[norm] if inverse else _POWER[norm]


def _computed(input: Tensor, name: str, real: bool = False) -> Tensor:
    """In a body: the input as numbers that transforms are computed with.

    Raises:
        DTypeError: half precision; complex numbers where only real ones have a meaning.
    """
    if real and input.dtype.is_complex:
        raise DTypeError(
            f"{name} expects a real input tensor, but got {input.dtype}. Fix: torch.fft.fft, or the real part, x.real."
        )
    x = floating(input)
    if x.dtype not in WHOLES and not x.dtype.is_complex:
        raise DTypeError(f"{name}: Unsupported dtype {input.dtype}: it takes 32 bits or more. Fix: x.float().")
    return x


def _resized(x: Tensor, axes: tuple[int, ...], sizes: tuple[int | None, ...]) -> Tensor:
    """In a body: the input cropped, or followed by zeros, to the sizes that are asked for."""
    margins = [(0, 0)] * len(x.shape)
    for axis, size in zip(axes, sizes, strict=True):
        wanted = x.shape[axis] if size is None else size
        if wanted < 1:
            raise ShapeError(f"fft: Invalid number of data points ({wanted}) specified. Fix: at least 1.")
        x = x.narrow(axis, 0, min(wanted, x.shape[axis]))
        margins[axis] = (0, wanted - x.shape[axis])
    return symbol(padded(node_of(x), margins)) if any(after for _, after in margins) else x


def _turned(x: Tensor, axes: tuple[int, ...], inverse: bool, power: float) -> Tensor:
    """In a body: the transform of complex numbers, divided by a power of the number of points."""
    if not axes:
        return x
    points = math.prod(x.shape[axis] for axis in axes)
    result = emit(Fourier(axes, inverse), x)
    return result * points**-power if power else result


@operation(grad="FftC2CBackward0")
def _transform(
    input: Tensor, name: str, axes: tuple[int, ...], sizes: tuple[Any, ...], inverse: bool, power: float
) -> Tensor:
    x = _resized(_computed(input, name), axes, sizes)
    return _turned(x if x.dtype.is_complex else cast(x, WHOLES[x.dtype]), axes, inverse, power)


@operation(grad="FftR2CBackward0")
def _half_of_real(
    input: Tensor, name: str, axes: tuple[int, ...], sizes: tuple[Any, ...], inverse: bool, power: float
) -> Tensor:
    """The first half, along the last axis, of the transform of real numbers; the other half is its conjugate."""
    x = _resized(_computed(input, name, real=True), axes, sizes)
    points = x.shape[axes[-1]]
    whole = _turned(cast(x, WHOLES[x.dtype]), axes, inverse, power)
    return whole.narrow(axes[-1], 0, points // 2 + 1)


@operation(grad="FftC2RBackward0")
def _real_of_half(
    input: Tensor, name: str, axes: tuple[int, ...], sizes: tuple[Any, ...], inverse: bool, power: float
) -> Tensor:
    """The real numbers whose transform begins, along the last axis, with the input."""
    x, last = _computed(input, name), axes[-1]
    points = 2 * (x.shape[last] - 1) if sizes[-1] is None else sizes[-1]
    if points < 1:
        raise ShapeError(f"{name}: Invalid number of data points ({points}) specified. Fix: at least 1.")
    x = _resized(x, axes, (*sizes[:-1], points // 2 + 1))
    x = x if x.dtype.is_complex else cast(x, WHOLES[x.dtype])
    x = _turned(x, axes[:-1], inverse, power)
    mirrored = emit(Flip((last,)), conj(x.narrow(last, 1, (points - 1) // 2)))
    return emit(Real(), _turned(cat((x, mirrored), last), (last,), inverse, power))


def _one(input: Tensor, n: int | None, dim: int) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    """The axes and sizes of a transform along one axis.

    Raises:
        AxisError: the tensor has not this axis.
    """
    axis = axis_of(dim, len(input.shape))
    if not input.shape:
        raise AxisError("fft: Dimension specified as -1 but tensor has no dimensions. Fix: x.unsqueeze(0).")
    return (axis,), (n,)


def _several(
    input: Tensor, s: Sequence[int] | int | None, dim: Sequence[int] | int | None
) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    """The axes and sizes of a transform along several axes: all, or the last ones that have sizes, or those named.

    Raises:
        ShapeError: an axis is named twice; sizes and axes do not match.
        AxisError: the tensor has not all of the axes.
    """
    rank = len(input.shape)
    s, dim = (s,) if isinstance(s, int) else s, (dim,) if isinstance(dim, int) else dim
    if dim is not None:
        axes = tuple(axis_of(axis, rank) for axis in dim)
        if len(set(axes)) < len(axes):
            raise ShapeError("fft: FFT dims must be unique. Fix: name each axis once.")
        if s is not None and len(s) != len(axes):
            raise ShapeError(
                "fft: When given, dim and shape arguments must have the same length: they have "
                f"{len(axes)} and {len(s)}. Fix: give a size for each axis, -1 where it stays."
            )
    elif s is not None:
        if len(s) > rank:
            raise ShapeError(
                f"fft: Got shape with {len(s)} values but input tensor only has {rank} dimensions. Fix: fewer sizes."
            )
        axes = tuple(range(rank - len(s), rank))
    else:
        axes = tuple(range(rank))
    return axes, tuple(None if s is None or s[place] == -1 else s[place] for place in range(len(axes)))


@listed("fft_fft")
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform along one axis. As `torch.fft.fft`.

    Raises:
        ShapeError: no points, or an unknown norm.
    """
    return _transform(input, "fft", *_one(input, n, dim), False, _power(norm, False))


@listed("fft_ifft")
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse transform along one axis. As `torch.fft.ifft`."""
    return _transform(input, "ifft", *_one(input, n, dim), True, _power(norm, True))


@listed("fft_rfft")
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first half of the transform of real numbers along one axis. As `torch.fft.rfft`.

    Raises:
        DTypeError: the input is complex.
    """
    return _half_of_real(input, "rfft", *_one(input, n, dim), False, _power(norm, False))


@listed("fft_irfft")
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The real numbers whose transform begins with the input. As `torch.fft.irfft`."""
    return _real_of_half(input, "irfft", *_one(input, n, dim), True, _power(norm, True))


@listed("fft_hfft")
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The real transform of numbers of which the first, Hermitian half is given. As `torch.fft.hfft`."""
    return _real_of_half(conj(input), "hfft", *_one(input, n, dim), True, _power(norm, False))


@listed("fft_ihfft")
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`. As `torch.fft.ihfft`."""
    return conj(_half_of_real(input, "ihfft", *_one(input, n, dim), False, _power(norm, True)))


@listed("fft_fftn")
def fftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The transform along several axes. As `torch.fft.fftn`."""
    return _transform(input, "fftn", *_several(input, s, dim), False, _power(norm, False))


@listed("fft_ifftn")
def ifftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse transform along several axes. As `torch.fft.ifftn`."""
    return _transform(input, "ifftn", *_several(input, s, dim), True, _power(norm, True))


def _some(name: str, input: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
    axes, sizes = _several(input, s, dim)
    if not axes:
        raise ShapeError(f"{name} must transform at least one axis. Fix: dim=(-1,).")
    return axes, sizes


@listed("fft_rfftn")
def rfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The first half, along the last axis, of the transform of real numbers. As `torch.fft.rfftn`."""
    return _half_of_real(input, "rfftn", *_some("rfftn", input, s, dim), False, _power(norm, False))


@listed("fft_irfftn")
def irfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`. As `torch.fft.irfftn`."""
    return _real_of_half(input, "irfftn", *_some("irfftn", input, s, dim), True, _power(norm, True))


def hfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The real transform of numbers that are Hermitian along the last axis. As `torch.fft.hfftn`."""
    return _real_of_half(conj(input), "hfftn", *_some("hfftn", input, s, dim), True, _power(norm, False))


def ihfftn(input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`. As `torch.fft.ihfftn`."""
    return conj(_half_of_real(input, "ihfftn", *_some("ihfftn", input, s, dim), False, _power(norm, True)))


@listed("fft_fft2")
def fft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The transform along two axes. As `torch.fft.fft2`."""
    return fftn(input, s, dim, norm)


@listed("fft_ifft2")
def ifft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse transform along two axes. As `torch.fft.ifft2`."""
    return ifftn(input, s, dim, norm)


@listed("fft_rfft2")
def rfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`rfftn` along two axes. As `torch.fft.rfft2`."""
    return rfftn(input, s, dim, norm)


@listed("fft_irfft2")
def irfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`irfftn` along two axes. As `torch.fft.irfft2`."""
    return irfftn(input, s, dim, norm)


def hfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`hfftn` along two axes. As `torch.fft.hfft2`."""
    return hfftn(input, s, dim, norm)


def ihfft2(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`ihfftn` along two axes. As `torch.fft.ihfft2`."""
    return ihfftn(input, s, dim, norm)


def fftfreq(n: int, d: float = 1.0, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The frequencies of a transform of n points, d apart. As `torch.fft.fftfreq`."""
    record = _frequency_type("fftfreq", dtype)
    places = cat((arange(0, (n + 1) // 2), arange(-(n // 2), 0))).to(record)
    return _with_options(places * (1.0 / (n * d)), options)


def rfftfreq(n: int, d: float = 1.0, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The frequencies of the first half of a transform of n points, d apart. As `torch.fft.rfftfreq`."""
    record = _frequency_type("rfftfreq", dtype)
    return _with_options(arange(0, n // 2 + 1).to(record) * (1.0 / (n * d)), options)


def _frequency_type(name: str, record: dtype | None) -> dtype:
    record = record or dtypes.default_float()
    if record.category < FLOAT:
        raise DTypeError(f"{name} requires a floating point or complex dtype. Fix: dtype=torch.float32.")
    return record


def _with_options(result: Tensor, options: dict[str, Any]) -> Tensor:
    return result.requires_grad_() if check_options("fftfreq", options) else result


def _shifts(input: Tensor, dim: Any, towards: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    rank = len(input.shape)
    axes = range(rank) if dim is None else (dim,) if isinstance(dim, int) else dim
    found = tuple(axis_of(axis, rank) for axis in axes)
    return tuple((input.shape[axis] + towards) // 2 for axis in found), found


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The frequencies in ascending order, 0 in the middle. As `torch.fft.fftshift`."""
    shifts, axes = _shifts(input, dim, 0)
    return roll(input, shifts, axes) if axes else input.clone()


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of `fftshift`. As `torch.fft.ifftshift`."""
    shifts, axes = _shifts(input, dim, 1)
    return roll(input, shifts, axes) if axes else input.clone()


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ifftshift",
    "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

give_out(
    globals(),
    """
    fft fft2 fftfreq fftn hfft hfft2 hfftn ifft ifft2 ifftn ihfft ihfft2 ihfftn irfft irfft2 irfftn rfft rfft2 rfftfreq
    rfftn
    """,
)
missing.install(__name__)
