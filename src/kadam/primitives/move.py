"""Values moved, not changed: other shapes, other orders, parts, and their way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, Reader
from kadam.ir.place import Index as At
from kadam.ir.place import flat, unflat
from kadam.ir.primitive import Array, Example, Primitive, View
from kadam.ir.types import TensorType
from kadam.primitives.sources import Full, full_like
from kadam.shapes import Shape, count, without


@dataclass(frozen=True)
class Reshape(View):
    """The same elements, in row-major order, with another shape. As `Tensor.view`."""

    notation: ClassVar = "{0}"
    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        if count(self.shape) != x.elements:
            raise ShapeError(f"Reshape: shape '{list(self.shape)}' is invalid for input of size {x.elements} ({x})")
        return x.with_shape(self.shape)

    def reference(self, x: Array) -> Array:
        return x.reshape(self.shape)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(Reshape(x.shape), ct),)

    def restore(self, base: Node, view: Node) -> Node:
        return emit(Reshape(base.shape), view)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return x(unflat(flat(at, self.shape), x.shape))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((6,)), "f32[2,3]"), Example(cls((1, 1)), "f32[]"))


@dataclass(frozen=True)
class Permute(View):
    """Axes in another order: axis i of the result is axis `axes[i]` of the input. As `torch.permute`."""

    notation: ClassVar = "{0}"
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.axes) != list(range(x.rank)):
            raise ShapeError(f"Permute: {list(self.axes)} is no order of the {x.rank} axes of {x}")
        return x.with_shape(tuple(x.shape[axis] for axis in self.axes))

    def reference(self, x: Array) -> Array:
        return x.transpose(self.axes)

    def inverse(self) -> Permute:
        return Permute(tuple(sorted(range(len(self.axes)), key=self.axes.__getitem__)))

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(self.inverse(), ct),)

    def restore(self, base: Node, view: Node) -> Node:
        return emit(self.inverse(), view)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return x(tuple(at[place] for place in self.inverse().axes))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((2, 0, 1)), "f32[2,3,4]"), Example(cls(()), "f32[]"))


@dataclass(frozen=True)
class Slice(View):
    """Elements start, start + step, ... before stop, along each axis; 0 <= start <= stop <= size, step >= 1."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if not len(self.starts) == len(self.stops) == len(self.steps) == x.rank:
            raise ShapeError(f"Slice: {len(self.starts)} bounds for the {x.rank} axes of {x}")
        sizes = []
        for size, start, stop, step in zip(x.shape, self.starts, self.stops, self.steps, strict=True):
            if not (0 <= start <= stop <= size and step >= 1):
                raise ShapeError(f"Slice: {start}:{stop}:{step} is outside an axis of size {size} of {x}")
            sizes.append(-(-(stop - start) // step))
        return x.with_shape(tuple(sizes))

    def region(self) -> tuple[slice, ...]:
        return tuple(map(slice, self.starts, self.stops, self.steps))

    def reference(self, x: Array) -> Array:
        return x[self.region()] if self.starts else x

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(Insert(self.starts, self.stops, self.steps), full_like(x, 0), ct),)

    def restore(self, base: Node, view: Node) -> Node:
        return emit(Insert(self.starts, self.stops, self.steps), base, view)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return x(tuple(one * step + start for one, step, start in zip(at, self.steps, self.starts, strict=True)))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((1, 0), (3, 5), (1, 2)), "f32[3,5]"), Example(cls((2,), (2,), (1,)), "f32[3]"))


@dataclass(frozen=True)
class Insert(Primitive):
    """`base` with the region that `Slice` of the same bounds shows replaced by `part`. As `torch.slice_scatter`."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    steps: tuple[int, ...]

    def infer(self, base: TensorType, part: TensorType) -> TensorType:
        expected = Slice(self.starts, self.stops, self.steps).infer(base)
        if part != expected:
            raise ShapeError(f"Insert: the region of {base} is {expected}, the part is {part}")
        return base

    def reference(self, base: Array, part: Array) -> Array:
        result = base.copy()
        result[tuple(map(slice, self.starts, self.stops, self.steps))] = part
        return result

    def vjp(self, ct: Node, out: Node, base: Node, part: Node) -> tuple[Node, Node]:
        return emit(self, ct, full_like(part, 0)), emit(Slice(self.starts, self.stops, self.steps), ct)

    def lower(self, e: Emitter, at: At, base: Reader, part: Reader) -> Element:
        bounds = list(zip(at, self.starts, self.stops, self.steps, base.shape, strict=True))
        inside = [e.inside(one, start, stop) for one, start, stop, _, size in bounds if (start, stop) != (0, size)]
        inside += [e.aligned(one - start, step) for one, start, _, step, _ in bounds if step > 1]

        def chosen(conditions: list[Element]) -> Element:
            if not conditions:
                return part(tuple((one - start) // step for one, start, _, step, _ in bounds))
            return e.choose(conditions[0], lambda: chosen(conditions[1:]), lambda: base(at))

        return chosen(inside)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((1, 0), (3, 5), (1, 2)), "f32[3,5], f32[2,3]"),)


class Detach(View):
    """The same values, through which no derivative passes. As `Tensor.detach`."""

    notation: ClassVar = "{0}"
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return x

    def reference(self, x: Array) -> Array:
        return x

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[None]:
        return (None,)

    def restore(self, base: Node, view: Node) -> Node:
        return view

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return x(at)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3]"),)


class Severed(Detach):
    """The same values, of which derivatives are asked for and none arrives: what PyTorch calls undefined gradients."""

    differentiable: ClassVar[bool] = True


class Copy(Primitive):
    """The same values in memory of their own. As `Tensor.clone`."""

    notation: ClassVar = "{0}"

    def infer(self, x: TensorType) -> TensorType:
        return x

    def reference(self, x: Array) -> Array:
        return x.copy()

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct,)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        return x(at)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3]"),)


@dataclass(frozen=True)
class Concat(Primitive):
    """The inputs one after another along `axis`. As `torch.cat`."""

    axis: int

    def infer(self, *parts: TensorType) -> TensorType:
        if not parts:
            raise ShapeError("Concat: there is nothing to join")
        first = parts[0]
        if not 0 <= self.axis < first.rank:
            raise ShapeError(f"Concat: {first} has no axis {self.axis}")
        for part in parts[1:]:
            if part.dtype is not first.dtype:
                raise DTypeError(
                    f"Concat: cannot join {first} with {part}: the types differ. Fix: cast one of them first."
                )
            if part.rank != first.rank or without(part.shape, (self.axis,)) != without(first.shape, (self.axis,)):
                raise ShapeError(f"Concat: cannot join {first} with {part} along axis {self.axis}: other sizes differ")
        total = sum(part.shape[self.axis] for part in parts)
        return first.with_shape((*first.shape[: self.axis], total, *first.shape[self.axis + 1 :]))

    def reference(self, *parts: Array) -> Array:
        return np.concatenate(parts, self.axis)

    def vjp(self, ct: Node, out: Node, *parts: Node) -> tuple[Node, ...]:
        stops = list(accumulate(part.shape[self.axis] for part in parts))
        return tuple(
            sliced(ct, self.axis, stop - part.shape[self.axis], stop) for part, stop in zip(parts, stops, strict=True)
        )

    def lower(self, e: Emitter, at: At, *parts: Reader) -> Element:
        here = at[self.axis]
        filled = [part for part in parts if part.shape[self.axis]] or parts[:1]

        def chosen(number: int, start: int) -> Element:
            part, stop = filled[number], start + filled[number].shape[self.axis]
            there = (*at[: self.axis], here - start, *at[self.axis + 1 :])
            if number == len(filled) - 1:
                return part(there)
            return e.choose(e.inside(here, start, stop), lambda: part(there), lambda: chosen(number + 1, stop))

        return chosen(0, 0)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(1), "f32[2,3], f32[2,1], f32[2,2]"),
            Example(cls(0), "i64[2], i64[0], i64[1]"),
            Example(cls(0), "f32[3]"),
            Example(cls(0), "f32[0,3], f32[0,3]"),
        )


@dataclass(frozen=True)
class Flip(Primitive):
    """The elements in reverse order along each of `axes`. As `torch.flip`."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        if any(not 0 <= axis < x.rank for axis in self.axes) or len(set(self.axes)) < len(self.axes):
            raise ShapeError(f"Flip: {list(self.axes)} are not different axes of {x}")
        return x

    def reference(self, x: Array) -> Array:
        return np.flip(x, self.axes) if self.axes else x

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(self, ct),)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        turned = (x.shape[axis] - 1 - one if axis in self.axes else one for axis, one in enumerate(at))
        return x(tuple(turned))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls((0, 2)), "f32[2,3,4]"), Example(cls((0,)), "i64[3]"), Example(cls(()), "f32[]"))


@dataclass(frozen=True)
class Diagonal(View):
    """The diagonal `offset` places right of the main one, in the plane of two axes, as a new last axis.

    A negative offset lies below. As `torch.diagonal`.
    """

    offset: int
    axis1: int
    axis2: int

    def length(self, shape: Shape) -> int:
        rows, columns = shape[self.axis1], shape[self.axis2]
        return max(min(rows + min(self.offset, 0), columns - max(self.offset, 0)), 0)

    def infer(self, x: TensorType) -> TensorType:
        if not (0 <= self.axis1 < x.rank and 0 <= self.axis2 < x.rank and self.axis1 != self.axis2):
            raise ShapeError(f"Diagonal: {self.axis1} and {self.axis2} are not two axes of {x}")
        return x.with_shape((*without(x.shape, (self.axis1, self.axis2)), self.length(x.shape)))

    def reference(self, x: Array) -> Array:
        return np.diagonal(x, self.offset, self.axis1, self.axis2)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (self.restore(full_like(x, 0), ct),)

    def restore(self, base: Node, view: Node) -> Node:
        return emit(DiagonalInsert(self.offset, self.axis1, self.axis2), base, view)

    def lower(self, e: Emitter, at: At, x: Reader) -> Element:
        *rest, along = at
        places = iter(rest)
        rows, columns = along + max(-self.offset, 0), along + max(self.offset, 0)
        return x(
            tuple({self.axis1: rows, self.axis2: columns}.get(axis) or next(places) for axis in range(len(x.shape)))
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(0, 0, 1), "f32[3,4]"),
            Example(cls(1, 2, 0), "f32[2,3,3]"),
            Example(cls(-1, 0, 1), "f32[4,2]"),
            Example(cls(3, 0, 1), "f32[2,2]"),
        )


@dataclass(frozen=True)
class DiagonalInsert(Primitive):
    """`base` with the elements that `Diagonal` shows replaced by `part`. As `torch.diagonal_scatter`."""

    offset: int
    axis1: int
    axis2: int

    def view(self) -> Diagonal:
        return Diagonal(self.offset, self.axis1, self.axis2)

    def infer(self, base: TensorType, part: TensorType) -> TensorType:
        expected = self.view().infer(base)
        if part != expected:
            raise ShapeError(f"DiagonalInsert: the diagonal of {base} is {expected}, the part is {part}")
        return base

    def reference(self, base: Array, part: Array) -> Array:
        result = base.copy()
        diagonal = self.view().reference(result)
        diagonal.setflags(write=True)
        diagonal[...] = part
        return result

    def vjp(self, ct: Node, out: Node, base: Node, part: Node) -> tuple[Node, Node]:
        return emit(self, ct, full_like(part, 0)), emit(self.view(), ct)

    def lower(self, e: Emitter, at: At, base: Reader, part: Reader) -> Element:
        if not part.shape[-1]:
            return base(at)
        along = at[self.axis1] - max(-self.offset, 0)
        rest = tuple(one for axis, one in enumerate(at) if axis not in (self.axis1, self.axis2))
        return e.choose(
            e.inside(at[self.axis2] - at[self.axis1], self.offset, self.offset + 1),
            lambda: part((*rest, along)),
            lambda: base(at),
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls(0, 0, 1), "f32[3,4], f32[3]"),
            Example(cls(-1, 2, 0), "f32[2,3,2], f32[3,1]"),
        )


def reshaped(node: Node, shape: Shape) -> Node:
    """`node` with another shape; as it is if it has that shape already."""
    return node if node.shape == shape else emit(Reshape(shape), node)


def permuted(node: Node, axes: tuple[int, ...]) -> Node:
    """`node` with its axes in this order; as it is if they are in this order already."""
    return node if axes == tuple(range(node.rank)) else emit(Permute(axes), node)


def transposed(node: Node) -> Node:
    """The matrices in the last two axes, transposed."""
    return permuted(node, (*range(node.rank - 2), node.rank - 1, node.rank - 2))


def sliced(node: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """Elements start, start + step, ... before stop along one axis; the node as it is if that is all of them."""
    if (start, stop, step) == (0, node.shape[axis], 1):
        return node
    starts, stops, steps = [0] * node.rank, list(node.shape), [1] * node.rank
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return emit(Slice(tuple(starts), tuple(stops), tuple(steps)), node)


def padded(node: Node, margins: Sequence[tuple[int, int]], value: complex = 0) -> Node:
    """`node` with (before, after) elements of `value` added along each axis; a negative margin crops."""
    starts = tuple(max(-before, 0) for before, _ in margins)
    stops = tuple(size - max(-after, 0) for size, (_, after) in zip(node.shape, margins, strict=True))
    ones = (1,) * node.rank
    if any(starts) or stops != node.shape:
        node = emit(Slice(starts, stops, ones), node)
    grown = [(max(before, 0), max(after, 0)) for before, after in margins]
    if not any(map(any, grown)):
        return node
    shape = tuple(before + size + after for size, (before, after) in zip(node.shape, grown, strict=True))
    starts = tuple(before for before, _ in grown)
    stops = tuple(before + size for size, (before, _) in zip(node.shape, grown, strict=True))
    return emit(Insert(starts, stops, ones), emit(Full(value, shape, node.dtype)), node)


def concat(nodes: Sequence[Node], axis: int) -> Node:
    """The nodes one after another along `axis`; a single one as it is."""
    return nodes[0] if len(nodes) == 1 else emit(Concat(axis), *nodes)
