"""One step of a recurrent network."""

from __future__ import annotations

import math
from typing import Any

from kadam.dtypes import dtype
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.module import Module, listed
from kadam.nn.modules.recurrent import GATES
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty, zeros
from kadam.tensor import Tensor


class RNNCellBase(Module):
    """The base of `RNNCell`, `LSTMCell` and `GRUCell`.

    Shapes: input f32[batch, input_size] and state f32[batch, hidden_size], or both without batch.

    Args:
        input_size: of the input vectors.
        hidden_size: of the state.
        bias: whether there are biases.
        num_chunks: how many gates there are.
        device: the CPU.
        dtype: of the parameters.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniformly from ±1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        return listed(f"{self.input_size}, {self.hidden_size}", self.bias is not True and f"bias={self.bias}")

    def _step(self, mode: str, input: Tensor, states: list[Tensor] | None) -> list[Tensor]:
        """The states after one step, f32[batch, hidden_size] or without batch as the input."""
        count = 2 if mode == "LSTM" else 1
        self._check_ranks(input, states)
        batched = input.dim() == 2
        if states is None:
            shape = (input.shape[0], self.hidden_size) if batched else (self.hidden_size,)
            states = [zeros(shape, dtype=input.dtype)] * count
        if not batched:
            input, states = input.unsqueeze(0), [state.unsqueeze(0) for state in states]
        self._check_sizes(input, states)
        found = F.rnn_cell(
            mode,
            input,
            states[0],
            states[1] if count == 2 else None,
            self.weight_ih,
            self.weight_hh,
            self.bias_ih,
            self.bias_hh,
        )
        after: list[Tensor] = list(found) if count == 2 else [found]
        return after if batched else [state.squeeze(0) for state in after]

    def _check_ranks(self, input: Tensor, states: list[Tensor] | None) -> None:
        for number, tensor in enumerate([input, *(states or ())]):
            if tensor.dim() not in (1, 2):
                several = states is not None and len(states) == 2
                what = "input" if number == 0 else f"hx[{number - 1}]" if several else "hidden"
                raise ValueError(f"{self._get_name()}: Expected {what} to be 1D or 2D, got {tensor.dim()}D instead")

    def _check_sizes(self, input: Tensor, states: list[Tensor]) -> None:
        batch, size = input.shape
        if size != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {size} expected {self.input_size}")
        for number, state in enumerate(states):
            if state.shape[0] != batch:
                raise RuntimeError(f"Input batch size {batch} doesn't match hidden{number} batch size {state.shape[0]}")
            if state.shape[1] != self.hidden_size:
                raise RuntimeError(
                    f"hidden{number} has inconsistent hidden_size: got {state.shape[1]}, expected {self.hidden_size}"
                )


class RNNCell(RNNCellBase):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh).

    Args:
        input_size: of the input vectors.
        hidden_size: of the state.
        bias: whether there are biases.
        nonlinearity: f, `tanh` or `relu`.
        device: the CPU.
        dtype: of the parameters.

    Raises:
        RuntimeError: another nonlinearity, at the first call.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, GATES["RNN_TANH"], device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, None if hx is None else [hx])[0]

    def extra_repr(self) -> str:
        return listed(super().extra_repr(), self.nonlinearity != "tanh" and f"nonlinearity={self.nonlinearity}")


class LSTMCell(RNNCellBase):
    """One step of `LSTM`; the state is the pair of hidden and cell state.

    Args:
        input_size: of the input vectors.
        hidden_size: of both states.
        bias: whether there are biases.
        device: the CPU.
        dtype: of the parameters.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: dtype | None = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, GATES["LSTM"], device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        hidden, cell = self._step("LSTM", input, None if hx is None else [hx[0], hx[1]])
        return hidden, cell


class GRUCell(RNNCellBase):
    """One step of `GRU`.

    Args:
        input_size: of the input vectors.
        hidden_size: of the state.
        bias: whether there are biases.
        device: the CPU.
        dtype: of the parameters.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: dtype | None = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, GATES["GRU"], device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else [hx])[0]
