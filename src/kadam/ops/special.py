"""Special functions of each element: of Bessel and Airy, of the normal distribution, orthogonal polynomials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kadam.dtypes import BOOL
from kadam.errors import DTypeError
from kadam.ops.compare import where
from kadam.ops.pointwise import erfc, lgamma, log, log1p, sin
from kadam.ops.promotion import floating, meet
from kadam.ops.require import NotFloatingError, require_a_tensor
from kadam.primitives import logarithmic
from kadam.primitives.bessel import AiryAi, Bessel
from kadam.primitives.polynomial import Polynomial
from kadam.primitives.special import Erfcx, NormalQuantile, Zeta
from kadam.recording.calls import emit
from kadam.recording.in_place import in_place
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _bessel(name: str, kind: str, what: str) -> Callable[[Tensor], Tensor]:
    def body(input: Tensor) -> Tensor:
        return emit(Bessel(kind), floating(input))

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"{what}, of each element. As `torch.special.{name}`."
    return operation(body)


i0 = _bessel("i0", "i0", "The modified Bessel function of the first kind of order 0")
i0e = _bessel("i0e", "i0e", "The modified Bessel function of order 0, times exp(-|x|)")
i1 = _bessel("i1", "i1", "The modified Bessel function of the first kind of order 1")
i1e = _bessel("i1e", "i1e", "The modified Bessel function of order 1, times exp(-|x|)")
bessel_j0 = _bessel("bessel_j0", "j0", "The Bessel function of the first kind of order 0")
bessel_j1 = _bessel("bessel_j1", "j1", "The Bessel function of the first kind of order 1")
bessel_y0 = _bessel("bessel_y0", "y0", "The Bessel function of the second kind of order 0")
bessel_y1 = _bessel("bessel_y1", "y1", "The Bessel function of the second kind of order 1")
modified_bessel_i0 = _bessel("modified_bessel_i0", "i0", "The modified Bessel function of the first kind of order 0")
modified_bessel_i1 = _bessel("modified_bessel_i1", "i1", "The modified Bessel function of the first kind of order 1")
modified_bessel_k0 = _bessel("modified_bessel_k0", "k0", "The modified Bessel function of the second kind of order 0")
modified_bessel_k1 = _bessel("modified_bessel_k1", "k1", "The modified Bessel function of the second kind of order 1")
scaled_modified_bessel_k0 = _bessel("scaled_modified_bessel_k0", "k0e", "`modified_bessel_k0`, times exp(x)")
scaled_modified_bessel_k1 = _bessel("scaled_modified_bessel_k1", "k1e", "`modified_bessel_k1`, times exp(x)")


@operation
def airy_ai(input: Tensor) -> Tensor:
    """The Airy function Ai of each element. As `torch.special.airy_ai`."""
    return emit(AiryAi(), floating(input))


@operation
def spherical_bessel_j0(input: Tensor) -> Tensor:
    """sin(x) / x, 1 at 0, of each element. As `torch.special.spherical_bessel_j0`."""
    x = floating(input)
    zero = x == 0
    safe = where(zero, 1.0, x).to(x.dtype)
    return where(zero, 1.0, where(x.abs() == math.inf, 0.0, sin(safe) / safe)).to(x.dtype)


@operation(grad="SpecialErfcxBackward0")
def erfcx(input: Tensor) -> Tensor:
    """exp(x^2) erfc(x), of each element. As `torch.special.erfcx`."""
    return emit(Erfcx(), floating(input))


@operation(grad="NdtrBackward0")
def ndtr(input: Tensor) -> Tensor:
    """The standard normal distribution function of each element. As `torch.special.ndtr`."""
    return erfc(floating(input) * -math.sqrt(0.5)) * 0.5


@operation(grad="SpecialNdtriBackward0")
def ndtri(input: Tensor) -> Tensor:
    """The inverse of `ndtr`, of each element. As `torch.special.ndtri`."""
    return emit(NormalQuantile(), floating(input))


@operation(grad="SpecialLogNdtrBackward0")
def log_ndtr(input: Tensor) -> Tensor:
    """The logarithm of `ndtr`, exact where that vanishes. As `torch.special.log_ndtr`."""
    x = floating(input)
    left = x < -1
    below, above = where(left, x, -1.0).to(x.dtype), where(left, 0.0, x).to(x.dtype)
    tail = log(erfcx(below * -math.sqrt(0.5)) * 0.5) - below * below * 0.5
    return where(left, tail, log1p(erfc(above * math.sqrt(0.5)) * -0.5))


@operation(grad="SpecialEntrBackward0", once=True)
def entr(input: Tensor) -> Tensor:
    """-x log x of each element; 0 at 0, -inf below. As `torch.special.entr`."""
    return emit(logarithmic.Entropy(), floating(input))


@operation(grad="SpecialXlog1PyBackward0", once=True)
def xlog1py(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input * log1p(other), 0 where `input` is 0. As `torch.special.xlog1py`."""
    require_a_tensor("xlog1py", input, other)
    a, b = meet(input, other, floating=True)
    return emit(logarithmic.XLog1pY(), a, b)


@operation
def zeta(input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """The Hurwitz zeta function of `input` and `other`. As `torch.special.zeta`."""
    require_a_tensor("zeta", input, other)
    return emit(Zeta(), *meet(input, other, floating=True))


def _polynomial(name: str, family: str, shifted: bool = False) -> Callable[..., Tensor]:
    def body(input: Tensor | Number, n: Tensor | Number) -> Tensor:
        require_a_tensor(name, input, n)
        x, degree = meet(input, n, floating=True)
        return emit(Polynomial(family), x * 2 - 1 if shifted else x, degree)

    body.__name__ = body.__qualname__ = name
    body.__doc__ = f"The polynomial of degree `n` at each element. As `torch.special.{name}`."
    return operation(body)


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", "chebyshev_t")
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", "chebyshev_u")
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", "chebyshev_v")
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", "chebyshev_w")
hermite_polynomial_h = _polynomial("hermite_polynomial_h", "hermite_h")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", "hermite_he")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", "laguerre_l")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", "legendre_p")
shifted_chebyshev_polynomial_t = _polynomial("shifted_chebyshev_polynomial_t", "chebyshev_t", shifted=True)
shifted_chebyshev_polynomial_u = _polynomial("shifted_chebyshev_polynomial_u", "chebyshev_u", shifted=True)
shifted_chebyshev_polynomial_v = _polynomial("shifted_chebyshev_polynomial_v", "chebyshev_v", shifted=True)
shifted_chebyshev_polynomial_w = _polynomial("shifted_chebyshev_polynomial_w", "chebyshev_w", shifted=True)


@operation(grad="MvlgammaBackward0")
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension p. As `torch.mvlgamma`.

    Raises:
        DTypeError: p is below 1.
    """
    if p < 1:
        raise DTypeError(f"mvlgamma: p has to be greater than or equal to 1, but got {p}. Fix: p=1 is lgamma.")
    if input.dtype.category == BOOL:
        raise NotFloatingError("mvlgamma: The input tensor may not be a boolean tensor. Fix: .float().")
    x = floating(input)
    total = lgamma(x)
    for place in range(1, p):
        total = total + lgamma(x - place / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)


multigammaln = mvlgamma
i0_, mvlgamma_ = in_place(i0), in_place(mvlgamma)
