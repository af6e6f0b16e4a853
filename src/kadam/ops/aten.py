"""PyTorch's inner operations by the names that programs ask for them, `torch.ops.aten.<name>`.

Public functions stand here under their own names; what is defined here has no other one.
"""

from __future__ import annotations

from builtins import slice as builtin_slice
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.ops.compare import where
from kadam.ops.creation import empty
from kadam.ops.index_put import index_put
from kadam.ops.reduce import sum
from kadam.ops.slicing import slice_axis
from kadam.ops.softmax import softmax

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: dtype) -> Tensor:
    """The cotangent of softmax's input, from that of its output."""
    product = grad_output * output
    return (product - output * sum(product, dim, True)).to(input_dtype)


def _safe_softmax(self: Tensor, dim: int, dtype: dtype | None = None) -> Tensor:
    """Softmax; zero where all of an axis is minus infinity."""
    hidden = (self == float("-inf")).all(dim, True)
    seen = where(hidden, 0.0, self).to(self.dtype)
    return where(hidden, 0.0, softmax(seen, dim, dtype=dtype)).to(dtype or self.dtype)


def slice(self: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """Elements start, start + step ... before `end` along one axis."""
    size = self.shape[dim]
    low = 0 if start is None else start
    return slice_axis(self, dim, low, size if end is None else end, step)


def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The cotangent of dropout's input."""
    return grad_output * mask * scale


def _unsafe_masked_index(self: Tensor, mask: Tensor, indices: Sequence[Tensor | None], fill: Number) -> Tensor:
    """Elements that indices name, `fill` where the mask is false; indices there need not lie within the axes."""
    places = _masked(self, mask, indices)
    key = tuple(builtin_slice(None) if one is None else one for one in places)
    return where(mask, self[key], fill).to(self.dtype)


def _unsafe_masked_index_put_accumulate(
    self: Tensor, mask: Tensor, indices: Sequence[Tensor | None], values: Tensor
) -> Tensor:
    """Values added at the places that indices name, where the mask is true."""
    hidden = where(mask, values, 0.0).to(self.dtype)
    return index_put(self, _masked(self, mask, indices), hidden, accumulate=True)


def _masked(self: Tensor, mask: Tensor, indices: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Indices kept within their axes."""
    return [None if one is None else one.clamp(0, self.shape[axis] - 1) for axis, one in enumerate(indices)]


def _native_batch_norm_legit(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Any
) -> tuple[Tensor, ...]:
    """`native_batch_norm`, with or without running statistics: `[mean, var,] training, momentum, eps`."""
    from kadam.nn.functional.native import native_batch_norm

    statistics = rest[:2] if len(rest) == 5 else (None, None)
    return native_batch_norm(input, weight, bias, *statistics, *rest[-3:])


def _batch_norm_with_update(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`native_batch_norm` in training, and memory that PyTorch's faster kernels reserve."""
    from kadam.nn.functional.native import native_batch_norm

    found = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return (*found, empty(0, dtype=dtypes.uint8))


def _upsample_bilinear2d_aa(
    self: Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scales_h: float | None = None,
    scales_w: float | None = None,
    *,
    scale_factors: Sequence[float] | None = None,
) -> Tensor:
    """`interpolate` by triangles that are as wide as the pixels they stand for."""
    from kadam.nn.functional.interpolation import interpolate, smoothed

    if output_size is not None and (scales_h or scales_w):  # the scales then say how far pixels are apart
        return smoothed(self, tuple(output_size), (scales_h, scales_w), "bilinear", align_corners)
    return interpolate(
        self,
        size=None if output_size is None else tuple(output_size),
        scale_factor=None if scale_factors is None else tuple(scale_factors),
        mode="bilinear",
        align_corners=align_corners,
        antialias=True,
    )


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sample` with its modes as numbers. As `torch.grid_sampler`."""
    from kadam.nn.functional.sampling import grid_sample

    return grid_sample(input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: Number = 0) -> Tensor:
    """Margins of one value. As `torch.constant_pad_nd`."""
    from kadam.nn.functional.padding import pad as padded

    return padded(input, tuple(pad), "constant", value)


def max_pool2d_with_indices_backward(
    grad_output: Tensor,
    self: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """The cotangent of the input of `max_pool2d`: each element of `grad_output` at the place of its maximum."""
    shape = tuple(self.shape)
    lead, area = shape[:-2], shape[-2] * shape[-1]
    places, values = indices.reshape(*lead, -1), grad_output.reshape(*lead, -1)
    return (self * 0).reshape(*lead, area).scatter_add(-1, places, values).reshape(shape)


def __getattr__(name: str) -> Any:
    """A public function by its name."""
    import kadam

    for room in (kadam, kadam.nn.functional, kadam.Tensor):
        if not name.startswith("__") and hasattr(room, name):
            return getattr(room, name)
    raise AttributeError(f"torch.ops.aten.{name}: Kadam does not have it. Fix: call a public function of torch.")
