"""What libraries open around `vmap`, so that PyTorch's can index by a number: Kadam's always can."""

from __future__ import annotations

from contextlib import nullcontext


class TransformGetItemToIndex(nullcontext[None]):
    """Inside, `x[i]` with a 0-d tensor is an index: so it is everywhere."""


__all__ = ["TransformGetItemToIndex"]
