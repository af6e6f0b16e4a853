"""As `torch.distributed.tensor.experimental`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kadam import missing


@contextmanager
def implicit_replication() -> Iterator[None]:
    """Plain tensors count as whole on every process inside: with one process they are."""
    yield


__all__ = ["implicit_replication"]

missing.install(__name__)
