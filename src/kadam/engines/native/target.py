"""The processor that kernels are generated for: its instructions, registers and caches."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kadam.engines.native.llvm import NativeUnavailable, binding
from kadam.engines.native.threads import cores

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
DEFAULT_CACHE_BYTES = {1: 32 << 10, 2: 512 << 10}
# The processors that KADAM_TARGET may ask for instead of the host's own, to test what they would run.
STAND_INS = {
    "avx512": ("skylake-avx512", "+avx512f,+avx512vl,+avx512dq,+avx512bw,+fma"),
    "avx2": ("haswell", "+avx2,+fma"),
    "baseline": ("x86-64", "+sse2"),
}
# Processors that compute one multiply-add of 64 bytes in a cycle; others compute two.
ONE_MULTIPLIER = {"znver4", "cannonlake", "icelake-client", "tigerlake", "rocketlake"}
# Linux saves a matrix unit's registers, 8 KB a thread, for processes that ask for it: a call, a request, a component.
ARCH_PRCTL, ASK_FOR, TILE_DATA = 158, 0x1023, 18


@dataclass(frozen=True)
class Target:
    """A processor, as far as generated code depends on it.

    Attributes:
        triple: LLVM's name of architecture and system.
        cpu: LLVM's name of the processor.
        features: its instruction sets, as LLVM writes them: `+avx2,-avx512f`.
        vector_bytes: width of a vector register.
        vector_registers: how many of them there are.
        fma: whether `llvm.fma` is one instruction; else it is a slow call, exact all the same.
        multiply_adds: of whole vectors, that a core computes in a cycle.
        matrix_unit: whether this process may use a unit that multiplies matrices of bfloat16 (Intel's AMX).
        l1_bytes: first-level data cache of a core.
        l2_bytes: second-level cache of a core.
        cores: cores that this process may use.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    vector_registers: int
    fma: bool
    multiply_adds: int
    matrix_unit: bool
    l1_bytes: int
    l2_bytes: int
    cores: int

    @property
    def widens_lone_lanes(self) -> bool:
        """Whether LLVM 22 may store the only lane of a known mask as wide as it was before it was cut to its type.

        Its neighbours in memory are then overwritten. That is so where a masked store can cut too, which is AVX-512's.

        Source: LLVM's issue 179489, https://github.com/llvm/llvm-project/pull/179853.
        """
        return not self.features or "+avx512f" in self.features.split(",")  # no features: the processor's name has them


@cache
def host() -> Target:
    """The processor of this process, or the one that KADAM_TARGET (avx512, avx2, baseline) names instead.

    Raises:
        NativeUnavailable: no LLVM, a processor that Kadam generates no code for, or an unknown KADAM_TARGET.
    """
    llvm = binding()
    triple, wanted = llvm.get_process_triple(), os.environ.get("KADAM_TARGET", "")
    if wanted:
        cpu, features = _stand_in(wanted)
    else:
        cpu, features = llvm.get_host_cpu_name(), _host_features()
    known = set(features.split(","))
    vector_bytes, registers, fma = _vectors(triple, known)
    unit = vector_bytes == 64 and _matrix_unit(known)
    adds = 1 if vector_bytes == 64 and cpu in ONE_MULTIPLIER else 2
    caches = cache_bytes(1), cache_bytes(2)
    return Target(triple, cpu, features, vector_bytes, registers, fma, adds, unit, *caches, cores())


def cache_bytes(level: int) -> int:
    """The size of a core's data cache of a level (1 or 2); a usual one where the system does not tell."""
    found = _sysctl_bytes(level) if sys.platform == "darwin" else _sysfs_bytes(level)
    return found or DEFAULT_CACHE_BYTES[level]


def _stand_in(wanted: str) -> tuple[str, str]:
    if wanted not in STAND_INS or platform.machine().lower() not in ("x86_64", "amd64"):
        known = ", ".join(STAND_INS)
        raise NativeUnavailable(f"KADAM_TARGET={wanted} is unknown here. Fix: unset it, or on x86-64 one of {known}.")
    return STAND_INS[wanted]


def _host_features() -> str:
    try:
        return str(binding().get_host_cpu_features().flatten())
    except RuntimeError:  # LLVM cannot tell on this system; the processor's name implies the most of them
        return ""


def _vectors(triple: str, features: set[str]) -> tuple[int, int, bool]:
    """Width of a vector in bytes, how many registers, whether there is a fused multiply-add."""
    architecture = triple.split("-")[0]
    if architecture in ("aarch64", "arm64"):
        return 16, 32, True
    if architecture not in ("x86_64", "amd64"):
        raise NativeUnavailable(f"Kadam generates no native code for {architecture}.")
    if {"+avx512f", "+avx512vl", "+avx512dq", "+avx512bw"} <= features:
        return 64, 32, True
    if "+avx2" in features:
        return 32, 16, "+fma" in features
    return 16, 16, False


def _matrix_unit(features: set[str]) -> bool:
    """Whether kernels may use the matrix unit: the processor has it, and Linux grants it."""
    if sys.platform != "linux" or not {"+amx-tile", "+amx-bf16"} <= features:
        return False
    call: Callable[..., int] = ctypes.CDLL(None).syscall
    return call(ctypes.c_long(ARCH_PRCTL), ctypes.c_long(ASK_FOR), ctypes.c_long(TILE_DATA)) == 0


def _sysfs_bytes(level: int) -> int:
    for index in sorted(CACHES.glob("index*")):
        facts = {name: _read(index / name) for name in ("level", "type", "size")}
        if facts["level"] == str(level) and facts["type"] in ("Data", "Unified"):
            number, unit = facts["size"][:-1], facts["size"][-1:]
            if number.isdigit() and unit in ("K", "M"):
                return int(number) << {"K": 10, "M": 20}[unit]
    return 0


def _sysctl_bytes(level: int) -> int:
    """Apple's word on its performance cores, where it makes the difference, else on any core."""
    sysctl: Callable[..., int] = ctypes.CDLL(None).sysctlbyname
    for group in ("hw.perflevel0.", "hw."):
        value, size = ctypes.c_int64(0), ctypes.c_size_t(8)
        name = f"{group}l{level}{'d' if level == 1 else ''}cachesize".encode()
        if sysctl(name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)) == 0 and value.value > 0:
            return value.value
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
