"""Around the backward graph. As `torch.autograd.graph`, as far as Kadam has it."""

from __future__ import annotations

from typing import Any, NoReturn

from kadam.errors import UnsupportedError


def saved_tensors_hooks(pack_hook: Any, unpack_hook: Any) -> NoReturn:
    """Raise: Kadam keeps saved values in its programs, where hooks could not pack them.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(
        "autograd.graph.saved_tensors_hooks is not in Kadam: saved values stand in compiled programs. Fix: leave the "
        "hooks out: a program keeps only what derivatives read."
    )
