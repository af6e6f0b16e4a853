"""Softmax and its kin: functions of each slice along an axis."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from kadam.dtypes import dtype
from kadam.ops import softmax as room
from kadam.ops.gather import scatter
from kadam.ops.promotion import constant
from kadam.ops.reduce import argmax
from kadam.recording.generator import default_generator
from kadam.recording.operation import operation
from kadam.recording.tensor import from_array

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _chosen_axis(name: str, input: Tensor, stacklevel: int) -> int:
    """The axis where none is given, which PyTorch lets the rank choose."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if len(input.shape) in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis. As `torch.nn.functional.softmax`."""
    return room.softmax(input, _chosen_axis("softmax", input, _stacklevel) if dim is None else dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None) -> Tensor:
    """x - log(sum(exp(x))) along an axis. As `torch.nn.functional.log_softmax`."""
    return room.log_softmax(input, _chosen_axis("log_softmax", input, _stacklevel) if dim is None else dim, dtype)


@operation
def _softmin(input: Tensor, dim: int, dtype: dtype | None) -> Tensor:
    return room.softmax(-input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None) -> Tensor:
    """exp(-x) / sum(exp(-x)) along an axis. As `torch.nn.functional.softmin`."""
    return _softmin(input, _chosen_axis("softmin", input, _stacklevel) if dim is None else dim, dtype)


@operation
def _disturbed(logits: Tensor, waiting: Tensor, tau: Number, hard: bool, dim: int) -> Tensor:
    soft = room.softmax((logits - waiting.log()) / tau, dim)
    if not hard:
        return soft
    place = argmax(soft, dim, True)
    one_hot = scatter(constant(0, soft.dtype, tuple(soft.shape)), dim, place, 1.0)
    return one_hot - soft.detach() + soft


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Softmax of logits disturbed by Gumbel noise: a sample from the categorical distribution, softened.

    As `torch.nn.functional.gumbel_softmax`.

    Args:
        logits: unnormalised log-probabilities.
        tau: the temperature; the lower, the nearer to a one-hot vector.
        hard: whether the value is one-hot, with the gradient of the soft sample.
        eps: without effect, as in PyTorch.
        dim: the axis of the categories.

    Source: Jang, Gu, Poole, "Categorical reparameterization with Gumbel-softmax", 2017.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    waiting = from_array(default_generator.exponential(tuple(logits.shape), 1.0, logits.dtype.numpy))
    return _disturbed(logits, waiting, tau, hard, dim)


__all__ = ["gumbel_softmax", "log_softmax", "softmax", "softmin"]
