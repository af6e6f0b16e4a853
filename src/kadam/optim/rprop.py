"""Steps that follow the signs of the gradients alone."""

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
    scalar,
)
from kadam.recording.operation import State, operation

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class Rprop(RuleOptimizer):
    """Each weight has a step of its own, longer while its gradient keeps its sign and shorter when it turns.

    Args:
        params: parameters, or groups of them.
        lr: length of the first steps.
        etas: factors of a step whose gradient turned, and of one whose gradient did not.
        step_sizes: bounds of the steps.
        maximize: climb instead of descending.
        foreach, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: `lr` is negative, or not 0 < etas[0] < 1 < etas[1].

    Source: Riedmiller and Braun 1993, "A direct adaptive method for faster backpropagation learning: the RPROP
        algorithm", without going back a step when a gradient turns.
    """

    _numbers = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_numbers("Rprop", lr=lr)
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(
                f"Rprop: Invalid eta values: {etas[0]}, {etas[1]}; it must be 0 < etas[0] < 1 < etas[1]. Fix: "
                "etas=(0.5, 1.2)."
            )
        check_modes("Rprop", differentiable)
        options = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        lr = number(group["lr"])
        length = complex(lr, lr) if param.is_complex() else lr
        return {"step": scalar(0.0), "prev": filled_like(param), "step_size": filled_like(param, length)}

    def _update(self, group: dict[str, Any], clock: float | None, batch: Batch) -> None:
        before, lengths = batch.column("prev"), batch.column("step_size")
        shrink, grow = group["etas"]
        shortest, longest = group["step_sizes"]
        rprop(batch.params, batch.grads, before, lengths, shrink, grow, shortest, longest, group["maximize"])


@operation(differentiable=False, phase=Phase.UPDATE)
def rprop(
    params: Sequence[State],
    grads: Sequence[Tensor],
    before: Sequence[State],
    lengths: Sequence[State],
    shrink: float,
    grow: float,
    shortest: float,
    longest: float,
    maximize: bool,
) -> list[Tensor]:
    """p - sign(g) s, where s grows if g has the sign of the gradient before, shrinks if it turned, and then g = 0.

    Returns:
        The parameters, the gradients g as the next step sees them, and the lengths s.
    """

    def rule(param: Tensor, grad: Tensor, last: Tensor, length: Tensor) -> tuple[Tensor, ...]:
        grad = -grad if maximize else grad
        agreement = (grad * last).sign()
        turned = agreement < 0
        factor = agreement.masked_fill(agreement > 0, grow).masked_fill(turned, shrink).masked_fill(agreement == 0, 1)
        length = (length * factor).clamp(shortest, longest)
        grad = grad.masked_fill(turned, 0)
        return param - grad.sign() * length, grad, length

    return for_each(rule, params, grads, before, lengths)
