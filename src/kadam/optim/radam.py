"""Adam that waits until its variance can be trusted."""

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


class RAdam(RuleOptimizer):
    """Adam whose steps are plain momentum until there are enough of them to estimate the variance.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the root, against division by zero.
        weight_decay: weight of the L2 penalty.
        decoupled_weight_decay: shrink the parameters beside the step, as AdamW does, not through the gradient.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or a beta is not in [0, 1).

    Source: Liu et al. 2020, https://arxiv.org/abs/1908.03265.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_numbers("RAdam", lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas("RAdam", betas)
        check_modes("RAdam", differentiable)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": scalar(0.0), "exp_avg": filled_like(param), "exp_avg_sq": filled_like(param)}

    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        beta1, beta2 = group["betas"]
        lr = number(group["lr"])
        rectification = _rectification(step, beta2)
        means, squares = batch.column("exp_avg"), batch.column("exp_avg_sq")
        radam(
            batch.params,
            batch.grads,
            means,
            squares,
            lr=lr,
            fresh1=1 - beta1,
            keep2=beta2,
            fresh2=1 - beta2,
            bias1=1 - beta1**step,
            scale=(1 - beta2**step) ** 0.5 * rectification,
            eps=group["eps"],
            adapts=rectification > 0,
            **steered(group, lr),
        )


def _rectification(step: float, beta2: float) -> float:
    """The ratio of the variance of an adaptive step in the long run and now; 0 while it cannot be told.

    Source: r_t = sqrt((rho_t - 4)(rho_t - 2) rho / ((rho - 4)(rho - 2) rho_t)), rho = 2 / (1 - beta2) - 1 the length
        of the running mean and rho_t = rho - 2 t beta2^t / (1 - beta2^t) its length after t steps, where rho_t > 5.
    """
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5:
        return 0.0
    return float(((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5)


@operation(differentiable=False, phase=Phase.UPDATE)
def radam(
    params: Sequence[State],
    grads: Sequence[Tensor],
    means: Sequence[State],
    squares: Sequence[State],
    lr: Number,
    fresh1: Number,
    keep2: Number,
    fresh2: Number,
    bias1: Number,
    scale: Number,
    eps: Number,
    adapts: bool,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - lr (m / bias1) scale / (sqrt(v) + eps) if it adapts, else p - lr m / bias1; means m and v as in Adam.

    Args:
        fresh1, keep2, fresh2: 1 - beta1, beta2 and 1 - beta2.
        bias1: 1 - beta1^t.
        scale: sqrt(1 - beta2^t) times the rectification.
        decay, amount, maximize: see `on_course`.

    Returns:
        The parameters, the means m and the means of squares v.
    """

    def rule(param: Tensor, grad: Tensor, mean: Tensor, square: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        mean = mean + fresh1 * (grad - mean)
        square = square * keep2 + fresh2 * grad * grad
        step = mean / bias1 * lr
        if adapts:
            step = step * (scale / (square.sqrt() + eps))
        return param - step, mean, square

    return for_each(rule, params, grads, means, squares)
