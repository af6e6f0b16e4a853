"""Functions with a derivative of their own in regions of lower precision. As `torch.amp.custom_fwd`, `custom_bwd`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from kadam.amp.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from kadam.dtypes import dtype, float64
from kadam.recording.tensor import Recorded

Method = Callable[..., Any]


def custom_fwd(fwd: Method | None = None, *, device_type: str, cast_inputs: dtype | None = None) -> Any:
    """Decorates `forward` of an `autograd.Function`, so that its `backward` runs in the same kind of region.

    Args:
        fwd: the method; without it, a decorator is returned.
        device_type: whose regions count.
        cast_inputs: the type that tensors of real numbers are converted to in a region; `forward` then runs outside it.
    """
    if fwd is None:
        return partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @wraps(fwd)
    def called(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        inside = is_autocast_enabled(device_type)
        ctx._dtype, ctx._fwd_used_autocast = get_autocast_dtype(device_type), inside and cast_inputs is None
        if not inside or cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_cast(args, cast_inputs), **_cast(kwargs, cast_inputs))

    return called


def custom_bwd(bwd: Method | None = None, *, device_type: str) -> Any:
    """Decorates `backward` of an `autograd.Function` whose `forward` has `custom_fwd`.

    Args:
        bwd: the method; without it, a decorator is returned.
        device_type: as that of `custom_fwd`.
    """
    if bwd is None:
        return partial(custom_bwd, device_type=device_type)

    @wraps(bwd)
    def called(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args, **kwargs)

    return called


def _cast(value: Any, kind: dtype) -> Any:
    """The tensors of real numbers in a nest, converted; float64 stays."""
    if isinstance(value, Recorded):
        real = value.dtype.is_floating_point and value.dtype is not float64
        return value.to(kind) if real else value  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {key: _cast(one, kind) for key, one in value.items()}
    return type(value)(_cast(one, kind) for one in value) if isinstance(value, list | tuple) else value


__all__ = ["custom_bwd", "custom_fwd"]
