"""Elements that integer tensors point at: read, replaced, added to.

Two families with the same three members. `Gather`, `Scatter` and `ScatterAdd` address single elements, along one axis;
`Index`, `IndexPut` and `IndexAdd` address whole rows, along one or more axes. Each is differentiated by its siblings.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.dtypes import int64
from kadam.errors import DTypeError, IndexOutOfRange, PlaceError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType
from kadam.primitives.compare import Equal
from kadam.primitives.elementwise import Cast, where
from kadam.primitives.move import reshaped
from kadam.primitives.sources import Full, Iota, full_like
from kadam.shapes import Shape, contiguous_strides, count


class Reading(Primitive):
    """The elements of `x` that the indices point at."""

    @abstractmethod
    def adding(self) -> Adding:
        """The transpose: adds to the elements that this one reads."""

    def vjp(self, ct: Node, out: Node, x: Node, *indices: Node) -> tuple[Node | None, ...]:
        return emit(self.adding(), full_like(x, 0), ct, *indices), *(None for _ in indices)


class Writing(Primitive):
    """`base`, changed at the elements that the indices point at."""

    @abstractmethod
    def reading(self) -> Reading:
        """What reads the elements that this one writes."""

    def infer(self, base: TensorType, value: TensorType, *indices: TensorType) -> TensorType:
        expected = self.reading().infer(base, *indices)
        if value != expected:
            raise ShapeError(
                f"{type(self).__name__}: the indices show {expected} of {base}, the value is {value}. Fix: give a "
                f"value of shape {list(expected.shape)}."
            )
        return base


class Replacing(Writing):
    """`base` with the elements that the indices point at replaced by `value`: by the last of several for one place."""

    def vjp(self, ct: Node, out: Node, base: Node, value: Node, *indices: Node) -> tuple[Node | None, ...]:
        zero = full_like(value, 0)
        order = reshaped(emit(Iota((count(value.shape),), 0, int64)), value.shape)
        written = emit(self, emit(Full(-1, base.shape, int64)), order, *indices)
        stayed = emit(Equal(), emit(self.reading(), written, *indices), order)
        from_value = where(stayed, emit(self.reading(), ct, *indices), 0)
        return emit(self, ct, zero, *indices), from_value, *(None for _ in indices)


class Adding(Writing):
    """`base` with `value` added to the elements that the indices point at, in row-major order of `value`."""

    def vjp(self, ct: Node, out: Node, base: Node, value: Node, *indices: Node) -> tuple[Node | None, ...]:
        return ct, emit(self.reading(), ct, *indices), *(None for _ in indices)


@dataclass(frozen=True)
class Gather(Reading):
    """y[i, j, k] = x[i, index[i, j, k], k] for axis 1, and so on. As `torch.gather`."""

    notation: ClassVar = "{0}[{1}]"
    axis: int

    def infer(self, x: TensorType, index: TensorType) -> TensorType:
        _require_int64(self, index)
        if not 0 <= self.axis < x.rank:
            raise ShapeError(f"Gather: {x} has no axis {self.axis}")
        others = [axis for axis in range(x.rank) if axis != self.axis]
        if index.rank != x.rank or any(index.shape[axis] > x.shape[axis] for axis in others):
            raise ShapeError(
                f"Gather: the index {index} must have as many axes as {x} and, but for axis {self.axis}, be no larger"
            )
        return x.with_shape(index.shape)

    def reference(self, x: Array, index: Array) -> Array:
        return x.reshape(-1).take(_places_along(self.axis, x.shape, index))

    def adding(self) -> ScatterAdd:
        return ScatterAdd(self.axis)

    def lower(self, e: Emitter, at: At, x: Reader, index: Reader) -> Element:
        found = e.datum(index(at), x.shape[self.axis], wrap=False)
        return x((*at[: self.axis], found, *at[self.axis + 1 :]))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1), "f32[2,3], i64[2,4]"),
            Example(cls(0), "f32[3,4], i64[2,2]"),
            Example(cls(2), "i32[2,2,3], i64[2,1,3]"),
            Example(cls(0), "f32[3], i64[0]"),
        )


@dataclass(frozen=True)
class Scatter(Replacing):
    """`base`, then y[i, index[i, j, k], k] = value[i, j, k] for axis 1, and so on. As `torch.scatter`."""

    axis: int

    def reading(self) -> Gather:
        return Gather(self.axis)

    def reference(self, base: Array, value: Array, index: Array) -> Array:
        result = np.array(base, order="C")
        result.reshape(-1)[_places_along(self.axis, base.shape, index)] = value
        return result

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return _writes_along_axis(cls)


class ScatterEqual(Scatter):
    """`Scatter` where values for one place are equal, as those of overlapping windows are: each gets the cotangent."""

    def vjp(self, ct: Node, out: Node, base: Node, value: Node, *indices: Node) -> tuple[Node | None, ...]:
        from_base = emit(self, ct, full_like(value, 0), *indices)
        return from_base, emit(self.reading(), ct, *indices), *(None for _ in indices)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(0), "f32[3,4], f32[1,4], i64[1,4]"),)


@dataclass(frozen=True)
class ScatterAdd(Adding):
    """`base`, then y[i, index[i, j, k], k] += value[i, j, k] for axis 1, and so on. As `torch.scatter_add`."""

    axis: int

    def reading(self) -> Gather:
        return Gather(self.axis)

    def reference(self, base: Array, value: Array, index: Array) -> Array:
        result = np.array(base, order="C")
        np.add.at(result.reshape(-1), _places_along(self.axis, base.shape, index).ravel(), value.ravel())
        return result

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return _writes_along_axis(cls)


@dataclass(frozen=True)
class ScatterReduce(Writing):
    """`base`, then y[i, index[i, j, k], k] = reduce(y[...], value[i, j, k]) for axis 1, and so on; nan wins.

    `reduce` is "amax", "amin" (ties share the cotangent evenly) or "prod". As `torch.scatter_reduce`.
    """

    axis: int
    reduce: str

    def reading(self) -> Gather:
        return Gather(self.axis)

    def reference(self, base: Array, value: Array, index: Array) -> Array:
        combine = {"amax": np.maximum, "amin": np.minimum, "prod": np.multiply}[self.reduce]
        result = np.array(base, order="C")
        combine.at(result.reshape(-1), _places_along(self.axis, base.shape, index).ravel(), value.ravel())
        return result

    def vjp(self, ct: Node, out: Node, base: Node, value: Node, index: Node) -> tuple[Node, Node, None]:
        from_reduce = self._from_product if self.reduce == "prod" else self._from_extremum
        return *from_reduce(ct, out, base, value, index), None

    def _from_extremum(self, ct: Node, out: Node, base: Node, value: Node, index: Node) -> tuple[Node, Node]:
        def read(x: Node) -> Node:
            return emit(self.reading(), x, index)

        base_ties, value_ties = emit(Equal(), base, out), emit(Equal(), value, read(out))
        ties = emit(ScatterAdd(self.axis), emit(Cast(ct.dtype), base_ties), emit(Cast(ct.dtype), value_ties), index)
        share = ct / ties
        return where(base_ties, share, 0), where(value_ties, read(share), 0)

    def _from_product(self, ct: Node, out: Node, base: Node, value: Node, index: Node) -> tuple[Node, Node]:
        """Each factor's cotangent is `ct` times the product of the others: by division, except for zeros."""

        def read(x: Node) -> Node:
            return emit(self.reading(), x, index)

        base_zero, value_zero = emit(Equal(), base, full_like(base, 0)), emit(Equal(), value, full_like(value, 0))
        zeros = emit(ScatterAdd(self.axis), emit(Cast(ct.dtype), base_zero), emit(Cast(ct.dtype), value_zero), index)
        nonzero = where(value_zero, full_like(value, 1), value)
        rest = emit(self, where(base_zero, full_like(base, 1), base), nonzero, index)
        other_zeros = read(zeros) - emit(Cast(ct.dtype), value_zero)
        from_value = where(emit(Equal(), other_zeros, full_like(other_zeros, 0)), read(ct * rest) / nonzero, 0)
        return ct * emit(self, full_like(base, 1), value, index), from_value

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1, "amax"), "f32[2,3], f32[2,4], i64[2,4]"),
            Example(cls(0, "amin"), "f32[3,2], f32[5,2], i64[5,2]"),
            Example(cls(1, "prod"), "f32[2,3], f32[2,4], i64[2,4]", low=0.5),
        )


@dataclass(frozen=True)
class Index(Reading):
    """Advanced indexing, `x[:, i, :, j]` for axes (1, 3): one index for each of `axes` (ascending), all of one shape.

    The indices' axes stand at the place of `axes` if these are adjacent, else in front. With `wrap`, negative indices
    count from the end. As `torch.Tensor.__getitem__`, `torch.index_select`, `torch.nn.functional.embedding`.
    """

    notation: ClassVar = "{0}[{1}]"
    axes: tuple[int, ...]
    wrap: bool = True

    def infer(self, x: TensorType, *indices: TensorType) -> TensorType:
        if not indices or len(indices) != len(self.axes):
            raise ShapeError(f"Index: {len(indices)} indices for the axes {list(self.axes)}")
        if list(self.axes) != sorted(set(self.axes)) or not 0 <= self.axes[0] <= self.axes[-1] < x.rank:
            raise ShapeError(f"Index: {list(self.axes)} are not ascending axes of {x}")
        for index in indices:
            _require_int64(self, index)
            if index.shape != indices[0].shape:
                raise ShapeError(
                    f"Index: the indices {indices[0]} and {index} differ in shape. Fix: broadcast them first."
                )
        rest = tuple(size for axis, size in enumerate(x.shape) if axis not in self.axes)
        place = self.place()
        return x.with_shape((*rest[:place], *indices[0].shape, *rest[place:]))

    def place(self) -> int:
        """The axis of the result at which the indices' axes stand."""
        first, last = self.axes[0], self.axes[-1]
        return first if last - first == len(self.axes) - 1 else 0

    def region(self, shape: Shape, indices: Sequence[Array]) -> tuple[slice | Array, ...]:
        """The key under which NumPy finds the same elements, checked."""
        key: list[slice | Array] = [slice(None)] * (self.axes[-1] + 1)
        for axis, index in zip(self.axes, indices, strict=True):
            key[axis] = _checked(index, shape[axis], axis, self.wrap)
        return tuple(key)

    def reference(self, x: Array, *indices: Array) -> Array:
        if len(indices) == 1:
            axis = self.axes[0]
            return np.asarray(np.take(x, _checked(indices[0], x.shape[axis], axis, self.wrap), axis=axis))
        return np.asarray(x[self.region(x.shape, indices)])

    def adding(self) -> IndexAdd:
        return IndexAdd(self.axes, self.wrap)

    def lower(self, e: Emitter, at: At, x: Reader, *indices: Reader) -> Element:
        first, rank = self.place(), len(indices[0].shape)
        picked, rest = at[first : first + rank], iter(at[:first] + at[first + rank :])
        found = {
            axis: e.datum(index(picked), x.shape[axis], self.wrap)
            for axis, index in zip(self.axes, indices, strict=True)
        }
        return x(tuple(found[axis] if axis in found else next(rest) for axis in range(len(x.shape))))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((0,)), "f32[4,3], i64[2,5]", integers=(-4, 4)),
            Example(cls((1,), wrap=False), "f32[2,3], i64[4]"),
            Example(cls((0,)), "i64[3,2], i64[]"),
            Example(cls((0, 1)), "f32[4,3,2], i64[2], i64[2]", integers=(-3, 3)),
            Example(cls((1, 2)), "f32[2,3,3], i64[2,2], i64[2,2]"),
            Example(cls((0, 2)), "f32[3,2,3], i64[4], i64[4]"),
        )


@dataclass(frozen=True)
class IndexPut(Replacing):
    """`base` with what `Index` shows replaced by `value`. As `torch.Tensor.index_put`, `torch.index_copy`."""

    axes: tuple[int, ...]
    wrap: bool = True

    def reading(self) -> Index:
        return Index(self.axes, self.wrap)

    def reference(self, base: Array, value: Array, *indices: Array) -> Array:
        result = base.copy()
        result[self.reading().region(base.shape, indices)] = value
        return result

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return _writes_of_rows(cls)


@dataclass(frozen=True)
class IndexAdd(Adding):
    """`base` with `value` added to what `Index` shows. As `torch.index_add`, `Tensor.index_put(accumulate=True)`."""

    axes: tuple[int, ...]
    wrap: bool = True

    def reading(self) -> Index:
        return Index(self.axes, self.wrap)

    def reference(self, base: Array, value: Array, *indices: Array) -> Array:
        rest = tuple(axis for axis in range(base.ndim) if axis not in self.axes)
        result = np.array(base.transpose(self.axes + rest), order="C")
        length = count([base.shape[axis] for axis in rest])
        # Elements rather than rows: NumPy's `add.at` is fast for one axis only.
        elements = self._rows(base.shape, indices) * length + np.arange(length)
        place, index_rank = self.reading().place(), indices[0].ndim
        value = np.moveaxis(value, range(place, place + index_rank), range(index_rank))
        np.add.at(result.reshape(-1), elements.ravel(), value.ravel())
        return np.moveaxis(result, range(len(self.axes)), self.axes)

    def _rows(self, shape: Shape, indices: Sequence[Array]) -> Array:
        """The position of each index in row-major order of the indexed axes, as a column."""
        rows = np.zeros(indices[0].shape, np.int64)
        for axis, index in zip(self.axes, indices, strict=True):
            index = _checked(index, shape[axis], axis, self.wrap)
            rows = rows * shape[axis] + np.where(index < 0, index + shape[axis], index)
        return rows.reshape(-1, 1)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return _writes_of_rows(cls)


def _require_int64(primitive: Primitive, index: TensorType) -> None:
    if index.dtype is not int64:
        raise DTypeError(f"{type(primitive).__name__}: the index is {index}; it must be i64. Fix: cast it first.")


def _checked(index: Array, size: int, axis: int, wrap: bool, error: type[IndexOutOfRange] = IndexOutOfRange) -> Array:
    """The index itself, when each of its elements lies on an axis of this size.

    Raises:
        IndexOutOfRange: one does not.
    """
    low = -size if wrap else 0
    if index.size and not (low <= index.min() and index.max() < size):
        place = tuple(int(position) for position in np.argwhere((index < low) | (index >= size))[0])
        message = f"index {index[place]} is out of bounds for dimension {axis} with size {size}"
        where = f" (index element {list(place)})" if place else ""
        raise error(f"{message}{where}. Fix: indices go from {low} to {size - 1}.")
    return index


def _writes_along_axis(primitive: Callable[[int], Primitive]) -> tuple[Example, ...]:
    return (
        Example(primitive(1), "f32[2,3], f32[2,4], i64[2,4]"),
        Example(primitive(0), "f32[3,4], f32[2,2], i64[2,2]"),
        Example(primitive(0), "i64[3], i64[5], i64[5]"),
    )


def _writes_of_rows(primitive: Callable[[tuple[int, ...], bool], Primitive]) -> tuple[Example, ...]:
    return (
        Example(primitive((0,), True), "f32[4,3], f32[2,5,3], i64[2,5]", integers=(-4, 4)),
        Example(primitive((1,), False), "f32[2,3], f32[2,4], i64[4]"),
        Example(primitive((0, 1), True), "f32[4,3,2], f32[3,2], i64[3], i64[3]", integers=(-3, 3)),
        Example(primitive((0, 2), True), "f32[3,2,3], f32[4,2], i64[4], i64[4]"),
    )


def _places_along(axis: int, shape: Shape, index: Array) -> Array:
    """Row-major positions in a tensor of this shape of the elements that `Gather` along `axis` reads.

    Raises:
        PlaceError: an index is negative or beyond the axis.
    """
    strides = contiguous_strides(shape)
    corner = np.zeros((1,) * len(shape), np.int64)
    for other, size in enumerate(index.shape):
        if other != axis:
            steps = np.arange(size) * strides[other]
            corner = corner + steps.reshape([-1 if place == other else 1 for place in range(len(shape))])
    index = _checked(index, shape[axis], axis, wrap=False, error=PlaceError)
    return corner + (index if strides[axis] == 1 else index * strides[axis])
