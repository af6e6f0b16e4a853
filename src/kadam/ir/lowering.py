"""What primitives are lowered in: the element of a result at an index, in terms of the inputs' elements.

A primitive's facet `lower(emitter, at, *inputs)` answers "what stands at index `at` of your result?". Engines that
compile ask it where they need it, so chains of primitives melt into one loop; which values get memory of their own is
the engine's business. The emitter is the only seam between primitives and compiling engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kadam.dtypes import dtype
from kadam.ir.place import Index, Place
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.ir.primitive import Primitive

Element = Any  # an engine's expression of one element


class NotLowered(Exception):  # noqa: N818  (an answer, not an error)
    """A primitive, or a primitive of these types, is not written in terms of elements."""


class Reader(Protocol):
    """An input: its elements by index."""

    @property
    def shape(self) -> Shape: ...
    @property
    def dtype(self) -> dtype: ...
    def __call__(self, at: Index) -> Element: ...


class Emitter(Protocol):
    """How elements are made of elements."""

    def constant(self, value: complex, record: dtype) -> Element:
        """A number."""

    def apply(self, primitive: Primitive, *elements: Element) -> Element:
        """A primitive that has the facet `scalar`, on elements."""

    def number(self, place: Place, record: dtype) -> Element:
        """A place as a number."""

    def datum(self, element: Element, size: int, wrap: bool) -> Place:
        """An integer element as a place in [0, size); with `wrap`, negative ones count from the end.

        What lies outside is an error of the run.
        """

    def inside(self, place: Place, low: int, high: int) -> Element:
        """Whether low <= place < high."""

    def aligned(self, place: Place, step: int) -> Element:
        """Whether `step` divides the place."""

    def choose(self, condition: Element, then: Callable[[], Element], other: Callable[[], Element]) -> Element:
        """One of two elements; memory is read only where it is chosen."""

    def reduce(self, word: str, sizes: Sequence[int], body: Callable[[Index], Element], record: dtype) -> Element:
        """The "sum", "product", "largest" or "smallest" of the body's elements over all indices below `sizes`."""

    def best(self, size: int, body: Callable[[Place], Element], largest: bool) -> Element:
        """Where the first of the largest (or smallest) of `size` elements stands; nan wins."""

    def require(self, condition: Element, element: Element, otherwise: complex) -> Element:
        """The element; if the condition does not hold, that is an error of the run (and it is `otherwise`)."""
