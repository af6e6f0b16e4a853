"""Adam, with the weight decay in the gradient or beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kadam.hot import hot
from kadam.ir.graph import Phase
from kadam.optim.optimizer import ParamsT
from kadam.optim.rule import (
    Batch,
    RuleOptimizer,
    check_betas,
    check_modes,
    check_numbers,
    check_tensors_allowed,
    course,
    filled_like,
    for_each,
    number,
    on_course,
    scalar,
)
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number
from kadam.tensor import Tensor


class Adam(RuleOptimizer):
    """Steps of the mean of the gradients over the root of the mean of their squares.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the root, against division by zero.
        weight_decay: weight of the L2 penalty.
        amsgrad: divide by the largest mean of squares so far.
        maximize: climb instead of descending.
        decoupled_weight_decay: shrink the parameters beside the step, as AdamW does, not through the gradient.
        foreach, fused, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or a beta is not in [0, 1).

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980; amsgrad: Reddi et al. 2018.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        family = type(self).__name__
        check_numbers(family, lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(family, betas)
        check_tensors_allowed(
            family, foreach, capturable, lr=lr, **{f"betas[{i}]": beta for i, beta in enumerate(betas)}
        )
        if isinstance(betas[0], Tensor) is not isinstance(betas[1], Tensor):
            raise ValueError(f"{family}: betas must be either both floats or both Tensors. Fix: betas=(0.9, 0.999).")
        check_modes(family, differentiable, foreach, fused)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        state = {"step": scalar(0.0), "exp_avg": filled_like(param), "exp_avg_sq": filled_like(param)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = filled_like(param)
        return state

    @hot
    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        lr, (beta1, beta2) = number(group["lr"]), group["betas"]
        beta1, beta2 = number(beta1), number(beta2)
        means, squares = batch.column("exp_avg"), batch.column("exp_avg_sq")
        peaks = batch.column("max_exp_avg_sq") if group["amsgrad"] else []
        decay, amount, maximize = course(group, lr)
        adam(
            batch.params,
            batch.grads,
            means,
            squares,
            peaks,
            lr / (1 - beta1**step),
            1 - beta1,
            beta2,
            1 - beta2,
            (1 - beta2**step) ** -0.5,
            group["eps"],
            decay,
            amount,
            maximize,
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def adam(
    params: Sequence[State],
    grads: Sequence[Tensor],
    means: Sequence[State],
    squares: Sequence[State],
    peaks: Sequence[State],
    step_size: Number,
    fresh1: Number,
    keep2: Number,
    fresh2: Number,
    grow_root2: Number,
    eps: Number,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - step_size m / (sqrt(v) grow_root2 + eps), with m = m + fresh1 (g - m) and v = keep2 v + fresh2 g^2.

    Args:
        step_size: lr / (1 - beta1^t): as if the mean m had been full from the first of the t steps on.
        fresh1, keep2, fresh2: 1 - beta1, beta2 and 1 - beta2.
        grow_root2: 1 / sqrt(1 - beta2^t), for v as the division in `step_size` is for m.
        decay, amount, maximize: see `on_course`.

    Returns:
        The parameters, the means m, the means of squares v, and the largest v if `peaks` are given.
    """

    def rule(param: Tensor, grad: Tensor, mean: Tensor, square: Tensor, *peak: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        mean = mean + fresh1 * (grad - mean)
        square = square * keep2 + fresh2 * grad * grad
        highest = tuple(each.maximum(square) for each in peak)
        spread = (highest or (square,))[0].sqrt() * grow_root2 + eps
        return param - step_size * mean / spread, mean, square, *highest

    return for_each(rule, params, grads, means, squares, *([peaks] if peaks else []))
