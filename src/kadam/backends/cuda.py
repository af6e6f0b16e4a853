"""Switches of the kernels on GPUs, which are not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Matmul:
    """How GPUs multiply matrices; scripts set its switches."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _Matmul()


def is_built() -> bool:
    """False: Kadam computes on the CPU."""
    return False


def flash_sdp_enabled() -> bool:
    """Whether PyTorch may choose this kernel for attention: Kadam has but its own."""
    return True


def mem_efficient_sdp_enabled() -> bool:
    """As `flash_sdp_enabled`."""
    return True


def math_sdp_enabled() -> bool:
    """As `flash_sdp_enabled`."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Accepted, without effect."""


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Accepted, without effect."""


def enable_math_sdp(enabled: bool) -> None:
    """Accepted, without effect."""


@contextmanager
def sdp_kernel(*options: Any, **named_options: Any) -> Iterator[None]:
    """A region with a choice of kernels for attention, without effect."""
    yield
