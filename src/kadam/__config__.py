"""How this build was made, as text. As `torch.__config__`."""

from __future__ import annotations

import os
import platform

import kadam


def show() -> str:
    """What the package is made of, for people to read and for programs that look for a word in it."""
    return (
        f"Kadam as PyTorch {kadam.__version__} built with:\n"
        f"  - Python {platform.python_version()}, LLVM compiles what runs often\n"
        f"  - processor: {platform.machine()}\n"
        f"  - Build settings: USE_CUDA=OFF, USE_CUDNN=OFF, USE_MKL=OFF, USE_MKLDNN=OFF, USE_OPENMP=OFF\n"
    )


def parallel_info() -> str:
    """How many threads there are, as text."""
    return f"ATen/Parallel:\n\tat::get_num_threads() : {kadam.get_num_threads()}\nprocessors : {os.cpu_count()}\n"


__all__ = ["parallel_info", "show"]
