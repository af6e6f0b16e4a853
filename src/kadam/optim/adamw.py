"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam.optim.adam import Adam
from kadam.optim.optimizer import ParamsT

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters beside the step instead of adding to the gradient.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: decay rates of the two running means.
        eps: added to the root, against division by zero.
        weight_decay: each step multiplies the parameters by 1 - lr weight_decay.
        amsgrad: divide by the largest mean of squares so far.
        maximize: climb instead of descending.
        foreach, fused, capturable: without effect; differentiable: not supported.

    Raises:
        ValueError: a setting is negative, or a beta is not in [0, 1).

    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True  # also when Adam's state is loaded
