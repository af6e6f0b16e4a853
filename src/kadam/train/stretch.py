"""A stretch of steps as one native call: what is fed to it, what it gives, and what Python would have done beside."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kadam.dtypes import float32, float64
from kadam.engines.native.repeat import Repeated, repeated
from kadam.ir.types import TensorType
from kadam.recording.generator import default_generator
from kadam.recording.tensor import Recorded, from_array, read
from kadam.tensor import Tensor

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.optim.ahead import StepsAhead
    from kadam.recording.sight import Sight
    from kadam.train.batches import Pass
    from kadam.train.draws import Counters, Noted
    from kadam.train.trainer import Trainer

Numbers = tuple[list[float], list[Hashable]]


class Look(NamedTuple):
    """A step that was seen."""

    seen: Sight
    batch: Sequence[Tensor]
    drawn: Noted
    counters: Counters


class Stretch:
    """Steps that were taken in one call.

    Attributes:
        losses: one for each.
        size: rows in each batch.
    """

    def __init__(self, losses: list[float], outputs: Array | None, rows: Sequence[Array], size: int) -> None:
        self.losses = losses
        self.size = size
        self._outputs = outputs
        self._rows = rows

    def output(self, step: int) -> Tensor | None:
        """What the model gave at one of the steps, if that is held."""
        return None if self._outputs is None else from_array(self._outputs[step])

    def batch(self, step: int) -> list[Tensor]:
        """The batch of one of the steps."""
        start = step * self.size
        return [from_array(one[start : start + self.size].copy()) for one in self._rows]


class Fed(NamedTuple):
    """What a step is fed with anew each time.

    Attributes:
        rows: index of a feed that is part of the batch -> of which array, and where in it, in bytes.
        drawn: index of a feed that was drawn -> which draw of the step it is.
        numbers: indices of the feeds that the optimizer's step gives.
    """

    rows: Mapping[int, tuple[int, int]]
    drawn: Mapping[int, int]
    numbers: Sequence[int]


class Made(NamedTuple):
    """What a step leaves in memory of its own, by the places of the program's results.

    Attributes:
        kinds: of what is looked at after each step: the loss, and the output if someone holds it.
        loss, output: where these are.
        graded: the parameter whose gradient each of the others is.
    """

    kinds: Mapping[int, TensorType]
    loss: int
    output: int | None
    graded: Mapping[int, Tensor]


class Plan:
    """A step that can be taken many times at once.

    Attributes:
        batch_bytes: size of a batch, and of what is drawn for it.
        draws: whether anything is.
    """

    def __init__(
        self,
        trainer: Trainer,
        steps: StepsAhead,
        look: Look,
        native: Repeated,
        fed: Fed,
        made: Made,
        form: list[Hashable],
    ) -> None:
        self._trainer, self._steps, self._native = trainer, steps, native
        self._seen, self._draws, self._counters = look.seen, look.drawn.draws, look.counters
        self._fed, self._made, self._form = fed, made, form
        arrays = [read(one) for one in look.batch]
        self._kinds = [one.dtype for one in arrays]
        self.draws = self._draws is not None and self._draws.bytes > 0
        self.batch_bytes = sum(one.nbytes for one in arrays) + (self._draws.bytes if self._draws is not None else 0)

    def run(self, batches: Pass, wanted: int) -> Stretch:
        """Take up to as many steps: fewer if one is refused, or has a loss that is no number."""
        rows, made = batches.ahead(wanted), self._made
        if [one.dtype for one in rows] != self._kinds:
            return Stretch([], None, rows, batches.size)
        with self._schedule() as stand_after:
            numbers = self._foreseen(wanted)
            steps = len(numbers)
            columns = {at: np.empty((steps, *kind.shape), kind.dtype.numpy) for at, kind in made.kinds.items()}
            moving = {index: _steps_of(rows[which], wanted, at) for index, (which, at) in self._fed.rows.items()}
            moving |= {index: numbers[:, column] for column, index in enumerate(self._fed.numbers)}
            with self._drawn(steps) as (drawn, stand_there):
                moving |= {index: drawn[which] for index, which in self._fed.drawn.items()}
                done, _, results = self._native.run(steps, self._seen.values, moving, columns, made.loss)
                if done < steps:
                    stand_there(done)
            if done < wanted:
                stand_after(done)
        if done:
            self._seen.ran(done)
            self._steps.taken(done)
            self._counters.taken(done)
            batches.skip(done)
            for place, param in made.graded.items():
                param._grad = from_array(results[place])
        losses = columns[made.loss].reshape(steps)[:done].tolist()
        return Stretch(losses, None if made.output is None else columns[made.output], rows, batches.size)

    def _foreseen(self, wanted: int) -> Array:
        """The numbers that the optimizer's steps are fed with, a row for each."""
        scheduler, found = _scheduler_of(self._trainer), []
        if scheduler is None and not self._steps.counts:
            return np.array([self._steps.numbers(1)[0]] * wanted, np.float64).reshape(wanted, len(self._fed.numbers))
        for ahead in range(1, wanted + 1):
            numbers, form = self._steps.numbers(ahead)
            if form != self._form:
                break
            if scheduler is not None:
                try:
                    scheduler.step()
                except Exception:
                    break  # that is told when Python takes that step
            found.append(numbers)
        return np.array(found, np.float64).reshape(len(found), len(self._fed.numbers))

    @contextmanager
    def _drawn(self, steps: int) -> Iterator[tuple[list[Array], Callable[[int], None]]]:
        """The draws of these steps; and lets the generator stand as after fewer."""
        if self._draws is None or not self._draws.bytes:
            yield [], lambda done: None
            return
        draws, before = self._draws, default_generator.place()

        def stand_after(done: int) -> None:
            default_generator.stand(before)
            draws.ahead(done)

        yield draws.ahead(steps), stand_after

    @contextmanager
    def _schedule(self) -> Iterator[Callable[[int], None]]:
        """Lets learning rates stand as after the steps that were done, where these are fewer than were wanted."""
        scheduler, groups = _scheduler_of(self._trainer), self._trainer.optimizer.param_groups
        if scheduler is None:
            yield lambda done: None
            return
        remembered, options = deepcopy(scheduler.state_dict()), [dict(group) for group in groups]

        def stand_after(done: int) -> None:
            scheduler.load_state_dict(remembered)
            for group, before in zip(groups, options, strict=True):
                group.update(before)
            for _ in range(done):
                scheduler.step()

        yield stand_after


def planned(
    trainer: Trainer, steps: StepsAhead, foreseen: Numbers, before: Look, look: Look, results: Sequence[Any]
) -> Plan | None:
    """How to go on after a step that was seen; None if Python has to be there.

    Args:
        foreseen: what the optimizer's step was expected to be fed with.
        before: the step before it.
        results: its loss and output.
    """
    seen = look.seen
    native = repeated(seen.run()) if seen.program is before.seen.program else None
    fed = _fed(before, look, foreseen[0]) if native is not None else None
    made = _made(trainer, seen, native.places, results) if native is not None and fed is not None else None
    if native is None or fed is None or made is None:
        return None
    return Plan(trainer, steps, look, native, fed, made, foreseen[1])


def _fed(before: Look, look: Look, numbers: list[float]) -> Fed | None:
    """What changes from step to step; None if anything else does than batches and the optimizer's numbers."""
    seen, earlier = look.seen, before.seen
    if look.drawn.draws is None:
        return None
    floats = [index for index, feed in enumerate(seen.feeds) if isinstance(feed, float)]
    last = floats[len(floats) - len(numbers) :]  # the optimizer's step is what is recorded last
    if [seen.values[index] for index in last] != numbers:
        return None
    rows: dict[int, tuple[int, int]] = {}
    drawn: dict[int, int] = {}
    for index, (feed, value) in enumerate(zip(seen.feeds, seen.values, strict=True)):
        if index in last:
            continue
        if not isinstance(feed, Recorded):
            if type(value) is not type(earlier.values[index]) or value != earlier.values[index]:
                return None
            continue
        if feed is earlier.feeds[index] and value is earlier.values[index]:  # no batch's: a pass makes new ones
            if not _lies_plain(value):
                return None
            continue
        draw = look.drawn.place(value)
        if draw is not None:
            drawn[index] = draw
            continue
        place = _within(value, look.batch)
        if place is None or place != _within(earlier.values[index], before.batch):
            return None
        rows[index] = place
    return Fed(rows, drawn, last)


def _within(array: Array, batch: Sequence[Tensor]) -> tuple[int, int] | None:
    """Where in a batch an array lies: in which tensor's memory, and at which byte."""
    if not _lies_plain(array):
        return None
    for which, tensor in enumerate(batch):
        whole = read(tensor)
        offset = array.ctypes.data - whole.ctypes.data
        if _lies_plain(whole) and offset >= 0 and offset + array.nbytes <= whole.nbytes:
            return which, offset
    return None


def _lies_plain(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.flags.c_contiguous and array.flags.aligned


def _made(trainer: Trainer, seen: Sight, places: Sequence[int], results: Sequence[Any]) -> Made | None:
    """Where results go; None if someone holds another one than is known, or a loss is not watched as it must be."""
    loss, output = results

    def place(one: Any) -> int | None:
        """Of a tensor that this step made."""
        made_here = isinstance(one, Recorded) and one._rec is loss._rec and one._pos in seen.places
        return places[seen.places.index(one._pos)] if made_here else None

    kinds = {at: one._spec.type for one in (loss, output) if (at := place(one)) is not None}
    params = [param for group in trainer.optimizer.param_groups for param in group["params"]]
    graded = {at: param for param in params if (at := place(param._grad)) is not None}
    at_loss, at_output = place(loss), place(output)
    watched = loss._spec.dtype in (float32, float64) and loss._spec.type.elements == 1
    known = len(kinds) + len(graded) == len(seen.places) and (output is None or at_output is not None)
    if not watched or not known or at_loss is None:
        return None
    return Made(kinds, at_loss, at_output, graded)


def _steps_of(rows: Array, steps: int, offset: int) -> Array:
    """The rows of each step as bytes, from an offset on."""
    return rows.reshape(steps, -1).view(np.uint8)[:, offset:]


def _scheduler_of(trainer: Trainer) -> Any:
    """What sets the learning rates after each step, if anything does."""
    return trainer.scheduler if trainer.scheduler_each == "step" else None
