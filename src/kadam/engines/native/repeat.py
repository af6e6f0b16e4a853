"""Many runs of one program in one native call: between runs the addresses of some inputs and outputs move on.

What a Python loop would do between two runs is to hand over other memory. Where that memory lies in rows of one array,
compiled code (repeat.ll) does it, and Python is asked again only after the last run.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.engines.native.launch import Launches
from kadam.engines.native.profile import profile
from kadam.engines.native.tables import Moving, Repeat
from kadam.engines.native.team import runtime
from kadam.ir.primitive import Array

if TYPE_CHECKING:
    from kadam.engines.native.program import NativeProgram
    from kadam.engines.reference import Run

_WATCHABLE = {np.dtype(np.float32): 4, np.dtype(np.float64): 8}


class Repeated:
    """A program that can be run many times in one call.

    Args:
        program: a whole step, without nodes that the reference engine computes.
    """

    def __init__(self, program: NativeProgram, launches: Launches) -> None:
        self._program = program
        self._launches = launches
        self.places = program.places

    def run(
        self, runs: int, feeds: Sequence[Any], moving: Mapping[int, Array], columns: Mapping[int, Array], watched: int
    ) -> tuple[int, int, list[Array]]:
        """Run it up to `runs` times, with other Python threads let in.

        Args:
            feeds: what stays the same: arrays that lie as the program wants them, and numbers.
            moving: index of a feed -> its values, one row for each run: read in place of what `feeds` holds there.
            columns: index of a result that has memory of its own -> where it goes, one row for each run.
            watched: index of a result in `columns`; after a run that makes it nan or infinite no other follows.

        Returns:
            How many runs there were; the code of one that was refused after these, or 0; and the last results that
            have memory of their own and no column, in the places of all that have memory of their own.
        """
        outputs = self._program.results.fresh()
        count = len(feeds)
        numbers = np.array([one if isinstance(one, float) else 0.0 for one in feeds])
        slots = self._launches.feed_slots + self._launches.output_slots
        rows = (Moving * (len(slots)))()
        for index, (row, slot) in enumerate(zip(rows, slots, strict=True)):
            found = moving.get(index) if index < count else columns.get(index - count)
            row.slot = slot
            if found is not None:
                row.next, row.stride = found.ctypes.data, found.strides[0]
            elif index < count and isinstance(feeds[index], float):
                row.next = numbers.ctypes.data + numbers.itemsize * index
            else:
                row.next = (feeds[index] if index < count else outputs[index - count]).ctypes.data
        table = Repeat(
            program=self._launches.address, movings=ctypes.addressof(rows), moving_count=len(slots), runs=runs,
            watched=slots[count + watched], watched_bytes=_WATCHABLE.get(columns[watched].dtype, 0),
        )  # fmt: skip
        arena = self._program.arena
        arena.busy = True
        try:
            code = runtime().repeat(ctypes.addressof(table))
        finally:
            arena.busy = False
        return table.done, code, outputs


def repeated(run: Run) -> Repeated | None:
    """A program's run function as one that can be called for many runs; None if it cannot."""
    program: NativeProgram | None = getattr(run, "program", None)
    whole = None if program is None else program.whole
    if program is None or whole is None or profile.active or runtime().layout is None:
        return None
    return Repeated(program, whole)
