"""The orthogonal polynomials, by their recurrences; compiling engines leave them to the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example
from kadam.primitives.elementwise import ByReference
from kadam.primitives.precision import at_least

Step = Callable[[int, Array, Array, Array], Array]


def _chebyshev(k: int, x: Array, last: Array, before: Array) -> Array:
    return 2 * x * last - before


# Family -> the polynomial of degree 1, and that of degree k + 1 from x and those of degrees k and k - 1.
FAMILIES: dict[str, tuple[Callable[[Array], Array], Step]] = {
    "chebyshev_t": (lambda x: x, _chebyshev),
    "chebyshev_u": (lambda x: 2 * x, _chebyshev),
    "chebyshev_v": (lambda x: 2 * x - 1, _chebyshev),
    "chebyshev_w": (lambda x: 2 * x + 1, _chebyshev),
    "hermite_h": (lambda x: 2 * x, lambda k, x, last, before: 2 * (x * last - k * before)),
    "hermite_he": (lambda x: x, lambda k, x, last, before: x * last - k * before),
    "laguerre_l": (lambda x: 1 - x, lambda k, x, last, before: ((2 * k + 1 - x) * last - k * before) / (k + 1)),
    "legendre_p": (lambda x: x, lambda k, x, last, before: ((2 * k + 1) * x * last - k * before) / (k + 1)),
}


@dataclass(frozen=True)
class Polynomial(ByReference):
    """The polynomial of a family at x, of degree n truncated to a whole number; 0 where n is negative.

    As `torch.special.chebyshev_polynomial_t` and its kin, without a derivative, as there.

    Source: NIST Handbook of Mathematical Functions (2010), 18.9.
    """

    family: str
    differentiable: ClassVar[bool] = False

    @at_least(np.float64)
    def reference(self, x: Array, n: Array) -> Array:
        first, step = FAMILIES[self.family]
        degree = np.where(np.isfinite(n), np.trunc(n), -1)
        with np.errstate(all="ignore"):
            before, last = np.ones_like(x), first(x)
            result = np.where(degree == 0, before, np.where(degree == 1, last, 0.0))
            for k in range(1, int(degree.max(initial=0))):
                before, last = last, step(k, x, last, before)
                result = np.where(degree == k + 1, last, result)
        return result

    def vjp(self, ct: Node, out: Node, x: Node, n: Node) -> tuple[None, None]:
        return None, None

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return tuple(Example(cls(family), "f32[8], f32[8]", high=6.0) for family in FAMILIES)
