"""Elements: what a kernel computes at each point of its loops, as expressions that share their parts.

`Reading` is the emitter that primitives are lowered against. It asks them for one element of one node; what a kernel
finds in memory, or has in registers, are the leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from kadam.dtypes import BOOL as BOOLEAN
from kadam.dtypes import bool_, dtype, int64
from kadam.ir.graph import Node
from kadam.ir.lowering import NotLowered
from kadam.ir.place import Datum, Index, Place, Var, flat, place
from kadam.ir.primitive import Primitive
from kadam.ir.types import TensorType
from kadam.primitives.bits import And, Not
from kadam.shapes import Shape


@dataclass(frozen=True, eq=False)
class Element:
    """One element. Equal elements of one kernel are one object (see `Reading._make`).

    Attributes:
        dtype: its type.
    """

    dtype: dtype

    @cached_property
    def parts(self) -> tuple[Element, ...]:
        """The elements that it is computed from, not counting the bodies of loops."""
        own = [value for field in fields(self) if isinstance(value := getattr(self, field.name), Element)]
        return (*(one for at in self.places for one in at.data()), *own)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The places that it depends on by itself."""
        return tuple(value for field in fields(self) if isinstance(value := getattr(self, field.name), Place))

    def moved(self, to: Callable[[Place], Place], part: Callable[[Element], Element]) -> Element:
        """The same with other places and parts."""
        changed: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Place):
                changed[field.name] = to(value)
            elif isinstance(value, Element):
                changed[field.name] = part(value)
            elif field.name == "arguments":
                changed[field.name] = tuple(map(part, value))
        return replace(self, **changed) if changed else self

    @cached_property
    def variables(self) -> frozenset[Var]:
        """The loop variables that its value depends on."""
        found = {one for at in self.places for one in at.variables()}
        for part in self.parts:
            found |= part.variables
        return frozenset(found)


@dataclass(frozen=True, eq=False)
class Constant(Element):
    """A number."""

    value: complex


@dataclass(frozen=True, eq=False)
class Number(Element):
    """A place as a number."""

    at: Place


@dataclass(frozen=True, eq=False)
class Load(Element):
    """What a buffer holds at a place; zero, unread, where the guard does not hold."""

    key: Hashable
    at: Place
    guard: Element | None


@dataclass(frozen=True, eq=False)
class Given(Element):
    """What the kernel has in registers at the present point, `at`: a tile's result."""

    key: Hashable
    at: Place


@dataclass(frozen=True, eq=False)
class Apply(Element):
    """A primitive with the facet `scalar`, on elements."""

    primitive: Primitive
    arguments: tuple[Element, ...]

    @cached_property
    def parts(self) -> tuple[Element, ...]:
        return self.arguments


@dataclass(frozen=True, eq=False)
class Test(Element):
    """Whether low <= place < high; or, with a step, whether it divides the place."""

    at: Place
    low: int
    high: int
    step: int = 0


@dataclass(frozen=True, eq=False)
class Choice(Element):
    """One of two elements, both computed."""

    condition: Element
    then: Element
    other: Element


@dataclass(frozen=True, eq=False)
class Checked(Element):
    """An element, or a harmless number and an error of the run where the condition does not hold."""

    condition: Element
    value: Element
    otherwise: complex
    guard: Element | None


@dataclass(frozen=True, eq=False)
class Fold(Element):
    """A body's elements for all values of some loop variables, combined.

    Attributes:
        word: "sum", "product", "largest", "smallest"; or "first largest", "first smallest" for the place of it.
    """

    word: str
    over: tuple[Var, ...]
    body: Element

    @cached_property
    def parts(self) -> tuple[Element, ...]:
        return ()

    @cached_property
    def variables(self) -> frozenset[Var]:
        return self.body.variables - frozenset(self.over)


class Unreadable(Exception):  # noqa: N818  (an answer, not an error)
    """A node cannot be read at this index inside this kernel."""


class Reading:
    """The elements of one kernel.

    Args:
        inner: ids of the nodes that have no memory: they melt into what reads them.
    """

    def __init__(self, inner: Container[int]) -> None:
        self._inner = inner
        self._given: dict[int, tuple[Element, Index]] = {}
        self._made: dict[Any, Element] = {}
        self._read: dict[Any, Element] = {}
        self._guards: list[Element] = []
        self._loops: dict[Any, tuple[Var, ...]] = {}
        self._nesting = 0

    def give(self, node: Node, element: Element, index: Index) -> None:
        """From now on a node is in registers at the present point, which is `index`; elsewhere it is `Unreadable`."""
        self._given[node.id] = element, index

    def at(self, node: Node, index: Index) -> Element:
        """The element of a node at an index, as the kernel can have it."""
        given = self._given.get(node.id)
        if given is not None:
            if index != given[1]:
                raise Unreadable(node)
            return given[0]
        if node.id not in self._inner:
            return self._load(node, flat(index, node.shape), node.dtype)
        key = (node.id, index, *self._guards)
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = self.computed(node, index)
        return found

    def computed(self, node: Node, index: Index) -> Element:
        """The element of a node, computed here."""
        found: Element = node.primitive.lower(self, index, *[NodeReader(self, source) for source in node.inputs])
        return found

    def register(self, node: Node, index: Index) -> Element:
        """What a kernel has in registers of a node at the present point, which is `index`."""
        element = self._make(Given, node.dtype, node, flat(index, node.shape))
        self.give(node, element, index)
        return element

    def _make(self, kind: type[Element], *attributes: Any) -> Element:
        key = (kind, *[_identity(one) for one in attributes])
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = kind(*attributes)
        return found

    def _load(self, key: Hashable, at: Place, record: dtype) -> Element:
        if record.is_complex:
            raise NotLowered("complex numbers")
        return self._make(Load, record, key, at, self._guard())

    def _guard(self) -> Element | None:
        return self._guards[-1] if self._guards else None

    # The emitter

    def constant(self, value: complex, record: dtype) -> Element:
        if record.is_complex:
            raise NotLowered("complex numbers")
        return self._make(Constant, record, value)

    def apply(self, primitive: Primitive, *elements: Element) -> Element:
        record = primitive.infer(*[TensorType(one.dtype, ()) for one in elements]).dtype
        if record.is_complex:
            raise NotLowered("complex numbers")
        return self._make(Apply, record, primitive, elements)

    def number(self, at: Place, record: dtype) -> Element:
        return self._make(Number, record, at)

    def datum(self, element: Element, size: int, wrap: bool) -> Place:
        lowest = -size if wrap else 0
        plain = Place(0, {Datum(element, (-(2**62), 2**62)): 1})
        held = self._make(Test, bool_, plain, lowest, size)
        element = self._make(Checked, int64, held, element, lowest, self._guard())
        if wrap:
            negative = self._make(Test, bool_, Place(0, {Datum(element, (-size, size - 1)): 1}), -size, 0)
            moved = self._make(Number, int64, Place(size, {Datum(element, (-size, size - 1)): 1}))
            element = self._make(Choice, int64, negative, moved, element)
        return Place(0, {Datum(element, (0, max(size - 1, 0))): 1})

    def inside(self, at: Place, low: int, high: int) -> Element:
        least, most = at.bounds
        if low <= least and most < high:
            return self.constant(True, bool_)
        if most < low or least >= high:
            return self.constant(False, bool_)
        return self._make(Test, bool_, at, low, high)

    def aligned(self, at: Place, step: int) -> Element:
        rest = at % step
        if not rest.terms:
            return self.constant(rest.constant == 0, bool_)
        return self._make(Test, bool_, at, 0, 0, step)

    def choose(self, condition: Element, then: Callable[[], Element], other: Callable[[], Element]) -> Element:
        if isinstance(condition, Constant):
            return then() if condition.value else other()
        chosen = self._guarded(condition, then)
        refused = self._make(Apply, bool_, Not(), (condition,))
        return self._make(Choice, chosen.dtype, condition, chosen, self._guarded(refused, other))

    def _guarded(self, condition: Element, inner: Callable[[], Element]) -> Element:
        outer = self._guard()
        both = condition if outer is None else self._make(Apply, bool_, And(), (outer, condition))
        self._guards.append(both)
        try:
            return inner()
        finally:
            self._guards.pop()

    def reduce(self, word: str, sizes: Sequence[int], body: Callable[[Index], Element], record: dtype) -> Element:
        if record.category == BOOLEAN and word not in ("largest", "smallest"):
            raise NotLowered(f"the {word} of booleans")
        sizes = tuple(sizes)
        if all(size == 1 for size in sizes):
            return body(tuple(Place() for _ in sizes))
        over, element = self._folded(sizes, lambda over: body(tuple(map(place, over))))
        return self._make(Fold, record, word, over, element)

    def best(self, size: int, body: Callable[[Place], Element], largest: bool) -> Element:
        if size == 1:
            return self.constant(0, int64)
        over, element = self._folded((size,), lambda over: body(place(over[0])))
        return self._make(Fold, int64, f"first {'largest' if largest else 'smallest'}", over, element)

    def _folded(self, sizes: Shape, body: Callable[[tuple[Var, ...]], Element]) -> tuple[tuple[Var, ...], Element]:
        """Loop variables and the body at them. Loops of one shape share their variables, so that they can be one loop,
        and equal bodies one element; loops inside each other have their own."""
        key = (sizes, self._nesting)
        over = self._loops.setdefault(key, tuple(map(Var, sizes)))
        self._nesting += 1
        try:
            return over, body(over)
        finally:
            self._nesting -= 1

    def require(self, condition: Element, element: Element, otherwise: complex) -> Element:
        return self._make(Checked, element.dtype, condition, element, otherwise, self._guard())


class NodeReader:
    """An input as primitives see it."""

    def __init__(self, reading: Reading, node: Node) -> None:
        self._reading, self._node = reading, node
        self.shape, self.dtype = node.shape, node.dtype

    def __call__(self, at: Index) -> Element:
        return self._reading.at(self._node, at)


def _identity(attribute: Any) -> Any:
    """What tells one attribute from another: 0.0 is not -0.0, 1 is not True."""
    if isinstance(attribute, tuple):
        return tuple(map(_identity, attribute))
    return (attribute.__class__, repr(attribute)) if isinstance(attribute, (bool, int, float)) else attribute


def walk(elements: Sequence[Element]) -> Iterator[Element]:
    """All elements that these are made of, the bodies of loops too: parts first, each once."""
    seen: set[int] = set()
    waiting: list[tuple[Element, bool]] = [(one, False) for one in reversed(elements)]
    while waiting:
        element, ready = waiting.pop()
        if ready:
            yield element
        elif id(element) not in seen:
            seen.add(id(element))
            waiting.append((element, True))
            inner = (*element.parts, element.body) if isinstance(element, Fold) else element.parts
            waiting.extend((part, False) for part in reversed(inner))
