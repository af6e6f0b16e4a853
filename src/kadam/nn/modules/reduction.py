"""The base of the losses: how the losses of the elements become one number."""

from __future__ import annotations

import warnings

from kadam.errors import RangeError
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
        self.reduction = _from_older_arguments(type(self).__name__, size_average, reduce) if old else reduction


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


def _from_older_arguments(loss: str, size_average: bool | None, reduce: bool | None) -> str:
    """What PyTorch before 0.4 said with two flags, True by default.

    Raises:
        RangeError: a tensor stands there: the loss was called where it should have been made first.
    """
    if any(isinstance(flag, Tensor) and flag.numel() > 1 for flag in (size_average, reduce)):
        raise RangeError(
            "Boolean value of Tensor with more than one value is ambiguous: size_average and reduce are flags, and the "
            f"loss takes its input and target when it is called. Fix: criterion = nn.{loss}(), then criterion(input, "
            "target)."
        )
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=4
    )
    return reduction
