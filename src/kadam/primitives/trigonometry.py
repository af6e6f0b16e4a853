"""Angles and their ratios, circular and hyperbolic."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kadam.dtypes import FLOAT, bool_
from kadam.ir.builder import emit
from kadam.ir.emitter import Scalar, Scalars
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.primitives.analysis import Analytic, Rsqrt
from kadam.primitives.elementwise import Cast, Elementwise, conj, where
from kadam.primitives.precision import at_least


class Sin(Analytic):
    """The sine. As `torch.sin`."""

    def reference(self, x: Array) -> Array:
        return np.sin(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(emit(Cos(), x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.sin(x)


class Cos(Analytic):
    """The cosine. As `torch.cos`."""

    def reference(self, x: Array) -> Array:
        return np.cos(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (-ct * conj(emit(Sin(), x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.cos(x)


class Tan(Analytic):
    """The tangent. As `torch.tan`."""

    domain: ClassVar = (-1.2, 1.2)

    def reference(self, x: Array) -> Array:
        return np.tan(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(1 + out * out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.tan(x)


class Asin(Analytic):
    """The angle in [-pi/2, pi/2] whose sine is x. As `torch.asin`."""

    domain: ClassVar = (-0.9, 0.9)

    def reference(self, x: Array) -> Array:
        return np.arcsin(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(emit(Rsqrt(), 1 - x * x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.asin(x)


class Acos(Analytic):
    """The angle in [0, pi] whose cosine is x. As `torch.acos`."""

    domain: ClassVar = (-0.9, 0.9)

    def reference(self, x: Array) -> Array:
        return np.arccos(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (-ct * conj(emit(Rsqrt(), 1 - x * x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.acos(x)


class Atan(Analytic):
    """The angle in (-pi/2, pi/2) whose tangent is x. As `torch.atan`."""

    domain: ClassVar = (-0.9, 0.9)

    def reference(self, x: Array) -> Array:
        return np.arctan(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(1 + x * x),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.atan(x)


class Sinh(Analytic):
    """The hyperbolic sine (exp x - exp -x) / 2. As `torch.sinh`."""

    def reference(self, x: Array) -> Array:
        return np.sinh(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(emit(Cosh(), x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.sinh(x)


class Cosh(Analytic):
    """The hyperbolic cosine (exp x + exp -x) / 2. As `torch.cosh`."""

    def reference(self, x: Array) -> Array:
        return np.cosh(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(emit(Sinh(), x)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.cosh(x)


class Tanh(Analytic):
    """Hyperbolic tangent y = tanh x, y in [-1, 1]. As `torch.tanh`."""

    domain: ClassVar = (-1.2, 1.2)

    @at_least(np.float64)
    def reference(self, x: Array) -> Array:
        return np.tanh(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(1 - out * out),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.tanh(x)


class Asinh(Analytic):
    """The number whose hyperbolic sine is x. As `torch.asinh`."""

    domain: ClassVar = (-0.9, 0.9)

    def reference(self, x: Array) -> Array:
        return np.arcsinh(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct * conj(emit(Rsqrt(), x * x + 1)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.asinh(x)


class Acosh(Analytic):
    """The number, not below 0, whose hyperbolic cosine is x. As `torch.acosh`."""

    domain: ClassVar = (1.2, 3.0)

    def reference(self, x: Array) -> Array:
        return np.arccosh(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        # Two roots, not the root of the product: so the branch is right in the whole complex plane.
        return (ct * conj(emit(Rsqrt(), x - 1) * emit(Rsqrt(), x + 1)),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.acosh(x)


class Atanh(Analytic):
    """The number whose hyperbolic tangent is x. As `torch.atanh`."""

    domain: ClassVar = (-0.9, 0.9)

    def reference(self, x: Array) -> Array:
        return np.arctanh(x)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (ct / conj(1 - x * x),)

    def scalar(self, s: Scalars, x: Scalar) -> Scalar:
        return s.atanh(x)


class Atan2(Elementwise):
    """The angle of the point (x, y), in [-pi, pi]. As `torch.atan2`."""

    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3], f32[2,3]",)
    domain: ClassVar = (0.3, 2.0)

    def reference(self, y: Array, x: Array) -> Array:
        return np.arctan2(y, x)

    def vjp(self, ct: Node, out: Node, y: Node, x: Node) -> tuple[Node, Node]:
        square = x * x + y * y
        scaled = where(emit(Cast(bool_), square), ct / square, 0)  # at the origin no direction is the right one
        return scaled * x, -scaled * y

    def scalar(self, s: Scalars, y: Scalar, x: Scalar) -> Scalar:
        return s.atan2(y, x)


class Hypot(Elementwise):
    """sqrt(a^2 + b^2), without overflow on the way. As `torch.hypot`."""

    accepts: ClassVar = (FLOAT,)
    cases: ClassVar = ("f32[2,3], f32[2,3]",)

    def reference(self, a: Array, b: Array) -> Array:
        return np.hypot(a, b)

    def vjp(self, ct: Node, out: Node, a: Node, b: Node) -> tuple[Node, Node]:
        return ct * (a / out), ct * (b / out)

    def scalar(self, s: Scalars, a: Scalar, b: Scalar) -> Scalar:
        return s.hypot(a, b)
