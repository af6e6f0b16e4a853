"""Recurrent networks over whole sequences: Elman's network, LSTM and GRU."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import dtype
from kadam.errors import IndexOutOfRange
from kadam.nn.modules.recurrence import State
from kadam.nn.modules.recurrent import RNNBase
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class RNN(RNNBase):
    """Elman's network: h' = f(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size: of the vectors of a sequence.
        hidden_size: of the hidden state.
        num_layers: each but the first reads the outputs of the one below.
        nonlinearity: f, `tanh` or `relu`.
        bias: whether there are biases.
        batch_first: whether the batch is the first axis of input and output.
        dropout: the probability to drop outputs between layers, in training.
        bidirectional: whether each layer reads the sequence backward too.
        proj_size: only for LSTM.
        device: the CPU.
        dtype: of the parameters.

    Source: Elman, "Finding structure in time", 1990.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        proj_size: int | None = None,
    ) -> None:
        _refuse_projection(proj_size)
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(
                f"RNN: Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'. Fix: nonlinearity='tanh'."
            )
        mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, state = self._run(input, None if hx is None else State(hx, None))
        return output, state.hidden


class GRU(RNNBase):
    """Gated recurrent unit: h' = (1 - z) n + z h, with reset gate r, update gate z and candidate n.

    Args:
        input_size: of the vectors of a sequence.
        hidden_size: of the hidden state.
        num_layers: each but the first reads the outputs of the one below.
        bias: whether there are biases.
        batch_first: whether the batch is the first axis of input and output.
        dropout: the probability to drop outputs between layers, in training.
        bidirectional: whether each layer reads the sequence backward too.
        proj_size: only for LSTM.
        device: the CPU.
        dtype: of the parameters.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        proj_size: int | None = None,
    ) -> None:
        _refuse_projection(proj_size)
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, state = self._run(input, None if hx is None else State(hx, None))
        return output, state.hidden


class LSTM(RNNBase):
    """Long short-term memory: c' = f c + i g, h' = o tanh(c'), with input, forget and output gates i, f, o.

    Args:
        input_size: of the vectors of a sequence.
        hidden_size: of the cell state, and of the hidden state unless it is projected.
        num_layers: each but the first reads the outputs of the one below.
        bias: whether there are biases.
        batch_first: whether the batch is the first axis of input and output.
        dropout: the probability to drop outputs between layers, in training.
        bidirectional: whether each layer reads the sequence backward too.
        proj_size: size that the hidden state is projected to; 0: not.
        device: the CPU.
        dtype: of the parameters.

    Source: Hochreiter, Schmidhuber, "Long short-term memory", 1997.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor | None]]:
        if isinstance(hx, Tensor) and len(hx) != 2:
            raise IndexOutOfRange(
                f"LSTM: the state must be a pair of tensors, but one tensor came: {hx._spec.type}. Fix: (h_0, c_0), or "
                "None to begin at zero."
            )
        output, state = self._run(input, None if hx is None else State(hx[0], hx[1]))
        return output, (state.hidden, state.cell)


def _refuse_projection(proj_size: int | None) -> None:
    if proj_size is not None:
        raise ArgumentError(
            "proj_size argument is only supported for LSTM, not RNN or GRU. Fix: leave proj_size out, or use nn.LSTM."
        )
