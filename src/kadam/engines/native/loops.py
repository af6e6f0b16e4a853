"""Loops that compute elements: lanes along one variable, what does not change hoisted out, sums in registers."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from kadam.dtypes import bool_, dtype, float32, int64
from kadam.engines.native.address import prefetch
from kadam.engines.native.element import (
    Apply,
    Checked,
    Choice,
    Constant,
    Element,
    Fold,
    Load,
    Number,
    Test,
    walk,
)
from kadam.engines.native.scalars import Scalars
from kadam.engines.native.writer import Value, Variable, Writer, constant, index, type_of
from kadam.ir.place import Datum, Division, Place, Var

ERROR = "the run's error"  # key of the buffer that tells the caller of data that a kernel refuses


@dataclass(frozen=True)
class Store:
    """An element that goes to memory: to the buffer `key`, at a place.

    Attributes:
        word: how it is combined with what stands there ("sum", "product", "largest", "smallest"); None: it replaces it.
    """

    key: Hashable
    at: Place
    element: Element
    word: str | None = None

    @property
    def wanted(self) -> tuple[Element, ...]:
        """All elements that it needs."""
        return (self.element, *self.at.data())


class Emission:
    """Elements written as instructions, where their loops are open.

    Args:
        writer: of the kernel.
        elements: all that will be wanted, parts first.
        lane: the variable along which lanes lie, if any.
        lanes: how many.
        ahead: bytes after those that vectors are loaded from and stored to, at which memory is fetched; 0: none is.
    """

    def __init__(
        self, writer: Writer, elements: Sequence[Element], lane: Var | None, lanes: int, ahead: int = 0
    ) -> None:
        self.writer = writer
        self.scalars = Scalars(writer)
        self.lane, self.lanes, self._ahead = lane, lanes, ahead
        self._order = list(walk(elements))
        self._values: ChainMap[Element, Value] = ChainMap()
        self._open: dict[Var, Value] = {}
        self._mask: Value | None = None

    # Scopes

    def enter(self, variables: Mapping[Var, Value], mask: Value | None = None) -> Callable[[], None]:
        """Inside the loops of these variables, whose values are given (the lane's: of its first lane).

        Returns:
            What leaves them again.
        """
        before = self._values, self._open, self._mask
        self._values = self._values.new_child()
        self._open = {**self._open, **variables}
        self._mask = self._mask if mask is None else mask

        def leave() -> None:
            self._values, self._open, self._mask = before

        return leave

    def give(self, element: Element, value: Value) -> None:
        """The value of an element that the kernel has already."""
        self._values[element] = value

    def value(self, element: Element) -> Value:
        """An element that `advance` has written."""
        return self._values[element]

    def advance(self, entered: Collection[Var] = ()) -> None:
        """Write all elements that depend on open loops alone, and on the loops just entered (none: on no loop)."""
        known, fresh = self._open.keys(), frozenset(entered)
        waiting = [
            one
            for one in self._order
            if one not in self._values and one.variables <= known and (one.variables & fresh or not fresh)
        ]
        while waiting:
            later = []
            for element in waiting:
                if isinstance(element, Fold) or not self._has(element.parts):
                    later.append(element)
                else:
                    self._values[element] = self._write(element)
            ready = [one for one in later if isinstance(one, Fold) and self._has(self._outside(one))]
            if not ready:
                return
            over = ready[0].over
            self._fold([one for one in ready if one.over == over])
            waiting = [one for one in later if one not in self._values]

    def _has(self, elements: Sequence[Element]) -> bool:
        return all(one in self._values for one in elements)

    def _outside(self, fold: Fold) -> list[Element]:
        """What the body of a fold needs from outside of its loops."""
        inside = frozenset(fold.over)
        return [one for one in walk([fold.body]) if not one.variables & inside and one.variables <= self._open.keys()]

    # One element

    def _write(self, element: Element) -> Value:
        match element:
            case Constant(record, value):
                return constant(value, record)
            case Number(record, at):
                return self.scalars.cast(self.place(at), record)
            case Load():
                return self._load(element)
            case Apply(_, primitive, arguments):
                return cast(Value, primitive.scalar(self.scalars, *self._level(*map(self.value, arguments))))  # type: ignore[attr-defined]
            case Test(_, at, low, high, step):
                return self._test(self.place(at), low, high, step)
            case Choice(_, condition, then, other):
                return self.scalars.select(*self._level(*map(self.value, (condition, then, other))))
            case Checked():
                return self._checked(element)
        raise TypeError(f"{element} is not given")

    def _level(self, *values: Value) -> list[Value]:
        """The values with as many lanes as the widest of them."""
        lanes = max((value.lanes for value in values), default=0)
        return [self.writer.splat(value, lanes) for value in values]

    def _load(self, load: Load) -> Value:
        pointer = self.writer.buffer(load.key)
        guard = None if load.guard is None else self.value(load.guard)
        if self.lane not in load.variables:
            offset = self.place(load.at)
            if guard is None:
                return self.writer.load(load.dtype, 0, pointer, offset)
            safe = self.scalars.select(guard, index(offset), index(0))
            found = self.writer.load(load.dtype, 0, pointer, safe)
            return self.scalars.select(guard, found, constant(0, load.dtype))
        mask = self.masked(guard)
        start, step = self._along(load.at)
        if step is None:
            return self.writer.gather(load.dtype, pointer, self.place(load.at), mask)
        if step == 1:
            self._fetch(load.dtype, pointer, index(start))
            return self.writer.load(load.dtype, self.lanes, pointer, start, mask)
        if step == 0:
            found = self.writer.splat(self.writer.load(load.dtype, 0, pointer, start), self.lanes)
            return found if guard is None else self.scalars.select(mask, found, constant(0, load.dtype, self.lanes))  # type: ignore[arg-type]
        return self.writer.gather(load.dtype, pointer, self.writer.steps(start, step, self.lanes), mask)

    def _fetch(self, record: dtype, pointer: str, start: Value, *, write: bool = False) -> None:
        """Bring what comes next into the cache: long formulas keep the processor from seeing that it is read soon."""
        if self._ahead:
            here = self.writer.address(record, pointer, self._plus(start, index(self._ahead // record.itemsize)))
            prefetch(self.writer, here, write=write)

    def store(self, store: Store) -> None:
        """Write an element to memory."""
        pointer = self.writer.buffer(store.key)
        value = self.value(store.element)
        if self.lane not in self._open:
            at = self.place(store.at)
            if store.word is not None:
                value = self._combined(store.word, self.writer.load(value.dtype, 0, pointer, at), value)
            self.writer.store(value, pointer, at)
            return
        value = self.writer.splat(value, self.lanes)
        start, step = self._along(store.at)
        at = index(start) if step == 1 else self.place(store.at)
        if step == 1:
            self._fetch(value.dtype, pointer, at, write=True)
        if store.word is not None:
            had = (
                self.writer.load(value.dtype, self.lanes, pointer, at, self._mask)
                if step == 1
                else self.writer.gather(value.dtype, pointer, at, self._mask)
            )
            value = self._combined(store.word, had, value)
        (self.writer.store if step == 1 else self.writer.scatter)(value, pointer, at, self._mask)

    def _combined(self, word: str, a: Value, b: Value) -> Value:
        wide = [self.scalars.cast(one, _wide(one.dtype)) for one in (a, b)]
        return self.scalars.cast(combine(self.scalars, word, *wide), a.dtype)

    def finish(self, stores: Sequence[Store]) -> None:
        """Write all that a point gives."""
        for store in stores:
            self.store(store)

    def masked(self, guard: Value | None) -> Value | None:
        """The lanes that are real and guarded."""
        if guard is None:
            return self._mask
        guard = self.writer.splat(guard, self.lanes)
        return guard if self._mask is None else self.scalars.both(guard, self._mask)

    def _test(self, at: Value, low: int, high: int, step: int) -> Value:
        scalars = self.scalars
        if step:
            rest = self._divided(at, step, (-(2**31), 2**31 - 1), True)
            return scalars.compare("eq", rest, scalars.constant(0, rest))
        above = scalars.compare("ge", at, scalars.constant(low, at))
        return scalars.both(above, scalars.compare("lt", at, scalars.constant(high, at)))

    def _checked(self, checked: Checked) -> Value:
        scalars, writer = self.scalars, self.writer
        held, value = self._level(self.value(checked.condition), self.value(checked.value))
        wrong = scalars.negation(held)
        guard = None if checked.guard is None else self.value(checked.guard)
        if held.lanes:
            mask = self.masked(guard)
            wrong = wrong if mask is None else scalars.both(wrong, mask)
            wrong = writer.call(f"llvm.vector.reduce.or.v{wrong.lanes}i1", bool_, 0, wrong)
        elif guard is not None:
            if guard.lanes:
                guard = writer.call(f"llvm.vector.reduce.or.v{guard.lanes}i1", bool_, 0, guard)
            wrong = scalars.both(wrong, guard)
        pointer = writer.buffer(ERROR)
        with writer.when(wrong):
            writer.store(constant(1, int64), pointer)
        return scalars.select(held, value, scalars.constant(checked.otherwise, value))

    # Places

    def place(self, at: Place) -> Value:
        """The integer, or the integers of all lanes."""
        start, step = self._along(at)
        if step == 0:
            return index(start)
        if step is not None:
            return self.writer.steps(start, step, self.lanes)
        total: Value | None = None
        for term, factor in at.terms.items():
            total = self._plus(total, self._times(self._term(term), factor))
        return self._plus(total, Value(str(at.constant), int64)) if at.constant or total is None else total

    def _along(self, at: Place) -> tuple[int | Value, int | None]:
        """Where the first lane stands, and by how much each lane is further; None if that is not the same for all."""
        step = 0
        if self.lane is not None and self.lane in self._open:
            step = at.terms.get(self.lane, 0)
        total: Value | None = None
        for term, factor in at.terms.items():
            value = self._open[term] if isinstance(term, Var) else self._term(term)
            if value.lanes:
                return 0, None
            total = self._plus(total, self._times(value, factor))
        if total is None:
            return at.constant, step
        return (self._plus(total, Value(str(at.constant), int64)) if at.constant else total), step

    def _term(self, term: Var | Division | Datum) -> Value:
        if isinstance(term, Var):
            first = self._open[term]
            return self.writer.steps(first, 1, self.lanes) if term is self.lane else first
        if isinstance(term, Datum):
            return self.value(cast(Element, term.element))
        return self._divided(self.place(term.place), term.divisor, term.place.bounds, term.remainder)

    def _divided(self, at: Value, divisor: int, bounds: tuple[int, int], remainder: bool) -> Value:
        """Floor division of integers, in 32 bits where they fit: that is quick for many lanes."""
        scalars = self.scalars
        shift = max(-(bounds[0] // divisor), 0)
        narrow = bounds[1] + shift * divisor < 2**31
        moved = scalars.add(at, scalars.constant(shift * divisor, at)) if shift else at
        kind = "i32" if narrow else "i64"
        if narrow:
            moved = Value(self._let(f"trunc {moved} to {_vector(kind, at.lanes)}"), int64, at.lanes)
        word = "urem" if remainder else "udiv"
        by = f"splat ({kind} {divisor})" if at.lanes else str(divisor)
        found = self._let(f"{word} {_vector(kind, at.lanes)} {moved.text}, {by}")
        if narrow:
            found = self._let(f"zext {_vector(kind, at.lanes)} {found} to {type_of(int64, at.lanes)}")
        value = Value(found, int64, at.lanes)
        return value if remainder or not shift else scalars.sub(value, scalars.constant(shift, value))

    def _let(self, instruction: str) -> str:
        name = self.writer.name()
        self.writer.do(f"{name} = {instruction}")
        return name

    def _plus(self, a: Value | None, b: Value) -> Value:
        return b if a is None else self.scalars.add(*self._level(a, b))

    def _times(self, a: Value, factor: int) -> Value:
        return a if factor == 1 else self.scalars.mul(a, self.scalars.constant(factor, a))

    # Loops

    def along(
        self, variable: Var, begin: int | Value, end: int | Value, full: bool, body: Callable[[Value, int], None],
        unroll: int = 1,
    ) -> None:  # fmt: skip
        """Run the body for begin ... end - 1 of a variable, the lanes' by as many at once; its tail is masked.

        Args:
            full: the lanes always fit: there is no tail.
            body: is given the place, and which of `unroll` copies it is.
        """
        step = self.lanes if variable is self.lane else 1
        writer = self.writer
        first, last = index(begin), index(end)
        whole = self._floor(first, last, step * unroll) if unroll > 1 or (step > 1 and not full) else last
        with writer.loop(first, whole, step * unroll) as at:
            for copy in range(unroll):
                here = at if not copy else self.scalars.add(at, Value(str(copy * step), int64))
                self._scope({variable: here}, None, lambda here=here, copy=copy: body(here, copy))  # type: ignore[misc]
        if unroll > 1:
            single = self._floor(first, last, step) if step > 1 and not full else last
            with writer.loop(whole, single, step) as at:
                self._scope({variable: at}, None, lambda at=at: body(at, 0))  # type: ignore[misc]
            whole = single
        if step > 1 and not full:
            self._tail(variable, whole, last, lambda: body(whole, 0))

    def _tail(self, variable: Var, at: Value, last: Value, body: Callable[[], None]) -> None:
        scalars, writer = self.scalars, self.writer
        with writer.when(scalars.compare("lt", at, last)):
            mask = scalars.compare("lt", writer.steps(at, 1, self.lanes), writer.splat(last, self.lanes))
            self._scope({variable: at}, mask, body)

    def _scope(self, variables: Mapping[Var, Value], mask: Value | None, body: Callable[[], None]) -> None:
        leave = self.enter(variables, mask)
        self.advance(variables)
        body()
        leave()

    def _floor(self, first: Value, last: Value, step: int) -> Value:
        """The largest end of whole steps from `first` on that does not pass `last`."""
        if not first.text.startswith("%") and not last.text.startswith("%"):
            low, high = int(first.text), int(last.text)
            return index(low + max(high - low, 0) // step * step)
        length = self.scalars.sub(last, first)
        whole = self._let(f"sdiv {length}, {step}")
        return self.scalars.add(first, self.scalars.mul(Value(whole, int64), Value(str(step), int64)))

    # Folds

    def _fold(self, folds: Sequence[Fold]) -> None:
        """Run the loops that some folds share, and give their results."""
        over = sorted(folds[0].over, key=lambda one: one is self.lane)
        copies = self._copies(over[-1])
        sums = [[self._start(fold, over) for _ in range(copies)] for fold in folds]

        def nest(depth: int) -> None:
            variable = over[depth]
            inner = depth == len(over) - 1

            def body(at: Value, copy: int) -> None:
                if not inner:
                    nest(depth + 1)
                    return
                for fold, own in zip(folds, sums, strict=True):
                    own[copy].add(fold, at)

            full = variable.size % self.lanes == 0 if variable is self.lane else True
            self.along(variable, 0, variable.size, full, body, copies if inner else 1)

        nest(0)
        for fold, own in zip(folds, sums, strict=True):
            first, *rest = own
            for other in rest:
                first.join(other)
            self._values[fold] = first.result()

    def _copies(self, variable: Var) -> int:
        """How many sums run side by side, so that one addition need not wait for the other."""
        rounds = variable.size // (self.lanes if variable is self.lane else 1)
        return 4 if rounds >= 8 else 2 if rounds >= 4 else 1

    def _start(self, fold: Fold, over: Sequence[Var]) -> Running:
        return (Best if fold.word.startswith("first") else Running)(self, fold, self.lane in over)

    def body_value(self, fold: Fold, lanes: int) -> Value:
        """The body of a fold at the present point, in the type that it is combined in."""
        value = self.scalars.cast(self.value(fold.body), _wide(fold.body.dtype))
        return self.writer.splat(value, lanes)

    @property
    def mask(self) -> Value | None:
        return self._mask


class Running:
    """What a fold has combined so far."""

    def __init__(self, emission: Emission, fold: Fold, across: bool) -> None:
        self.emission, self.word = emission, fold.word
        self.across = across  # the lanes are combined too
        self.record, self.result_type = _wide(fold.body.dtype), fold.dtype
        self.lanes = emission.lanes if across or emission.lane in fold.variables else 0
        self.empty = any(one.size == 0 for one in fold.over)
        self.total = emission.writer.variable(self.record, self.lanes)
        self.total.set(self.identity())

    def identity(self) -> Value:
        record = self.record
        limits = np.finfo if record.is_floating_point else np.iinfo
        number: complex
        if self.word == "sum":
            number = -0.0 if record.is_floating_point and not self.empty else 0  # -0 + x is x, whatever x
        elif self.word == "product":
            number = 1
        elif record is bool_:
            number = self.word.endswith("smallest")
        elif record.is_floating_point:
            number = np.inf if self.word.endswith("smallest") else -np.inf
        else:
            number = int(limits(record.numpy).max if self.word.endswith("smallest") else limits(record.numpy).min)
        return constant(number, record, self.lanes)

    def add(self, fold: Fold, at: Value) -> None:
        value = self.emission.body_value(fold, self.lanes)
        if self.across and self.emission.mask is not None:
            value = self.emission.scalars.select(self.emission.mask, value, self.identity())
        self.total.set(self.combine(self.total.get(), value))

    def combine(self, a: Value, b: Value) -> Value:
        return combine(self.emission.scalars, self.word, a, b)

    def join(self, other: Running) -> None:
        self.total.set(self.combine(self.total.get(), other.total.get()))

    def result(self) -> Value:
        value = self.total.get()
        writer = self.emission.writer
        while self.across and value.lanes > 1:
            half = value.lanes // 2
            value = self.combine(writer.shuffle(value, range(half)), writer.shuffle(value, range(half, 2 * half)))
        if self.across:
            value = writer.lane(value, 0)
        return self.emission.scalars.cast(value, self.result_type)


class Best(Running):
    """Where the first extreme so far stands; nan wins."""

    def __init__(self, emission: Emission, fold: Fold, across: bool) -> None:
        super().__init__(emission, fold, across)
        self.where: Variable = emission.writer.variable(int64, self.lanes)
        self.where.set(constant(0, int64, self.lanes))

    def add(self, fold: Fold, at: Value) -> None:
        value = self.emission.body_value(fold, self.lanes)
        self._take(value, self.emission.writer.splat(at, self.lanes), False)

    def _take(self, value: Value, at: Value, ties: bool) -> None:
        scalars = self.emission.scalars
        best, where = self.total.get(), self.where.get()
        better = scalars.compare("gt" if self.word.endswith("largest") else "lt", value, best)
        if ties:  # of another part of the axis: the earlier one wins
            earlier = scalars.both(scalars.compare("eq", value, best), scalars.compare("lt", at, where))
            better = scalars.either(better, earlier)
        if self.record.is_floating_point:
            nan, had = scalars.compare("ne", value, value), scalars.compare("ne", best, best)
            fresh = scalars.negation(had)
            if ties:
                fresh = scalars.either(fresh, scalars.compare("lt", at, where))
            better = scalars.either(scalars.both(nan, fresh), scalars.both(better, scalars.negation(had)))
        self.total.set(scalars.select(better, value, best))
        self.where.set(scalars.select(better, at, where))

    def join(self, other: Running) -> None:
        assert isinstance(other, Best)
        self._take(other.total.get(), other.where.get(), True)

    def result(self) -> Value:
        return self.where.get()


def combine(scalars: Scalars, word: str, a: Value, b: Value) -> Value:
    """Two elements as one: their sum, their product, the larger or the smaller (nan wins)."""
    if word == "sum":
        return scalars.add(a, b)
    if word == "product":
        return scalars.mul(a, b)
    larger = word == "largest"
    if a.dtype is bool_:
        return scalars.either(a, b) if larger else scalars.both(a, b)
    if a.dtype.is_floating_point:
        return scalars.writer.intrinsic("maximum" if larger else "minimum", a, b)
    return scalars.select(scalars.compare("gt" if larger else "lt", a, b), a, b)


def _wide(record: dtype) -> dtype:
    """The type in which numbers of a type are combined: 16 bits are too few."""
    return float32 if record.is_floating_point and record.itemsize == 2 else record


def _vector(kind: str, lanes: int) -> str:
    return f"<{lanes} x {kind}>" if lanes else kind
