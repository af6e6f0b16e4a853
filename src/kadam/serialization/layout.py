"""From offset, sizes and strides to views: how a tensor of a file sees the line of elements that its storage is."""

from __future__ import annotations

from kadam.ir.primitive import View
from kadam.primitives.broadcast import Broadcast
from kadam.primitives.move import Permute, Reshape, Slice
from kadam.shapes import Shape


def views_to(length: int, offset: int, shape: Shape, strides: tuple[int, ...]) -> tuple[View, ...] | None:
    """The views that lead from a line of `length` elements to this layout; None if its elements overlap or interlace.

    The line is cut into rows again and again, from the widest stride to the narrowest; then the axes are put in order.
    """
    axes = [axis for axis in range(len(shape)) if shape[axis] > 1 and strides[axis] > 0]
    axes.sort(key=lambda axis: -strides[axis])
    path = _Path(length)
    for place, axis in enumerate(axes[:-1]):
        extent = 1 + sum((shape[inner] - 1) * strides[inner] for inner in axes[place + 1 :])
        found = _row(length, extent, shape[axis], strides[axis])
        if found is None:
            return None
        row, step = found
        rows = (shape[axis] - 1) * step + 1
        start = max(0, offset + extent - row)
        path.cut(start, start + rows * row, 1)
        path.reshape((*path.shape[:-1], rows, row))
        path.cut(0, rows, step, axis=-2)
        length, offset = row, offset - start
    last, step = (shape[axes[-1]], strides[axes[-1]]) if axes else (1, 1)
    path.cut(offset, offset + (last - 1) * step + 1, step)
    order = sorted(axes)
    path.permute(tuple(axes.index(axis) for axis in order) or (0,))
    path.reshape(tuple(size if axis in order else 1 for axis, size in enumerate(shape)))
    path.stretch(shape)
    return tuple(path.views)


def _row(length: int, extent: int, size: int, stride: int) -> tuple[int, int] | None:
    """The shortest row that holds `extent` elements and of which `stride` is a multiple, and that multiple."""
    for step in range(stride // extent, 0, -1):
        if stride % step == 0:
            row = stride // step
            return (row, step) if (size - 1) * stride + row <= length else None
    return None


class _Path:
    """A chain of views that begins at a line; a view that would change nothing is left out."""

    def __init__(self, length: int) -> None:
        self.shape: Shape = (length,)
        self.views: list[View] = []

    def cut(self, start: int, stop: int, step: int, axis: int = -1) -> None:
        bounds = [(0, size, 1) for size in self.shape]
        bounds[axis] = (start, stop, step)
        starts, stops, steps = zip(*bounds, strict=True)
        sizes = [-(-(stop - start) // step) for start, stop, step in bounds]
        self._see(Slice(starts, stops, steps), tuple(sizes))

    def reshape(self, shape: Shape) -> None:
        self._see(Reshape(shape), shape)

    def permute(self, axes: tuple[int, ...]) -> None:
        if axes != tuple(range(len(axes))):
            self.views.append(Permute(axes))
            self.shape = tuple(self.shape[axis] for axis in axes)

    def stretch(self, shape: Shape) -> None:
        self._see(Broadcast(shape), shape)

    def _see(self, view: View, shape: Shape) -> None:
        if shape != self.shape:
            self.views.append(view)
            self.shape = shape
