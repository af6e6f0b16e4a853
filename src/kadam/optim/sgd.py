"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.hot import hot
from kadam.ir.graph import Phase
from kadam.optim.optimizer import ParamsT
from kadam.optim.rule import (
    Batch,
    RuleOptimizer,
    check_modes,
    check_numbers,
    course,
    filled_like,
    for_each,
    made_dense,
    number,
    on_course,
)
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class SGD(RuleOptimizer):
    """Stochastic gradient descent, with momentum if asked for.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        momentum: the part of the last velocity that is kept.
        dampening: the part of the gradient that the velocity leaves out.
        weight_decay: weight of the L2 penalty.
        nesterov: look ahead along the velocity; needs a momentum and no dampening.
        maximize: climb instead of descending.
        foreach, fused: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or `nesterov` stands without a momentum or with a dampening.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", but with the
        rate applied to the velocity: b = momentum b + (1 - dampening) g, p = p - lr b, and b = g at the first step.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_numbers("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "SGD: nesterov=True requires a momentum and zero dampening. Fix: momentum=0.9, dampening=0."
            )
        check_modes("SGD", differentiable, foreach, fused)
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, options)

    def _remembered(self, params: list[Tensor], group: dict[str, Any]) -> list[dict[str, Any]]:
        if group["momentum"] == 0:
            return []  # plain descent remembers nothing
        memory = self.state
        return [memory[param] for param in params]

    def _admitted(self, grads: list[Any], group: dict[str, Any]) -> list[Any]:
        return made_dense("SGD", grads, group)

    @hot
    def _parts(self, batch: Batch, group: dict[str, Any]) -> Iterable[tuple[Any, Batch]]:
        return (("moving", batch),) if batch.kept else self._split(batch)

    def _split(self, batch: Batch) -> Iterable[tuple[Any, Batch]]:
        at_rest = [state.get("momentum_buffer") is None for state in batch.states]
        if True not in at_rest:
            return (("moving", batch),)
        for param, state, rests in zip(batch.params, batch.states, at_rest, strict=True):
            if rests:
                state["momentum_buffer"] = filled_like(param)
        return batch.split(["at rest" if rests else "moving" for rests in at_rest])

    @hot
    def _update(self, group: dict[str, Any], clock: Hashable, batch: Batch) -> None:
        momentum = group["momentum"]
        moves = momentum != 0
        decay, amount, maximize = course(group)
        sgd(
            batch.params,
            batch.grads,
            batch.column("momentum_buffer") if moves else (),
            number(group["lr"]),
            float(momentum) if moves else None,
            (1.0 if clock == "at rest" else 1.0 - group["dampening"]) if moves else None,
            group["nesterov"],
            decay,
            amount,
            maximize,
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def sgd(
    params: Sequence[State],
    grads: Sequence[Tensor],
    velocities: Sequence[State],
    lr: Number,
    momentum: Number | None,
    share: Number | None,
    nesterov: bool,
    decay: str,
    amount: Number | None,
    maximize: bool,
) -> list[Tensor]:
    """p - lr b with the velocity b = momentum b + share g; with nesterov p - lr (g + momentum b).

    Returns:
        The parameters, then the velocities, if there are any (without them b = g).
    """

    def rule(param: Tensor, grad: Tensor, *velocity: Tensor) -> tuple[Tensor, ...]:
        param, grad = on_course(param, grad, decay, amount, maximize)
        if momentum is None or share is None:
            return (param - lr * grad,)
        moved = velocity[0] * momentum + share * grad
        direction = grad + momentum * moved if nesterov else moved
        return param - lr * direction, moved

    return for_each(rule, params, grads, *([velocities] if velocities else []))
