"""Random graphs: of each a seed, so that a failure can be made again and made smaller."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import kadam.primitives  # noqa: F401  (lends the nodes their operators)
from kadam import dtypes
from kadam.dtypes import dtype
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node
from kadam.ir.primitive import Array
from kadam.ir.types import TensorType
from kadam.primitives.analysis import Relu, Sigmoid
from kadam.primitives.broadcast import Broadcast, Sum
from kadam.primitives.check import Within
from kadam.primitives.compare import Less, Maximum
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Cast, Mul, Neg, Sub, Where
from kadam.primitives.index import Gather, Index, IndexAdd, IndexPut, Scatter, ScatterAdd
from kadam.primitives.move import Concat, Copy, Detach, Diagonal, Flip, Insert, Permute, Reshape, Slice
from kadam.primitives.reduce import ArgMax, Max, Min
from kadam.primitives.sources import Full, Input, Iota
from kadam.primitives.trigonometry import Tanh

SIZES = (1, 2, 3, 5, 8, 16, 17, 33)


class RandomGraph:
    """A graph of some calls, inputs to run it with, and which outputs go into which inputs' memory.

    Attributes:
        graph, feeds, over: see `kadam.engines.delivery`.
    """

    def __init__(self, seed: int, calls: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.feeds: list[Array] = []
        with building(Builder()) as builder:
            self.values: list[Node] = []
            self.inputs: list[Node] = []
            self.sizes = self.rng.choice(SIZES, 3)  # few, so that shapes meet again
            self.floating = dtypes.float64 if self.rng.random() < 0.15 else dtypes.float32
            for _ in range(self.rng.integers(1, 4)):
                self.values.append(self.input(self.shape(), self.floating))
            for _ in range(calls):
                self.values.append(self.call())
            self.graph = self.with_outputs(tuple(builder.nodes))

    def shape(self) -> tuple[int, ...]:
        rank = int(self.rng.integers(0, 4))
        return tuple(int(self.rng.choice(self.sizes)) for _ in range(rank))

    def input(self, shape: tuple[int, ...], record: dtype, high: int = 2) -> Node:
        node = emit(Input(TensorType(record, shape)))
        if record.is_floating_point:
            array = self.rng.uniform(-1.5, 1.5, shape)
        else:
            array = self.rng.integers(0, high, shape)
        self.feeds.append(np.asarray(array).astype(record.numpy))
        self.inputs.append(node)
        return node

    def value(self) -> Node:
        """A value so far, rather a late one."""
        return self.values[max(int(self.rng.integers(len(self.values))), int(self.rng.integers(len(self.values))))]

    def like(self, node: Node) -> Node:
        """A value of the same type: one so far, one made to fit, or a new input."""
        same = [one for one in self.values if one.type == node.type]
        if same and self.rng.random() < 0.7:
            return same[self.rng.integers(len(same))]
        fitting = [
            one
            for one in self.values
            if one.rank <= node.rank
            and all(a in (1, b) for a, b in zip(one.shape[::-1], node.shape[::-1], strict=False))
        ]
        if fitting and self.rng.random() < 0.7:
            return emit(Broadcast(node.shape), fitting[self.rng.integers(len(fitting))])
        return self.input(node.shape, node.dtype)

    def index(self, shape: tuple[int, ...], size: int) -> Node:
        return self.input(shape, dtypes.int64, size)

    def axis(self, node: Node) -> int:
        return int(self.rng.integers(node.rank))

    def call(self) -> Node:
        x = self.value()
        makers: list[Callable[[Node], Node]] = [self.pointwise] * 8 + [self.moved] * 5 + [self.reduced] * 3
        if x.rank:
            makers += [self.contracted] * 3 + [self.indexed] * 2 + [self.written] * 2
        maker = makers[self.rng.integers(len(makers))]
        return maker(x)

    def pointwise(self, x: Node) -> Node:
        kind = self.rng.integers(9)
        if kind < 3:
            return emit([Add(), Sub(), Mul()][kind], x, self.like(x))
        if kind == 3:
            return emit(Maximum(), x, self.like(x))
        if kind == 4:
            return emit(Where(), emit(Less(), x, self.like(x)), x, self.like(x))
        if kind == 5:
            other = dtypes.float32 if self.floating is dtypes.float64 else dtypes.float64
            return emit(Cast(self.floating), emit(Cast(other), x))
        return emit([Tanh(), Sigmoid(), Relu(), Neg()][self.rng.integers(4)], x)

    def moved(self, x: Node) -> Node:
        kind = self.rng.integers(9)
        if x.type.elements == 0:
            return emit(Copy(), x)
        if kind == 0 or x.rank == 0:
            return emit(Reshape(self.regrouped(x)), x)
        axis = self.axis(x)
        size = x.shape[axis]
        starts, stops, steps = [0] * x.rank, list(x.shape), [1] * x.rank
        starts[axis] = int(self.rng.integers(size))
        stops[axis] = int(self.rng.integers(starts[axis] + 1, size + 1))
        steps[axis] = int(self.rng.integers(1, 4))
        bounds = tuple(starts), tuple(stops), tuple(steps)
        if kind == 1:
            return emit(Permute(tuple(int(one) for one in self.rng.permutation(x.rank))), x)
        if kind == 2:
            return emit(Slice(*bounds), x)
        if kind == 3:
            return emit(Insert(*bounds), x, self.like(emit(Slice(*bounds), self.like(x))))
        if kind == 4:
            return emit(Concat(axis), x, self.like(x), *([x] if self.rng.random() < 0.3 else []))
        if kind == 5:
            return emit(Flip((axis,)), x)
        if kind == 6 and x.rank > 1:
            return emit(Diagonal(int(self.rng.integers(-1, 2)), *map(int, self.rng.permutation(x.rank)[:2])), x)
        if kind == 7:
            ramp = emit(Iota(x.shape, axis, dtypes.int64))
            return emit(Add(), x, emit(Cast(x.dtype), ramp))
        return emit(Detach() if self.rng.random() < 0.5 else Copy(), emit(Broadcast((2, *x.shape)), x))

    def regrouped(self, x: Node) -> tuple[int, ...]:
        left, found = x.type.elements, []
        while left > 1 and len(found) < 3:
            divisors = [one for one in range(2, left + 1) if left % one == 0]
            found.append(int(self.rng.choice(divisors)))
            left //= found[-1]
        if left > 1:
            found.append(left)
        return (*found, 1) if self.rng.random() < 0.2 else tuple(found)

    def reduced(self, x: Node) -> Node:
        axes = tuple(axis for axis in range(x.rank) if self.rng.random() < 0.5)
        kind = self.rng.integers(5)
        if kind == 4 and x.rank and 0 not in x.shape:
            return emit(Cast(x.dtype), emit(ArgMax(self.axis(x)), x))
        if kind == 3 and 0 not in x.shape:
            return emit(Max(axes) if self.rng.random() < 0.5 else Min(axes), x)
        total = emit(Sum(axes), x)
        if kind:
            return total
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        mean = emit(Broadcast(x.shape), emit(Reshape(kept), total))
        return emit(Sub(), x, emit(Mul(), mean, emit(Full(0.1, x.shape, x.dtype))))

    def contracted(self, x: Node) -> Node:
        axis = self.axis(x)
        if self.rng.random() < 0.3:
            other = self.like(x)
            batch = tuple(one for one in range(x.rank) if one != axis and self.rng.random() < 0.5)
            return emit(Dot(batch, batch, (axis,), (axis,)), x, other)
        size = int(self.rng.choice((*self.sizes, 10, 32, 40)))
        last = self.rng.random() < 0.5
        shape = (size, x.shape[axis]) if last else (x.shape[axis], size)
        weight = emit(Mul(), self.input(shape, x.dtype), emit(Full(0.3, shape, x.dtype)))
        return emit(Dot((), (), (axis,), (1 if last else 0,)), x, weight)

    def indexed(self, x: Node) -> Node:
        axis = self.axis(x)
        if 0 in x.shape:
            return x
        if self.rng.random() < 0.5:
            shape = list(x.shape)
            shape[axis] = int(self.rng.choice(SIZES))
            return emit(Gather(axis), x, self.index(tuple(shape), x.shape[axis]))
        low = emit(Within(0, x.shape[axis] - 1, "{value} is outside"), self.index(self.shape()[:2], x.shape[axis]))
        return emit(Index((axis,)), x, low)

    def written(self, x: Node) -> Node:
        axis = self.axis(x)
        if 0 in x.shape:
            return x
        shape = list(x.shape)
        if self.rng.random() < 0.5:
            shape[axis] = int(self.rng.integers(1, x.shape[axis] + 1))
            if self.rng.random() < 0.5:
                order = np.argsort(self.rng.random(x.shape), axis=axis).take(range(shape[axis]), axis=axis)
                place = self.index(tuple(shape), x.shape[axis])
                self.feeds[-1][...] = order  # no two to one place
                return emit(Scatter(axis), x, self.input(tuple(shape), x.dtype), place)
            place = self.index(tuple(shape), x.shape[axis])
            return emit(ScatterAdd(axis), x, self.input(tuple(shape), x.dtype), place)
        rows = int(self.rng.integers(1, x.shape[axis] + 1))
        shape[axis] = rows
        place = self.index((rows,), x.shape[axis])
        if self.rng.random() < 0.5:
            self.feeds[-1][...] = self.rng.permutation(x.shape[axis])[:rows]
            return emit(IndexPut((axis,)), x, self.input(tuple(shape), x.dtype), place)
        return emit(IndexAdd((axis,)), x, self.input(tuple(shape), x.dtype), place)

    def with_outputs(self, nodes: tuple[Node, ...]) -> Graph:
        """Some values as outputs, some of them in the memory of inputs of their type."""
        wanted = [self.values[-1], *(one for one in self.values[:-1] if self.rng.random() < 0.3)]
        free = dict(enumerate(self.inputs))
        outputs: list[Node] = []
        over: list[int | None] = []
        for node in wanted:
            fitting = [index for index, one in free.items() if one.type == node.type]
            place = fitting[self.rng.integers(len(fitting))] if fitting and self.rng.random() < 0.5 else None
            if place is not None:
                del free[place]
            outputs.append(node)
            over.append(place)
        self.over = tuple(over)
        return Graph(nodes, tuple(self.inputs), tuple(outputs))
