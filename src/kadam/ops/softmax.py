"""Exponentials that sum to one along an axis, and their logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.dtypes import dtype
from kadam.ops.numpy_names import numpy_names
from kadam.ops.pointwise import exp, log
from kadam.ops.promotion import cast, widened
from kadam.ops.reduce import amax, sum
from kadam.ops.require import require_floating
from kadam.recording.operation import operation
from kadam.shapes import axis_of

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _below_zero(name: str, input: Tensor, dim: int, record: dtype | None) -> tuple[Tensor, Tensor, dtype]:
    """In a body: the input less its maximum along the axis, so that exponentials do not overflow.

    Returns:
        The difference, the sum of its exponentials, and the type of the result.
    """
    x = input if record is None else cast(input, record)
    require_floating(name, x)
    axis = axis_of(dim, len(x.shape))
    wide = widened(x)
    if not wide.shape or 0 in wide.shape:
        return wide * 0.0, exp(wide * 0.0), x.dtype
    below = wide - amax(wide, axis, True).detach()
    return below, sum(exp(below), axis, True), x.dtype


@numpy_names
@operation(grad="SoftmaxBackward0")
def softmax(input: Tensor, dim: int, dtype: dtype | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis. As `torch.softmax`.

    Raises:
        NotFloatingError: the elements are no floating-point numbers.
    """
    below, total, record = _below_zero("softmax", input, dim, dtype)
    return cast(exp(below) / total, record)


@numpy_names
@operation(grad="LogSoftmaxBackward0")
def log_softmax(input: Tensor, dim: int, dtype: dtype | None = None) -> Tensor:
    """x - log(sum(exp(x))) along an axis. As `torch.log_softmax`.

    Raises:
        NotFloatingError: the elements are no floating-point numbers.
    """
    below, total, record = _below_zero("log_softmax", input, dim, dtype)
    return cast(below - log(total), record)
