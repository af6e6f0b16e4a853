"""Adam that leaves alone the rows of a table which a batch has not looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.ir.graph import Phase
from kadam.ops.compare import where
from kadam.ops.query import is_tensor
from kadam.optim.optimizer import Optimizer, ParamsT
from kadam.optim.rule import (
    Batch,
    RuleOptimizer,
    SparseGradientError,
    check_betas,
    check_numbers,
    filled_like,
    for_each,
    number,
)
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number
from kadam.sparse.tensor import SparseTensor

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class SparseAdam(RuleOptimizer):
    """Adam for tables such as `nn.Embedding(sparse=True)`, whose gradients are zero in most rows.

    Gradients are sparse tensors: what they leave out stays as it is.

    Args:
        params: tables, or groups of them.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the root, against division by zero.
        maximize: climb instead of descending.

    Raises:
        SparseGradientError: a gradient is dense (RuntimeError).
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
        if not is_tensor(params):
            params = list(params)  # type: ignore[assignment]
            _require_dense(params)
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

    def _admitted(self, grads: list[Any], group: dict[str, Any]) -> list[Any]:
        if not all(isinstance(grad, SparseTensor) for grad in grads):
            raise SparseGradientError(
                "SparseAdam does not support dense gradients, please consider Adam instead. Fix: optim.Adam, or "
                "sparse=True where the table is looked up."
            )
        return grads

    def _update(self, group: dict[str, Any], step: float, batch: Batch) -> None:
        grads: list[Any] = batch.grads
        (beta1, beta2), lr = group["betas"], number(group["lr"])
        sparse_adam(
            batch.params,
            [grad.to_dense() for grad in grads],
            [grad.touched() for grad in grads],
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
    seen: Sequence[Tensor],
    means: Sequence[State],
    squares: Sequence[State],
    step_size: Number,
    fresh1: Number,
    fresh2: Number,
    eps: Number,
    maximize: bool,
) -> list[Tensor]:
    """p - step_size m / (sqrt(v) + eps) where there is a gradient, with m += fresh1 (g - m), v += fresh2 (g^2 - v).

    Args:
        seen: where there is one.
        step_size: lr sqrt(1 - beta2^t) / (1 - beta1^t).
        fresh1, fresh2: 1 - beta1 and 1 - beta2.

    Returns:
        The parameters, the means m, and the means of squares v.
    """

    def rule(param: Tensor, grad: Tensor, seen: Tensor, mean: Tensor, square: Tensor) -> tuple[Tensor, ...]:
        grad = -grad if maximize else grad
        moved = mean + fresh1 * (grad - mean)
        spread = square + fresh2 * (grad * grad - square)
        stepped = param - step_size * (moved / (spread.sqrt() + eps))
        return where(seen, stepped, param), where(seen, moved, mean), where(seen, spread, square)

    return for_each(rule, params, grads, seen, means, squares)


def _require_dense(params: Iterable[Any]) -> None:
    given = [one for group in params for one in (group["params"] if isinstance(group, dict) else [group])]
    sparse = [index for index, one in enumerate(given) if isinstance(one, SparseTensor)]
    if sparse:
        raise ValueError(
            f"SparseAdam: Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors. Fix: "
            "x.to_dense()."
        )
