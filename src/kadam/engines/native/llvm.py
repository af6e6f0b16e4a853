"""LLVM, loaded when it is first needed: importing Kadam must not pay for it."""

from __future__ import annotations

from functools import cache
from typing import Any

from kadam.errors import KadamError


class NativeUnavailable(KadamError):  # noqa: N818  (it says what is so)
    """The native engine cannot run here, or LLVM refused a kernel.

    Attributes:
        reason: why, in a sentence for the user.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@cache
def binding() -> Any:
    """`llvmlite.binding`, ready to generate code for this host.

    Raises:
        NativeUnavailable: llvmlite is not installed or does not load.
    """
    try:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.check_jit_execution()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise NativeUnavailable(f"LLVM does not load: {error}") from error
    return llvm


def version() -> str:
    """The version of LLVM, such as '22.1.0'."""
    return ".".join(map(str, binding().llvm_version_info))
