"""Around the backward graph. As `torch.autograd.graph`, as far as Kadam has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kadam.recording.lineage import GradFn as Node
from kadam.recording.packing import Packing
from kadam.recording.step import state


class saved_tensors_hooks:  # noqa: N801  (PyTorch's name)
    """A block in which what derivatives will read is given to `pack_hook`, and what that returns to `unpack_hook` when
    they read it. As `torch.autograd.graph.saved_tensors_hooks`.

    The hook is called once for each value, at the end of the block or before a backward pass in it: Kadam saves what
    its derivatives read of a whole step, not what each operation's does.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._packing = Packing(pack_hook, unpack_hook)

    def __enter__(self) -> None:
        self._packing.begin()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._packing.end(kind is not None)


@contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda") -> Iterator[None]:
    """A block whose saved values are on the CPU, where they are in any case."""
    yield


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which `saved_tensors_hooks` may not begin: that raises with the message."""
    before, state.refusal = state.refusal, error_message
    try:
        yield
    finally:
        state.refusal = before


__all__ = ["Node", "disable_saved_tensors_hooks", "save_on_cpu", "saved_tensors_hooks"]
