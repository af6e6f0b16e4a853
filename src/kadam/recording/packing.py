"""What derivatives will read, packed by the user's functions until they do: `saved_tensors_hooks`.

A block with such functions is recorded by itself: the recording is cut where the block begins, where it ends and before
a backward pass in it. So what is saved stands in histories, and is packed there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kadam.errors import GradientError, OperandError
from kadam.recording.backward_pass import as_tensor
from kadam.recording.history import History
from kadam.recording.modes import grad_mode
from kadam.recording.step import cut, enter_region, state
from kadam.recording.tensor import Recorded, read

Hook = Callable[[Any], Any]


class Packing:
    """A block whose saved values are packed.

    Attributes:
        pending: histories of the block whose values are yet to be packed.
    """

    def __init__(self, pack: Hook, unpack: Hook) -> None:
        self.pack, self.unpack = pack, unpack
        self.pending: list[History] = []
        self._outer: list[Packing | None] = []

    def begin(self) -> None:
        """From here on, what is saved is packed."""
        if state.refusal is not None:
            raise GradientError(f"{state.refusal} Fix: leave disable_saved_tensors_hooks before saved_tensors_hooks.")
        settle()
        self._outer.append(state.packing)
        _go_on(self)

    def end(self, failed: bool) -> None:
        """What is saved from here on is left as it is, or packed by the block around this one."""
        try:
            if failed:
                self.pending.clear()
            settle()
        finally:
            self.pending.clear()
            _go_on(self._outer.pop())

    def settle(self) -> None:
        """Pack what has been saved so far."""
        while self.pending:
            history = self.pending.pop(0)
            with grad_mode(False):
                for one in history.read_ones():
                    self._pack(history, one)

    def _pack(self, history: History, one: int) -> None:
        owner = history.owner_of(one)
        tensor: Any = as_tensor(history, one) if owner is None else owner
        unpack = self.packed(tensor)
        history.keep_packed(one, lambda: read(unpack()))

    def packed(self, tensor: Recorded) -> Callable[[], Recorded]:
        """What gives a tensor back that the user's function has packed."""
        version = tensor.root._changes
        with grad_mode(False):
            packed = self.pack(tensor)
        if tensor.root._changes != version:
            raise GradientError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook can "
                "not be modified by in-place operations as this can lead to unexpected side-effects. Fix: x.clone() in "
                "the hook."
            )
        return lambda: self._unpacked(packed)

    def _unpacked(self, packed: Any) -> Recorded:
        with grad_mode(False):
            tensor = self.unpack(packed)
        if not isinstance(tensor, Recorded):
            raise OperandError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(tensor).__name__}. Fix: return the tensor that was packed."
            )
        return tensor


def _go_on(packing: Packing | None) -> None:
    state.packing = packing
    enter_region(None)  # nothing is recorded yet: it begins at the roots of that region


def settle() -> None:
    """Cut the recording, and pack what it has saved if it stands in such a block."""
    rec = state.rec
    if rec is not None and rec.open and rec.here.parent is not None:
        cut(rec)
    if state.packing is not None:
        state.packing.settle()
