"""Pooling: each window over the spatial axes reduced to its maximum, its mean or its norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam.dtypes import FLOAT
from kadam.errors import ShapeError
from kadam.nn.functional.spatial import Sizes, per_axis
from kadam.ops.arithmetic import abs, div, pow, sign
from kadam.ops.pointwise import relu
from kadam.ops.promotion import constant
from kadam.primitives.index import Gather
from kadam.primitives.move import Reshape
from kadam.primitives.pool import WindowArgMax, WindowPick, WindowSum, pool_padding
from kadam.primitives.window import Margins
from kadam.recording.calls import emit
from kadam.recording.operation import Fixed, operation
from kadam.recording.order import as_input
from kadam.recording.precision import adapted
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="SqueezeBackward1")
def max_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of the last axis. As `torch.nn.functional.max_pool1d`; see `max_pool2d`."""
    return _max_pool("max_pool1d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@operation(grad="MaxPool2DWithIndicesBackward0", order=as_input)
def max_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of the last two axes. As `torch.nn.functional.max_pool2d`.

    Shapes:
        input f32[batch, channels, height, width] or without batch

    Args:
        input: the planes.
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        padding: minus infinity on both sides.
        dilation: step within a window.
        ceil_mode: whether a last window that is not full counts.
        return_indices: whether the maxima's positions in their planes are returned too, as `max_unpool2d` takes them.

    Raises:
        ShapeError: the shapes or the arguments do not fit.
    """
    return _max_pool("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@operation(grad="MaxPool3DWithIndicesBackward0", order=as_input)
def max_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of the last three axes. As `torch.nn.functional.max_pool3d`; see `max_pool2d`."""
    return _max_pool("max_pool3d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@operation(grad="SqueezeBackward1", once=True)
def avg_pool1d(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of the last axis. As `torch.nn.functional.avg_pool1d`; see `avg_pool2d`."""
    return _avg_pool("avg_pool1d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@operation(grad="AvgPool2DBackward0", once=True, order=as_input)
def avg_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of the last two axes. As `torch.nn.functional.avg_pool2d`.

    Args:
        input: f32[batch, channels, height, width] or without batch.
        kernel_size: size of a window.
        stride: step from window to window; the window's size by default.
        padding: zeros on both sides.
        ceil_mode: whether a last window that is not full counts.
        count_include_pad: whether the zeros count in the mean.
        divisor_override: by which the sum is divided instead of the number of elements.

    Raises:
        ShapeError: the shapes or the arguments do not fit.
    """
    return _avg_pool("avg_pool2d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@operation(grad="AvgPool3DBackward0", once=True, order=as_input)
def avg_pool3d(
    input: Tensor,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of the last three axes. As `torch.nn.functional.avg_pool3d`; see `avg_pool2d`."""
    return _avg_pool("avg_pool3d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@operation(grad="PowBackward0")
def lp_pool1d(
    input: Tensor,
    norm_type: Fixed,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of each window of the last axis. As `torch.nn.functional.lp_pool1d`."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@operation(grad="PowBackward0")
def lp_pool2d(
    input: Tensor,
    norm_type: Fixed,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of each window of the last two axes. As `torch.nn.functional.lp_pool2d`."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@operation(grad="PowBackward0")
def lp_pool3d(
    input: Tensor,
    norm_type: Fixed,
    kernel_size: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of each window of the last three axes. As `torch.nn.functional.lp_pool3d`."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def picked_by_plane(input: Tensor, places: Tensor, axes: int) -> Tensor:
    """In a body: the elements at row-major positions in the planes that the last `axes` axes span."""
    lead = tuple(input.shape[:-axes])
    flat = emit(Reshape((*lead, count(input.shape[-axes:]))), input)
    index = emit(Reshape((*lead, count(places.shape[-axes:]))), places)
    return emit(Reshape(tuple(places.shape)), emit(Gather(len(lead)), flat, index))


def _max_pool(
    name: str,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    kernel, step, margins, spread = _windows(name, input, kernel_size, stride, padding, dilation, ceil_mode)
    if not return_indices:
        (input,) = adapted(f"_{name}", (input,))
    places = emit(WindowArgMax(kernel, step, margins, spread), input)
    values = emit(WindowPick(kernel, step, margins, spread), input, places)
    return (values, places) if return_indices else values


def _avg_pool(
    name: str,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    if divisor == 0:
        raise ShapeError("avg_pool: divisor must be not zero. Fix: give a divisor_override other than 0, or None.")
    kernel, step, margins, _ = _windows(name, input, kernel_size, stride, padding, 1, ceil_mode)
    sums = emit(WindowSum(kernel, step, margins), input)
    return mean_of_windows(sums, divisor or _elements(name, input, kernel, step, margins, padding, count_include_pad))


def _elements(
    name: str, input: Tensor, kernel: Shape, step: Shape, margins: Margins, padding: Sizes, count_include_pad: bool
) -> int | Tensor:
    """In a body: how many elements each window has; the padding counts or not, what overhangs it never does."""
    counted = per_axis(name, "padding", padding if count_include_pad else 0, len(kernel))
    beyond = [(before - own, after - own) for (before, after), own in zip(margins, counted, strict=True)]
    if all(before <= 0 and after <= 0 for before, after in beyond):
        return count(kernel)
    sizes = tuple(size + 2 * own for size, own in zip(input.shape[-len(kernel) :], counted, strict=True))
    return emit(WindowSum(kernel, step, tuple(beyond)), constant(1, input.dtype, sizes))


def mean_of_windows(sums: Tensor, elements: int | Tensor) -> Tensor:
    """In a body: sums divided; of whole numbers, rounded towards zero as in PyTorch."""
    return div(sums, elements, rounding_mode=None if sums.dtype.category >= FLOAT else "trunc")


def _lp_pool(
    axes: int, input: Tensor, norm_type: Fixed, kernel_size: Sizes, stride: Sizes | None, ceil_mode: bool
) -> Tensor:
    name = f"lp_pool{axes}d"
    kernel = per_axis(name, "kernel_size", kernel_size, axes)
    (power,) = adapted(f"avg_pool{axes}d", (pow(input, norm_type),))
    mean = _avg_pool(f"avg_pool{axes}d", power, kernel, stride, 0, ceil_mode, True, None)
    return pow(sign(mean) * relu(abs(mean)) * count(kernel), 1 / norm_type)


def _windows(
    name: str,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> tuple[Shape, Shape, Margins, Shape]:
    """Kernel, stride, (before, after) padding and dilation, per axis, checked against the input."""
    axes = int(name[-2])
    shape = tuple(input.shape)
    if len(shape) not in (axes + 1, axes + 2) or 0 in shape[-axes - 1 :]:
        raise ShapeError(
            f"{name}: non-empty {axes + 1}D or {axes + 2}D (batch mode) tensor expected for input, got {list(shape)}. "
            f"Fix: unsqueeze() to [batch, channels, ...] with {axes} axes after the channels."
        )
    kernel = per_axis(name, "kernel_size", kernel_size, axes)
    step = kernel if stride is None or stride == () else per_axis(name, "stride", stride, axes)
    both, spread = per_axis(name, "padding", padding, axes), per_axis(name, "dilation", dilation, axes)
    if min((*kernel, *step, *spread)) < 1:
        raise ShapeError(
            f"{name}: kernel size, stride and dilation should be greater than zero. Fix: give numbers of at least 1."
        )
    for margin, taps, own in zip(both, kernel, spread, strict=True):
        if not 0 <= margin <= (own * (taps - 1) + 1) // 2:
            raise ShapeError(
                f"{name}: pad should be at most half of effective kernel size, but got pad={margin}, "
                f"kernel_size={taps} and dilation={own}. Fix: padding={taps // 2} at most."
            )
    margins = pool_padding(shape[-axes:], kernel, step, both, spread, ceil_mode)
    inside = [size + before + after for size, (before, after) in zip(shape[-axes:], margins, strict=True)]
    if any(own * (taps - 1) >= size for own, taps, size in zip(spread, kernel, inside, strict=True)):
        given = "x".join(map(str, shape[-axes - 1 :]))
        raise ShapeError(
            f"{name}: Given input size: ({given}), windows of {kernel} do not fit. Output size is too small. Fix: "
            "shrink the kernel, or remove a pooling layer before it."
        )
    return kernel, step, margins, spread


__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]
