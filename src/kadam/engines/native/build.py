"""Kernels in memory: from texts to addresses, each text compiled once, here or by an earlier process.

A kernel's text is an LLVM module with `define void @kernel(ptr %args, i64 %begin, i64 %end)`. Code is kept until the
process ends: a program may hold its address for ever, and code is small.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from kadam.engines.native import objects
from kadam.engines.native.compiler import compile_all, machine
from kadam.engines.native.llvm import NativeUnavailable, binding, version
from kadam.engines.native.stats import counters
from kadam.engines.native.target import host

# Raised when what kernels may rely on changes, or how they are compiled: code of before on the disk is not used then.
ABI = 1

_PLACEHOLDER = re.compile(r"@kernel\b")
_TELL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_lock = threading.RLock()
_addresses: dict[bytes, int] = {}
_libraries: list[Any] = []


def addresses(texts: Sequence[str]) -> list[int]:
    """The address of each kernel; what is not yet in memory is loaded from the disk or compiled.

    Raises:
        NativeUnavailable: there is no LLVM, or it does not take a text.
    """
    keys = [_key(text) for text in texts]
    with _lock:
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in _addresses}
        counters.kernels_shared += len(texts) - len(missing)
        if missing:
            _addresses.update(_build(missing))
        return [_addresses[key] for key in keys]


def told(start: int, count: int) -> list[int]:
    """The addresses of a text's functions. Texts that are no kernels are kept and loaded as such all the same; run as
    one, such a text tells where its functions stand."""
    found = (ctypes.c_void_p * count)()
    _TELL(start)(ctypes.addressof(found), 0, 1)
    return [int(one or 0) for one in found]


def named(text: str, name: str) -> str:
    """A kernel's text with the placeholder `@kernel` replaced by its name."""
    found, replaced = _PLACEHOLDER.subn(f"@{name}", text)
    if not replaced:
        raise NativeUnavailable("A kernel's text defines no @kernel: a defect of Kadam.")
    return found


@cache
def _fingerprint() -> str:
    target = host()
    return f"kadam {ABI}, LLVM {version()}, {target.triple}, {target.cpu}, {target.features}\n"


def _key(text: str) -> bytes:
    return hashlib.sha256((_fingerprint() + text).encode()).digest()


def _symbol(key: bytes) -> str:
    return "kadam_" + key.hex()[:32]


def _build(missing: dict[bytes, str]) -> dict[bytes, int]:
    """Load what the disk holds, compile the rest, link both."""
    started = time.perf_counter()
    stored = {key: code for key in missing if (code := objects.load(key)) is not None}
    if stored:
        try:
            found = _link(stored)
            counters.kernels_loaded += len(stored)
        except NativeUnavailable:  # whole files that do not link all the same: made elsewhere, somehow
            counters.objects_rejected += len(stored)
            found = {}
    else:
        found = {}
    counters.load_s += time.perf_counter() - started
    return found | _compile({key: text for key, text in missing.items() if key not in found})


def _compile(texts: dict[bytes, str]) -> dict[bytes, int]:
    if not texts:
        return {}
    started = time.perf_counter()
    modules = [named(text, _symbol(key)) for key, text in texts.items()]
    compiled = dict(zip(texts, compile_all(host(), modules), strict=True))
    counters.kernels_compiled += len(compiled)
    counters.compile_s += time.perf_counter() - started
    started = time.perf_counter()
    found = _link(compiled)
    counters.load_s += time.perf_counter() - started
    for key, code in compiled.items():
        counters.objects_stored += objects.store(key, code)
    return found


def _link(codes: dict[bytes, bytes]) -> dict[bytes, int]:
    """Put object code into executable memory; what it calls (libm, pthreads) is found in the process."""
    library = binding().JITLibraryBuilder()
    for key, code in codes.items():
        library.add_object_img(code).export_symbol(_symbol(key))
    try:
        tracker = library.add_current_process().link(_linker(), f"build{len(_libraries)}")
    except RuntimeError as error:
        _libraries.append(None)  # the name is used up
        raise NativeUnavailable(f"LLVM cannot link a kernel: {error}") from error
    _libraries.append(tracker)
    counters.code_bytes += sum(map(len, codes.values()))
    return {key: tracker[_symbol(key)] for key in codes}


@cache
def _linker() -> Any:
    try:
        return binding().create_lljit_compiler(machine(host()), use_jit_link=True, suppress_errors=True)
    except RuntimeError as error:
        raise NativeUnavailable(f"LLVM cannot load code here: {error}") from error


# A fork waits for a build to end: in the child nobody would finish it, and its locks would stay taken.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
