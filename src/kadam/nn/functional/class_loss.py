"""Losses of predicted classes: one of several (index or probabilities)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam import dtypes
from kadam.errors import DTypeError, ShapeError
from kadam.hot import hot
from kadam.ir.graph import Phase
from kadam.nn.functional.linear import linear
from kadam.nn.functional.reduction import current, reduced
from kadam.ops.compare import where
from kadam.ops.promotion import cast
from kadam.ops.reduce import sum
from kadam.ops.require import ArgumentError, require_floating, require_one_type
from kadam.ops.softmax import log_softmax
from kadam.primitives.check import Within
from kadam.primitives.index import Gather, Index
from kadam.primitives.move import Reshape
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.shapes import count, kept

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _class_axis(input: Tensor) -> int:
    return 0 if len(input.shape) == 1 else 1


def _check_indices(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Raise unless `target` can hold a class index for each vector of logits or log-probabilities."""
    given, wanted = tuple(target.shape), tuple(input.shape)
    if not wanted:
        raise ArgumentError(
            "Expected 1 or more dimensions (got 0). Fix: unsqueeze() the input to [classes] or [batch, classes]."
        )
    if target.dtype.is_floating_point and len(given) == len(wanted) > 1 and given[0] != wanted[0]:
        raise ArgumentError(
            f"Expected input batch_size ({wanted[0]}) to match target batch_size ({given[0]}). Fix: give probabilities "
            f"for each of the {wanted[0]} rows of the input."
        )
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        raise DTypeError(
            f"expected target dtype to be Long or Byte, but got {target._spec.type}. Fix: target.long() for class "
            f"indices; class probabilities need the shape of the input, {input._spec.type}."
        )
    if len(wanted) == 1:
        if count(given) != 1:
            raise ArgumentError(
                f"For 1D input, 1D target must have size 1, but got target size: {count(given)}. Fix: unsqueeze(0) the "
                "input, or give one target."
            )
        return
    if len(wanted) == 2 and len(given) > 1:
        raise ShapeError(
            f"0D or 1D target tensor expected, multi-target not supported: the target is {target._spec.type}, "
            f"the input {input._spec.type}. Fix: target.squeeze(1)."
        )
    if not given or given[0] != wanted[0]:
        size = given[0] if given else 1
        raise ArgumentError(
            f"Expected input batch_size ({wanted[0]}) to match target batch_size ({size}). Fix: give one class index "
            f"for each of the {wanted[0]} rows of the input; reshape the input with .view(-1, classes)."
        )
    expected = wanted[:1] + wanted[2:]
    if given != expected:
        raise ShapeError(
            f"Expected target size {list(expected)}, got {list(given)}: the input is {input._spec.type}. Fix: lay the "
            f"input out as [batch, classes, ...] (transpose(1, -1)) and the target as {list(expected)}."
        )
    _check_weight(input, weight)


def _check_weight(input: Tensor, weight: Tensor | None) -> None:
    if weight is None:
        return
    classes = input.shape[_class_axis(input)]
    if tuple(weight.shape) != (classes,):
        raise ShapeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}. Fix: give {classes} weights, one per class."
        )
    require_one_type("weight", input, weight)


def _weight_beside(input: Tensor, weight: Tensor) -> Tensor:
    """In a body: a weight for each class, stretched to the shape of logits."""
    axis = _class_axis(input)
    return emit(Reshape((weight.shape[0], *[1] * (len(input.shape) - axis - 1))), weight)


def _among(classes: int) -> Within:
    return Within(
        0,
        classes - 1,
        f"Target {{value}} is out of bounds: there are {classes} classes, 0 to {classes - 1}. "
        "Fix: correct the labels, or give the last layer more outputs.",
    )


def _nll(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Tensor, Tensor]:
    """In a body: the loss; where targets are not ignored; and the weights of the targets."""
    axis, shape = _class_axis(input), tuple(input.shape)
    target = emit(Reshape(shape[:axis] + shape[axis + 1 :]), cast(target, dtypes.int64))
    counted = target != ignore_index
    place = emit(_among(shape[axis]), where(counted, target, 0))
    chosen = emit(Gather(axis), input, emit(Reshape(kept(shape, (axis,))), place))
    loss = -emit(Reshape(tuple(place.shape)), chosen)
    share = cast(counted, input.dtype)
    if weight is not None:
        share = share * emit(Index((0,), False), weight, place)
        loss = loss * share
    loss = where(counted, loss, 0.0)
    if reduction == "mean":
        return sum(loss) / sum(share), counted, share
    return reduced(loss, reduction), counted, share


def _nll_name(input: Tensor, reduction: str) -> str:
    if len(input.shape) <= 2:
        return "NllLossBackward0"
    return "ViewBackward0" if reduction == "none" and len(input.shape) != 4 else "NllLoss2DBackward0"


@operation(phase=Phase.LOSS)
def _nll_loss(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    require_floating("nll_loss", input)
    _check_indices(input, target, weight)
    loss: Tensor
    loss, _, _ = _nll(input, target, weight, ignore_index, reduction)
    loss._tag = _nll_name(input, reduction)
    return loss


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the target class. As `torch.nn.functional.nll_loss`.

    Shapes:
        input f32[batch, classes, ...] or f32[classes], target i64[batch, ...] or i64[], weight f32[classes]

    Args:
        input: log-probabilities.
        target: class indices.
        weight: of each class; the mean is then a weighted mean.
        size_average: deprecated, see `reduction`.
        ignore_index: a target that counts for nothing.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.

    Raises:
        IndexOutOfRange: (when computed) a target is no class.
        ShapeError, ArgumentError: input and target do not fit.
        DTypeError: the target holds no class indices.
    """
    return _nll_loss(input, target, weight, ignore_index, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS)
def _cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    require_floating("cross_entropy", input)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ShapeError(
            f"cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}. Fix: "
            "label_smoothing=0.1."
        )
    if input.shape == target.shape:
        return _against_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    _check_indices(input, target, weight)
    axis = _class_axis(input)
    logs = log_softmax(input, axis)
    loss, counted, share = _nll(logs, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        loss._tag = _nll_name(input, reduction)
        return loss
    even = -sum(logs if weight is None else logs * _weight_beside(logs, weight), axis)
    even = where(counted, even, 0.0)
    even = sum(even) / sum(share) if reduction == "mean" else reduced(even, reduction)
    smoothed: Tensor = loss * (1 - label_smoothing) + even * (label_smoothing / input.shape[axis])
    return smoothed


def _against_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    """In a body: the cross entropy of logits and probabilities of the same shape."""
    if target.dtype.category < dtypes.FLOAT:
        raise DTypeError(
            f"Expected floating point type for target with class probabilities, got {target._spec.type}. Fix: "
            "target.to(input.dtype) for probabilities, or class indices without the class axis."
        )
    if ignore_index >= 0:
        raise ShapeError(
            "ignore_index is not supported for floating point target. Fix: leave ignore_index out, or give class "
            "indices."
        )
    _check_weight(input, weight)
    axis = _class_axis(input)
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    product: Tensor = log_softmax(input, axis) * target
    if weight is not None:
        product = product * _weight_beside(input, weight)
    if reduction == "mean":
        loss: Tensor = -sum(product) / (count(input.shape) / classes)
        loss._tag = "DivBackward1"
    else:
        loss = -reduced(sum(product, axis) if reduction == "none" else product, reduction)
    return loss


@hot
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Minus the log-probability of the target class, given logits. As `torch.nn.functional.cross_entropy`.

    Shapes:
        input f32[batch, classes, ...] or f32[classes], target i64[batch, ...] or i64[], or probabilities of the
        input's shape, weight f32[classes]

    Args:
        input: logits.
        target: class indices, or class probabilities.
        weight: of each class; with class indices the mean is then a weighted mean.
        size_average: deprecated, see `reduction`.
        ignore_index: a target that counts for nothing.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
        label_smoothing: the share of the target's probability that is spread evenly over all classes.

    Raises:
        IndexOutOfRange: (when computed) a target is no class.
        ShapeError, ArgumentError: input and target do not fit.
        DTypeError: the target holds neither class indices nor probabilities.

    Source: label smoothing: Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016.
    """
    reduction = current(reduction, size_average, reduce)
    return _cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
) -> Tensor:
    """The cross entropy of `linear`'s result. As `torch.nn.functional.linear_cross_entropy`.

    Shapes:
        input f32[batch, in] or f32[in], linear_weight f32[classes, ..., in], target i64[batch, ...]

    Args:
        input: what the linear layer takes.
        linear_weight: of the linear layer.
        target: class indices, or class probabilities.
        linear_bias: of the linear layer, f32[classes, ...].
        weight: of each class.
        reduction: `mean`, `sum` or `none`.
        ignore_index: a target that counts for nothing.
        label_smoothing: the share of the target's probability that is spread evenly over all classes.
        options: how PyTorch divides the work; without effect.

    Raises:
        ShapeError: the shapes do not fit.
    """
    if len(input.shape) not in (1, 2):
        raise ShapeError(
            f"expected input with dimensionality 1 or 2, got {len(input.shape)}. Fix: input.flatten(0, -2)."
        )
    if len(linear_weight.shape) < 2:
        raise ShapeError(
            f"expected linear_weight with dimensionality at least 2, got {len(linear_weight.shape)}. Fix: give a "
            "matrix [classes, features]."
        )
    outputs = tuple(linear_weight.shape[:-1])
    _check_linear(input, linear_weight, linear_bias)
    logits_shape = (*input.shape[:-1], *outputs)
    if tuple(target.shape) == logits_shape and ignore_index is not None:
        raise ShapeError(
            "linear_cross_entropy: ignore_index cannot be specified when target contains probabilities. Fix: leave "
            "ignore_index out."
        )
    if len(outputs) > 1:
        linear_weight = linear_weight.reshape(count(outputs), linear_weight.shape[-1])
        linear_bias = None if linear_bias is None else linear_bias.reshape(count(outputs))
    logits = linear(input, linear_weight, linear_bias).reshape(logits_shape)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )


def _check_linear(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    features, wanted = input.shape[-1], linear_weight.shape[-1]
    outputs = tuple(linear_weight.shape[:-1])
    if features != wanted:
        raise ShapeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{features} and {wanted}, respectively. Fix: give vectors of {wanted} elements."
        )
    if linear_bias is not None and tuple(linear_bias.shape) != outputs:
        raise ShapeError(
            f"expected linear_bias shape {outputs}, got {tuple(linear_bias.shape)}. Fix: give a bias for each output."
        )
    if len(outputs) > 1 and len(input.shape) == 1:
        raise ShapeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {wanted}), got unbatched input with shape {tuple(input.shape)}. Fix: input.unsqueeze(0)."
        )


__all__ = ["cross_entropy", "linear_cross_entropy", "nll_loss"]
