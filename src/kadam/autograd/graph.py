"""Around the backward graph. As `torch.autograd.graph`, as far as Kadam has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from kadam.errors import UnsupportedError
from kadam.recording.lineage import GradFn as Node


def saved_tensors_hooks(pack_hook: Any, unpack_hook: Any) -> NoReturn:
    """Raise: Kadam keeps saved values in its programs, where hooks could not pack them.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(
        "autograd.graph.saved_tensors_hooks is not in Kadam: saved values stand in compiled programs. Fix: leave the "
        "hooks out: a program keeps only what derivatives read."
    )


@contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda") -> Iterator[None]:
    """A block whose saved values are on the CPU, where they are in any case."""
    yield


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which there are no hooks of saved values, as everywhere in Kadam."""
    yield


__all__ = ["Node", "disable_saved_tensors_hooks", "save_on_cpu", "saved_tensors_hooks"]
