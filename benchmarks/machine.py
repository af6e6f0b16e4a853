"""What this machine can do: the best matrix product, the copy bandwidth; and what an installation weighs.

python benchmarks/machine.py limits THREADS
python benchmarks/machine.py size PACKAGE

Prints JSON.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SIZES = (1024, 2048)
REPEATS = 8
COPIED_BYTES = 256 * 2**20


def limits(threads: int) -> dict[str, Any]:
    """Best f32 products in GFLOP/s and copies in GB/s (read and written bytes), on one and on all threads."""
    found: dict[str, Any] = {"gemm_gflops": {}, "copy_gbs": {}}
    for count in sorted({1, threads}):
        found["gemm_gflops"] |= {f"numpy, {count}": numpy_gemm(count), f"torch, {count}": torch_gemm(count)}
        found["copy_gbs"][str(count)] = copy_bandwidth(count)
    found["peak_gflops"] = max(found["gemm_gflops"].values())
    return found


def best_s(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """The shortest of some times, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def numpy_gemm(threads: int) -> float:
    """GFLOP/s of NumPy's best square product."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        found = []
        for n in SIZES:
            a, b, out = np.random.rand(3, n, n).astype(np.float32)
            found.append(2 * n**3 / best_s(lambda a=a, b=b, out=out: np.matmul(a, b, out=out)) / 1e9)
    return max(found)


def torch_gemm(threads: int) -> float:
    """GFLOP/s of PyTorch's best square product."""
    import torch

    torch.set_num_threads(threads)
    found = []
    for n in SIZES:
        a, b, out = torch.rand(3, n, n)
        found.append(2 * n**3 / best_s(lambda a=a, b=b, out=out: torch.mm(a, b, out=out)) / 1e9)
    return max(found)


def copy_bandwidth(threads: int) -> float:
    """GB/s that a copy much larger than the caches reads and writes."""
    import numpy as np

    source, target = np.ones(COPIED_BYTES // 4, np.float32), np.zeros(COPIED_BYTES // 4, np.float32)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        seconds = best_s(lambda: list(pool.map(lambda part: np.copyto(*part), parts)))
    return 2 * source.nbytes / seconds / 1e9


def facts() -> dict[str, Any]:
    """The processor, the system and the versions; nothing that names this machine."""
    processor = platform.processor()
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    flags = next((line.split() for line in _lines("/proc/cpuinfo") if line.startswith("flags")), [])
    vectors = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if name in flags]
    return {
        "processor": processor,
        "architecture": platform.machine(),
        "vectors": vectors,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def busy_share(seconds: float = 0.5) -> float | None:
    """How much of all cores is in use just now, from 0 to 1; None where the system does not say."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] == before[1]:
        return None
    return 1 - (after[0] - before[0]) / (after[1] - before[1])


def _ticks() -> tuple[int, int] | None:
    """Idle and all ticks of the cores since the start."""
    line = next(iter(_lines("/proc/stat")), "")
    ticks = [int(word) for word in line.split()[1:9]]
    return (ticks[3] + ticks[4], sum(ticks)) if ticks else None


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def size(package: str) -> dict[str, Any]:
    """The version of a package, and the bytes of its files and of all that it needs, without compiled Python."""
    seen: set[str] = set()
    waiting, total = [package], 0
    while waiting:
        name = waiting.pop()
        if re.sub(r"[-_.]+", "-", name).lower() in seen:
            continue
        seen.add(re.sub(r"[-_.]+", "-", name).lower())
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # it is for another system or Python
        waiting += [re.match(r"[\w.-]+", need)[0] for need in found.requires or () if "extra ==" not in need]
        files = {Path(found.locate_file(file)).resolve() for file in found.files or ()}
        if name == package:  # an editable one stands elsewhere
            files |= set(Path(importlib.util.find_spec(name).origin).resolve().parent.rglob("*"))
        total += sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")
    return {"version": importlib.metadata.version(package), "install_bytes": total}


if __name__ == "__main__":
    answer = limits(int(sys.argv[2])) if sys.argv[1] == "limits" else size(sys.argv[2])
    print(json.dumps(answer))
