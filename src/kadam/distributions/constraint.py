"""What all constraints have in common: a region that tensors lie in or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.recording.tensor import from_array, read

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.tensor import Tensor


@dataclass(frozen=True)
class Constraint:
    """A region; `event_dim` axes at the end of a tensor are judged together."""

    is_discrete = False
    event_dim = 0

    def holds(self, array: Array) -> Any:
        """Where an array lies in the region."""
        if type(self).check is Constraint.check:
            raise NotImplementedError(f"{type(self).__name__} does not define check. Fix: define check(self, value).")
        return read(self.check(from_array(array)))

    def check(self, value: Tensor) -> Tensor:
        """Where a tensor lies in the region: one truth value for each event."""
        return from_array(np.asarray(self.holds(read(value))))

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name}={_plain(bound)}" for name, bound in self.__dict__.items())
        return f"{type(self).__name__}({bounds})"


def _plain(bound: Any) -> Any:
    return bound.item() if hasattr(bound, "item") and not getattr(bound, "shape", ()) else bound


def number(bound: Any) -> Any:
    return read(bound) if hasattr(bound, "_spec") else bound


__all__ = ["Constraint", "number"]
