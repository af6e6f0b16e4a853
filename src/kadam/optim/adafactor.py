"""Adam's variances in little memory: those of a matrix from its rows and its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import finfo
from kadam.ir.graph import Phase
from kadam.optim.optimizer import ParamsT
from kadam.optim.rule import Batch, RuleOptimizer, check_numbers, check_real, filled_like, number, scalar, zeros
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class Adafactor(RuleOptimizer):
    """The gradient over the root of a running mean of its squares, which a matrix keeps as one row and one column.

    Args:
        params: parameters, or groups of them.
        lr: the largest relative step.
        beta2_decay: the running means take t^beta2_decay of what is new at step t.
        eps: least variance (the rounding unit of the parameter's type if None), and least size of a parameter.
        d: the largest root mean square of a step before it is scaled.
        weight_decay: each step multiplies the parameters by 1 - lr weight_decay.
        maximize: climb instead of descending.
        foreach: without effect.

    Raises:
        ValueError: a setting is negative, `beta2_decay` positive, or `d` below 1.

    Source: Shazeer and Stern 2018, https://arxiv.org/abs/1804.04235.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        least = {} if eps[0] is None else {"epsilon1": eps[0]}
        check_numbers("Adafactor", lr=lr, weight_decay=weight_decay, epsilon2=eps[1], **least)
        if beta2_decay > 0:
            raise ValueError(
                f"Adafactor: Invalid beta2_decay: {beta2_decay}; it must not be positive. Fix: beta2_decay=-0.8."
            )
        if d < 1:
            raise ValueError(f"Adafactor: Invalid d: {d}; it must be at least 1. Fix: d=1.0.")
        options = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, options)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        check_real("Adafactor", [param])
        shape = tuple(param.shape)
        if len(shape) < 2:
            return {"step": scalar(0.0), "variance": filled_like(param)}
        return {
            "step": scalar(0.0),
            "row_var": zeros((*shape[:-1], 1), param.dtype),
            "col_var": zeros((*shape[:-2], 1, shape[-1]), param.dtype),
        }

    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        factors = [
            state[name] for state in batch.states for name in ("row_var", "col_var", "variance") if name in state
        ]
        lr = number(group["lr"])
        adafactor(
            batch.params,
            batch.grads,
            factors,
            rate=min(lr, 1 / step**0.5),
            fresh=step ** group["beta2_decay"],
            keep=1 - lr * group["weight_decay"],
            least=tuple(group["eps"]),
            largest=group["d"],
            decays=group["weight_decay"] != 0,
            maximize=group["maximize"],
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def adafactor(
    params: Sequence[State],
    grads: Sequence[Tensor],
    factors: Sequence[State],
    rate: Number,
    fresh: Number,
    keep: Number,
    least: tuple[float | None, float],
    largest: float,
    decays: bool,
    maximize: bool,
) -> list[Tensor]:
    """p - rate max(least[1], |p|) u / max(1, |u| / largest) with u = g / sqrt(v); |x| is the root mean square.

    Args:
        factors: of each matrix the means of squares of its rows and of its columns, of a vector v itself.
        rate: min(lr, 1 / sqrt(t)).
        fresh: the part of v that is new: t^beta2_decay.
        keep: 1 - lr weight_decay, where it decays.

    Returns:
        The parameters, then the factors.
    """
    moved, kept = [], []
    remaining = iter(factors)
    for param, grad in zip(params, grads, strict=True):
        grad = -grad if maximize else grad
        smallest = finfo(param.dtype).eps if least[0] is None else least[0]
        if grad.dim() > 1:
            row = _mixed(next(remaining), (grad * grad).mean(-1, keepdim=True), fresh)
            column = _mixed(next(remaining), (grad * grad).mean(-2, keepdim=True), fresh)
            variance = row * column / row.mean(-2, keepdim=True).clamp(min=smallest)
            kept += [row, column]
        else:
            variance = _mixed(next(remaining), grad * grad, fresh)
            kept.append(variance)
        step = variance.clamp(min=smallest * smallest).rsqrt() * grad
        length = _size(param).clamp(min=least[1]) * rate / (_size(step) / largest).clamp(min=1.0)
        moved.append((param * keep if decays else param) - step * length)
    return moved + kept


def _mixed(mean: Tensor, value: Tensor, fresh: Number) -> Tensor:
    return mean + fresh * (value - mean)


def _size(values: Tensor) -> Tensor:
    return (values * values).mean().sqrt()
