"""Matrix products with few rows or columns, by vectors along the depth of both operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kadam.engines.native.form import Form, digits, lesser, minus, times, total
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.stage import Finish
from kadam.engines.native.tile import multiply_add
from kadam.engines.native.turn import below, from_on, load_as
from kadam.engines.native.writer import Value, Variable, Writer, constant, index


@dataclass(frozen=True)
class Inner:
    """How inner products are grouped.

    Attributes:
        form: both operands lie along the depth.
        lanes: elements in a vector.
        rows, columns: of a tile.
        group: how many tiles beside each other make a task.
    """

    form: Form
    lanes: int
    rows: int
    columns: int
    group: int

    @property
    def tiles(self) -> int:
        """Tiles below each other."""
        return -(-self.form.rows.size // self.rows)

    @property
    def panels(self) -> int:
        """Tiles beside each other."""
        return -(-self.form.columns.size // self.columns)

    @property
    def groups(self) -> int:
        return -(-self.panels // self.group)

    @property
    def tasks(self) -> int:
        return self.form.products * self.tiles * self.groups


def inner_kernel(plan: Inner, finish: Finish) -> Writer:
    """The kernel whose tasks are groups of tiles, one beside the other."""
    author = _Inner(plan, finish)
    with author.w.loop(*author.w.tasks) as task:
        author.task(task)
    return author.w


class _Inner:
    """Writes the kernel."""

    def __init__(self, plan: Inner, finish: Finish) -> None:
        self.w, self.p, self.form, self.finish = Writer(), plan, plan.form, finish
        self.scalars = Scalars(self.w)
        self.stored, self.record = self.form.contraction.dtype, self.form.sums
        self.count = -(-plan.rows * plan.columns // plan.lanes) * plan.lanes
        self.results = self.w.scratch(self.record, self.count)

    def task(self, task: Value) -> None:
        w, p, form = self.w, self.p, self.form
        sizes = [form.contraction.axes[place].size for place in form.outer]
        *outer, tile, group = digits(w, task, (*sizes, p.tiles, p.groups))
        a, b = form.corners(w, outer)
        row_nominal = times(w, tile, p.rows)
        row = lesser(w, row_nominal, form.rows.size - p.rows)
        first = times(w, group, p.group)
        last = index(p.panels) if p.groups == 1 else lesser(w, total(w, first, p.group), p.panels)
        left = total(w, a, times(w, row, form.rows.stride))
        with w.loop(first, last) as panel:
            nominal = times(w, panel, p.columns)
            column = lesser(w, nominal, form.columns.size - p.columns)
            right = total(w, b, times(w, column, form.columns.stride))
            self._sum(left, right)
            repeated = minus(w, nominal, column)
            mask = from_on(w, p.columns, repeated) if form.columns.size % p.columns else None
            with w.loop(minus(w, row_nominal, row), p.rows) as place:
                lanes = p.columns if p.columns > 1 else 0
                value = w.load(self.record, lanes, self.results, times(w, place, p.columns))
                where = form.at(outer, total(w, row, place), column)
                along = form.columns.axis if lanes else None
                self.finish(w, where, along, self.scalars.cast(value, self.stored), mask if lanes else None)

    def _sum(self, left: Value, right: Value) -> None:
        """The inner products of a tile, to memory."""
        w, p, form = self.w, self.p, self.form
        sums = [[w.variable(self.record, p.lanes) for _ in range(p.columns)] for _ in range(p.rows)]
        nothing = constant(0, self.record, p.lanes)
        for variable in (variable for row in sums for variable in row):
            variable.set(nothing)
        whole = form.depth // p.lanes * p.lanes
        with w.loop(0, form.steps // form.depth) as counter:
            extra = digits(w, counter, [axis.size for axis in form.extra]) if form.extra else []
            axes = list(zip(extra, form.extra, strict=True))
            a = total(w, left, *(times(w, i, axis.a) for i, axis in axes))
            b = total(w, right, *(times(w, i, axis.b) for i, axis in axes))
            a_pointer = w.address(self.stored, w.buffer(form.contraction.a.key), a)
            b_pointer = w.address(self.stored, w.buffer(form.contraction.b.key), b)
            with w.loop(0, whole, p.lanes) as step:
                self._step(sums, a_pointer, b_pointer, step, None)
            if whole < form.depth:
                self._step(sums, a_pointer, b_pointer, index(whole), below(w, p.lanes, form.depth - whole))
        found = [variable.get() for row in sums for variable in row]
        found += [nothing] * (self.count - len(found))
        for start in range(0, self.count, p.lanes):
            w.store(self._totals(found[start : start + p.lanes]), self.results, start)

    def _step(self, sums: list[list[Variable]], left: str, right: str, step: Value, mask: Value | None) -> None:
        w, p, form = self.w, self.p, self.form
        a_here, b_here = w.address(self.stored, left, step), w.address(self.stored, right, step)
        load = (self.record, p.lanes, self.stored)
        columns = [load_as(w, *load, b_here, place * form.columns.stride, mask) for place in range(p.columns)]
        for place, row in enumerate(sums):
            factor = load_as(w, *load, a_here, place * form.rows.stride, mask)
            for variable, column in zip(row, columns, strict=True):
                variable.set(multiply_add(self.scalars, factor, column, variable.get()))

    def _totals(self, vectors: Sequence[Value]) -> Value:
        """Lane i holds the sum over the lanes of vector i: pairs are folded into one vector, until one is left."""
        w, lanes, distance, found = self.w, len(vectors), 1, list(vectors)
        while distance < lanes:
            upper = [lane + lanes - distance if lane & distance else lane for lane in range(lanes)]
            lower = [lane + lanes if lane & distance else lane + distance for lane in range(lanes)]
            pairs = list(zip(found[::2], found[1::2], strict=True))
            found = [self.scalars.add(w.shuffle(a, upper, b), w.shuffle(a, lower, b)) for a, b in pairs]
            distance *= 2
        return found[0]
