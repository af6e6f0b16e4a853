"""Recurrent networks of several layers and both directions: the parameters, and the way through the layers."""

from __future__ import annotations

import math
import numbers
import warnings
from functools import partial
from typing import Any

from kadam.dtypes import dtype
from kadam.errors import OperandError, ShapeError
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.module import Module, listed, settings
from kadam.nn.modules.recurrence import State, Sweep, Weights
from kadam.nn.parameter import Parameter
from kadam.nn.utils.rnn import PackedSequence
from kadam.ops.combine import cat, stack
from kadam.ops.creation import empty, zeros
from kadam.ops.require import ArgumentError
from kadam.recording.step import state as recorded
from kadam.tensor import Tensor

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


class RNNBase(Module):
    """The base of `RNN`, `LSTM` and `GRU`.

    Shapes: input f32[steps, batch, input_size], or f32[batch, steps, input_size] when `batch_first`, or
        f32[steps, input_size]; output likewise with hidden_size (or proj_size) * directions.

    Args:
        mode: `RNN_TANH`, `RNN_RELU`, `LSTM` or `GRU`.
        input_size: of the vectors of a sequence.
        hidden_size: of the hidden state.
        num_layers: each but the first reads the outputs of the one below.
        bias: whether there are biases.
        batch_first: whether the batch is the first axis of input and output.
        dropout: the probability to drop outputs between layers, in training.
        bidirectional: whether each layer reads the sequence backward too.
        proj_size: size that an LSTM's hidden state is projected to; 0: not.
        device: the CPU.
        dtype: of the parameters.

    Raises:
        ValueError: a size is not positive, or `dropout` is no probability.
        TypeError: an argument has the wrong type.
    """

    _derived = ("_flat_weights_names", "_flat_weights")

    def __init__(
        self,
        mode: str,
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
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = _probability(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options()
        self._all_weights: list[list[str]] = []  # the names of each layer's and direction's
        self._make_parameters(device=device, dtype=dtype)
        self.reset_parameters()

    def _check_options(self) -> None:
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            given = getattr(self, name)
            if not isinstance(given, kind):
                raise OperandError(
                    f"{type(self).__name__}: {name} should be of type {kind.__name__}, got: {type(given).__name__}. "
                    f"Fix: give a {kind.__name__}."
                )
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ArgumentError(f"{type(self).__name__}: {name} must be greater than zero. Fix: give at least 1.")
        if self.proj_size < 0:
            raise ArgumentError(
                f"{type(self).__name__}: proj_size should be a positive integer or zero to disable projections. Fix: "
                "leave proj_size out."
            )
        if self.proj_size >= self.hidden_size:
            raise ArgumentError(
                f"{type(self).__name__}: proj_size has to be smaller than hidden_size. Fix: give a proj_size below "
                f"{self.hidden_size}."
            )
        if self.mode not in GATES:
            raise ArgumentError(f"Unrecognized RNN mode: {self.mode}. Fix: nn.RNN, nn.LSTM or nn.GRU.")
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={self.dropout} and num_layers={self.num_layers}",
                stacklevel=4,
            )

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _make_parameters(self, **factory: Any) -> None:
        rows = GATES[self.mode] * self.hidden_size
        for layer in range(self.num_layers):
            columns = self.input_size if layer == 0 else self._output_size * self._directions
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, columns), "weight_hh": (rows, self._output_size)}
            if self.bias:
                shapes.update(bias_ih=(rows,), bias_hh=(rows,))
            if self.proj_size:
                shapes.update(weight_hr=(self.proj_size, self.hidden_size))
            for suffix in ("", "_reverse")[: self._directions]:
                given = {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}
                self._all_weights.append(list(given))
                for name, shape in given.items():
                    setattr(self, name, Parameter(empty(shape, **factory)))

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniformly from ±1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def flatten_parameters(self) -> None:
        """Accepted as in PyTorch, where it prepares the parameters for a GPU."""

    def _run(self, input: Tensor | PackedSequence, state: State | None) -> tuple[Any, State]:
        """All layers over a sequence; the state comes and goes in the caller's order and number of axes."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, state)
        if input.dim() not in (2, 3):
            raise ArgumentError(
                f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D "
                + ("tensor instead" if self.mode.startswith("RNN") else "instead")
                + ". Fix: reshape to [steps, batch, features] ([batch, steps, features] with batch_first=True)."
            )
        batched = input.dim() == 3
        self._check_input(input)
        self._check_rank(state, batched)
        batch_axis = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_axis)
            state = None if state is None else state.each(lambda one: one.unsqueeze(1))
        steps = input.transpose(0, 1) if self.batch_first else input
        if steps.shape[0] == 0:
            raise ShapeError(
                f"{self._get_name()}: Expected sequence length to be larger than 0 in RNN. Fix: give at least one step."
            )
        output, last = self._through_layers(steps, None, self._rows(state, steps, steps.shape[1]))
        if self.batch_first:
            output = output.transpose(0, 1)
        return (output, last) if batched else (output.squeeze(batch_axis), last.each(lambda one: one.squeeze(1)))

    def _run_packed(self, packed: PackedSequence, state: State | None) -> tuple[PackedSequence, State]:
        data, batch_sizes, to_sorted, from_sorted = packed
        self._check_input(data)
        sizes: list[int] = batch_sizes.tolist()
        output, last = self._through_layers(data, sizes, self._rows(state, data, sizes[0], to_sorted))
        return PackedSequence(output, batch_sizes, to_sorted, from_sorted), _permuted(last, from_sorted)

    def _check_input(self, input: Tensor) -> None:
        weight = self.weight_ih_l0
        if input.dtype is not weight.dtype and recorded.lower is None:
            raise ArgumentError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). Convert input: "
                f"input.to({weight.dtype}), or convert model: model.to({input.dtype}). Fix: convert the input: "
                f"input.to({weight.dtype})."
            )
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{self._get_name()}: input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.shape[-1]}. Fix: the layer needs input_size={input.shape[-1]}."
            )

    def _check_rank(self, state: State | None, batched: bool) -> None:
        expected = 3 if batched else 2
        given = [] if state is None else [one.dim() for one in state if one is not None]
        if any(rank != expected for rank in given):
            what, got = "hx", f"{given[0]}-D tensor"
            if len(given) == 2:
                what, got = "hx and cx", f"({given[0]}-D, {given[1]}-D) tensors"
            raise ShapeError(
                f"{self._get_name()}: For {'batched 3-D' if batched else 'unbatched 2-D'} input, {what} should also be "
                f"{expected}-D but got {got}. Fix: give a state of {expected} axes, or None to begin at zero."
            )

    def _rows(self, state: State | None, like: Tensor, batch: int, order: Tensor | None = None) -> list[State]:
        """The initial state f32[batch, size] of each layer and direction; zeros by default."""
        rows, has_cell = self.num_layers * self._directions, self.mode == "LSTM"
        sizes = [self._output_size, self.hidden_size]
        if state is None:
            hidden = zeros((batch, sizes[0]), dtype=like.dtype)
            cell = hidden if sizes[0] == sizes[1] else zeros((batch, sizes[1]), dtype=like.dtype)
            return [State(hidden, cell if has_cell else None)] * rows
        for number, (one, size) in enumerate(zip(state, sizes, strict=True)):
            if one is not None and one.shape != (rows, batch, size):
                which = f"hidden[{number}]" if has_cell else "hidden"
                raise ShapeError(
                    f"{self._get_name()}: Expected {which} size {(rows, batch, size)}, got {list(one.shape)}. Fix: "
                    f"give a state of {(rows, batch, size)}, or None to begin at zero."
                )
        permuted = _permuted(state, order)
        return [permuted.each(partial(_row, number=row)) for row in range(rows)]

    def _through_layers(
        self, input: Tensor, batch_sizes: list[int] | None, initial: list[State]
    ) -> tuple[Tensor, State]:
        """Steps f32[steps, batch, size], or packed ones f32[all, size], through all layers and directions."""
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout > 0:
                input = F.dropout(input, self.dropout, self.training)
            outputs = []
            for direction in range(self._directions):
                row = len(last)
                sweep = Sweep(self.mode, self._weights(row), reverse=direction == 1)
                if batch_sizes is None:
                    output, after = sweep.over(input, initial[row])
                else:
                    output, after = sweep.over_packed(input, batch_sizes, initial[row])
                outputs.append(output)
                last.append(after)
            input = outputs[0] if len(outputs) == 1 else cat(outputs, -1)
        return input, _stacked(last)

    def _weights(self, row: int) -> Weights:
        """Those of a layer and direction."""
        found: list[Any] = [getattr(self, name) for name in self._all_weights[row]]
        if not self.bias:
            found[2:2] = None, None
        return Weights._make(found if self.proj_size else [*found, None])

    def extra_repr(self) -> str:
        return listed(
            f"{self.input_size}, {self.hidden_size}",
            self.proj_size != 0 and settings(self, "proj_size"),
            self.num_layers != 1 and settings(self, "num_layers"),
            self.bias is not True and settings(self, "bias"),
            self.batch_first is not False and settings(self, "batch_first"),
            self.dropout != 0 and settings(self, "dropout"),
            self.bidirectional is not False and settings(self, "bidirectional"),
        )


def _probability(dropout: float) -> float:
    given = float(dropout)
    if not isinstance(dropout, numbers.Number) or not 0 <= given <= 1 or isinstance(dropout, bool):
        raise ArgumentError(
            "RNN: dropout should be a number in range [0, 1] representing the probability of an "
            "element being zeroed. Fix: dropout=0.1."
        )
    return given


def _row(states: Tensor, number: int) -> Tensor:
    return states.select(0, number)


def _permuted(state: State, order: Tensor | None) -> State:
    return state if order is None else state.each(lambda one: one.index_select(1, order))


def _stacked(rows: list[State]) -> State:
    """The states of all layers and directions, f32[layers * directions, batch, size]."""
    if len(rows) == 1:
        return rows[0].each(lambda one: one.unsqueeze(0))
    cells = [row.cell for row in rows if row.cell is not None]
    return State(stack([row.hidden for row in rows]), stack(cells) if cells else None)
