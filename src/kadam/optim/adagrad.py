"""Steps of the gradient over the root of the sum of its squares so far."""

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
    made_dense,
    number,
    on_course,
    scalar,
    steered,
)
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class Adagrad(RuleOptimizer):
    """The gradient over the root of the sum of all its squares: rare features take larger steps.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        lr_decay: the rate at step t is lr / (1 + (t - 1) lr_decay).
        weight_decay: weight of the L2 penalty.
        initial_accumulator_value: what the sums start with.
        eps: added to the root, against division by zero.
        maximize: climb instead of descending.
        foreach, fused: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative.

    Source: Duchi, Hazan and Singer 2011, "Adaptive subgradient methods for online learning and stochastic
        optimization".
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_numbers(
            "Adagrad",
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        check_modes("Adagrad", differentiable, foreach, fused)
        options = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, options)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param].update(self._start(param, group))

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        start = self.defaults["initial_accumulator_value"]
        return {"step": scalar(0.0), "sum": filled_like(param, complex(start, start) if param.is_complex() else start)}

    def _admitted(self, grads: list[Any], group: dict[str, Any]) -> list[Any]:
        return made_dense("Adagrad", grads, group)

    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        sums = batch.column("sum")
        adagrad(
            batch.params,
            batch.grads,
            sums,
            lr=number(group["lr"]) / (1 + (step - 1) * group["lr_decay"]),
            eps=group["eps"],
            **steered(group),
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def adagrad(
    params: Sequence[State],
    grads: Sequence[Tensor],
    sums: Sequence[State],
    lr: Number,
    eps: Number,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - lr g / (sqrt(s) + eps) with s = s + g^2.

    Returns:
        The parameters, then the sums s.
    """

    def rule(param: Tensor, grad: Tensor, total: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        total = total + grad * grad
        return param - lr * grad / (total.sqrt() + eps), total

    return for_each(rule, params, grads, sums)
