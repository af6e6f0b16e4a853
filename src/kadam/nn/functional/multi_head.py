"""Attention of several heads, with the projections before and after it."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

from kadam.dtypes import BOOL, FLOAT
from kadam.errors import ShapeError
from kadam.nn.functional.attention import drawn_weights, dropped, lower_triangle, share, softmax_of_some
from kadam.nn.functional.linear import linear
from kadam.nn.functional.padding import pad
from kadam.ops.combine import cat
from kadam.ops.compare import where
from kadam.ops.promotion import cast, constant, stretched
from kadam.ops.shape import chunk
from kadam.ops.softmax import softmax
from kadam.primitives.contract import Dot
from kadam.primitives.move import Permute, Reshape
from kadam.recording.calls import emit
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


class AttentionError(ShapeError, AssertionError):
    """Operands of an attention that do not fit, which PyTorch asserts."""


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads. As `torch.nn.functional.multi_head_attention_forward`.

    Shapes:
        query f32[target, batch, embed], key f32[source, batch, kdim], value f32[source, batch, vdim], or all without
        batch -> output f32[target, batch, embed], weights f32[batch, target, source]

    Args:
        query: what looks.
        key: what is looked at.
        value: what is seen there.
        embed_dim_to_check: size of a query.
        num_heads: among which it is divided.
        in_proj_weight: f32[3 embed, embed], of queries, keys and values.
        in_proj_bias: f32[3 embed].
        bias_k: f32[1, 1, embed], a key added to the sequence.
        bias_v: f32[1, 1, embed], its value.
        add_zero_attn: whether a key and a value of zeros are added to it.
        dropout_p: the probability to drop a weight, in training.
        out_proj_weight: f32[embed, embed].
        out_proj_bias: f32[embed].
        training: whether weights are dropped.
        key_padding_mask: [batch, source]: True, or -inf, where a key is padding.
        need_weights: whether the weights are returned.
        attn_mask: [target, source] or [batch * heads, target, source]: True, or -inf, where not to look.
        use_separate_proj_weight: whether the next three stand for `in_proj_weight`.
        q_proj_weight: f32[embed, embed].
        k_proj_weight: f32[embed, kdim].
        v_proj_weight: f32[embed, vdim].
        static_k: f32[batch * heads, source, head], keys instead of the projected ones.
        static_v: f32[batch * heads, source, head], values instead of the projected ones.
        average_attn_weights: whether the returned weights are the mean over the heads.
        is_causal: a hint that `attn_mask` hides the future.

    Raises:
        AttentionError: operands do not fit each other.
        ShapeError: a mask has not the right shape.

    Source: Vaswani et al., "Attention is all you need", 2017.
    """
    separate = use_separate_proj_weight
    p = dropout_p if training else 0.0
    kept = None
    if p > 0.0:
        batch = query.shape[1] if len(query.shape) == 3 else 1
        source = key.shape[0] if static_k is None else static_k.shape[1]
        source += (bias_k is not None) + bool(add_zero_attn)
        kept = drawn_weights((batch, num_heads, query.shape[0], source), p)
    return _multi_head(
        query, key, value, None if separate else in_proj_weight, in_proj_bias,
        q_proj_weight if separate else None, k_proj_weight if separate else None, v_proj_weight if separate else None,
        bias_k, bias_v, static_k, static_v, out_proj_weight, out_proj_bias, key_padding_mask, attn_mask, kept,
        share(p), embed_dim_to_check, num_heads, add_zero_attn, need_weights, average_attn_weights, is_causal,
    )  # fmt: skip


@operation
def _multi_head(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    q_proj_weight: Tensor | None,
    k_proj_weight: Tensor | None,
    v_proj_weight: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    static_k: Tensor | None,
    static_v: Tensor | None,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    kept: Tensor | None,
    share: Number,
    embed_dim: int,
    num_heads: int,
    add_zero_attn: bool,
    need_weights: bool,
    average: bool,
    is_causal: bool,
) -> tuple[Tensor, Tensor | None]:
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask)
    own_source = key is value or key._node is value._node, query._node is key._node
    if not batched:
        query, key, value = (one.unsqueeze(1) for one in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    return query, None
