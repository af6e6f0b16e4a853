"""PyTorch's global switches, so that scripts may set them."""

from __future__ import annotations

import os
from typing import Any

from kadam.device import default_device, device
from kadam.device import set_default_device as set_default_device
from kadam.engines.native import threads
from kadam.errors import RangeError
from kadam.recording.arguments import check_arguments

_state: dict[str, Any] = {"interop": os.cpu_count() or 1, "deterministic": False,
                          "warn_only": False, "warn_always": False, "precision": "highest"}  # fmt: skip


def get_num_threads() -> int:
    """How many threads a step may use. As `torch.get_num_threads`."""
    return threads.threads()


def set_num_threads(count: int) -> None:
    """Set how many threads a step may use. As `torch.set_num_threads`.

    Raises:
        RangeError: not a positive number.
    """
    if not isinstance(count, int):
        raise RangeError(
            f"set_num_threads expects an int, but got {type(count).__name__}. Fix: torch.set_num_threads(1)."
        )
    if count <= 0:
        raise RangeError(f"set_num_threads expects a positive integer, not {count}. Fix: torch.set_num_threads(1).")
    threads.set_threads(int(count))


def get_num_interop_threads() -> int:
    """How many threads independent calls may use. As `torch.get_num_interop_threads`."""
    return int(_state["interop"])


def set_num_interop_threads(threads: int) -> None:
    """Set how many threads independent calls may use. As `torch.set_num_interop_threads`."""
    _state["interop"] = int(threads)


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: Kadam's runs are deterministic. As `torch.use_deterministic_algorithms`."""
    check_arguments("use_deterministic_algorithms", {"mode": "bool"}, [("mode", mode)])
    _state["deterministic"], _state["warn_only"] = bool(mode), bool(mode and warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What `use_deterministic_algorithms` was given. As PyTorch."""
    return bool(_state["deterministic"])


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted: Kadam computes products in full precision. As `torch.set_float32_matmul_precision`."""
    _state["precision"] = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` was given. As PyTorch."""
    return str(_state["precision"])


def get_default_device() -> device:
    """Where new tensors are made that do not say. As `torch.get_default_device`."""
    return default_device()


_BACKENDS = (
    "inductor", "eager", "aot_eager", "aot_eager_decomp_partition", "aot_eager_default_partitioner", "aot_ts",
    "cudagraphs", "eager_debug", "eager_noexcept", "invoke_subgraph", "openxla", "openxla_eval", "pre_dispatch_eager",
    "ts", "tvm",
)  # fmt: skip
_MODES = ("default", "lite", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    **others: Any,
) -> Any:
    """The function itself, or a module around the given one: Kadam compiles steps anyway. As `torch.compile`.

    Raises:
        RangeError: PyTorch has no such backend or mode, or both a mode and options are given.
    """
    if isinstance(backend, str) and backend not in _BACKENDS:
        raise RangeError(f"compile: Invalid backend: {backend!r}. Fix: one of {', '.join(_BACKENDS)}.")
    if mode is not None and options is not None:
        raise RangeError("compile: Either mode or options can be specified, but not both. Fix: drop one of them.")
    if backend == "inductor" and mode is not None and mode not in _MODES:
        raise RangeError(f"compile: Unrecognized mode={mode}. Fix: one of {', '.join(_MODES)}.")
    if model is None:
        return _around
    return _around(model)


def _around(model: Any) -> Any:
    from kadam.nn.modules.module import Module

    if not isinstance(model, Module):
        return model
    from kadam._dynamo.eval_frame import OptimizedModule

    return OptimizedModule(model)


def set_warn_always(warn: bool) -> None:
    """Accepted. As `torch.set_warn_always`."""
    _state["warn_always"] = bool(warn)


def set_flush_denormal(mode: bool) -> bool:
    """False: Kadam keeps denormal numbers. As `torch.set_flush_denormal` where it is not supported."""
    return False


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether `use_deterministic_algorithms` was given `warn_only`. As PyTorch."""
    return bool(_state["warn_only"])


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by a number or a word. As `torch.set_deterministic_debug_mode`.

    Raises:
        RangeError: neither 0, 1, 2 nor "default", "warn", "error".
    """
    numbers = dict(zip(_DEBUG_MODES, range(3), strict=True))
    number = numbers.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if number not in (0, 1, 2):
        raise RangeError(
            f"set_deterministic_debug_mode: invalid value of debug_mode, expected one of {list(_DEBUG_MODES)}, but got "
            f"{debug_mode}. Fix: 'default'."
        )
    use_deterministic_algorithms(number > 0, warn_only=number == 1)


def get_deterministic_debug_mode() -> int:
    """0: not asked for; 1: with warnings; 2: asked for. As `torch.get_deterministic_debug_mode`."""
    return (1 if _state["warn_only"] else 2) if _state["deterministic"] else 0


_DEBUG_MODES = ("default", "warn", "error")


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was given. As PyTorch."""
    return bool(_state["warn_always"])
