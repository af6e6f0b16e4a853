"""Losses with a margin: scores and distances that should differ by enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kadam import dtypes
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import current_builder
from kadam.ir.graph import Phase
from kadam.nn.functional.activation import softened
from kadam.nn.functional.distance import pairwise_distance
from kadam.nn.functional.likelihood_loss import logistic_loss
from kadam.nn.functional.reduction import current, reduced, require_reduction
from kadam.ops.compare import minimum, where
from kadam.ops.pointwise import clamp_min, sqrt
from kadam.ops.promotion import cast, constant
from kadam.ops.reduce import cumsum, sum
from kadam.ops.require import ArgumentError, require_floating
from kadam.primitives.index import Gather, Index, ScatterAdd
from kadam.primitives.move import Reshape
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.shapes import count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


# ---- Signs


@operation(phase=Phase.LOSS, grad="SoftMarginLossBackward0")
def _soft_margin_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    require_floating("soft_margin_loss", input)
    high, rest = softened(-(target * input).to(input.dtype))
    return reduced(high + rest, reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-y x)), y being 1 or -1. As `torch.nn.functional.soft_margin_loss`."""
    return _soft_margin_loss(input, target, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS)
def _hinge_embedding_loss(input: Tensor, target: Tensor, margin: float, reduction: str) -> Tensor:
    far = where(target != 1, clamp_min(margin - input, 0), 0.0)
    near = where(target != -1, input, 0.0)
    return reduced(far + near, reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x where y = 1, max(0, margin - x) where y = -1, x being a distance.

    As `torch.nn.functional.hinge_embedding_loss`.
    """
    return _hinge_embedding_loss(input, target, margin, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS)
def _margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float, reduction: str) -> Tensor:
    return reduced(clamp_min(-target * (input1 - input2) + margin, 0), reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -y (x1 - x2) + margin): x1 should rank above x2 where y = 1, below where y = -1.

    As `torch.nn.functional.margin_ranking_loss`.

    Raises:
        ShapeError: the operands have not the same number of axes.
    """
    if not len(input1.shape) == len(input2.shape) == len(target.shape):
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape}. Fix: unsqueeze() or flatten() them to "
            "one number of axes."
        )
    return _margin_ranking_loss(input1, input2, target, margin, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS)
def _multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    require_floating("multilabel_soft_margin_loss", input)
    loss = logistic_loss(input, target)
    if weight is not None:
        loss = loss * weight
    return reduced(sum(loss, -1) / input.shape[-1], reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes (the last axis) of -(y log p + (1 - y) log(1 - p)), p = sigmoid(x).

    As `torch.nn.functional.multilabel_soft_margin_loss`.
    """
    return _multilabel_soft_margin_loss(input, target, weight, current(reduction, size_average, reduce))


# ---- Embeddings


@operation(phase=Phase.LOSS)
def _cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float, reduction: str) -> Tensor:
    if len(target.shape) > 1:
        raise ShapeError(
            "cosine_embedding_loss: 0D or 1D target tensor expected, multi-target not supported: the target is "
            f"{target._spec.type}. Fix: target.flatten()."
        )
    rank = len(target.shape) + 1
    if len(input1.shape) != rank or len(input2.shape) != rank:
        raise ShapeError(
            f"cosine_embedding_loss: {rank - 1}D target tensor expects {rank}D input tensors, but found inputs with "
            f"sizes {list(input1.shape)} and {list(input2.shape)}. Fix: one target (1 or -1) for each pair of vectors."
        )
    least = 1e-12  # keeps the root differentiable
    size = sqrt((sum(input1 * input1, -1) + least) * (sum(input2 * input2, -1) + least))
    similarity = sum(input1 * input2, -1) / size
    near = where(target == 1, 1 - similarity, 0.0)
    far = where(target == -1, clamp_min(similarity - margin, 0), 0.0)
    return reduced(near + far, reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x1, x2) where y = 1, max(0, cos(x1, x2) - margin) where y = -1.

    As `torch.nn.functional.cosine_embedding_loss`.

    Shapes:
        input1 and input2 f32[batch, size], target f32[batch]; or f32[size] and f32[]
    """
    return _cosine_embedding_loss(input1, input2, target, margin, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS)
def _triplet_loss(near: Tensor, far: Tensor, margin: float, reduction: str) -> Tensor:
    return reduced(clamp_min(margin + near - far, 0), reduction)


@operation(phase=Phase.LOSS)
def _triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float,
    p: float,
    eps: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return _triplet_loss(near, far, margin, reduction)


def _check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> None:
    if margin <= 0:
        raise ArgumentError(f"triplet_margin_loss: margin must be greater than 0, got {margin}. Fix: margin=1.0.")
    ranks = len(anchor.shape), len(positive.shape), len(negative.shape)
    if len(set(ranks)) > 1:
        raise ShapeError(
            "triplet_margin_loss: The anchor, positive, and negative tensors are expected to have the same number of "
            "dimensions, but got: "
            "anchor {}D, positive {}D, and negative {}D inputs. Fix: unsqueeze() those with fewer.".format(*ranks)
        )


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin). As `torch.nn.functional.triplet_margin_loss`.

    Args:
        anchor: vectors, f32[batch, size].
        positive: vectors that should be near them.
        negative: vectors that should be far.
        margin: by how much the negative should be farther.
        p: the norm of the distance.
        eps: keeps the distance differentiable.
        swap: whether the nearer of anchor and positive is compared with the negative.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.

    Raises:
        ArgumentError: the margin is not positive.
        ShapeError: the operands have not the same number of axes.

    Source: Balntas et al., "Learning shallow convolutional feature descriptors with triplet losses", 2016.
    """
    _check_triplet(anchor, positive, negative, margin)
    reduction = current(reduction, size_average, reduce)
    return _triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with a distance of one's own.

    As `torch.nn.functional.triplet_margin_with_distance_loss`.

    Raises:
        ArgumentError: the margin is not positive, or there is no such reduction.
        ShapeError: the operands have not the same number of axes.
    """
    _check_triplet(anchor, positive, negative, margin)
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _triplet_loss(near, far, margin, reduction)


# ---- Classes


def _rows(input: Tensor) -> tuple[int, int]:
    """How many samples scores belong to, and how many classes there are.

    Raises:
        ShapeError: the scores are no vector (or number) and no matrix.
    """
    if len(input.shape) > 2:
        raise ShapeError(
            "multi_margin_loss: Expected non-empty vector or matrix, one row for each sample, but got "
            f"{input._spec.type}. Fix: give scores as [batch, classes]."
        )
    return count(input.shape[:-1]), count(input.shape[-1:])


@operation(phase=Phase.LOSS, grad="MultiMarginLossBackward0")
def _multi_margin_loss(
    input: Tensor, target: Tensor, p: int, margin: float, weight: Tensor | None, reduction: str
) -> Tensor:
    require_floating("multi_margin_loss", input)
    require_reduction(reduction)
    samples, classes = _rows(input)
    if target.dtype is not dtypes.int64:
        raise DTypeError(f"multi_margin_loss: expected scalar type Long but found {target.dtype}. Fix: target.long().")
    if len(target.shape) > 1 or target.numel() != samples:
        raise ShapeError(
            f"multi_margin_loss: Expected target size [{samples}], but got {list(target.shape)}. Input has shape "
            f"{list(input.shape)}: it takes one class index for each of its rows. Fix: target.flatten(), one index for "
            "each row."
        )
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ShapeError(
            f"multi_margin_loss: inconsistent weight size, expected {classes} but got {list(weight.shape)}. Fix: give "
            f"{classes} weights, one per class."
        )
    scores = emit(Reshape((samples, classes)), input)
    place = emit(Reshape((samples, 1)), target)
    gap = margin - emit(Gather(1), scores, place) + scores
    others = symbol(current_builder().emit(Iota((samples, classes), 1, dtypes.int64))) != place
    gap = where(others & (gap > 0), gap, 0.0)
    if p == 2:
        gap = gap * gap
    if weight is not None:
        gap = gap * emit(Reshape((samples, 1)), emit(Index((0,), False), weight, emit(Reshape((samples,)), target)))
    loss = sum(gap, 1) / classes
    return reduced(loss if target.shape else emit(Reshape(()), loss), reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over the other classes i of max(0, margin - x_y + x_i)^p, divided by the number of classes.

    As `torch.nn.functional.multi_margin_loss`.

    Args:
        input: scores, f32[batch, classes] or f32[classes].
        target: class indices, i64[batch] or i64[].
        p: 1 or 2.
        margin: by how much the target's score should be higher.
        weight: of each class.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.

    Raises:
        ArgumentError: another p.
        ShapeError: the operands do not fit.
        IndexOutOfRange: (when computed) a target is no class.
    """
    if p not in (1, 2):
        raise ArgumentError("multi_margin_loss: only p == 1 and p == 2 supported. Fix: p=1 or p=2.")
    if weight is not None and len(weight.shape) != 1:
        raise ArgumentError(
            "multi_margin_loss: weight must be one-dimensional. Fix: weight.flatten(), one weight per class."
        )
    return _multi_margin_loss(input, target, p, margin, weight, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS, grad="MultilabelMarginLossBackward0")
def _multilabel_margin_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    require_floating("multilabel_margin_loss", input)
    require_reduction(reduction)
    samples, classes = _rows(input)
    if target.dtype is not dtypes.int64:
        raise DTypeError(
            f"multilabel_margin_loss: expected scalar type Long but found {target.dtype}. Fix: target.long()."
        )
    if target.shape != input.shape:
        raise ShapeError(
            f"multilabel_margin_loss: inconsistent target size: {list(target.shape)} for input of size: "
            f"{list(input.shape)}. Fix: give labels of the input's shape, filled up with -1."
        )
    scores = emit(Reshape((samples, classes)), input)
    labels = emit(Reshape((samples, classes)), target)
    counted = cumsum(labels == -1, 1) == 0  # the first -1 ends the list
    place = where(counted, labels, 0)
    none = constant(0, dtypes.int64, (samples, classes))
    is_target = emit(ScatterAdd(1), none, cast(counted, dtypes.int64), place) > 0
    chosen = emit(Reshape((samples, classes, 1)), emit(Gather(1), scores, place))
    gap = 1 - chosen + emit(Reshape((samples, 1, classes)), scores)
    pairs = emit(Reshape((samples, classes, 1)), counted) & ~emit(Reshape((samples, 1, classes)), is_target)
    loss = sum(where(pairs & (gap > 0), gap, 0.0), (1, 2)) / classes
    return reduced(loss if len(input.shape) == 2 else emit(Reshape(()), loss), reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum over targets y and other classes i of max(0, 1 - (x_y - x_i)), divided by the number of classes.

    As `torch.nn.functional.multilabel_margin_loss`.

    Shapes:
        input f32[batch, classes] or f32[classes]; target i64 of that shape: class indices, then -1

    Raises:
        ShapeError: the operands differ in shape.
        IndexOutOfRange: (when computed) a target is no class.
    """
    return _multilabel_margin_loss(input, target, current(reduction, size_average, reduce))


__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip
