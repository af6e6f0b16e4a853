"""Convolutions and their gradients as stages of kernels."""

from __future__ import annotations

from collections.abc import Hashable

from kadam.engines.native.convolve_axis import Geometry, backward_axes, forward_axes
from kadam.engines.native.convolve_pack import Panels, Weights, pack, widened
from kadam.engines.native.convolve_rows import Rows, choose_row_tiling
from kadam.engines.native.convolve_sums import Total, WeightSums
from kadam.engines.native.convolve_tile import Tiles
from kadam.engines.native.convolve_tiling import choose_tiling
from kadam.engines.native.convolve_weight import Partial, choose_weight_tiling
from kadam.engines.native.convolve_weight_rows import RowSums, choose_weight_rows
from kadam.engines.native.stage import Finish, Stage
from kadam.engines.native.target import host
from kadam.ir.types import TensorType
from kadam.primitives.convolve import Convolution, Convolve, ConvolveWeight
from kadam.shapes import count


def stages(
    primitive: Convolution, inputs: tuple[TensorType, ...], keys: tuple[Hashable, ...], finish: Finish, name: str,
    flat: bool = False,
) -> list[Stage]:  # fmt: skip
    """The stages that compute a convolution or one of its gradients.

    Args:
        primitive: which.
        inputs: the types of its inputs.
        keys: what the kernels call the buffers of the inputs, which are contiguous.
        finish: takes the results, vector by vector.
        name: for the profile.
        flat: whether `finish` takes the gradient of weights with the index of the last axis of more than one element
            running over all of a feature's weights (the others but the first are 0): so that lanes lie along it even
            where the kernel's rows are short.
    """
    result = primitive.infer(*inputs)
    if not result.elements:
        return []
    if isinstance(primitive, ConvolveWeight):
        return _weight_stages(primitive, inputs, keys, finish, name, flat)
    return _tile_stages(primitive, inputs, keys, finish, name)


def _tile_stages(
    primitive: Convolution, inputs: tuple[TensorType, ...], keys: tuple[Hashable, ...], finish: Finish, name: str
) -> list[Stage]:
    """A convolution, or the gradient of its input: a convolution of its own, if one with gaps."""
    source, weights = inputs
    source_key, weight_key = keys
    result, record = primitive.infer(*inputs), source.dtype
    taps, groups = weights.shape[2:], primitive.groups
    span = (source.shape[2:], result.shape[2:], taps, primitive.stride, primitive.padding, primitive.dilation)
    if isinstance(primitive, Convolve):
        axes, features, channels = forward_axes(*span), weights.shape[0] // groups, weights.shape[1]
        layout = Weights(features * channels * count(taps), channels * count(taps), count(taps))
    else:
        axes, features, channels = backward_axes(*span), weights.shape[1], weights.shape[0] // groups
        layout = Weights(features * channels * count(taps), count(taps), features * count(taps))
    geometry = Geometry(source.shape[0], groups, features, channels, axes)
    few = choose_row_tiling(geometry, widened(record).itemsize, host())
    tiling = choose_tiling(geometry, widened(record).itemsize, host())
    if few.cycles < tiling.cycles:
        return [Rows(geometry, few, layout, record).stage(source_key, weight_key, finish, name)]
    panels = Panels(groups, features, channels, count(taps), tiling.width)
    packing, packed = pack(weight_key, record, widened(record), layout, panels, tiling.lanes)
    return [packing, Tiles(geometry, tiling, panels, record, host()).stage(source_key, packed, finish, name)]


def _weight_stages(
    primitive: ConvolveWeight, inputs: tuple[TensorType, ...], keys: tuple[Hashable, ...], finish: Finish, name: str,
    flat: bool,
) -> list[Stage]:  # fmt: skip
    x, y = inputs
    x_key, y_key = keys
    groups = primitive.groups
    axes = forward_axes(
        x.shape[2:], y.shape[2:], primitive.kernel, primitive.stride, primitive.padding, primitive.dilation
    )
    geometry = Geometry(x.shape[0], groups, y.shape[1] // groups, x.shape[1] // groups, axes)
    itemsize, target = widened(x.dtype).itemsize, host()
    rows, layout = choose_weight_rows(geometry, itemsize, target)
    tiling = choose_weight_tiling(geometry, itemsize, target)
    if layout.cycles < tiling.cycles:
        sums = WeightSums(geometry, layout, x.dtype, target)
        partial = RowSums(sums, rows).stage(x_key, y_key, name)
    else:
        sums = WeightSums(geometry, tiling, x.dtype, target)
        partial = Partial(sums).stage(x_key, y_key, name)
    return [partial, Total(sums).stage(finish, f"{name} sum", flat)]
