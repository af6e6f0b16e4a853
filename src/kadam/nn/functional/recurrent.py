"""Recurrent networks: one step of a cell, and a layer over all steps of a sequence in one direction.

The input's part of every step is one product for the whole sequence; only the state's part goes step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kadam.ops.promotion import stretched
from kadam.primitives.analysis import Relu, Sigmoid
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Mul, Sub
from kadam.primitives.move import Concat, Reshape, Slice
from kadam.primitives.trigonometry import Tanh
from kadam.recording.calls import emit
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class _State(NamedTuple):
    """Hidden state and, of an LSTM, cell state; each [1, batch, size]."""

    hidden: Tensor
    cell: Tensor | None


@operation(grad="StackBackward0")
def rnn_layer(
    mode: str,
    input: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    w_hr: Tensor | None = None,
    reverse: bool = False,
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
        w_ih: what the gates see of the input.
        w_hh: what the gates see of the hidden state.
        b_ih: added to the input's part of the gates.
        b_hh: added to the hidden state's part of the gates.
        w_hr: of an LSTM, projects the cells' output to the hidden state.
        reverse: whether the steps are taken from the last to the first.
    """
    cell = _CELLS[mode]
    seen = _input_part(mode, input, w_ih, b_ih, b_hh)
    weights = _Weights(w_hh, _kept_bias(mode, b_hh, h0.shape[0]), w_hr)
    state = _State(_as_step(h0), None if c0 is None else _as_step(c0))
    hidden: list[Tensor] = []
    for step in reversed(range(input.shape[0])) if reverse else range(input.shape[0]):
        state = cell(_part(seen, 0, step, step + 1), state, weights)
        hidden.append(state.hidden)
    output = emit(Concat(0), *(reversed(hidden) if reverse else hidden))
    return output, _without_step(state.hidden), None if state.cell is None else _without_step(state.cell)
