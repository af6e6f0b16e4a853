"""Adam in the infinity norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.ir.graph import Phase
from kadam.optim.optimizer import ParamsT
from kadam.optim.rule import (
    Batch,
    RuleOptimizer,
    check_betas,
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


class Adamax(RuleOptimizer):
    """Steps of the mean of the gradients over their largest size, which fades.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: decay rates of the mean and of the largest size.
        eps: added to the size of each gradient, against division by zero.
        weight_decay: weight of the L2 penalty.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or a beta is not in [0, 1).

    Source: Kingma and Ba 2015, section 7.1, https://arxiv.org/abs/1412.6980.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_numbers("Adamax", lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas("Adamax", betas)
        check_modes("Adamax", differentiable)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": scalar(0.0), "exp_avg": filled_like(param), "exp_inf": filled_like(param)}

    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        beta1, beta2 = group["betas"]
        means, sizes = batch.column("exp_avg"), batch.column("exp_inf")
        adamax(
            batch.params,
            batch.grads,
            means,
            sizes,
            step_size=number(group["lr"]) / (1 - beta1**step),
            fresh1=1 - beta1,
            keep2=beta2,
            eps=group["eps"],
            **steered(group),
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def adamax(
    params: Sequence[State],
    grads: Sequence[Tensor],
    means: Sequence[State],
    sizes: Sequence[State],
    step_size: Number,
    fresh1: Number,
    keep2: Number,
    eps: Number,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - step_size m / u with m = m + fresh1 (g - m) and u = max(keep2 u, |g| + eps).

    Args:
        step_size: lr / (1 - beta1^t).
        fresh1, keep2: 1 - beta1 and beta2.

    Returns:
        The parameters, the means m, and the sizes u.
    """

    def rule(param: Tensor, grad: Tensor, mean: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        mean = mean + fresh1 * (grad - mean)
        size = (size * keep2).maximum(grad.abs() + eps)
        return param - step_size * mean / size, mean, size

    return for_each(rule, params, grads, means, sizes)
