"""Losses of predicted numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kadam.errors import ShapeError
from kadam.hot import hot
from kadam.ir.graph import Phase
from kadam.nn.functional.reduction import current, reduced, warn_if_sizes_differ
from kadam.ops.compare import where
from kadam.ops.pointwise import exp, log
from kadam.ops.promotion import meet
from kadam.ops.reduce import sum
from kadam.ops.require import ArgumentError, require_floating, require_one_type
from kadam.recording.operation import operation
from kadam.recording.tensor import Recorded, read

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _check_weight(input: Tensor, weight: Tensor) -> None:
    if weight._spec.shape != input._spec.shape:
        raise ArgumentError(
            f"Weights and input must have the same size, but they are {weight._spec.type} and {input._spec.type}. Fix: "
            "give one weight for each element: weight.expand_as(input)."
        )


@operation(phase=Phase.LOSS)
def _weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    weighted = loss * weight
    return sum(weighted) / sum(weight) if reduction == "mean" else reduced(weighted, reduction)


@operation(phase=Phase.LOSS, grad="MseLossBackward0")
def _mse_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    x, y = meet(input, target)
    require_floating("mse_loss", x)
    gap = x - y
    return reduced(gap * gap, reduction)


@hot
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(x - y)^2; with a weight, its weighted mean. As `torch.nn.functional.mse_loss`.

    Raises:
        ArgumentError: the weight has not the input's shape, or there is no such reduction.
        ShapeError: input and target do not broadcast.
    """
    warn_if_sizes_differ(input, target)
    reduction = current(reduction, size_average, reduce)
    if weight is None:
        return _mse_loss(input, target, reduction)
    _check_weight(input, weight)
    return _weighted(_mse_loss(input, target, "none"), weight, reduction)


@operation(phase=Phase.LOSS)
def _l1_loss(input: Tensor, target: Tensor, reduction: str) -> Tensor:
    return reduced((input - target).abs(), reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|x - y|; with a weight, its weighted mean. As `torch.nn.functional.l1_loss`.

    Raises:
        ArgumentError: the weight has not the input's shape, or there is no such reduction.
        ShapeError: input and target do not broadcast.
    """
    warn_if_sizes_differ(input, target)
    reduction = current(reduction, size_average, reduce)
    if weight is None:
        return _l1_loss(input, target, reduction)
    _check_weight(input, weight)
    return _weighted(_l1_loss(input, target, "none"), weight, reduction)


@operation(phase=Phase.LOSS, grad="SmoothL1LossBackward0", once=True)
def _smooth_l1_loss(input: Tensor, target: Tensor, reduction: str, beta: float) -> Tensor:
    if beta < 0:
        raise ShapeError(
            f"smooth_l1_loss does not support negative values for beta, got {beta}. Fix: give beta >= 0, for example "
            "1.0."
        )
    x, y = meet(input, target)
    require_floating("smooth_l1_loss", x)
    gap = x - y
    size = gap.abs()
    far = size >= beta
    small = where(far, 0.0, gap)  # an infinite square has no derivative, not even one times 0
    return reduced(where(far, size - 0.5 * beta, small * small * 0.5 / beta), reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """(x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2. As `torch.nn.functional.smooth_l1_loss`.

    Source: Girshick, "Fast R-CNN", 2015.
    """
    warn_if_sizes_differ(input, target)
    reduction = current(reduction, size_average, reduce)
    return _l1_loss(input, target, reduction) if beta == 0 else _smooth_l1_loss(input, target, reduction, beta)


@operation(phase=Phase.LOSS, grad="HuberLossBackward0")
def _huber_loss(input: Tensor, target: Tensor, reduction: str, delta: float) -> Tensor:
    if delta <= 0:
        raise ShapeError(
            f"huber_loss does not support non-positive values for delta, got {delta}. Fix: give delta > 0, for example "
            "1.0."
        )
    require_floating("huber_loss", input)
    require_one_type("huber_loss", input, target)
    gap = input - target
    size = gap.abs()
    far = size > delta
    small = where(far, 0.0, gap)
    return reduced(where(far, (size - 0.5 * delta) * delta, small * small * 0.5), reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """(x - y)^2 / 2 where |x - y| <= delta, else delta (|x - y| - delta / 2). As `torch.nn.functional.huber_loss`.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """
    warn_if_sizes_differ(input, target)
    if weight is None:
        return _huber_loss(input, target, reduction, delta)
    _check_weight(input, weight)
    return _plainly_weighted(_huber_loss(input, target, "none", delta), weight, reduction)


@operation(phase=Phase.LOSS)
def _plainly_weighted(loss: Tensor, weight: Tensor, reduction: str) -> Tensor:
    return reduced(loss * weight, reduction)


@operation(phase=Phase.LOSS)
def _poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: str) -> Tensor:
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        loss = loss + where(target > 1, stirling, 0.0)
    return reduced(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of counts, less what does not depend on the rate.

    As `torch.nn.functional.poisson_nll_loss`.

    Args:
        input: the rate, or its logarithm.
        target: the counts.
        log_input: whether the input is the logarithm of the rate.
        full: whether Stirling's approximation of log(y!) is added, where y > 1.
        size_average: deprecated, see `reduction`.
        eps: added to the rate before its logarithm is taken.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
    """
    return _poisson_nll_loss(input, target, log_input, full, eps, current(reduction, size_average, reduce))


@operation(phase=Phase.LOSS)
def _gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Tensor | Number, full: bool, eps: float, reduction: str
) -> Tensor:
    gap = input - target
    (spread,) = meet(var, record=gap.dtype)
    spread = where(spread < eps, spread - spread.detach() + eps, spread)  # the gradient is that at eps, and passes
    loss = 0.5 * (log(spread) + gap * gap / spread)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """log(var) / 2 + (x - y)^2 / (2 var): the negative log-likelihood of normal numbers, less a constant.

    As `torch.nn.functional.gaussian_nll_loss`. A tensor of variances is read, to see that none is negative.

    Args:
        input: the expected values.
        target: the observed ones.
        var: the variances, one for each value, for each vector, or for all.
        full: whether the constant, log(2 pi) / 2, is added.
        eps: the least variance.
        reduction: `mean`, `sum` or `none`.

    Raises:
        ArgumentError: a variance is negative, or the variances do not fit the values.

    Source: Nix, Weigend, "Estimating the mean and variance of the target probability distribution", 1994.
    """
    if (read(var) < 0).any() if isinstance(var, Recorded) else var < 0:
        raise ArgumentError(
            "gaussian_nll_loss: var has negative entry/entries: a variance is at least 0. Fix: softplus(var) or "
            "exp(log_var)."
        )
    if isinstance(var, Recorded) and var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif not _differ_in_one_axis_of_size_1(var, input):
            raise ArgumentError(
                f"gaussian_nll_loss: var is of incorrect size: {var._spec.type} beside {input._spec.type}. Fix: give a "
                "variance for each element, or one for each last axis: var.unsqueeze(-1)."
            )
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(
            f"{reduction} is not valid: reduction is one of 'none', 'mean' and 'sum'. Fix: reduction='mean'."
        )
    return _gaussian_nll_loss(input, target, var, full, eps, reduction)


def _differ_in_one_axis_of_size_1(var: Tensor, input: Tensor) -> bool:
    if len(var.shape) != len(input.shape):
        return False
    return [own for own, size in zip(var.shape, input.shape, strict=True) if own != size] == [1]


__all__ = ["gaussian_nll_loss", "huber_loss", "l1_loss", "mse_loss", "poisson_nll_loss", "smooth_l1_loss"]
