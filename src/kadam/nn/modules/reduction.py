"""The base of the losses: how the losses of the elements become one number."""

from __future__ import annotations

import warnings

from kadam.nn.modules.module import Module
from kadam.tensor import Tensor


class _Loss(Module):
    """The base of the losses.

    Args:
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
    """

    reduction: str

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        old = size_average is not None or reduce is not None
        self.reduction = _from_older_arguments(size_average, reduce) if old else reduction


class _WeightedLoss(_Loss):
    """The base of the losses that weight elements or classes.

    Args:
        weight: the weights, a buffer.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


def _from_older_arguments(size_average: bool | None, reduce: bool | None) -> str:
    """What PyTorch before 0.4 said with two flags, True by default."""
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=4
    )
    return reduction
