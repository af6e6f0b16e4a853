"""Joining axes into one, and one into several."""

from __future__ import annotations

from collections.abc import Sequence

from kadam.errors import OperandError
from kadam.nn.modules.module import Module, settings
from kadam.tensor import Tensor


class Flatten(Module):
    """Joins a range of axes into one.

    Args:
        start_dim: the first axis of the range.
        end_dim: the last one.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return settings(self, "start_dim", "end_dim")


class Unflatten(Module):
    """Splits an axis into several.

    Args:
        dim: the axis.
        unflattened_size: the sizes of the new axes; one may be -1.

    Raises:
        TypeError: the sizes are not ints.
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = unflattened_size
        if not isinstance(unflattened_size, tuple | list):
            raise OperandError(
                "Unflatten: unflattened_size must be a tuple or list, but found type "
                f"{type(unflattened_size).__name__}. Fix: unflattened_size=(2, -1)."
            )
        for position, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise OperandError(
                    "Unflatten: unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {position}. Fix: give whole numbers: unflattened_size=(2, -1)."
                )

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return settings(self, "dim", "unflattened_size")
