"""What an explanation consists of: sections of lines, formulas and tables, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A sentence or two. `aside`: a remark that a hurried reader skips."""

    text: str
    aside: bool = False


@dataclass(frozen=True)
class Formula:
    """A formula, or one with its numbers.

    Attributes:
        text: `z = x @ wᵀ + b`; several lines are one formula in steps.
        source: the line of the program that it stands for, `train.py:12`; empty if none.
    """

    text: str
    source: str = ""


@dataclass(frozen=True)
class Table:
    """Numbers in rows.

    Attributes:
        caption: what it shows; empty where the section's title says it.
        head: of each column.
        rows: their cells.
        total: the cells of a last row that sums up; empty if there is none.
        more: what was left out: "and 12 more"; empty if nothing.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()
    more: str = ""


Block = Line | Formula | Table


@dataclass(frozen=True)
class Section:
    """A part of an explanation.

    Attributes:
        key: `forward`, `loss`, `backward`, `update` or `effect`; of a part within one, what it is about.
        title: in the reader's language.
        blocks: in order.
        parts: sections within this one, which a page may fold.
    """

    key: str
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Reckoning:
    """How the chain rule's sum compares, for whoever wants to check it.

    Attributes:
        weight: `fc1.weight[2,0]`.
        products: the products that were shown or summed up, by station.
        total: their sum.
        grad: the program's `.grad`.
        before: what stood in `.grad` before the backward pass.
        quotient: the central difference quotient.
        hooked: what hooks of the weight's own have added to the sum.
        delivered: what a function with a derivative of its own has given the weight directly.
    """

    weight: str
    products: tuple[float, ...]
    total: float
    grad: float
    before: float
    quotient: float
    hooked: float = 0.0
    delivered: float = 0.0

    @property
    def expected(self) -> float:
        """What `.grad` should be."""
        return self.total + self.before + self.hooked + self.delivered

    @property
    def apart(self) -> float:
        """The relative difference of the sum and `.grad`."""
        return abs(self.expected - self.grad) / max(abs(self.grad), 1e-30)

    @property
    def mass(self) -> float:
        """What the products come to without their signs."""
        return sum(map(abs, self.products))

    @property
    def cancelled(self) -> float:
        """The difference of the sum and `.grad`, beside the products without their signs."""
        return abs(self.expected - self.grad) / max(self.mass + abs(self.before), 1e-30)


@dataclass(frozen=True)
class Explanation:
    """One step, explained.

    Attributes:
        title: in the reader's language.
        lang: `en` or `hi`.
        step: its index.
        sections: in order.
        reckoning: of the chosen weight; None if there is none to explain.
    """

    title: str
    lang: str
    step: int
    sections: tuple[Section, ...]
    reckoning: Reckoning | None = None

    def section(self, key: str) -> Section | None:
        """The section of this key."""
        return next((one for one in self.sections if one.key == key), None)


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], more: str = "", total: Sequence[str] = ()
) -> Table:
    """A table of these cells."""
    return Table(caption, tuple(head), tuple(map(tuple, rows)), tuple(total), more)
