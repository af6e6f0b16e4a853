"""Momentum whose steps turn and stretch a matrix equally in all directions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import bfloat16, float32
from kadam.ir.graph import Phase
from kadam.optim.optimizer import ParamsT
from kadam.optim.rule import Batch, RuleOptimizer, check_numbers, check_real, filled_like, for_each, number
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class Muon(RuleOptimizer):
    """Momentum, made orthogonal before each step; for the matrices of hidden layers.

    Args:
        params: matrices, or groups of them.
        lr: learning rate.
        weight_decay: each step multiplies the parameters by 1 - lr weight_decay.
        momentum: the part of the running mean that is kept.
        nesterov: look ahead along the mean.
        ns_coefficients: of the polynomial a x + b x^3 + c x^5 that is applied to the singular values.
        eps: least norm that is divided by.
        ns_steps: how often the polynomial is applied.
        adjust_lr_fn: how the rate follows from the shape: "original" (or None) by sqrt(max(1, rows / columns)),
            "match_rms_adamw" by 0.2 sqrt(max(rows, columns)).

    Raises:
        ValueError: a setting is negative, `adjust_lr_fn` is unknown, or a parameter is no matrix.

    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/; Liu et al. 2025, https://arxiv.org/abs/2502.16982.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_numbers("Muon", lr=lr, momentum=momentum, weight_decay=weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Muon: adjust_lr_fn={adjust_lr_fn!r} is unknown; it is 'original' or 'match_rms_adamw'. Fix: "
                "adjust_lr_fn='original'."
            )
        options = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, options)
        for group in self.param_groups:
            for param in group["params"]:
                if param.dim() != 2:
                    raise ValueError(
                        f"Muon: only matrices (2D) are supported, not shape {tuple(param.shape)}; use AdamW. Fix: give "
                        "such parameters to optim.AdamW."
                    )

    def _remembered(self, params: list[Tensor], group: dict[str, Any]) -> list[dict[str, Any]]:
        check_real("Muon", params)
        states = [self.state[param] for param in params]
        for param, state in zip(params, states, strict=True):
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = filled_like(param)
        return states

    def _parts(self, batch: Batch, group: dict[str, Any]) -> Iterable[tuple[Any, Batch]]:
        return ((None, batch),)

    def _update(self, group: dict[str, Any], clock: None, batch: Batch) -> None:
        means = batch.column("momentum_buffer")
        lr = number(group["lr"])
        muon(
            batch.params,
            batch.grads,
            means,
            lr=lr,
            keep=1 - lr * group["weight_decay"],
            fresh=1 - group["momentum"],
            least_norm=group["eps"],
            nesterov=group["nesterov"],
            coefficients=tuple(group["ns_coefficients"]),
            rounds=group["ns_steps"],
            matches_adamw=group["adjust_lr_fn"] == "match_rms_adamw",
        )


@operation(differentiable=False, phase=Phase.UPDATE)
def muon(
    params: Sequence[State],
    grads: Sequence[Tensor],
    means: Sequence[State],
    lr: Number,
    keep: Number,
    fresh: Number,
    least_norm: float,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    rounds: int,
    matches_adamw: bool,
) -> list[Tensor]:
    """keep p - lr scale O(m) with m = m + fresh (g - m) and O its nearest orthogonal matrix, about; nesterov: O(n).

    Args:
        keep: 1 - lr weight_decay.
        fresh: 1 - momentum; n = m - fresh (m - g).

    Returns:
        The parameters, then the means m.
    """

    def rule(param: Tensor, grad: Tensor, mean: Tensor) -> tuple[Tensor, ...]:
        mean = mean + fresh * (grad - mean)
        ahead = mean - fresh * (mean - grad) if nesterov else mean
        rows, columns = param.shape
        scale = 0.2 * math.sqrt(max(rows, columns)) if matches_adamw else math.sqrt(max(1, rows / columns))
        return param * keep - lr * scale * orthogonalized(ahead, coefficients, rounds, least_norm), mean

    return for_each(rule, params, grads, means)


def orthogonalized(matrix: Tensor, coefficients: tuple[float, float, float], rounds: int, least_norm: float) -> Tensor:
    """In a body: a matrix with the singular vectors of `matrix` and singular values near one, in bfloat16's precision.

    Source: a Newton-Schulz iteration, x = a x + (b g + c g g) x with g = x x^T (Jordan 2024).
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = _rounded(matrix.t() if tall else matrix)
    x = _rounded(x / _rounded((x * x).sum().sqrt()).clamp(min=least_norm))
    for _ in range(rounds):
        gram = _rounded(x @ x.t())
        x = _rounded(a * x + _rounded(b * gram + c * (gram @ gram)) @ x)
    return (x.t() if tall else x).to(matrix.dtype)


def _rounded(values: Tensor) -> Tensor:
    """To bfloat16's precision; the products in between are summed in float32."""
    return values.to(bfloat16).to(float32)
