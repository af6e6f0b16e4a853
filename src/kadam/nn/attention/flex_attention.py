"""Attention whose scores a function changes, compiled for GPUs. As `torch.nn.attention.flex_attention`."""

from __future__ import annotations

from kadam import missing
from kadam.absent import functions, kinds

_MODULE = "torch.nn.attention.flex_attention"
_INSTEAD = "torch.nn.functional.scaled_dot_product_attention, with the mask as a tensor."

_DEFAULT_SPARSE_BLOCK_SIZE = 128  # of queries and of keys: what libraries pad to
AuxOutput, AuxRequest, BlockMask = kinds(_MODULE, "AuxOutput AuxRequest BlockMask", _INSTEAD)
create_block_mask, create_mask, flex_attention = functions(
    _MODULE, "create_block_mask create_mask flex_attention", _INSTEAD
)

__all__ = ["AuxOutput", "AuxRequest", "BlockMask", "create_block_mask", "create_mask", "flex_attention"]

missing.install(__name__)
