"""Tensors that one call reads and updates all at once, at every step: an optimizer's moments.

What recordings note of a tensor they note of a herd once, however many its tensors are. That holds as long as nobody
else asks for one of them; then the herd scatters, and each tensor is again like any other.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kadam.hot import hot, slotted
from kadam.recording.step import Anchor, Recording

if TYPE_CHECKING:
    from kadam.recording.tensor import Recorded


@slotted
class Bond(Anchor):
    """Stands in `_rec` of a herd's tensors; `rec` is the recording that has their newest values, if any.

    It counts as open until the herd scatters, so that whoever meets one of the tensors looks closer.
    """

    __slots__ = ("herd",)

    def __init__(self, herd: Herd) -> None:
        super().__init__(None)
        self.herd = weakref.ref(herd)


@slotted
class Herd(list["Recorded"]):
    """Tensors in memory of their own that nothing else sees, and to which no gradients flow.

    Attributes:
        bond: what they have in common.
        arrays: their memory.
        specs: theirs, as they stand in a key.
        first: the position of the first, in the recording that has met them.
    """

    __slots__ = ("__weakref__", "arrays", "bond", "first", "specs")

    def __init__(self, tensors: Iterable[Recorded]) -> None:
        super().__init__(tensors)
        self.bond = Bond(self)
        self.arrays: list[Any] = [one._array for one in self]
        self.specs = tuple([one._spec for one in self])
        self.first = 0
        for one in self:
            one._rec = self.bond

    @property
    def together(self) -> bool:
        """Whether none of the tensors has been asked for."""
        return self.bond.open

    @hot
    def admit(self, rec: Recording) -> tuple[Any, ...]:
        """Make the tensors feeds of `rec`: their part of the key."""
        rec.feeds += self
        rec.values += self.arrays
        self.first = -len(rec.feeds)
        return self.specs

    @hot
    def update(self, rec: Recording, start: int) -> None:
        """The tensors have new values: the results of `rec` from position `start` on."""
        self.first, self.bond.rec = start, rec
        rec.herds = (*rec.herds, self)

    def settle(self) -> None:
        """Let each tensor know its position."""
        if not self.together:
            return  # it knows better
        last = self.first + len(self) - 1
        for index, one in enumerate(self):
            one._pos = self.first + index if self.first >= 0 else last - index

    def scatter(self) -> None:
        """Part with the tensors: what a recording knows of them it knows of each."""
        rec = self.bond.rec
        if rec is not None:
            self.settle()
            rec.loose = True
        for one in self:
            one._rec = rec
        self.bond.open = False


def may_herd(tensor: Recorded) -> bool:
    """Whether a tensor can be one of a herd."""
    at = tensor._rec
    return not (
        tensor._array is None
        or tensor._shared
        or tensor._base is not None
        or tensor._spec.requires_grad
        or (at is not None and at.open)
    )


def leave_herd(tensor: Recorded) -> None:
    """Let a tensor be like any other; those it was with are so too."""
    bond = tensor._rec
    if bond.__class__ is Bond:
        herd = bond.herd()
        if herd is None:  # nobody updates it any more
            tensor._rec = None
        else:
            herd.scatter()
