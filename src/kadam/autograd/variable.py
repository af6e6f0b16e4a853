"""The former name of tensors. As `torch.autograd.variable`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam.tensor import Tensor


class _TensorsAreVariables(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_TensorsAreVariables):
    """`Variable(data)` is a tensor with the memory of `data`: variables and tensors are one since PyTorch 0.4.

    With `requires_grad` it is a leaf of its own, and `data` stays as it is.
    """

    if TYPE_CHECKING:

        def __init__(self, data: Tensor, requires_grad: bool = False) -> None: ...

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Tensor:  # type: ignore[misc]
        """The tensor.

        Raises:
            TypeError: `data` is no tensor.
        """
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Variable data has to be a tensor, but got {type(data).__name__}. Fix: torch.tensor(data)."
            )
        return data.detach().requires_grad_() if requires_grad and not data.requires_grad else data


__all__ = ["Variable"]
