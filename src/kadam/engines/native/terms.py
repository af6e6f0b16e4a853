"""Formulas as they are written: values in registers with Python's operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kadam.dtypes import ElementType, float32, float64
from kadam.engines.native.arithmetic import SIGNED, Arithmetic
from kadam.engines.native.writer import Value
from kadam.ir.emitter import Relation


@dataclass(frozen=True, eq=False)
class Term:
    """A value, and what writes the instructions for it. A Python number beside it is a constant of its type.

    `&`, `|` and `~` work bit by bit, and on conditions; there is no `==`: see `equals`.
    """

    s: Arithmetic
    value: Value

    @property
    def dtype(self) -> ElementType:
        return self.value.dtype

    @property
    def single(self) -> bool:
        """Whether this is float32; mathematics is written for that and for float64."""
        return self.dtype is float32

    def like(self, other: Term | float) -> Term:
        """A constant of this type, if it is not a term yet."""
        return other if isinstance(other, Term) else Term(self.s, self.s.constant(other, self.value))

    def __neg__(self) -> Term:
        return Term(self.s, self.s.neg(self.value))

    def __abs__(self) -> Term:
        return Term(self.s, self.s.abs(self.value))

    def __add__(self, other: Term | float) -> Term:
        return Term(self.s, self.s.add(self.value, self.like(other).value))

    def __radd__(self, other: float) -> Term:
        return self.like(other) + self

    def __sub__(self, other: Term | float) -> Term:
        return Term(self.s, self.s.sub(self.value, self.like(other).value))

    def __rsub__(self, other: float) -> Term:
        return self.like(other) - self

    def __mul__(self, other: Term | float) -> Term:
        return Term(self.s, self.s.mul(self.value, self.like(other).value))

    def __rmul__(self, other: float) -> Term:
        return self.like(other) * self

    def __truediv__(self, other: Term | float) -> Term:
        return Term(self.s, self.s.div(self.value, self.like(other).value))

    def __rtruediv__(self, other: float) -> Term:
        return self.like(other) / self

    def __and__(self, other: Term | int) -> Term:
        return Term(self.s, self.s.both(self.value, self.like(other).value))

    def __or__(self, other: Term | int) -> Term:
        return Term(self.s, self.s.either(self.value, self.like(other).value))

    def __xor__(self, other: Term | int) -> Term:
        return Term(self.s, self.s.unlike(self.value, self.like(other).value))

    def __invert__(self) -> Term:
        return Term(self.s, self.s.negation(self.value))

    def __lshift__(self, places: int) -> Term:
        return Term(self.s, self.s.shifted(self.value, places))

    def __rshift__(self, places: int) -> Term:
        return Term(self.s, self.s.shifted(self.value, -places))

    def __lt__(self, other: Term | float) -> Term:
        return self._compare("lt", other)

    def __le__(self, other: Term | float) -> Term:
        return self._compare("le", other)

    def __gt__(self, other: Term | float) -> Term:
        return self._compare("gt", other)

    def __ge__(self, other: Term | float) -> Term:
        return self._compare("ge", other)

    def equals(self, other: Term | float) -> Term:
        return self._compare("eq", other)

    def differs(self, other: Term | float) -> Term:
        return self._compare("ne", other)

    @property
    def is_real(self) -> bool:
        """Whether this is a floating-point number."""
        return self.dtype.is_floating_point

    @property
    def trunc(self) -> Term:
        """Without its fraction."""
        return Term(self.s, self.s.trunc(self.value))

    @property
    def floor(self) -> Term:
        """The largest whole number that is not above it."""
        return Term(self.s, self.s.floor(self.value))

    @property
    def round(self) -> Term:
        """The nearest whole number, the even one of two."""
        return Term(self.s, self.s.round(self.value))

    @property
    def is_nan(self) -> Term:
        return self.differs(self)

    def _compare(self, relation: Relation, other: Term | float) -> Term:
        return Term(self.s, self.s.compare(relation, self.value, self.like(other).value))

    def cast(self, record: ElementType) -> Term:
        """The same number as another type."""
        return Term(self.s, self.s.cast(self.value, record))

    @property
    def bits(self) -> Term:
        """The bits of a float as a signed integer, and the other way round."""
        if self.dtype.is_floating_point:
            return Term(self.s, self.s.bits(self.value, SIGNED[self.dtype.itemsize]))
        return Term(self.s, self.s.bits(self.value, float32 if self.dtype.itemsize == 4 else float64))


def where(condition: Term, a: Term | float, b: Term | float) -> Term:
    """`a` where the condition holds, else `b`; at least one of them is a term."""
    kind = next(one for one in (a, b) if isinstance(one, Term))
    return Term(kind.s, kind.s.select(condition.value, kind.like(a).value, kind.like(b).value))


def fma(a: Term, b: Term | float, c: Term | float) -> Term:
    """a b + c, rounded once."""
    return Term(a.s, a.s.fma(a.value, a.like(b).value, a.like(c).value))


def sqrt(x: Term) -> Term:
    """The square root, exact up to its rounding."""
    return Term(x.s, x.s.sqrt(x.value))


def copysign(a: Term, b: Term) -> Term:
    """The magnitude of a with the sign bit of b."""
    return Term(a.s, a.s.copysign(a.value, b.value))


def at_most(x: Term, bound: float) -> Term:
    """The smaller of the two; nan stays."""
    return where(x > bound, bound, x)


def at_least(x: Term, bound: float) -> Term:
    """The larger of the two; nan stays."""
    return where(x < bound, bound, x)


def polynomial(x: Term, coefficients: Sequence[float]) -> Term:
    """The polynomial of some coefficients, lowest power first, by Horner's rule."""
    total = x.like(coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = fma(total, x, coefficient)
    return total
