"""Adam that looks ahead along its mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.ir.graph import Phase
from kadam.optim.count import value_of
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
from kadam.recording.tensor import Number, overwrite, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class NAdam(RuleOptimizer):
    """Adam with Nesterov momentum, whose momentum grows with the steps.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the root, against division by zero.
        weight_decay: weight of the L2 penalty.
        momentum_decay: the momentum at step t is beta1 (1 - 0.96^(t momentum_decay) / 2).
        decoupled_weight_decay: shrink the parameters beside the step, as AdamW does, not through the gradient.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or a beta is not in [0, 1).

    Source: Dozat 2016, "Incorporating Nesterov momentum into Adam".
    """

    _numbers = ("step", "mu_product")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_numbers("NAdam", lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas("NAdam", betas)
        check_modes("NAdam", differentiable)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "step": scalar(0.0),
            "mu_product": scalar(1.0),
            "exp_avg": filled_like(param),
            "exp_avg_sq": filled_like(param),
        }

    def _update(self, group: dict[str, Any], clock: tuple[float, float], batch: Batch) -> None:
        step, _ = clock
        beta1, beta2 = group["betas"]
        now, soon = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        for state in batch.states:
            overwrite(state["mu_product"], read(state["mu_product"]) * now)
        product = value_of(batch.states[0]["mu_product"])
        lr = number(group["lr"])
        means, squares = batch.column("exp_avg"), batch.column("exp_avg_sq")
        nadam(
            batch.params,
            batch.grads,
            means,
            squares,
            grad_rate=lr * (1 - now) / (1 - product),
            mean_rate=lr * soon / (1 - product * soon),
            fresh1=1 - beta1,
            keep2=beta2,
            fresh2=1 - beta2,
            bias2=1 - beta2**step,
            eps=group["eps"],
            **steered(group, lr),
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def nadam(
    params: Sequence[State],
    grads: Sequence[Tensor],
    means: Sequence[State],
    squares: Sequence[State],
    grad_rate: Number,
    mean_rate: Number,
    fresh1: Number,
    keep2: Number,
    fresh2: Number,
    bias2: Number,
    eps: Number,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - (grad_rate g + mean_rate m) / (sqrt(v / bias2) + eps), with the means m and v as in Adam.

    Args:
        grad_rate: lr (1 - mu_t) / (1 - mu_1 ... mu_t).
        mean_rate: lr mu_(t+1) / (1 - mu_1 ... mu_(t+1)).
        fresh1, keep2, fresh2: 1 - beta1, beta2 and 1 - beta2.
        bias2: 1 - beta2^t.
        decay, amount, maximize: see `on_course`.

    Returns:
        The parameters, the means m and the means of squares v.
    """

    def rule(param: Tensor, grad: Tensor, mean: Tensor, square: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        mean = mean + fresh1 * (grad - mean)
        square = square * keep2 + fresh2 * grad * grad
        spread = (square / bias2).sqrt() + eps
        return param - grad_rate * grad / spread - mean_rate * mean / spread, mean, square

    return for_each(rule, params, grads, means, squares)
