"""Where the element of a rank stands: of equal ones the one that PyTorch's selection arrives at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kadam.dtypes import int64
from kadam.errors import ShapeError
from kadam.ir.primitive import Array, Example
from kadam.ir.types import TensorType
from kadam.primitives.sort import Order, comparable, require_order
from kadam.shapes import without


@dataclass(frozen=True)
class RankIndex(Order):
    """The position along `axis` of the element of a rank, counted from the smallest, 0. As `torch.kthvalue`."""

    axis: int
    rank: int

    def infer(self, x: TensorType) -> TensorType:
        require_order(self, x, self.axis)
        if not 0 <= self.rank < x.shape[self.axis]:
            raise ShapeError(f"RankIndex: there is no element of rank {self.rank} along axis {self.axis} of {x}")
        return TensorType(int64, without(x.shape, (self.axis,)))

    def reference(self, x: Array) -> Array:
        rows = np.moveaxis(comparable(x), self.axis, -1)
        lines = rows.reshape(-1, rows.shape[-1])
        found: Array = np.argpartition(lines, self.rank, axis=-1)[:, self.rank].astype(np.int64)
        values = np.take_along_axis(lines, found[:, None], -1)
        equal = (lines == values) | ((lines != lines) & (values != values))
        for row in np.flatnonzero(equal.sum(-1) > 1):
            found[row] = _selected(lines[row].copy(), self.rank)
        return found.reshape(rows.shape[:-1])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1, 2), "i64[3,9]"),
            Example(cls(0, 0), "f32[4,2]"),
            Example(cls(0, 40), "i64[70]"),
        )


def _selected(values: Array, rank: int) -> int:
    """Where the element of a rank stood, which quickselect with a median of three has brought to that place.

    Each turn of the loop is a whole partition: pairs that a scan from both sides would exchange, at once.

    Source: R. Sedgewick, Implementing Quicksort Programs, CACM 21 (1978), program 2; PyTorch's kernel follows it.
    """
    order = np.arange(values.size)

    def exchange(a: Array | int, b: Array | int) -> None:
        for line in (values, order):
            line[a], line[b] = line[b], line[a].copy()

    def after(a: Array, b: Array) -> Array:
        greater: Array = (a > b) | ((a != a) & (b == b))  # nan comes last
        return greater

    left, right = 0, values.size - 1
    while left < right:
        if right == left + 1:
            if after(values[left], values[right]):
                exchange(left, right)
            break
        exchange(left + (right - left) // 2, left + 1)
        for low, high in ((left + 1, right), (left, right), (left + 1, left)):
            if after(values[low], values[high]):
                exchange(low, high)
        pivot = values[left]
        ups = left + 2 + np.flatnonzero(~after(pivot, values[left + 2 : right + 1]))
        downs = left + 1 + np.flatnonzero(~after(values[left + 1 : right], pivot))[::-1]
        pairs = min(ups.size, downs.size)
        apart = int(np.count_nonzero(ups[:pairs] < downs[:pairs]))
        met = int(np.count_nonzero(ups[:pairs] <= downs[:pairs]))  # one more, if the scans meet at an element
        exchange(ups[:apart], downs[:apart])
        # a scan ends where the other has put something, at the latest
        up, down = (int(downs[apart - 1]), int(ups[apart - 1])) if apart else (right, left + 1)
        up = min(int(ups[met]), up) if met < ups.size else up
        down = max(int(downs[met]), down) if met < downs.size else down
        exchange(left, down)
        left, right = (up if down <= rank else left), (down - 1 if down >= rank else right)
    return int(order[rank])
