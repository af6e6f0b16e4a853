"""Adam that leaves alone the rows of a table which a batch has not looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.ir.graph import Phase
from kadam.ops.compare import where
from kadam.optim.optimizer import Optimizer, ParamsT
from kadam.optim.rule import Batch, RuleOptimizer, check_betas, check_numbers, filled_like, for_each, number
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class SparseAdam(RuleOptimizer):
    """Adam for tables such as `nn.Embedding(sparse=True)`, whose gradients are zero in most rows.

    Kadam's gradients are dense. A row whose gradient is all zeros stands for one that PyTorch's sparse gradient lacks:
    its weights and moments stay as they are.

    Args:
        params: tables, or groups of them.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the root, against division by zero.
        maximize: climb instead of descending.

    Raises:
        ValueError: a setting is not positive, a beta is not in [0, 1), or a parameter is complex.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_numbers("SparseAdam", lr=lr, eps=eps)
        if number(lr) == 0 or eps == 0:
            name = "eps" if eps == 0 else "learning rate"
            raise ValueError(f"SparseAdam: Invalid {name}: 0; it must be positive. Fix: leave it out.")
        check_betas("SparseAdam", betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        for index, group in enumerate(self.param_groups):
            for place, param in enumerate(group["params"]):
                if param.is_complex():
                    raise ValueError(
                        f"SparseAdam: Complex params at indices {[index, place]}: SparseAdam does not support complex "
                        "parameters. Fix: optim.Adam."
                    )

    def __setstate__(self, state: dict[str, Any]) -> None:
        Optimizer.__setstate__(self, state)

    def _start(self, param: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0, "exp_avg": filled_like(param), "exp_avg_sq": filled_like(param)}

    def _parts(self, batch: Batch, group: dict[str, Any]) -> Iterable[tuple[Any, Batch]]:
        for state in batch.states:
            state["step"] += 1
        return batch.split(batch.column("step"))  # counts, not tensors

    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        (beta1, beta2), lr = group["betas"], number(group["lr"])
        sparse_adam(
            batch.params,
            batch.grads,
            batch.column("exp_avg"),
            batch.column("exp_avg_sq"),
            step_size=lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step),
            fresh1=1 - beta1,
            fresh2=1 - beta2,
            eps=group["eps"],
            maximize=group["maximize"],
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def sparse_adam(
    params: Sequence[State],
    grads: Sequence[Tensor],
    means: Sequence[State],
    squares: Sequence[State],
    step_size: Number,
    fresh1: Number,
    fresh2: Number,
    eps: Number,
    maximize: bool,
) -> list[Tensor]:
    """p - step_size m / (sqrt(v) + eps) in rows with a gradient, with m += fresh1 (g - m), v += fresh2 (g^2 - v).

    Args:
        step_size: lr sqrt(1 - beta2^t) / (1 - beta1^t).
        fresh1, fresh2: 1 - beta1 and 1 - beta2.

    Returns:
        The parameters, the means m, and the means of squares v.
    """

    def rule(param: Tensor, grad: Tensor, mean: Tensor, square: Tensor) -> tuple[Tensor, ...]:
        inner = tuple(range(1, len(param.shape)))
        seen = (grad != 0).any(inner, True) if inner else grad != 0
        grad = -grad if maximize else grad
        moved = mean + fresh1 * (grad - mean)
        spread = square + fresh2 * (grad * grad - square)
        stepped = param - step_size * (moved / (spread.sqrt() + eps))
        return where(seen, stepped, param), where(seen, moved, mean), where(seen, spread, square)

    return for_each(rule, params, grads, means, squares)
