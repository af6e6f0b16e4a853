"""One step of a recurrent network."""

from __future__ import annotations

import math
from typing import Any, NoReturn

from kadam.dtypes import dtype
from kadam.errors import ShapeError
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.module import Module, listed
from kadam.nn.modules.recurrent import GATES
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty, zeros
from kadam.ops.require import ArgumentError
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

    def _step(self, mode: str, input: Tensor, states: tuple[Tensor, ...] | None) -> Any:
        """The state after one step, or the pair of states of an LSTM."""
        shape = input.shape
        expected = (self.hidden_size,) if len(shape) == 1 else (shape[0], self.hidden_size)
        if states is None:
            zero = zeros(expected, dtype=input.dtype)
            states = (zero, zero)
        if len(shape) > 2 or shape[-1] != self.input_size or any(state.shape != expected for state in states):
            self._refuse(input, states)
        hidden, cell = states[0], states[1] if mode == "LSTM" else None
        return F.rnn_cell(mode, input, hidden, cell, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def _refuse(self, input: Tensor, states: tuple[Tensor, ...]) -> NoReturn:
        """Say which tensor does not fit the cell, or the input.

        Raises:
            ValueError: a tensor has too many axes.
            RuntimeError: a size differs.
        """
        names = ["input", "hidden"] if len(states) == 1 else ["input", *(f"hx[{at}]" for at in range(len(states)))]
        for name, tensor in zip(names, (input, *states), strict=True):
            if tensor.dim() not in (1, 2):
                raise ArgumentError(
                    f"{self._get_name()}: Expected {name} to be 1D or 2D, got {tensor.dim()}D instead. Fix: reshape to "
                    "[batch, features]."
                )
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{self._get_name()}: input has inconsistent input_size: got {input.shape[-1]} expected "
                f"{self.input_size}. Fix: the cell needs input_size={input.shape[-1]}."
            )
        batch = input.shape[0] if input.dim() == 2 else 1
        for at, state in enumerate(states):
            rows = state.shape[0] if state.dim() == 2 else 1
            if rows != batch:
                raise ShapeError(
                    f"{self._get_name()}: Input batch size {batch} doesn't match hidden{at} batch size {rows}. Fix: "
                    f"give a state of {batch} rows, or None to begin at zero."
                )
            if state.shape[-1] != self.hidden_size:
                raise ShapeError(
                    f"{self._get_name()}: hidden{at} has inconsistent hidden_size: got {state.shape[-1]}, expected "
                    f"{self.hidden_size}. Fix: give a state of {self.hidden_size} columns, or None to begin at zero."
                )
        raise ShapeError(
            f"{self._get_name()}: the input is {input.dim()}-D, so should the state be. Fix: give both a batch axis, "
            "or neither."
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
            raise ShapeError(f"RNNCell: Unknown nonlinearity: {self.nonlinearity}. Fix: nonlinearity='tanh' or 'relu'.")
        after: Tensor = self._step(f"RNN_{self.nonlinearity.upper()}", input, None if hx is None else (hx,))
        return after

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
        hidden, cell = self._step("LSTM", input, hx)
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
        after: Tensor = self._step("GRU", input, None if hx is None else (hx,))
        return after
