"""Stochastic gradient descent that also averages the parameters it passes."""

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
from kadam.recording.tensor import Number, overwrite

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class ASGD(RuleOptimizer):
    """Descent with a fading rate; `state[p]["ax"]` is the average of the parameters from step `t0` on.

    Args:
        params: parameters, or groups of them.
        lr: first learning rate.
        lambd: decay of the parameters, and of the rate: lr / (1 + lambd lr t)^alpha after t steps.
        alpha: power of the decay of the rate.
        t0: the step at which averaging starts.
        weight_decay: weight of the L2 penalty.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: `lr` or `weight_decay` is negative.

    Source: Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    """

    _numbers = ("step", "eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_numbers("ASGD", lr=lr, weight_decay=weight_decay)
        check_modes("ASGD", differentiable)
        options = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "step": scalar(0.0),
            "eta": scalar(number(group["lr"])),
            "mu": scalar(1.0),
            "ax": filled_like(param),
        }

    def _update(self, group: dict[str, Any], clock: tuple[float, float, float], batch: Batch) -> None:
        step, eta, mu = clock
        averages = batch.column("ax")
        asgd(
            batch.params,
            batch.grads,
            averages,
            eta=eta,
            keep=1 - group["lambd"] * eta,
            mu=mu,
            averaging=mu != 1,
            **steered(group),
        )
        lr = number(group["lr"])
        for state in batch.states:
            overwrite(state["eta"], lr / (1 + group["lambd"] * lr * step) ** group["alpha"])
            overwrite(state["mu"], 1 / max(1, step - group["t0"]))


@operation(differentiable=False, phase=Phase.UPDATE)
def asgd(
    params: Sequence[State],
    grads: Sequence[Tensor],
    averages: Sequence[State],
    eta: Number,
    keep: Number,
    mu: Number,
    averaging: bool,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p = keep p - eta g; the average a moves by mu (p - a), and until it is `averaging` it is p.

    Args:
        keep: 1 - lambd eta.

    Returns:
        The parameters, then their averages.
    """

    def rule(param: Tensor, grad: Tensor, average: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        param = param * keep - eta * grad
        return param, average + (param - average) * mu if averaging else param

    return for_each(rule, params, grads, averages)
