"""Losses of predicted probabilities: of yes or no, of one distribution against another."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from kadam.dtypes import FLOAT
from kadam.errors import DTypeError
from kadam.hot import hot
from kadam.ir.graph import Phase
from kadam.nn.functional.activation import softened
from kadam.nn.functional.reduction import current, reduced
from kadam.ops.compare import where
from kadam.ops.pointwise import clamp_min, exp, log, xlogy
from kadam.ops.promotion import cast, widened
from kadam.ops.reduce import sum
from kadam.ops.require import ArgumentError, require_floating, require_one_type
from kadam.primitives.analysis import LibraryLog1p
from kadam.primitives.check import Within
from kadam.recording.arguments import require_tensors
from kadam.recording.calls import emit
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_LEAST = 1e-12  # PyTorch takes the derivative of a logarithm as if its argument were at least this


def _bounded(x: Tensor, log: Callable[[Tensor], Tensor], lowest: float, harmless: float) -> Tensor:
    """In a body: a logarithm of at least -100, whose slope is at most 1 / _LEAST. `lowest`: where the slope is that."""
    low = x <= lowest
    at_low = clamp_min(log(x.detach()), -100.0) + (x - x.detach()) * (1 / _LEAST)
    return where(low, at_low, log(where(low, harmless, x)))


def _log1p(x: Tensor) -> Tensor:
    return emit(LibraryLog1p(), x)


_PROBABILITY = Within(
    0.0,
    1.0,
    "binary_cross_entropy: all elements of input should be between 0 and 1, but one is {value}. Fix: apply a sigmoid "
    "first, or use binary_cross_entropy_with_logits.",
)
_SHARE = Within(
    0.0,
    1.0,
    "binary_cross_entropy: all elements of target should be between 0 and 1, but one is {value}. Fix: targets are 0 or "
    "1, or shares in between; class indices go to cross_entropy.",
)


@operation(phase=Phase.LOSS, grad="BinaryCrossEntropyBackward0")
def _binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    require_floating("binary_cross_entropy", input)
    require_one_type("binary_cross_entropy", input, target, weight)
    wide, share = widened(emit(_PROBABILITY, input)), widened(emit(_SHARE, target))
    yes = _bounded(wide, log, _LEAST, 1.0)
    no = _bounded(-wide, _log1p, _LEAST - 1, 0.0)
    loss = cast((share - 1) * no - share * yes, input.dtype)
    return reduced(loss if weight is None else loss * weight, reduction)


def _fitted(input: Tensor, target: Tensor) -> str:
    """What makes a target fit, if anything does."""
    if input.numel() == target.numel():
        return "target.view_as(input), for example target.unsqueeze(1) for outputs [batch, 1]"
    return f"give one target for each of the {input.numel()} outputs, not {target.numel()}"


def _sizes_differ(input: Tensor, target: Tensor) -> ArgumentError:
    return ArgumentError(
        f"binary_cross_entropy: Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}) is deprecated. Please ensure they have the same size. Fix: {_fitted(input, target)}."
    )


@hot
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(y log p + (1 - y) log(1 - p)), logarithms being at least -100. As `torch.nn.functional.binary_cross_entropy`.

    Raises:
        ArgumentError: input and target differ in size.
        DTypeError: they differ in type, or hold no floating-point numbers.
    """
    try:
        differ = target._spec.shape != input._spec.shape
    except AttributeError:
        require_tensors(input=input, target=target)
        raise
    if differ:
        raise _sizes_differ(input, target)
    return _binary_cross_entropy(input, target, weight, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS, grad="BinaryCrossEntropyWithLogitsBackward0")
def _binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None, reduction: str
) -> Tensor:
    require_floating("binary_cross_entropy_with_logits", input)
    if target.dtype.category < FLOAT:
        raise DTypeError(
            f"result type {input.dtype} can't be cast to the desired output type {target.dtype}: the target is "
            f"{target._spec.type}, the logits are {input._spec.type}. Fix: target.float()."
        )
    loss = logistic_loss(input, target, pos_weight)
    return reduced(loss if weight is None else loss * weight, reduction)


def logistic_loss(input: Tensor, target: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """In a body: -(w y log p + (1 - y) log(1 - p)), p = sigmoid(input), exact however large the logits are."""
    high, rest = softened(input)
    below = high - input  # max(0, -x)
    if pos_weight is not None:
        share = (pos_weight - 1) * target + 1
        below, rest = share * below, share * rest
    return (1 - target) * input + below + rest


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(x), exact however large x is.

    As `torch.nn.functional.binary_cross_entropy_with_logits`.

    Args:
        input: logits.
        target: probabilities.
        weight: of each element.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
        pos_weight: of positive targets.

    Raises:
        ArgumentError: input and target differ in size.
        DTypeError: one of them holds no floating-point numbers.
    """
    try:
        differ = target._spec.shape != input._spec.shape
    except AttributeError:
        require_tensors(input=input, target=target)
        raise
    if differ:
        raise ArgumentError(
            f"binary_cross_entropy_with_logits: Target size ({target.shape}) must be the same as input size "
            f"({input.shape}). Fix: {_fitted(input, target)}."
        )
    reduction = current(reduction, size_average, reduce)
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


@operation(phase=Phase.LOSS)
def _kl_div(input: Tensor, target: Tensor, log_target: bool, reduction: str) -> Tensor:
    if input.dtype.category < FLOAT or target.dtype.category < FLOAT:
        raise DTypeError(
            f"kl_div: Integral inputs not supported: {input._spec.type}, {target._spec.type}. Fix: .float()."
        )
    loss = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.shape else sum(loss)
    return reduced(loss, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """y (log y - x): the Kullback-Leibler divergence of distributions. As `torch.nn.functional.kl_div`.

    Args:
        input: x, log-probabilities.
        target: y, probabilities.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `batchmean`, `sum` or `none`; or `mean`, over all elements, which is not the divergence.
        log_target: whether the target holds log-probabilities too.
    """
    if size_average is not None or reduce is not None:
        reduction = current(reduction, size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "kl_div: reduction='mean' divides the loss by the number of elements, which is not the divergence. "
            "Fix: reduction='batchmean' divides it by the batch size.",
            stacklevel=2,
        )
    return _kl_div(input, target, log_target, reduction)


__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"]
