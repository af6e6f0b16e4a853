"""Activations brought to mean 0 and variance 1: over the batch, over each sample, over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.dtypes import finfo
from kadam.errors import OperandError, ShapeError
from kadam.ops.out import into
from kadam.ops.pointwise import clamp_min, rsqrt
from kadam.ops.promotion import cast, stretched, widened
from kadam.ops.reduce import mean, norm
from kadam.ops.require import ArgumentError, require_floating
from kadam.primitives.broadcast import Sum
from kadam.primitives.elementwise import Mul
from kadam.primitives.move import Reshape, padded
from kadam.primitives.window import Windows
from kadam.recording.calls import emit, symbol
from kadam.recording.memory import assign
from kadam.recording.operation import operation
from kadam.recording.order import as_input, as_operands
from kadam.recording.precision import adapted
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _reshaped(input: Tensor, shape: Shape) -> Tensor:
    return input if tuple(input.shape) == shape else emit(Reshape(shape), input)


def _moments(input: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """In a body: the deviations from the mean over axes; the mean; and the (biased) variance. The axes stay."""
    wide = widened(input)
    centre = mean(wide, axes, True)
    gap = wide - centre
    return gap, centre, mean(gap * gap, axes, True)


def _affine(input: Tensor, weight: Tensor | None, bias: Tensor | None, shape: Shape) -> Tensor:
    """In a body: input * weight + bias, both of them in the given shape."""
    if weight is not None:
        input = input * cast(_reshaped(weight, shape), input.dtype)
    if bias is not None:
        input = input + cast(_reshaped(bias, shape), input.dtype)
    return input


def _per_channel(input: Tensor) -> Shape:
    """The shape in which a value for each channel (axis 1) stretches over the input."""
    return (input.shape[1], *[1] * (len(input.shape) - 2))


def _check_channels(input: Tensor, **values: Tensor | None) -> None:
    if len(input.shape) < 2:
        raise ShapeError(
            f"the input has no channels (axis 1): it is {input._spec.type}. Fix: unsqueeze(0) makes a batch of one."
        )
    channels = input.shape[1]
    for name, value in values.items():
        if value is not None and tuple(value.shape) != (channels,):
            raise ShapeError(
                f"{name} should contain {channels} elements not {count(value.shape)}. Fix: the layer needs "
                f"num_features={channels}."
            )


def _updated(running: Tensor | None, fresh: Tensor, momentum: Tensor | Number) -> Tensor | None:
    """In a body: the running statistic after one more batch."""
    if running is None:
        return None
    fresh = cast(_reshaped(fresh.detach(), tuple(running.shape)), running.dtype)
    return cast(fresh * momentum + running * (1 - momentum), running.dtype)


# ---- Over the batch


@operation(grad="NativeBatchNormBackward0", order=as_input)
def _batch_norm_train(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: Number,
    eps: float,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The normalised input and the running statistics after it."""
    require_floating("batch_norm", input)
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    axes = (0, *range(2, len(input.shape)))
    gap, centre, spread = _moments(input, axes)
    result = cast(_affine(gap * rsqrt(spread + eps), weight, bias, _per_channel(input)), input.dtype)
    samples = count([input.shape[axis] for axis in axes])
    unbiased = spread * (samples / max(samples - 1, 1))
    return result, _updated(running_mean, centre, momentum), _updated(running_var, unbiased, momentum)


@operation(grad="NativeBatchNormBackward0", order=as_input)
def _batch_norm_eval(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    require_floating("batch_norm", input)
    if running_mean is None or running_var is None:
        missing = "running_mean" if running_mean is None else "running_var"
        raise ShapeError(
            f"batch_norm: {missing} must be defined in evaluation mode. Fix: give the running statistics, or "
            "training=True."
        )
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    shape = _per_channel(input)
    wide = widened(input)
    centre = cast(_reshaped(running_mean, shape), wide.dtype)
    spread = cast(_reshaped(running_var, shape), wide.dtype)
    return cast(_affine((wide - centre) * rsqrt(spread + eps), weight, bias, shape), input.dtype)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) weight + bias for each channel. As `torch.nn.functional.batch_norm`.

    Shapes:
        input f32[batch, channels, ...], the others f32[channels]

    Args:
        input: x.
        running_mean: stands for the mean in evaluation; in training it moves towards that of the batch.
        running_var: stands for the variance in evaluation; in training it moves towards that of the batch, unbiased.
        weight: of each channel.
        bias: of each channel.
        training: whether the mean and the (biased) variance are those of the batch.
        momentum: how far the running statistics move.
        eps: added to the variance.

    Raises:
        ArgumentError: in training, a channel has but one value; `eps` is too small.
        ShapeError: a statistic is missing in evaluation; a vector has not an element for each channel.

    Source: Ioffe, Szegedy, "Batch normalization", 2015.
    """
    if input._spec.shape == (0,):
        return input.clone()  # nothing to normalise, not even channels
    if not training:
        if eps < 0.0:
            raise ArgumentError(f"batch_norm eps must be non-negative, but got {eps}. Fix: eps=1e-5.")
        return _batch_norm_eval(input, running_mean, running_var, weight, bias, eps)
    if eps <= 0.0:
        raise ArgumentError(f"batch_norm eps must be positive during training, but got {eps}. Fix: eps=1e-5.")
    shape = input._spec.shape
    if not _has_several(shape):
        raise ArgumentError(
            f"batch_norm: Expected more than 1 value per channel when training, got input size {shape}. Fix: give a "
            "batch of at least 2 (drop_last=True in the DataLoader), or model.eval()."
        )
    result, new_mean, new_var = _batch_norm_train(input, running_mean, running_var, weight, bias, momentum, eps)
    if not shape[0]:
        return result  # no values: nothing to learn
    if new_mean is not None:
        assign(running_mean, new_mean)  # type: ignore[arg-type]
    if new_var is not None:
        assign(running_var, new_var)  # type: ignore[arg-type]
    return result


def _has_several(shape: Shape) -> bool:
    """Whether a channel (axis 1) has more than one value, or none."""
    return count(shape[:1]) * count(shape[2:]) != 1


# ---- Over each sample's channels


@operation(grad="ViewBackward0")
def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: Number,
    eps: float,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    require_floating("instance_norm", input)
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    axes = tuple(range(2, len(input.shape)))
    gap, centre, spread = _moments(input, axes)
    result = cast(_affine(gap * rsqrt(spread + eps), weight, bias, _per_channel(input)), input.dtype)
    samples = count(input.shape[2:])
    unbiased = mean(spread * (samples / max(samples - 1, 1)), 0)
    return result, _updated(running_mean, mean(centre, 0), momentum), _updated(running_var, unbiased, momentum)


@operation(grad="ViewBackward0")
def _instance_norm_eval(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    return _batch_norm_eval(input, running_mean, running_var, weight, bias, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) weight + bias for each channel of each sample.

    As `torch.nn.functional.instance_norm`.

    Shapes:
        input f32[batch, channels, ...], the others f32[channels]

    Args:
        input: x.
        running_mean: moves towards the batch's average mean, and stands for it without input statistics.
        running_var: moves towards the batch's average (unbiased) variance, and stands for it likewise.
        weight: of each channel.
        bias: of each channel.
        use_input_stats: whether the mean and the (biased) variance are those of the input.
        momentum: how far the running statistics move.
        eps: added to the variance.

    Raises:
        ArgumentError: a channel has but one value.
        ShapeError: a statistic is missing; a vector has not an element for each channel.

    Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016.
    """
    if not use_input_stats:
        return _instance_norm_eval(input, running_mean, running_var, weight, bias, eps)
    shape = input._spec.shape
    if count(shape[2:]) == 1:
        raise ArgumentError(
            f"instance_norm: Expected more than 1 spatial element when training, got input size {shape}. Fix: give a "
            "larger input, or use_input_stats=False."
        )
    result, new_mean, new_var = _instance_norm(input, running_mean, running_var, weight, bias, momentum, eps)
    if new_mean is not None:
        assign(running_mean, new_mean)  # type: ignore[arg-type]
    if new_var is not None:
        assign(running_var, new_var)  # type: ignore[arg-type]
    return result


# ---- Over the last axes


def _last_axes(name: str, input: Tensor, shape: Shape, **parameters: Tensor | None) -> tuple[int, ...]:
    """In a body: the axes to normalise over.

    Raises:
        ShapeError: the input does not end in `shape`, or a parameter has not that shape.
    """
    if not isinstance(shape, tuple):
        raise OperandError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int. Fix: "
            "normalized_shape=(n,)."
        )
    for kind, one in parameters.items():
        if one is not None and tuple(one.shape) != shape:
            raise ShapeError(
                f"Expected {kind} to be of same shape as normalized_shape, but got {kind} of shape {list(one.shape)} "
                f"and normalized_shape = {list(shape)}. Fix: reshape it to {list(shape)}."
            )
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        sizes = "".join(f", {size}" for size in shape)
        raise ShapeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{sizes}], but got input of "
            f"size{list(input.shape)}. Fix: the layer needs normalized_shape={list(input.shape[-len(shape) :])}, the "
            "input's last sizes."
        )
    return tuple(range(len(input.shape) - len(shape), len(input.shape)))


@operation(grad="NativeLayerNormBackward0")
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) weight + bias over the last axes. As `torch.nn.functional.layer_norm`.

    Args:
        input: x.
        normalized_shape: of the axes that mean and (biased) variance are taken over.
        weight: of that shape.
        bias: of that shape.
        eps: added to the variance.

    Raises:
        ShapeError: the input does not end in that shape, or weight or bias have another one.

    Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
    """
    require_floating("layer_norm", input)
    axes = _last_axes("layer_norm", input, normalized_shape, weight=weight, bias=bias)  # type: ignore[arg-type]
    gap, _, spread = _moments(input, axes)
    return cast(_affine(gap * rsqrt(spread + eps), weight, bias, tuple(normalized_shape)), input.dtype)


@operation
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) weight over the last axes. As `torch.nn.functional.rms_norm`.

    Args:
        input: x.
        normalized_shape: of the axes that the mean is taken over.
        weight: of that shape.
        eps: added to the mean square; None: the smallest step of the element type.

    Raises:
        ShapeError: the input does not end in that shape, or the weight has another one.

    Source: Zhang, Sennrich, "Root mean square layer normalization", 2019.
    """
    require_floating("rms_norm", input)
    axes = _last_axes("rms_norm", input, normalized_shape, weight=weight)  # type: ignore[arg-type]
    wide = widened(input)
    least = finfo(wide.dtype).eps if eps is None else eps
    result = wide * rsqrt(mean(wide * wide, axes, True) + least)
    return _affine(cast(result, input.dtype), weight, None, tuple(normalized_shape))


# ---- Over groups of channels


@operation(grad="NativeGroupNormBackward0", order=as_input)
def _group_norm(input: Tensor, num_groups: int, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    require_floating("group_norm", input)
    shape = tuple(input.shape)
    _check_channels(input, weight=weight, bias=bias)
    groups = emit(Reshape((shape[0], num_groups, shape[1] // num_groups, *shape[2:])), input)
    gap, _, spread = _moments(groups, tuple(range(2, len(shape) + 1)))
    result = emit(Reshape(shape), gap * rsqrt(spread + eps))
    return cast(_affine(result, weight, bias, _per_channel(input)), input.dtype)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) weight + bias over each group of channels. As `torch.nn.functional.group_norm`.

    Shapes:
        input f32[batch, channels, ...], weight and bias f32[channels]

    Raises:
        ArgumentError: a group has but one value.
        ShapeError: the channels cannot be divided into the groups.

    Source: Wu, He, "Group normalization", 2018.
    """
    shape = input._spec.shape
    if len(shape) < 2:
        raise ShapeError(
            f"group_norm: Expected at least 2 dimensions for input tensor but received {len(shape)}. Fix: unsqueeze(0) "
            "makes a batch of one."
        )
    if shape[1] % num_groups:
        raise ShapeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}. Fix: give num_groups that divide the channels."
        )
    if shape[0] * (shape[1] // num_groups) * count(shape[2:]) == 1:
        raise ArgumentError(
            f"group_norm: Expected more than 1 value per channel when training, got input size {list(shape)}. Fix: "
            "give a larger input, or fewer groups."
        )
    return _group_norm(input, num_groups, weight, bias, eps)


@operation(order=as_operands)
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha mean(x^2))^beta, with the mean over neighbouring channels.

    As `torch.nn.functional.local_response_norm`.

    Args:
        input: f32[batch, channels, ...].
        size: how many channels are neighbours; beyond the first and the last there are zeros.
        alpha: weight of their mean square.
        beta: exponent.
        k: what is added.

    Raises:
        ArgumentError: the input has fewer than 3 axes.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012.
    """
    rank = len(input.shape)
    if rank < 3:
        raise ArgumentError(
            f"local_response_norm: Expected 3D or higher dimensionality input (got {rank} dimensions). Fix: "
            "unsqueeze() to [batch, channels, ...]."
        )
    if not count(input.shape):
        return input
    sides = tuple((size // 2, (size - 1) // 2) if axis == 1 else (0, 0) for axis in range(rank))
    square = symbol(padded(emit(Mul(), input, input)._node, sides))  # type: ignore[arg-type]
    (square,) = adapted("avg_pool2d" if rank == 3 else "avg_pool3d", (square,))  # PyTorch pools
    total = emit(Sum((rank,)), emit(Windows(1, size, 1), square))
    return input / (total * (alpha / size) + k) ** beta


# ---- To unit length


@operation(order=as_operands)
def _normalized(input: Tensor, p: float, dim: int | tuple[int, ...], eps: float) -> Tensor:
    return input / stretched(clamp_min(norm(input, p, dim, True), eps), tuple(input.shape))


def normalize(
    input: Tensor, p: float = 2.0, dim: int | Sequence[int] = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """x / max(|x|_p, eps) along an axis. As `torch.nn.functional.normalize`."""
    result = _normalized(input, p, dim, eps)  # type: ignore[arg-type]
    return into(out, result)  # type: ignore[no-any-return]


__all__ = [
    "batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm",
]  # fmt: skip
