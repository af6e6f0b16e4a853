"""Recurrent networks: one step of a cell, and a layer over all steps of a sequence in one direction.

The input's part of the gates is one product for the whole sequence; only the hidden state's part goes step by step.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from kadam.dtypes import bfloat16, float16
from kadam.errors import ShapeError
from kadam.nn.functional.linear import linear
from kadam.ops.combine import cat
from kadam.ops.pointwise import relu, sigmoid, tanh
from kadam.ops.promotion import stretched
from kadam.ops.slicing import chunk, split
from kadam.recording.operation import operation
from kadam.recording.precision import adapted
from kadam.recording.step import state
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class _State(NamedTuple):
    """What goes from step to step; only an LSTM has a cell state."""

    hidden: Tensor
    cell: Tensor | None


class _Recurrence(NamedTuple):
    """What the gates see of the hidden state h: `weight` h + `bias`. `projection` makes an LSTM's h smaller."""

    weight: Tensor
    bias: Tensor | None
    projection: Tensor | None


@operation
def rnn_layer(
    mode: str,
    input: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    w_hr: Tensor | None = None,
    reverse: bool = False,
    packed: bool = False,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """A layer of a recurrent network over all steps of a sequence, in one direction.

    Shapes:
        input f32[steps, batch, size], h0 f32[batch, hidden], c0 f32[batch, cells], w_ih f32[gates * cells, size],
        w_hh f32[gates * cells, hidden], b_ih and b_hh f32[gates * cells], w_hr f32[hidden, cells]
        -> output f32[steps, batch, hidden], last hidden state f32[batch, hidden], last cell state f32[batch, cells]

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU"; the gates stand in the weights in PyTorch's order.
        input: the steps.
        h0: the hidden state before the first step.
        c0: of an LSTM, the cell state before the first step.
        w_ih: by which the gates see the input.
        w_hh: by which the gates see the hidden state.
        b_ih: added to what the gates see of the input.
        b_hh: added to what the gates see of the hidden state.
        w_hr: of an LSTM, projects the output to the hidden state.
        reverse: whether the steps are taken from the last to the first.
        packed: whether they are a part of a packed sequence.
    """
    if mode == "LSTM" and w_hr is None and not packed:  # for which PyTorch has a kernel: see `precision`
        given = adapted("mkldnn_rnn_layer", (input, h0, c0, w_ih, w_hh, b_ih, b_hh))
        input, h0, c0, w_ih, w_hh, b_ih, b_hh = given
    cell = _CELLS[mode]
    steps = _steps(linear(input, w_ih, _input_bias(mode, b_ih, b_hh)))
    recurrence = _Recurrence(w_hh, _hidden_bias(mode, b_hh, (1, h0.shape[0], w_hh.shape[0])), w_hr)
    last = _State(h0.unsqueeze(0), None if c0 is None else c0.unsqueeze(0))
    outputs: list[Tensor] = []
    for seen in reversed(steps) if reverse else steps:
        last = cell(seen, last, recurrence)
        outputs.append(last.hidden)
    output = cat(outputs[::-1] if reverse else outputs)
    if not packed:  # what prints as the result's grad_fn
        output._tag = "MkldnnRnnLayerBackward0" if mode == "LSTM" and w_hr is None else "StackBackward0"
    return output, last.hidden.squeeze(0), None if last.cell is None else last.cell.squeeze(0)


@operation
def rnn_cell(
    mode: str,
    input: Tensor,
    h: Tensor,
    c: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """One step of a recurrent network: the new hidden state, and of an LSTM the new cell state too.

    Shapes:
        input f32[batch, size], h and c f32[batch, cells], w_ih f32[gates * cells, size], w_hh f32[gates * cells, cells]
        -> f32[batch, cells]

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU"; the gates stand in the weights in PyTorch's order.
        input: the step.
        h: the hidden state.
        c: of an LSTM, the cell state.
        w_ih: by which the gates see the input.
        w_hh: by which the gates see the hidden state.
        b_ih: added to what the gates see of the input.
        b_hh: added to what the gates see of the hidden state.
    """
    seen = linear(input, w_ih, _input_bias(mode, b_ih, b_hh))
    after = _CELLS[mode](seen, _State(h, c), _Recurrence(w_hh, _hidden_bias(mode, b_hh, tuple(seen.shape)), None))
    return after.hidden if after.cell is None else (after.hidden, after.cell)


def _input_bias(mode: str, b_ih: Tensor | None, b_hh: Tensor | None) -> Tensor | None:
    """In a body: what is added once for all steps."""
    return b_ih if b_hh is None or b_ih is None or mode == "GRU" or _rounds(b_hh) else b_ih + b_hh


def _hidden_bias(mode: str, b_hh: Tensor | None, shape: Shape) -> Tensor | None:
    """In a body: what is added at every step: of a GRU, whose reset gate acts on it; in 16 bits, of any network."""
    if b_hh is None or _rounds(b_hh):
        return b_hh
    return stretched(b_hh, shape) if mode == "GRU" else None


def _rounds(bias: Tensor) -> bool:
    """In a body: whether it shows at which sum a bias is added."""
    return state.lower is not None or bias.dtype in (bfloat16, float16)


def _of_hidden(state: _State, recurrence: _Recurrence) -> Tensor:
    """In a body: what the gates see of the hidden state."""
    weight, bias = recurrence.weight, recurrence.bias
    if bias is None or len(bias.shape) == 1:
        return linear(state.hidden, weight, bias)
    return linear(state.hidden, weight) + bias


def _steps(sequence: Tensor) -> list[Tensor]:
    """In a body: the steps, each f32[1, ...].

    They are cut out of blocks, not of the whole: the derivative of a cut is as large as what it is cut from.
    """
    length = sequence.shape[0]
    block = length if length < 16 else isqrt(length)
    return [step for part in split(sequence, block) for step in split(part, 1)]


def _simple_tanh(seen: Tensor, state: _State, recurrence: _Recurrence) -> _State:
    return _State(tanh(seen + _of_hidden(state, recurrence)), None)


def _simple_relu(seen: Tensor, state: _State, recurrence: _Recurrence) -> _State:
    return _State(relu(seen + _of_hidden(state, recurrence)), None)


def _lstm(seen: Tensor, state: _State, recurrence: _Recurrence) -> _State:
    if state.cell is None:
        raise ShapeError("lstm: an LSTM needs a cell state beside the hidden state. Fix: hx=(h_0, c_0).")
    gates = seen + _of_hidden(state, recurrence)
    in_gate, forget_gate, candidate, out_gate = chunk(gates, 4, -1)
    cell = sigmoid(forget_gate) * state.cell + sigmoid(in_gate) * tanh(candidate)
    hidden = sigmoid(out_gate) * tanh(cell)
    return _State(hidden if recurrence.projection is None else linear(hidden, recurrence.projection), cell)


def _gru(seen: Tensor, state: _State, recurrence: _Recurrence) -> _State:
    size = state.hidden.shape[-1]
    of_input, of_input_candidate = split(seen, (2 * size, size), -1)
    of_state = _of_hidden(state, recurrence)
    of_hidden, of_hidden_candidate = split(of_state, (2 * size, size), -1)
    reset, update = chunk(sigmoid(of_input + of_hidden), 2, -1)
    candidate = tanh(of_input_candidate + reset * of_hidden_candidate)
    return _State(candidate + update * (state.hidden - candidate), None)


_CELLS = {"RNN_TANH": _simple_tanh, "RNN_RELU": _simple_relu, "LSTM": _lstm, "GRU": _gru}


__all__ = [
    "rnn_cell",
    "rnn_layer",
]
