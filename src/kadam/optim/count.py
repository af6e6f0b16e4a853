"""The count of an optimizer's steps, which PyTorch keeps as a tensor for each parameter.

Parameters that take all their steps together share one clock. Their counts are tensors that have no memory until
somebody looks at them: then a count is written down, and from there on it is a tensor like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kadam.dtypes import float32, float64
from kadam.hot import hot, slotted
from kadam.ir.primitive import Array
from kadam.recording.tensor import add_now, is_current, read
from kadam.tensor import Tensor


@slotted
class Clock:
    """How many steps the tensors that were made its hands have counted together.

    Attributes:
        count: of steps.
        hands: ids of the tensors; none once one of them has memory of its own.
        kept: the tensors, whose ids nothing else may have.
    """

    __slots__ = ("count", "hands", "kept")

    def __init__(self, count: float, hands: Sequence[Tensor]) -> None:
        self.count = count
        self.kept: Sequence[Tensor] = list(hands)
        self.hands = list(map(id, hands))

    def stop(self) -> None:
        """Part with the hands: each is to be looked at on its own from now on."""
        self.hands = []
        self.kept = []


class Hand(Tensor):
    """A count that no memory holds yet."""

    _clock_of: Clock

    @property
    def _array(self) -> Array:
        self._array = array = np.array(self._clock_of.count, self._spec.dtype.numpy)
        return array

    @_array.setter
    def _array(self, array: Array) -> None:
        """Memory at last: a plain tensor from here on."""
        self._clock_of.stop()
        del self._clock_of
        self.__class__ = Tensor  # type: ignore[assignment]
        self._array = array

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        read(self)
        return self.__reduce_ex__(protocol)  # the plain tensor's


Hand.__name__ = Hand.__qualname__ = Tensor.__name__
Hand.__module__ = Tensor.__module__


@hot
def tick(counts: Sequence[Any]) -> float | None:
    """Count one more step in all of them; what they stand at, or None if that differs from one to the other."""
    clock: Any = getattr(counts[0], "_clock_of", None)
    if clock is not None and clock.hands and (clock.kept is counts or clock.hands == list(map(id, counts))):
        clock.count += 1.0
        clock.kept = counts
        count: float = clock.count
        return count
    return _tick_each(counts)


def _tick_each(counts: Sequence[Any]) -> float | None:
    for count in counts:
        add_now(count, 1)
    values = [value_of(count) for count in counts]
    if any(value != values[0] for value in values):
        return None
    if len(set(map(id, counts))) == len(counts) and all(map(_is_own, counts)):
        _join(values[0], counts)
    return values[0]


def write_down(state: Mapping[Any, Any]) -> None:
    """Give all counts in an optimizer's state memory of their own."""
    for remembered in state.values():
        if isinstance(remembered, Mapping) and isinstance(count := remembered.get("step"), Hand):
            read(count)


def value_of(remembered: Tensor) -> float:
    """The number in a tensor of one element."""
    return float(read(remembered).item())


def _is_own(count: Tensor) -> bool:
    """Whether nobody else sees the memory of a count."""
    return (
        type(count) is Tensor and not count._shared and not count._spec.shape and is_current(count)
        and count._spec.dtype in (float32, float64) and not count._spec.requires_grad
    )  # fmt: skip


def _join(value: float, counts: Sequence[Tensor]) -> None:
    clock = Clock(value, counts)
    for count in counts:
        del count._array
        count._rec = None
        count.__class__ = Hand
        count._clock_of = clock  # type: ignore[attr-defined]
