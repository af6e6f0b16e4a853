"""One layer of a recurrent network in one direction, over padded or packed sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kadam.nn import functional as F
from kadam.ops.combine import cat
from kadam.tensor import Tensor


class State(NamedTuple):
    """A hidden state and, for LSTM, a cell state."""

    hidden: Tensor
    cell: Tensor | None

    def each(self, change: Callable[[Tensor], Tensor]) -> State:
        """The state after a change of its tensors."""
        return State(change(self.hidden), None if self.cell is None else change(self.cell))

    def rows(self, begin: int, end: int) -> State:
        """The states of some sequences of a batch."""
        return self.each(lambda tensor: tensor[begin:end])


class Weights(NamedTuple):
    """Of one layer in one direction; without biases or projection some are None."""

    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    w_hr: Tensor | None


def join(states: Sequence[State]) -> State:
    """The states of several batches as those of one."""
    if len(states) == 1:
        return states[0]
    cells = [state.cell for state in states if state.cell is not None]
    return State(cat([state.hidden for state in states]), cat(cells) if cells else None)


class Sweep(NamedTuple):
    """One layer in one direction.

    Attributes:
        mode: `RNN_TANH`, `RNN_RELU`, `LSTM` or `GRU`.
        weights: of the layer.
        reverse: whether the sequence is read backward.
    """

    mode: str
    weights: Weights
    reverse: bool

    def over(self, input: Tensor, state: State, packed: bool = False) -> tuple[Tensor, State]:
        """Steps f32[steps, batch, size] from a state f32[batch, size] -> outputs and the last state."""
        output, hidden, cell = F.rnn_layer(
            self.mode, input, state.hidden, state.cell, *self.weights, self.reverse, packed
        )
        return output, State(hidden, cell)

    def over_packed(self, data: Tensor, batch_sizes: Sequence[int], initial: State) -> tuple[Tensor, State]:
        """Packed steps f32[all, size]: stretches of steps in which the same number of sequences goes on, in turn.

        The sequences are sorted by length, so those that go on are always the first ones. Forward, the states of those
        that end are put aside; in reverse, sequences join with their initial states.
        """
        stretches = _stretches(batch_sizes)
        if self.reverse:
            stretches.reverse()
        state, ended, outputs = initial.rows(0, stretches[0].batch), [], []
        for begin, steps, batch in stretches:
            going_on = len(state.hidden)
            if batch < going_on:
                ended.append(state.rows(batch, going_on))
                state = state.rows(0, batch)
            elif batch > going_on:
                state = join([state, initial.rows(going_on, batch)])
            part = data[begin : begin + steps * batch].reshape(steps, batch, -1)
            output, state = self.over(part, state, True)
            outputs.append(output.reshape(steps * batch, -1))
        if self.reverse:
            outputs.reverse()
        return cat(outputs), join([state, *reversed(ended)])


class _Stretch(NamedTuple):
    begin: int  # of its data
    steps: int
    batch: int


def _stretches(batch_sizes: Sequence[int]) -> list[_Stretch]:
    """The runs of equal batch sizes."""
    stretches: list[_Stretch] = []
    begin = 0
    for batch in batch_sizes:
        if stretches and stretches[-1].batch == batch:
            stretches[-1] = stretches[-1]._replace(steps=stretches[-1].steps + 1)
        else:
            stretches.append(_Stretch(begin, 1, batch))
        begin += batch
    return stretches
