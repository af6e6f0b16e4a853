"""Bounds on gradients: on the norm of all of them together, or on each value. As `torch.nn.utils.clip_grad`."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from kadam.errors import OperandError, UnsupportedError
from kadam.ir.graph import Phase
from kadam.ops.combine import stack
from kadam.ops.creation import tensor
from kadam.ops.reduce import vector_norm
from kadam.ops.require import ArgumentError
from kadam.recording.modes import no_grad
from kadam.recording.operation import State, operation
from kadam.recording.tensor import Number
from kadam.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale gradients, in place, so that their norm as one vector is at most `max_norm`.

    Args:
        parameters: whose gradients are scaled; those without one are left out.
        max_norm: the bound.
        norm_type: order of the norm; may be `inf`.
        error_if_nonfinite: refuse a norm that is infinite or not a number.
        foreach: without effect.

    Returns:
        The norm before scaling.

    Raises:
        RuntimeError: the norm is not finite and `error_if_nonfinite` is set.

    Source: Pascanu, Mikolov and Bengio 2013, https://arxiv.org/abs/1211.5063.
    """
    params = _listed(parameters)
    if isinstance(parameters, types.GeneratorType) and not params:
        warnings.warn("clip_grad_norm_: `parameters` is an empty generator: no gradient is clipped", stacklevel=2)
    total_norm = get_total_norm(_grads(params), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(params, max_norm, total_norm, foreach)
    return total_norm


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    warnings.warn("clip_grad_norm is the old name of clip_grad_norm_; use that", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors as one vector.

    Raises:
        RuntimeError: it is not finite and `error_if_nonfinite` is set.
    """
    values = _listed(tensors)
    if not values:
        return tensor(0.0)
    total = total_norm(values, _bound("norm_type", norm_type))
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"get_total_norm: the total norm of order {norm_type} of the gradients is non-finite ({total.item()}), so "
            "they cannot be clipped. Fix: find what makes them so, or pass error_if_nonfinite=False."
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale gradients, in place, by max_norm / total_norm if that is less than one."""
    grads = _grads(_listed(parameters))
    if grads:
        scaled_down(grads, total_norm, _bound("max_norm", max_norm))


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clamp each value of the gradients, in place, to [-clip_value, clip_value]."""
    grads = _grads(_listed(parameters))
    if grads:
        clamped(grads, _bound("clip_value", clip_value))


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    if not isinstance(tensors, Iterable):
        raise OperandError(
            f"expected an iterable of Tensors, but {type(tensors).__name__} is not iterable. Fix: model.parameters()."
        )
    return list(tensors)


def _bound(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be a number, not {value!r}. Fix: {name}=1.0.") from None


def _grads(params: Iterable[Tensor]) -> list[Tensor]:
    grads = [grad for param in params if (grad := param.grad) is not None]
    if not all(isinstance(grad, Tensor) for grad in grads):
        raise UnsupportedError(
            "clip_grad: a sparse gradient is not clipped, in PyTorch neither. Fix: leave out the tables with "
            "sparse=True, or clip their grad.coalesce().values()."
        )
    return grads


@operation(differentiable=False, phase=Phase.UPDATE)
def total_norm(tensors: Sequence[Tensor], order: float) -> Tensor:
    """The norm of the norms, which is that of all the values.

    Shapes:
        f32[...] ... -> f32[]
    """
    return vector_norm(stack([vector_norm(each, order) for each in tensors]), order)


@operation(differentiable=False, phase=Phase.UPDATE)
def scaled_down(grads: Sequence[State], norm: Tensor, max_norm: Number) -> list[Tensor]:
    """Each gradient times min(1, max_norm / (norm + 1e-6))."""
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    return [grad * factor.to(grad.dtype) for grad in grads]


@operation(differentiable=False, phase=Phase.UPDATE)
def clamped(grads: Sequence[State], bound: float) -> list[Tensor]:
    """Each gradient within [-bound, bound]."""
    return [grad.clamp(-bound, bound) for grad in grads]
