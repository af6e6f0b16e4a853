"""As `torch._subclasses.fake_tensor`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kadam.absent import kinds

FakeTensor, FakeTensorMode = kinds(
    "torch._subclasses", "FakeTensor FakeTensorMode", "torch.empty(shape, device='meta') has a shape and no values."
)


def is_fake(x: Any) -> bool:
    """Whether something is a tensor without values for the compiler: nothing is."""
    return False


@contextmanager
def unset_fake_temporarily() -> Iterator[None]:
    """Tensors have values inside: they have them everywhere."""
    yield


__all__ = ["FakeTensor", "FakeTensorMode", "is_fake", "unset_fake_temporarily"]
