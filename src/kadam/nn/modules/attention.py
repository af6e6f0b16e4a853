"""Attention of several heads."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import dtype
from kadam.errors import AssertedError
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.linear import NonDynamicallyQuantizableLinear
from kadam.nn.modules.module import Module
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class MultiheadAttention(Module):
    """softmax(q k^T / sqrt(size)) v for each head; the heads' outputs are joined and projected.

    Shapes: query f32[target, batch, embed_dim], key f32[source, batch, kdim], value f32[source, batch, vdim], or with
        the batch first, or without one -> f32[target, batch, embed_dim] and weights f32[batch, target, source].

    Args:
        embed_dim: size of a vector, divided among the heads.
        num_heads: the number of heads.
        dropout: the probability to drop a weight, in training.
        bias: whether the projections have biases.
        add_bias_kv: whether a learned key and value are added to the sequence.
        add_zero_attn: whether a key and a value of zeros are added to it.
        kdim: size of a key; `embed_dim` by default.
        vdim: size of a value; `embed_dim` by default.
        batch_first: whether the batch is the first axis.
        device: the CPU.
        dtype: of the parameters.

    Raises:
        ValueError: a size is not positive, or `embed_dim` cannot be divided among the heads.

    Source: Vaswani et al., "Attention is all you need", 2017.
    """

    in_proj_weight: Tensor | None
    q_proj_weight: Tensor | None
    k_proj_weight: Tensor | None
    v_proj_weight: Tensor | None
    in_proj_bias: Tensor | None
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ArgumentError(
                f"MultiheadAttention: embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead. Fix: give both as at least 1."
            )
        if embed_dim % num_heads != 0:
            raise AssertedError(
                f"MultiheadAttention: embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}. Fix: "
                f"give a num_heads that divides {embed_dim}."
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        self._make_parameters(bias, add_bias_kv, device=device, dtype=dtype)
        self._reset_parameters()

    @property
    def _qkv_same_embed_dim(self) -> bool:
        return self.kdim == self.embed_dim and self.vdim == self.embed_dim

    def _make_parameters(self, bias: bool, add_bias_kv: bool, **factory: Any) -> None:
        size, joined = self.embed_dim, self._qkv_same_embed_dim
        shapes = {
            "q_proj_weight": None if joined else (size, size),
            "k_proj_weight": None if joined else (size, self.kdim),
            "v_proj_weight": None if joined else (size, self.vdim),
            "in_proj_weight": (3 * size, size) if joined else None,
            "in_proj_bias": (3 * size,) if bias else None,
            "bias_k": (1, 1, size) if add_bias_kv else None,
            "bias_v": (1, 1, size) if add_bias_kv else None,
        }
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else Parameter(empty(shape, **factory)))
        self.out_proj = NonDynamicallyQuantizableLinear(size, size, bias=bias, **factory)

    def _reset_parameters(self) -> None:
        """Draw the parameters anew, after Glorot; the biases are 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Args:
            query: what looks.
            key: what is looked at.
            value: what is seen there.
            key_padding_mask: [batch, source]: True, or -inf, where a key is padding.
            need_weights: whether the weights are returned; without them attention is faster.
            attn_mask: [target, source] or [batch * heads, target, source]: True, or -inf, where not to look.
            average_attn_weights: whether the returned weights are the mean over the heads.
            is_causal: a hint that `attn_mask` hides the future.

        Returns:
            The output, and the weights or None.
        """
        swapped = self.batch_first and query.dim() == 3
        if swapped:
            same_key, same_value = key is query, value is key
            query = query.transpose(1, 0)
            key = query if same_key else key.transpose(1, 0)
            value = key if same_value else value.transpose(1, 0)
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(1, 0) if swapped else output), weights
