"""A contraction seen as matrix products, whichever operand gives the columns."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.engines.native.writer import I64, Value, Writer, index


@dataclass(frozen=True)
class Axis:
    """An axis of a result, or one that is summed over.

    Attributes:
        size: how many indices.
        a: elements between neighbours in operand a; 0 where a does not depend on it.
        b: the same for operand b.
    """

    size: int
    a: int
    b: int


@dataclass(frozen=True)
class Operand:
    """A buffer seen from an offset, in elements."""

    key: Hashable
    offset: int


@dataclass(frozen=True)
class Contraction:
    """result[axes] = sum over inner of a * b.

    Attributes:
        dtype: a type of floating-point numbers. Narrow ones are summed in float32 and rounded at the end.
        axes: of the result, in its order. Rows are those that only `a` has, columns those that only `b` has.
        inner: the axes summed over; none for a product.
        a: the left operand.
        b: the right operand.
        after: vector instructions that follow for a vector of results.
    """

    dtype: dtype
    axes: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    a: Operand
    b: Operand
    after: float = 0

    @property
    def size(self) -> int:
        """How many elements the result has."""
        return math.prod(axis.size for axis in self.axes)

    @property
    def flops(self) -> float:
        return 2.0 * self.size * math.prod(axis.size for axis in self.inner)

    @property
    def size_bytes(self) -> float:
        """Memory that the operands and the result take."""
        every = self.axes + self.inner
        a = math.prod(axis.size for axis in every if axis.a)
        b = math.prod(axis.size for axis in every if axis.b)
        return float(self.dtype.itemsize * (a + b + self.size))

    def swapped(self) -> Contraction:
        """The same with the operands' names exchanged, so that rows are columns."""
        axes, inner = (tuple(Axis(x.size, x.b, x.a) for x in group) for group in (self.axes, self.inner))
        return Contraction(self.dtype, axes, inner, self.b, self.a, self.after)


@dataclass(frozen=True)
class Side:
    """The rows or the columns of a matrix product.

    Attributes:
        axis: which axis of the result; None if the product has but one row or column.
        size: how many.
        stride: elements between neighbours in their operand.
        inner: elements between neighbours along the summed axis there.
    """

    axis: int | None
    size: int
    stride: int
    inner: int


@dataclass(frozen=True)
class Form:
    """Matrix products: rows from a, columns from b, one for each index of the outer axes.

    Attributes:
        contraction: with the operands exchanged if that suits.
        rows, columns: the sides of a product.
        depth: size of the summed axis.
        extra: further axes summed over.
        outer: positions of the other axes of the result.
    """

    contraction: Contraction
    rows: Side
    columns: Side
    depth: int
    extra: tuple[Axis, ...]
    outer: tuple[int, ...]

    @classmethod
    def of(cls, contraction: Contraction) -> Form:
        """The longest axis of each kind is the one that tiles run along."""
        axes = contraction.axes
        inner = max(contraction.inner, key=lambda axis: (axis.size, -axis.a - axis.b), default=Axis(1, 0, 0))
        extra = list(contraction.inner)
        if inner in extra:
            extra.remove(inner)
        row = _longest([(axis.size, axis.a, place) for place, axis in enumerate(axes) if axis.a and not axis.b])
        column = _longest([(axis.size, axis.b, place) for place, axis in enumerate(axes) if axis.b and not axis.a])
        rows = Side(None, 1, 0, inner.a) if row is None else Side(row, axes[row].size, axes[row].a, inner.a)
        columns = (
            Side(None, 1, 0, inner.b) if column is None else Side(column, axes[column].size, axes[column].b, inner.b)
        )
        outer = tuple(place for place in range(len(axes)) if place not in (row, column))
        return cls(contraction, rows, columns, inner.size, tuple(extra), outer)

    @property
    def products(self) -> int:
        """How many matrix products there are."""
        return math.prod(self.contraction.axes[place].size for place in self.outer)

    @property
    def steps(self) -> int:
        """How many products are summed for an element of the result."""
        return self.depth * math.prod(axis.size for axis in self.extra)

    @property
    def turned(self) -> bool:
        """Whether the rows are the last axis of the result, and so likely neighbours in memory."""
        long = [place for place, axis in enumerate(self.contraction.axes) if axis.size > 1]
        return bool(long) and long[-1] == self.rows.axis

    @property
    def sums(self) -> dtype:
        """The type that sums are kept in."""
        record = self.contraction.dtype
        return record if record.itemsize >= 4 else dtypes.float32

    def corners(self, w: Writer, outer: Sequence[Value]) -> tuple[Value, Value]:
        """Where a product's operands begin, in elements."""
        axes = [self.contraction.axes[place] for place in self.outer]
        a = (times(w, at, axis.a) for at, axis in zip(outer, axes, strict=True))
        b = (times(w, at, axis.b) for at, axis in zip(outer, axes, strict=True))
        return total(w, self.contraction.a.offset, *a), total(w, self.contraction.b.offset, *b)

    def at(self, outer: Sequence[Value], row: Value, column: Value) -> tuple[Value, ...]:
        """The index of an element of the result."""
        found = {self.rows.axis: row, self.columns.axis: column} | dict(zip(self.outer, outer, strict=True))
        return tuple(found[place] for place in range(len(self.contraction.axes)))


def _longest(candidates: list[tuple[int, int, int]]) -> int | None:
    """The place of the longest axis that is longer than 1; of equals that with the smallest stride."""
    long = [(-size, abs(stride), place) for size, stride, place in candidates if size > 1]
    return min(long)[2] if long else None


# Arithmetic on indices


def digits(w: Writer, number: Value, sizes: Sequence[int]) -> list[Value]:
    """A number taken apart: the index along each of some axes, the last running fastest."""
    found: list[Value] = []
    for place, size in reversed(list(enumerate(sizes))):
        if size == 1:
            found.append(index(0))
        elif math.prod(sizes[:place]) == 1:
            found.append(number)
        else:
            found.append(w.let(I64, 0, f"urem {number}, {size}"))
            number = w.let(I64, 0, f"udiv {number}, {size}")
    return found[::-1]


def total(w: Writer, *terms: Value | int) -> Value:
    """The sum of integers."""
    known = sum(int(term) if isinstance(term, int) else int(term.text) for term in terms if _known(term))
    result = index(known)
    for term in terms:
        if isinstance(term, Value) and not _known(term):
            result = term if result.text == "0" else w.let(I64, 0, f"add nsw {term}, {result.text}")
    return result


def times(w: Writer, number: Value | int, factor: int) -> Value:
    """An integer times a known one."""
    if _known(number) or factor == 0:
        return index(int(index(number).text) * factor if factor else 0)
    assert isinstance(number, Value)
    return number if factor == 1 else w.let(I64, 0, f"mul nsw {number}, {factor}")


def lesser(w: Writer, number: Value, bound: int) -> Value:
    """The lesser of two integers."""
    if _known(number):
        return index(min(int(number.text), bound))
    return w.intrinsic("smin", number, index(bound))


def minus(w: Writer, a: Value | int, b: Value | int) -> Value:
    """The difference of two integers."""
    if _known(b) and index(b).text == "0":
        return index(a)
    if index(a) == index(b):
        return index(0)
    if _known(a) and _known(b):
        return index(int(index(a).text) - int(index(b).text))
    return w.let(I64, 0, f"sub nsw {index(a)}, {index(b).text}")


def _known(number: Value | int) -> bool:
    return isinstance(number, int) or not number.text.startswith("%")
