"""The regularised incomplete gamma functions of two tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.ops.promotion import meet
from kadam.primitives.incomplete_gamma import IncompleteGamma
from kadam.recording.calls import emit
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """The share of gamma(input) that the integral up to `other` makes up. As `torch.special.gammainc`."""
    return emit(IncompleteGamma(False), *meet(input, other, floating=True))


@operation
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """The share of gamma(input) that the integral from `other` on makes up. As `torch.special.gammaincc`."""
    return emit(IncompleteGamma(True), *meet(input, other, floating=True))
