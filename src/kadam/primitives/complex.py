"""Complex numbers taken apart and put together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive, View
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import PARTS, WHOLES
from kadam.primitives.sources import full_like


class Part(View):
    """One of the two real numbers of a complex one."""

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype not in PARTS:
            raise DTypeError(f"{type(self).__name__}: {x} is not complex")
        return x.with_dtype(PARTS[x.dtype])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "c64[2,3]"),)


class Real(Part):
    """The real part. As `torch.real`."""

    def reference(self, x: Array) -> Array:
        return x.real

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(MakeComplex(), ct, full_like(ct, 0)),)

    def restore(self, base: Node, view: Node) -> Node:
        return emit(MakeComplex(), view, emit(Imag(), base))


class Imag(Part):
    """The imaginary part. As `torch.imag`."""

    def reference(self, x: Array) -> Array:
        return x.imag

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(MakeComplex(), full_like(ct, 0), ct),)

    def restore(self, base: Node, view: Node) -> Node:
        return emit(MakeComplex(), emit(Real(), base), view)


class MakeComplex(Primitive):
    """real + i imag. As `torch.complex`."""

    def infer(self, real: TensorType, imag: TensorType) -> TensorType:
        if real.shape != imag.shape:
            raise ShapeError(f"MakeComplex: the shapes of {real} and {imag} differ")
        if real.dtype is not imag.dtype or real.dtype not in WHOLES:
            raise DTypeError(f"MakeComplex: {real} and {imag} must both be float32 or both float64")
        return real.with_dtype(WHOLES[real.dtype])

    def reference(self, real: Array, imag: Array) -> Array:
        result = np.empty(real.shape, np.result_type(real.dtype, np.complex64))
        result.real, result.imag = real, imag  # real + 1j * imag would turn an infinite part into nan
        return result

    def vjp(self, ct: Node, out: Node, real: Node, imag: Node) -> tuple[Node, Node]:
        return emit(Real(), ct), emit(Imag(), ct)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (Example(cls(), "f32[2,3], f32[2,3]"),)
