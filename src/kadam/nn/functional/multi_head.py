"""Attention of several heads, with the projections before and after it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kadam.dtypes import BOOL, FLOAT
from kadam.errors import ShapeError
from kadam.nn.functional.attention import drawn_weights, dropped, lower_triangle, share_kept, softmax_of_some
from kadam.nn.functional.linear import linear
from kadam.nn.functional.padding import pad
from kadam.ops.combine import cat
from kadam.ops.compare import where
from kadam.ops.promotion import cast, constant, stretched
from kadam.ops.slicing import chunk
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
        kept = drawn_weights((batch, num_heads, query.shape[0], source), p, query)
    return _multi_head(
        query, key, value, None if separate else in_proj_weight, in_proj_bias,
        q_proj_weight if separate else None, k_proj_weight if separate else None, v_proj_weight if separate else None,
        bias_k, bias_v, static_k, static_v, out_proj_weight, out_proj_bias, key_padding_mask, attn_mask, kept,
        share_kept(p), embed_dim_to_check, num_heads, add_zero_attn, need_weights, average_attn_weights, is_causal,
    )  # fmt: skip


@operation
def _multi_head(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
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
    share: Number | None,
    embed_dim: int,
    num_heads: int,
    add_zero_attn: bool,
    need_weights: bool,
    average: bool,
    is_causal: bool,
) -> tuple[Tensor, Tensor | None]:
    batched = _check_ranks(query, keys, values, key_padding_mask, attn_mask)
    if not batched:
        query, keys, values = (one.unsqueeze(1) for one in (query, keys, values))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    _check_sizes(query, keys, values, embed_dim, num_heads, q_proj_weight is not None)
    if q_proj_weight is None:
        projected = _projected_together(query, keys, values, in_proj_weight, in_proj_bias)
    else:
        projected = _projected(query, keys, values, (q_proj_weight, k_proj_weight, v_proj_weight), in_proj_bias)
    target, source = query.shape[0], keys.shape[0]
    q, k, v = _heads(projected, (bias_k, bias_v), (static_k, static_v), add_zero_attn, num_heads)
    mask = _merged_mask(q, attn_mask, key_padding_mask, (target, source), k.shape[0] - source, is_causal, need_weights)
    scores = emit(Dot((1, 2), (1, 2), (3,), (3,)), q * math.sqrt(1.0 / q.shape[-1]), k)
    if mask is None:
        weights = softmax(scores, -1)
    else:
        weights = softmax(scores + mask, -1) if need_weights else softmax_of_some(scores + mask)
    weights = dropped(weights, kept, share)
    seen = emit(Permute((2, 0, 1, 3)), emit(Dot((0, 1), (1, 2), (3,), (0,)), weights, v))
    output = linear(emit(Reshape(tuple(query.shape)), seen), out_proj_weight, out_proj_bias)
    if average:
        weights = weights.mean(1)
    if not batched:
        output, weights = output.squeeze(1), weights.squeeze(0)
    output._tag = "ViewBackward0" if batched else "SqueezeBackward1"
    return output, weights if need_weights else None


def _projected_together(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor | None, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """In a body: queries, keys and values by the three parts of one weight; of one sequence by one product.

    Raises:
        AttentionError: there is no weight.
    """
    if weight is None:
        raise AttentionError(
            "multi_head_attention_forward: use_separate_proj_weight is False but in_proj_weight is None. Fix: give "
            "in_proj_weight, or use_separate_proj_weight=True."
        )
    if query._node is key._node is value._node:
        return chunk(linear(query, weight, bias), 3, -1)
    return _projected(query, key, value, chunk(weight, 3), bias)


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weights: Sequence[Tensor | None], bias: Tensor | None
) -> tuple[Tensor, ...]:
    """In a body: queries, keys and values, each by its own weight.

    Raises:
        AttentionError: a weight is missing.
    """
    for name, weight in zip("qkv", weights, strict=True):
        if weight is None:
            raise AttentionError(
                f"multi_head_attention_forward: use_separate_proj_weight is True but {name}_proj_weight is None. Fix: "
                f"give {name}_proj_weight, or use_separate_proj_weight=False."
            )
    biases = (None,) * 3 if bias is None else chunk(bias, 3)
    return tuple(map(linear, (query, key, value), weights, biases))  # type: ignore[arg-type]


def _heads(
    projected: tuple[Tensor, ...],
    biases: tuple[Tensor | None, Tensor | None],
    statics: tuple[Tensor | None, Tensor | None],
    add_zero: bool,
    heads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """In a body: queries, keys and values, each f32[steps, batch, heads, size]; what is added comes last.

    Raises:
        AttentionError: only one of keys and values has a bias, or a static one does not fit.
    """
    q, *key_value = projected
    steps, batch, embed = q.shape
    size = embed // heads
    if (biases[0] is None) != (biases[1] is None):
        raise AttentionError(
            "multi_head_attention_forward: bias_k and bias_v must both be set, or neither. Fix: give both, or None "
            "for both."
        )
    found = []
    for name, one, bias, static in zip("kv", key_value, biases, statics, strict=True):
        if bias is not None:
            if static is not None:
                raise AttentionError(
                    "multi_head_attention_forward: bias cannot be added to static "
                    f"{'key' if name == 'k' else 'value'}. Fix: leave bias_k and bias_v out, or the static tensors."
                )
            one = cat([one, stretched(bias, (1, batch, embed))])
        if static is None:
            part = emit(Reshape((one.shape[0], batch, heads, size)), one)
        else:
            part = _static(name, static, batch, heads, size)
        if add_zero:
            part = cat([part, constant(0, part.dtype, (1, batch, heads, size))])
        found.append(part)
    return emit(Reshape((steps, batch, heads, size)), q), found[0], found[1]


def _static(name: str, static: Tensor, batch: int, heads: int, size: int) -> Tensor:
    if static.shape[0] != batch * heads or static.shape[2] != size:
        raise AttentionError(
            f"multi_head_attention_forward: expecting static_{name} of [{batch * heads}, source, {size}], but got "
            f"{list(static.shape)}. Fix: reshape it to [batch * heads, source, head size]."
        )
    return emit(Permute((2, 0, 1, 3)), emit(Reshape((batch, heads, *static.shape[1:])), static))


def _merged_mask(
    q: Tensor,
    attn_mask: Tensor | None,
    key_padding_mask: Tensor | None,
    sizes: tuple[int, int],
    added: int,
    is_causal: bool,
    need_weights: bool,
) -> Tensor | None:
    """In a body: what is added to the scores [batch, heads, target, source], or something that stretches to that.

    Raises:
        ShapeError: a mask has not the right shape, or the causal hint stands without one.
    """
    if is_causal and attn_mask is None:
        raise ShapeError(
            "multi_head_attention_forward: Need attn_mask if specifying the is_causal hint. Fix: "
            "attn_mask=nn.Transformer.generate_square_subsequent_mask(length)."
        )
    _, batch, heads, _ = q.shape
    target, source = sizes
    masks = []
    if is_causal and key_padding_mask is None and not need_weights:
        masks.append(where(lower_triangle(target, source + added), constant(0, q.dtype), -math.inf))
    elif attn_mask is not None:
        wanted = (target, source) if len(attn_mask.shape) == 2 else (batch * heads, target, source)
        if tuple(attn_mask.shape) != wanted:
            raise ShapeError(
                f"multi_head_attention: The shape of the {attn_mask.dim()}D attn_mask is {tuple(attn_mask.shape)}, but "
                f"should be {wanted}. Fix: give a mask of {wanted}."
            )
        mask = _additive("attn_mask", attn_mask, q, added)
        masks.append(mask if len(wanted) == 2 else mask.reshape(batch, heads, target, source + added))
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (batch, source):
            raise AttentionError(
                f"multi_head_attention: expecting key_padding_mask shape of {(batch, source)}, but got "
                f"{tuple(key_padding_mask.shape)}. Fix: give a mask of {(batch, source)}, True where the key is "
                "padding."
            )
        if attn_mask is not None and attn_mask.dtype is not key_padding_mask.dtype:
            warnings.warn(
                "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type for both instead.",
                stacklevel=2,
            )
        mask = _additive("key_padding_mask", key_padding_mask, q, added)
        masks.append(mask.reshape(batch, 1, 1, source + added))
    return None if not masks else masks[0] if len(masks) == 1 else masks[0] + masks[1]


def _additive(name: str, mask: Tensor, q: Tensor, added: int) -> Tensor:
    """In a body: a mask as numbers that are added to scores; what was added to the source is seen.

    Raises:
        AttentionError: it holds neither booleans nor floating-point numbers.
    """
    if mask.dtype.category == BOOL:
        mask = where(mask, -math.inf, constant(0, q.dtype, tuple(mask.shape)))
    elif mask.dtype.category != FLOAT:
        raise AttentionError(
            f"multi_head_attention: only bool and floating types of {name} are supported, got {mask.dtype!r}. Fix: "
            "mask.bool()."
        )
    return pad(cast(mask, q.dtype), (0, added)) if added else cast(mask, q.dtype)


def _check_ranks(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, attn_mask: Tensor | None
) -> bool:
    """Whether the operands have a batch axis.

    Raises:
        AttentionError: the query has neither 2 nor 3 axes, or the others do not match it.
    """
    rank = len(query.shape)
    if rank not in (2, 3):
        raise AttentionError(
            f"multi_head_attention: query should be unbatched 2D or batched 3D tensor but received {rank}-D query "
            "tensor. Fix: reshape to [length, batch, features], or [batch, length, features] with batch_first=True."
        )
    kind = f"{'batched' if rank == 3 else 'unbatched'} ({rank}-D) `query`"
    if len(key.shape) != rank or len(value.shape) != rank:
        raise AttentionError(
            f"multi_head_attention: For {kind}, expected `key` and `value` to be {rank}-D but found {key.dim()}-D and "
            f"{value.dim()}-D tensors. Fix: give key and value as many axes as the query."
        )
    if key_padding_mask is not None and len(key_padding_mask.shape) != rank - 1:
        raise AttentionError(
            f"multi_head_attention: For {kind}, expected `key_padding_mask` to be `None` or {rank - 1}-D but found "
            f"{key_padding_mask.dim()}-D tensor instead. Fix: key_padding_mask is [batch, source] for a batch, "
            "[source] for one sequence."
        )
    if attn_mask is not None and len(attn_mask.shape) not in (2, 3):
        raise AttentionError(
            f"multi_head_attention: For {kind}, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{attn_mask.dim()}-D tensor instead. Fix: attn_mask is [target, source] or [batch * heads, target, "
            "source]."
        )
    return rank == 3


def _check_sizes(query: Tensor, key: Tensor, value: Tensor, embed_dim: int, heads: int, separate: bool) -> None:
    if query.shape[-1] != embed_dim:
        raise AttentionError(
            f"multi_head_attention: was expecting embedding dimension of {embed_dim}, but got {query.shape[-1]}. Fix: "
            f"the layer needs embed_dim={query.shape[-1]}; batch_first says where the batch stands."
        )
    if embed_dim % heads:
        raise AttentionError(
            f"multi_head_attention: embed_dim {embed_dim} not divisible by num_heads {heads}. Fix: give a number of "
            f"heads that divides {embed_dim}."
        )
    if separate and key.shape[:2] != value.shape[:2]:
        raise AttentionError(
            f"multi_head_attention: key's sequence and batch dims {key.shape[:2]} do not match value's "
            f"{value.shape[:2]}. Fix: give key and value the same length and batch."
        )
    if not separate and key.shape != value.shape:
        raise AttentionError(
            f"multi_head_attention: key shape {key.shape} does not match value shape {value.shape}. Fix: give key and "
            "value one shape, or kdim and vdim of their sizes."
        )
    if key.shape[1] != query.shape[1]:
        raise ShapeError(
            f"multi_head_attention_forward: {query.shape[1]} samples of queries, {key.shape[1]} of keys. Fix: give "
            "both the same batch; batch_first=True if the batch stands first."
        )


__all__ = ["multi_head_attention_forward"]
