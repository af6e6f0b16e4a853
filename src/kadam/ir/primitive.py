"""The base of the words of the language: a primitive stands in one place, complete."""

from __future__ import annotations

import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from kadam.ir.graph import Node
from kadam.ir.lowering import Element, Emitter, NotLowered
from kadam.ir.place import Index
from kadam.ir.types import TensorType, parse_type

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Example:
    """A primitive applied to inputs of given types: the registry test runs each one.

    Attributes:
        primitive: with its attributes.
        types: of the inputs, as `"f32[2,3], f32[3,4]"`.
        low, high: bounds of the random values of floating-point inputs (the domain where the function is smooth).
        integers: bounds [low, high) of integer inputs.
    """

    primitive: Primitive
    types: str
    low: float = -2.0
    high: float = 2.0
    integers: tuple[int, int] = (0, 3)

    def input_types(self) -> tuple[TensorType, ...]:
        parts = self.types.replace("], ", "];").split(";")
        return tuple(parse_type(part) for part in parts if part.strip())


class _Word(ABCMeta):
    """The class of primitives' classes. No class is registered as one of theirs, so that `isinstance` need not ask."""

    __instancecheck__ = type.__instancecheck__


@dataclass(frozen=True)
class Primitive(metaclass=_Word):
    """One operation of a graph; its attributes are the fields of a frozen dataclass.

    A subclass with attributes of its own is declared `@dataclass(frozen=True)`; one without is a dataclass as it is.

    Facets, in this order in each subclass: `infer`, `reference`, `vjp`, `lower`, and `examples` that put them to the
    test.
    A subclass that lacks one cannot be constructed.
    """

    _named: ClassVar[dict[str, type[Primitive]]] = {}
    # False: no derivative passes (comparisons, integer results, detach).
    differentiable: ClassVar[bool] = True
    # How it is written in a formula, `{0} + {1}`; empty: as a function, by its name.
    notation: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Primitive._named[cls.__name__] = cls

    @staticmethod
    def registry() -> dict[str, type[Primitive]]:
        """Every complete primitive by name."""
        return {name: cls for name, cls in Primitive._named.items() if not inspect.isabstract(cls)}

    @cached_property
    def text(self) -> str:
        """As it prints. Equal texts mean the same, equal attributes do not: 0.0 equals -0.0."""
        return repr(self)

    @abstractmethod
    def infer(self, *inputs: Any) -> TensorType:
        """The type of the result.

        Raises:
            ShapeError, DTypeError: the inputs do not fit.
        """

    @abstractmethod
    def reference(self, *inputs: Any) -> Array:
        """The value, by NumPy: the meaning of the primitive and the oracle of every other engine.

        It may return a view of an input; it never writes into one.
        """

    @abstractmethod
    def vjp(self, ct: Node, out: Node, *inputs: Any) -> tuple[Node | None, ...]:
        """The cotangent of each input, given the cotangent `ct` of the result `out`; None where none passes.

        Pure, in graph terms; it may emit nodes that `prune` drops later.
        """

    def lower(self, emitter: Emitter, at: Index, *inputs: Any) -> Element:
        """The element at an index of the result, in terms of the inputs' elements: what compiling engines read.

        Raises:
            NotLowered: that is not how this primitive is computed; an engine has a way of its own, or lets the
                reference do it.
        """
        raise NotLowered(type(self).__name__)

    def element(self, emitter: Emitter, at: Index, *inputs: Any) -> Element:
        """As `lower`, also of what engines compute otherwise: what stands at an index, for whoever reads formulas.

        Raises:
            NotLowered: it is no short formula.
        """
        return self.lower(emitter, at, *inputs)

    def formula(self, arity: int) -> str:
        """How it is written in a formula, with places for its operands: `{0} + {1}`, `exp({0})`."""
        operands = ", ".join(f"{{{place}}}" for place in range(arity))
        return self.notation or f"{type(self).__name__.lower()}({operands})"

    @classmethod
    @abstractmethod
    def examples(cls) -> Iterable[Example]:
        """Small applications that show every branch of the facets."""


class View(Primitive):
    """A primitive of one input whose result may share the input's memory: `reference` returns a view of it."""

    @abstractmethod
    def restore(self, base: Node, view: Node) -> Node:
        """`base` with the part that this view shows replaced by `view`: how in-place changes of views are recorded."""


def seen_through(array: Array, chain: Iterable[Primitive]) -> Array:
    """What a chain of primitives shows of an array: a view of it where each of them is a `View`."""
    for primitive in chain:
        array = primitive.reference(array)
    return array
