"""Derivatives along a direction, by numbers that carry their change with them. As `torch.autograd.forward_ad`.

Kadam finds the change of a result when it is unpacked, by differentiating the vjp: so a dual tensor requires grad.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from kadam.errors import GradientError

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_levels: list[list[tuple[Any, Any]]] = []  # the dual tensors of each level, with their tangents

_leaves: set[int] = set()  # ids of the dual tensors that were made of tensors without gradients


class UnpackedDualTensor(NamedTuple):
    """A value, and its change; None if it does not change."""

    primal: Tensor
    tangent: Tensor | None


class dual_level:  # noqa: N801  (PyTorch's name)
    """A block in which there are dual tensors."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exit_dual_level()


def enter_dual_level() -> int:
    """Begin a block in which there are dual tensors.

    Raises:
        GradientError: there is one already.
    """
    if _levels:
        raise GradientError("Nested forward mode AD is not supported at the moment. Fix: one dual_level() at a time.")
    _levels.append([])
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End it.

    Raises:
        GradientError: there is none.
    """
    if not _levels:
        raise GradientError("Trying to exit a forward AD level but no level exists. Fix: enter_dual_level() first.")
    _levels.pop()
    _leaves.clear()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor of the same values that moves along the tangent.

    Raises:
        GradientError: no level exists, or the tangent has another shape.
    """
    if not _levels:
        raise GradientError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first. "
            "Fix: with dual_level(): ..."
        )
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise GradientError(
            f"make_dual: Expected tensor and tangent to have the same shape, got {tuple(tensor.shape)} and "
            f"{tuple(tangent.shape)}. Fix: a tangent of the tensor's shape."
        )
    dual = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    if not tensor.requires_grad:
        _leaves.add(id(dual))  # what depends on these alone has no gradients outside
    _levels[-1].append((dual, tangent))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of a tensor, and how it changes where the dual tensors move."""
    from kadam.func.derivatives import inside, pushed, settled

    duals = _levels[-1] if _levels else []
    for dual, tangent in duals:
        if dual is tensor:
            return UnpackedDualTensor(tensor.detach(), tangent)
    if not duals or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    with inside() as made:
        tangent = pushed(tensor, [dual for dual, _ in duals], [one for _, one in duals])
    own = [*made, *[dual for dual, _ in duals if id(dual) in _leaves]]
    return UnpackedDualTensor(settled(tensor, own), settled(tangent, own))


__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]
