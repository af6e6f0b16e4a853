"""What the native engine has done for programs in this process, counted."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass
class Stats:
    """Counters of the native engine; they only grow.

    Attributes:
        programs: launch tables that were built.
        kernels_compiled: kernels that LLVM compiled.
        kernels_loaded: kernels whose machine code came from the disk.
        kernels_shared: requests for a kernel that stood in memory already.
        objects_stored: machine code written to the disk.
        objects_rejected: files of the disk cache that were damaged, foreign or not the user's own.
        compile_s: wall time spent in LLVM, in seconds.
        load_s: wall time spent reading and linking machine code, in seconds.
        code_bytes: size of the object code in memory.
    """

    programs: int = 0
    kernels_compiled: int = 0
    kernels_loaded: int = 0
    kernels_shared: int = 0
    objects_stored: int = 0
    objects_rejected: int = 0
    compile_s: float = 0.0
    load_s: float = 0.0
    code_bytes: int = 0


counters = Stats()


def stats() -> Stats:
    """A copy of the counters as they stand now."""
    return replace(counters)
