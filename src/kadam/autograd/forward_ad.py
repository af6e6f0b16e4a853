"""Forward-mode differentiation, which Kadam does not have yet: each use says so."""

from __future__ import annotations

from typing import Any, NoReturn

from kadam.errors import UnsupportedError


def dual_level(*args: Any) -> NoReturn:
    """Raise: forward mode is not there.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(
        "autograd.forward_ad is not in Kadam yet; autograd.functional.jvp computes the same product. Fix: call "
        "torch.autograd.functional.jvp(f, inputs, v)."
    )


make_dual = unpack_dual = dual_level
