"""Transformers: stacks of encoder and decoder layers, and both together."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from kadam import dtypes
from kadam.device import check
from kadam.dtypes import dtype
from kadam.errors import ShapeError
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.container import ModuleList
from kadam.nn.modules.module import Module
from kadam.nn.modules.normalization import LayerNorm
from kadam.nn.modules.transformer_layer import Activation, TransformerDecoderLayer, TransformerEncoderLayer
from kadam.recording.modes import is_grad_enabled
from kadam.recording.tensor import from_array, read
from kadam.tensor import Tensor


class TransformerEncoder(Module):
    """A stack of encoder layers.

    Args:
        encoder_layer: is copied `num_layers` times.
        num_layers: the number of layers.
        norm: of the output.
        enable_nested_tensor: whether, in evaluation, padding may come out as zeros.
        mask_check: whether that needs all padding to stand at the end.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Encode; arguments as `TransformerEncoderLayer.forward`."""
        zeroed = None if mask is not None else self._zeroed(src, src_key_padding_mask)
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=bool(is_causal), src_key_padding_mask=src_key_padding_mask)
        if zeroed is not None:
            src = src.masked_fill(zeroed, 0.0)
        return src if self.norm is None else self.norm(src)

    def _zeroed(self, src: Tensor, padding: Tensor | None) -> Tensor | None:
        """What comes out as zeros: padding does in evaluation, when PyTorch can leave it uncomputed. None: nothing."""
        first = next(iter(self.layers), None)
        if padding is None or not isinstance(first, TransformerEncoderLayer):
            return None
        if not (self.enable_nested_tensor and first.skips_padding and src.dim() == 3):
            return None
        if is_grad_enabled() and any(one.requires_grad for one in (src, *first.parameters())):
            return None
        padded = read(padding) != 0
        if self.mask_check and not (padded[:, 1:] >= padded[:, :-1]).all():
            return None
        return from_array(padded[..., np.newaxis])


class TransformerDecoder(Module):
    """A stack of decoder layers.

    Args:
        decoder_layer: is copied `num_layers` times.
        num_layers: the number of layers.
        norm: of the output.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Decode; arguments as `TransformerDecoderLayer.forward`."""
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class Transformer(Module):
    """An encoder of a source sequence and a decoder that reads its output.

    Args:
        d_model: size of a vector.
        nhead: the number of heads.
        num_encoder_layers: of the encoder.
        num_decoder_layers: of the decoder.
        dim_feedforward: size of the hidden layers.
        dropout: the probability to drop an element, in training.
        activation: `relu`, `gelu` or a function.
        custom_encoder: an encoder of one's own.
        custom_decoder: a decoder of one's own.
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
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        options = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        self.encoder, self.decoder = custom_encoder, custom_decoder
        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(d_model, nhead, *options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
            self.encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        if custom_decoder is None:
            layer = TransformerDecoderLayer(d_model, nhead, *options)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
            self.decoder = TransformerDecoder(layer, num_decoder_layers, norm)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        """Draw the matrices anew, after Glorot."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Encode `src`, and decode `tgt` with it.

        Args:
            src: the source sequence.
            tgt: the target sequence.
            src_mask: where not to look in `src`, as `attn_mask` of `MultiheadAttention`.
            tgt_mask: where not to look in `tgt`.
            memory_mask: where the decoder is not to look in the encoder's output.
            src_key_padding_mask: what of `src` is padding.
            tgt_key_padding_mask: what of `tgt` is padding.
            memory_key_padding_mask: what of the encoder's output is padding.
            src_is_causal: a hint that `src_mask` hides the future.
            tgt_is_causal: a hint that `tgt_mask` hides the future.
            memory_is_causal: a hint that `memory_mask` hides the future.

        Raises:
            RuntimeError: batches or sizes of the vectors differ.
        """
        self._check(src, tgt)
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        decoded: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return decoded

    def _check(self, src: Tensor, tgt: Tensor) -> None:
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.shape[batch] != (tgt.shape[batch] if tgt.dim() == 3 else None):
            raise ShapeError(
                "Transformer: the batch number of src and tgt must be equal. Fix: give both [length, batch, "
                "features], or [batch, length, features] with batch_first=True."
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(
                "Transformer: the feature number of src and tgt must be equal to d_model. Fix: embed both into "
                f"d_model={self.d_model} features."
            )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: dtype | None = None) -> Tensor:
        """A mask f32[sz, sz] that hides the future: -inf above the diagonal, 0 elsewhere."""
        check(device)
        blocked = np.full((sz, sz), -np.inf, (dtype or dtypes.default_float()).numpy)
        return from_array(np.triu(blocked, 1))
