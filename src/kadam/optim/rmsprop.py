"""Steps of the gradient over the root of a running mean of its squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.ir.graph import Phase
from kadam.optim.optimizer import ParamsT
from kadam.optim.rule import (
    Batch,
    RuleOptimizer,
    check_modes,
    check_numbers,
    filled_like,
    for_each,
    number,
    on_course,
    scalar,
    steered,
)
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class RMSprop(RuleOptimizer):
    """The gradient over the root of a running mean of its squares.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        alpha: decay rate of the running mean.
        eps: added to the root, against division by zero.
        weight_decay: weight of the L2 penalty.
        momentum: the part of the last step that is kept.
        centered: divide by the root of the variance: subtract the square of the running mean of the gradients.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative.

    Source: Hinton, lecture 6e of "Neural Networks for Machine Learning"; centered: Graves 2013,
        https://arxiv.org/abs/1308.0850.
    """

    _numbers = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_numbers("RMSprop", lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        check_modes("RMSprop", differentiable)
        options = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = {"step": scalar(0.0), "square_avg": filled_like(param)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = filled_like(param)
        if group["centered"]:
            state["grad_avg"] = filled_like(param)
        return state

    def _update(self, group: dict[str, Any], clock: float | None, batch: Batch) -> None:
        squares = batch.column("square_avg")
        means = batch.column("grad_avg") if group["centered"] else []
        velocities = batch.column("momentum_buffer") if group["momentum"] > 0 else []
        rmsprop(
            batch.params,
            batch.grads,
            squares,
            means,
            velocities,
            lr=number(group["lr"]),
            keep=group["alpha"],
            fresh=1 - group["alpha"],
            eps=group["eps"],
            momentum=group["momentum"],
            **steered(group),
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def rmsprop(
    params: Sequence[State],
    grads: Sequence[Tensor],
    squares: Sequence[State],
    means: Sequence[State],
    velocities: Sequence[State],
    lr: Number,
    keep: Number,
    fresh: Number,
    eps: Number,
    momentum: Number,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - lr g / (sqrt(v) + eps) with v = keep v + fresh g^2.

    With `means` m = m + fresh (g - m) the root is that of v - m^2; with `velocities` b = momentum b + g / (...)
    the step is lr b.

    Args:
        keep, fresh: alpha and 1 - alpha.
        decay, amount, maximize: see `on_course`.

    Returns:
        The parameters, v, and the means and velocities if there are any.
    """

    def rule(param: Tensor, grad: Tensor, square: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        square = square * keep + fresh * grad * grad
        variance, kept = square, [square]
        if means:
            mean = rest[0] + fresh * (grad - rest[0])
            variance = square - mean * mean
            kept.append(mean)
        spread = variance.sqrt() + eps
        if not velocities:
            return param - lr * grad / spread, *kept
        velocity = rest[-1] * momentum + grad / spread
        return param - lr * velocity, *kept, velocity

    return for_each(rule, params, grads, squares, *(column for column in (means, velocities) if column))
