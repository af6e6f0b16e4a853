"""Around the backward graph. As `torch.autograd.graph`, as far as Kadam has it."""

from __future__ import annotations

from typing import Any


class saved_tensors_hooks:  # noqa: N801  (PyTorch's name)
    """Accepted; Kadam keeps saved values in its programs, where hooks have nothing to pack."""

    def __init__(self, pack_hook: Any, unpack_hook: Any) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        return None
