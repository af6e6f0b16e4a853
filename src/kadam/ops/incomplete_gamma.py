"""The regularised incomplete gamma functions of two tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.ops.promotion import meet
from kadam.primitives.incomplete_gamma import IncompleteGamma, Underived
from kadam.recording.calls import emit
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation
def igamma(input: Tensor, other: Tensor) -> Tensor:
    """The share of gamma(input) that the integral up to `other` makes up. As `torch.special.gammainc`."""
    return _derived_by_bound("igamma", emit(IncompleteGamma(False), *meet(input, other, floating=True)), input)


@operation
def igammac(input: Tensor, other: Tensor) -> Tensor:
    """The share of gamma(input) that the integral from `other` on makes up. As `torch.special.gammaincc`."""
    return _derived_by_bound("igammac", emit(IncompleteGamma(True), *meet(input, other, floating=True)), input)


def _derived_by_bound(name: str, result: Tensor, order: Tensor) -> Tensor:
    """In a body: the result, whose derivative is refused if gradients flow to the order."""
    return emit(Underived(f"{name}: input"), result) if order._spec.requires_grad else result
