"""What a step does beside its recorded program: it draws which units to leave out, and counts the batches it has met.

Both follow a fixed course, so that they can be done for many steps at once: the draws before these steps run, in the
order of the steps, and the counts after them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from kadam.recording.generator import Generator, default_generator
from kadam.recording.tensor import add_now, read
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.nn.modules.module import Module
    from kadam.tensor import Tensor


Place: TypeAlias = tuple[bytes, int, float | None]  # of a generator


class Draw(NamedTuple):
    """A draw of `shape`, true with probability `p`."""

    shape: Shape
    p: float


class Draws:
    """What the default generator is asked for in a step, where that is nothing but which units stay.

    Args:
        calls: of one step, in their order.
    """

    def __init__(self, calls: Sequence[Draw]) -> None:
        self._calls = calls
        self.bytes = sum(count(one.shape) for one in calls)

    def ahead(self, steps: int) -> list[Array]:
        """For each call its results, a row for each step; the generator then stands as after these steps."""
        if len({one.p for one in self._calls}) == 1:  # then they are one draw
            drawn = default_generator.bernoulli((steps, self.bytes), self._calls[0].p)
            bounds = np.cumsum([count(one.shape) for one in self._calls])
            return np.split(drawn, bounds[:-1].tolist(), axis=1)
        rows = [np.empty((steps, count(one.shape)), np.bool_) for one in self._calls]
        for step in range(steps):
            for place, call in zip(rows, self._calls, strict=True):
                place[step] = default_generator.bernoulli(call.shape, call.p).reshape(-1)
        return rows


class Noted:
    """What a step draws, with the arrays that it got; None in `draws` if it asked for more than which units stay."""

    def __init__(self) -> None:
        self.draws: Draws | None = None
        self.results: list[Array] = []

    def end(self, before: Place, found: Sequence[tuple[Shape, float, Array]]) -> None:
        """The step is over: `found` is all that it drew, if the same draws lead from `before` to the present place."""
        calls = [Draw(shape, p) for shape, p, _ in found]
        if calls:
            again = Generator()
            again.stand(before)
            for one in calls:
                again.bernoulli(one.shape, one.p)
            before = again.place()
        if before == default_generator.place():
            self.draws, self.results = Draws(calls), [result for _, _, result in found]

    def place(self, value: Array) -> int | None:
        """Which of the calls gave this array."""
        return next((at for at, result in enumerate(self.results) if result is value), None)


@contextmanager
def noted() -> Iterator[Noted]:
    """Note what is drawn in this block."""
    seen, before = Noted(), default_generator.place()
    outer, default_generator.noted = default_generator.noted, []
    try:
        yield seen
    finally:
        found, default_generator.noted = default_generator.noted, outer
    seen.end(before, found)


class Counters:
    """The counts of batches that a model's normalisations keep.

    Args:
        model: whose modules stay the same meanwhile.
    """

    def __init__(self, model: Module) -> None:
        counts = [one._buffers.get("num_batches_tracked") for one in model.modules()]
        self._counts: list[Tensor] = [one for one in counts if one is not None]
        self._each: list[int] = []

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A step is taken in this block; later ones count as it does."""
        before = self._values()
        yield
        self._each = [now - then for now, then in zip(self._values(), before, strict=True)]

    def taken(self, steps: int) -> None:
        """Count as so many steps do."""
        for one, each in zip(self._counts, self._each, strict=True):
            if each:
                add_now(one, each * steps)

    def _values(self) -> list[int]:
        return [int(read(one)) for one in self._counts]
