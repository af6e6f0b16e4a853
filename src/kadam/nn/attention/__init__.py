"""By which kernel attention is computed: Kadam makes its own for each graph. As `torch.nn.attention`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, IntEnum

from kadam import missing


class SDPBackend(IntEnum):
    """PyTorch's kernels of scaled dot product attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4

    __str__ = Enum.__str__


@contextmanager
def sdpa_kernel(backends: Sequence[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[None]:
    """Inside, attention may use these of PyTorch's kernels: whichever it is, they mean the same.

    Raises:
        AssertionError: `backends` is no kernel and no list of kernels.
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, Sequence) or not all(isinstance(one, SDPBackend) for one in chosen):
        raise AssertionError(
            f"sdpa_kernel: {backends!r} is no SDPBackend and no list of them. Fix: sdpa_kernel(SDPBackend.MATH)."
        )
    yield


__all__ = ["SDPBackend", "sdpa_kernel"]

missing.install(__name__)
