"""The layers of transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kadam.dtypes import dtype
from kadam.errors import ShapeError
from kadam.nn import functional as F
from kadam.nn.modules.activation import GELU, ReLU
from kadam.nn.modules.attention import MultiheadAttention
from kadam.nn.modules.dropout import Dropout
from kadam.nn.modules.linear import Linear
from kadam.nn.modules.module import Module
from kadam.nn.modules.normalization import LayerNorm
from kadam.tensor import Tensor

Activation = str | Callable[[Tensor], Tensor]


def _activation(chosen: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(chosen, str):
        return chosen
    if chosen not in ("relu", "gelu"):
        raise ShapeError(
            f"TransformerEncoderLayer: activation should be relu/gelu, not {chosen}. Fix: activation='relu', 'gelu' or "
            "a function."
        )
    return F.relu if chosen == "relu" else F.gelu


class TransformerEncoderLayer(Module):
    """Self-attention, then a network of two layers at each position; each is added to its input and normalised.

    Shapes: src f32[steps, batch, d_model], or with the batch first, or without one -> the same.

    Args:
        d_model: size of a vector.
        nhead: the number of heads.
        dim_feedforward: size of the hidden layer.
        dropout: the probability to drop an element, in training.
        activation: `relu`, `gelu` or a function.
        layer_norm_eps: of the normalisations.
        batch_first: whether the batch is the first axis.
        norm_first: whether inputs are normalised instead of outputs.
        bias: whether there are biases.
        device: the CPU.
        dtype: of the parameters.

    Source: Vaswani et al., "Attention is all you need", 2017.
    """

    _derived = ("activation_relu_or_gelu",)

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__()
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **factory
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **factory)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **factory)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _activation(activation)

    @property
    def activation_relu_or_gelu(self) -> int:
        """1 with ReLU, 2 with GELU, 0 with another activation."""
        chosen = self.activation
        if chosen is F.relu or isinstance(chosen, ReLU):
            return 1
        return 2 if chosen is F.gelu or isinstance(chosen, GELU) else 0

    @property
    def skips_padding(self) -> bool:
        """Whether PyTorch computes this layer, in evaluation, without its padding."""
        attention = self.self_attn
        return (
            not (self.training or self.norm_first)
            and attention.batch_first
            and attention.in_proj_weight is not None
            and attention.in_proj_bias is not None
            and attention.num_heads % 2 == 0
            and self.norm1.eps == self.norm2.eps
            and self.activation_relu_or_gelu > 0
        )

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Encode.

        Args:
            src: the sequence.
            src_mask: where not to look, as `attn_mask` of `MultiheadAttention`.
            src_key_padding_mask: what is padding.
            is_causal: a hint that `src_mask` hides the future.
        """
        if self.norm_first:
            src = src + self._sa_block(self.norm1(src), src_mask, src_key_padding_mask, is_causal)
            return src + self._ff_block(self.norm2(src))
        src = self.norm1(src + self._sa_block(src, src_mask, src_key_padding_mask, is_causal))
        encoded: Tensor = self.norm2(src + self._ff_block(src))
        return encoded

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        attended = self.self_attn(
            x,
            x,
            x,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            need_weights=False,
            is_causal=is_causal,
        )[0]
        dropped: Tensor = self.dropout1(attended)
        return dropped

    def _ff_block(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return dropped


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's output, then a network of two layers at each position.

    Shapes: tgt f32[steps, batch, d_model] and memory f32[source, batch, d_model], or with the batch first, or without
        one -> as tgt.

    Args:
        d_model: size of a vector.
        nhead: the number of heads.
        dim_feedforward: size of the hidden layer.
        dropout: the probability to drop an element, in training.
        activation: `relu`, `gelu` or a function.
        layer_norm_eps: of the normalisations.
        batch_first: whether the batch is the first axis.
        norm_first: whether inputs are normalised instead of outputs.
        bias: whether there are biases.
        device: the CPU.
        dtype: of the parameters.

    Source: Vaswani et al., "Attention is all you need", 2017.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        super().__init__()
        heads: dict[str, Any] = {"dropout": dropout, "bias": bias, "batch_first": batch_first, **factory}
        self.self_attn = MultiheadAttention(d_model, nhead, **heads)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **heads)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **factory)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **factory)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **factory)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Decode.

        Args:
            tgt: the sequence.
            memory: the encoder's output.
            tgt_mask: where not to look in `tgt`.
            memory_mask: where not to look in `memory`.
            tgt_key_padding_mask: what of `tgt` is padding.
            memory_key_padding_mask: what of `memory` is padding.
            tgt_is_causal: a hint that `tgt_mask` hides the future.
            memory_is_causal: a hint that `memory_mask` hides the future.
        """
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            tgt = tgt + self._sa_block(self.norm1(tgt), *own)
            tgt = tgt + self._mha_block(self.norm2(tgt), memory, *other)
            return tgt + self._ff_block(self.norm3(tgt))
        tgt = self.norm1(tgt + self._sa_block(tgt, *own))
        tgt = self.norm2(tgt + self._mha_block(tgt, memory, *other))
        decoded: Tensor = self.norm3(tgt + self._ff_block(tgt))
        return decoded

    def _sa_block(
        self, x: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool = False
    ) -> Tensor:
        attended = self.self_attn(
            x,
            x,
            x,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
            need_weights=False,
        )[0]
        dropped: Tensor = self.dropout1(attended)
        return dropped

    def _mha_block(
        self,
        x: Tensor,
        mem: Tensor,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        is_causal: bool = False,
    ) -> Tensor:
        attended = self.multihead_attn(
            x,
            mem,
            mem,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
            need_weights=False,
        )[0]
        dropped: Tensor = self.dropout2(attended)
        return dropped

    def _ff_block(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return dropped
