"""Steps whose size follows from the sizes of the steps before."""

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


class Adadelta(RuleOptimizer):
    """The gradient times the root of the mean of squared steps over the root of the mean of squared gradients.

    Args:
        params: parameters, or groups of them.
        lr: scales each step.
        rho: decay rate of the two running means.
        eps: added under the roots.
        weight_decay: weight of the L2 penalty.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or `rho` is above 1.

    Source: Zeiler 2012, https://arxiv.org/abs/1212.5701.
    """

    _numbers = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_numbers("Adadelta", lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        if rho > 1:
            raise ValueError(f"Adadelta: Invalid rho: {rho}; it must be in [0, 1]. Fix: rho=0.9.")
        check_modes("Adadelta", differentiable)
        options = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": scalar(0.0), "square_avg": filled_like(param), "acc_delta": filled_like(param)}

    def _update(self, group: dict[str, Any], clock: float | None, batch: Batch) -> None:
        squares, travels = batch.column("square_avg"), batch.column("acc_delta")
        adadelta(
            batch.params,
            batch.grads,
            squares,
            travels,
            lr=number(group["lr"]),
            keep=group["rho"],
            fresh=1 - group["rho"],
            eps=group["eps"],
            **steered(group),
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def adadelta(
    params: Sequence[State],
    grads: Sequence[Tensor],
    squares: Sequence[State],
    travels: Sequence[State],
    lr: Number,
    keep: Number,
    fresh: Number,
    eps: Number,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - lr d with d = sqrt(u + eps) / sqrt(v + eps) g, v = keep v + fresh g^2 and u = keep u + fresh d^2.

    Args:
        keep, fresh: rho and 1 - rho.
        decay, amount, maximize: see `on_course`.

    Returns:
        The parameters, the means of squares v of the gradients, and u of the steps.
    """

    def rule(param: Tensor, grad: Tensor, square: Tensor, travel: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        square = square * keep + fresh * grad * grad
        delta = (travel + eps).sqrt() / (square + eps).sqrt() * grad
        travel = travel * keep + fresh * delta * delta
        return param - lr * delta, square, travel

    return for_each(rule, params, grads, squares, travels)
