"""Pools that also say where the largest elements are: short for `return_indices=True`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kadam.nn.functional import adaptive_pooling, fractional_pooling, pooling


def _with_indices(pool: Callable[..., Any]) -> Callable[..., Any]:
    """A pool that returns the places of the maxima beside them."""

    def pooled(input: Any, *args: Any, **kwargs: Any) -> Any:
        return pool(input, *args, **{**kwargs, "return_indices": True})

    pooled.__name__ = pooled.__qualname__ = f"{pool.__name__}_with_indices"
    pooled.__doc__ = f"`{pool.__name__}`, with the places of the maxima. As `torch.nn.functional.{pooled.__name__}`."
    return pooled


max_pool1d_with_indices = _with_indices(pooling.max_pool1d)
max_pool2d_with_indices = _with_indices(pooling.max_pool2d)
max_pool3d_with_indices = _with_indices(pooling.max_pool3d)
adaptive_max_pool1d_with_indices = _with_indices(adaptive_pooling.adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = _with_indices(adaptive_pooling.adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = _with_indices(adaptive_pooling.adaptive_max_pool3d)
fractional_max_pool2d_with_indices = _with_indices(fractional_pooling.fractional_max_pool2d)
fractional_max_pool3d_with_indices = _with_indices(fractional_pooling.fractional_max_pool3d)

__all__ = [
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d_with_indices", "adaptive_max_pool3d_with_indices",
    "fractional_max_pool2d_with_indices", "fractional_max_pool3d_with_indices", "max_pool1d_with_indices",
    "max_pool2d_with_indices", "max_pool3d_with_indices",
]  # fmt: skip
