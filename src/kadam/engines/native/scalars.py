"""What elementwise primitives are lowered to: the vocabulary of `ir.emitter.Scalars`, written for LLVM."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kadam.dtypes import float64
from kadam.engines.native import division, exponentials, gamma, special, trigonometry
from kadam.engines.native.arithmetic import Arithmetic, wide
from kadam.engines.native.terms import Term, sqrt
from kadam.engines.native.writer import Value


def written(formula: Callable[..., Term]) -> Callable[..., Value]:
    """A formula that is written for float32 and float64, as a function of values."""

    @wide
    def function(self: Arithmetic, *xs: Value) -> Value:
        return formula(*[Term(self, x) for x in xs]).value

    return function


def doubled(formula: Callable[..., Term]) -> Callable[..., Value]:
    """A formula that is written for float64; float32 is computed so too, and rounded once."""

    def rounded(*xs: Term) -> Term:
        return formula(*[x.cast(float64) for x in xs]).cast(xs[0].dtype)

    return written(rounded)


class Scalars(Arithmetic):
    """The functions of an element that primitives are written in."""

    exp = written(exponentials.exp)
    exp2 = written(exponentials.exp2)
    expm1 = written(exponentials.expm1)
    log = written(exponentials.log)
    log1p = written(exponentials.log1p)
    log2 = written(exponentials.log2)
    log10 = written(exponentials.log10)
    sigmoid = written(exponentials.sigmoid)
    tanh = written(exponentials.tanh)
    sinh = doubled(exponentials.sinh)
    cosh = doubled(exponentials.cosh)
    asinh = doubled(exponentials.asinh)
    acosh = doubled(exponentials.acosh)
    atanh = doubled(exponentials.atanh)
    sin = doubled(trigonometry.sin)
    cos = doubled(trigonometry.cos)
    tan = doubled(trigonometry.tan)
    asin = doubled(trigonometry.asin)
    acos = doubled(trigonometry.acos)
    atan = doubled(trigonometry.atan)
    atan2 = doubled(trigonometry.atan2)
    hypot = doubled(trigonometry.hypot)
    erf = written(special.erf)
    erfc = doubled(special.erfc)
    erfinv = doubled(special.erfinv)
    lgamma = doubled(gamma.lgamma)
    rsqrt = written(lambda x: 1 / sqrt(x))
    floor_div = written(division.floor_div)
    remainder = written(division.remainder)
    pow = written(lambda a, b: exponentials.pow(a, b) if a.is_real else division.power_of_integers(a, b))

    def polygamma(self, order: int, x: Value) -> Value:
        return doubled(partial(gamma.polygamma, order))(self, x)
