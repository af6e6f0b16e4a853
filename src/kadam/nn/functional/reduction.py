"""How the losses of the elements become one number."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from kadam.hot import hot
from kadam.ops.reduce import mean, sum
from kadam.ops.require import ArgumentError
from kadam.recording.arguments import require_tensors

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """In a body: the mean or the sum of a loss, or the loss itself.

    Raises:
        ArgumentError: `reduction` is none of `mean`, `sum` and `none`.
    """
    require_reduction(reduction)
    if reduction == "mean":
        return mean(loss)
    return sum(loss) if reduction == "sum" else loss


def require_reduction(reduction: str) -> None:
    """Raise unless there is such a reduction.

    Raises:
        ArgumentError: there is none.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(
            f"{reduction} is not a valid value for reduction: it is one of 'none', 'mean' and 'sum'. Fix: "
            "reduction='mean'."
        )


@hot
def current(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction, also where it is given by the two flags that PyTorch had before it."""
    if size_average is None and reduce is None:
        return reduction
    return _meant(size_average, reduce)


def _meant(size_average: bool | None, reduce: bool | None) -> str:
    meant = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{meant}' instead.", stacklevel=4
    )
    return meant


@hot
def warn_if_sizes_differ(input: Tensor, target: Tensor) -> None:
    """Warn of a target that a loss would stretch.

    Raises:
        NotATensorError: one of the two is no tensor.
    """
    try:
        differ = input._spec.shape != target._spec.shape
    except AttributeError:
        require_tensors(input=input, target=target)
        raise
    if differ:
        _warn_of_sizes(input, target)


def _warn_of_sizes(input: Tensor, target: Tensor) -> None:
    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
        "likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
        stacklevel=4,
    )
