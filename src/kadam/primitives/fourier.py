"""The discrete Fourier transform. Those of real numbers are parts of it, put together on the surface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kadam.dtypes import COMPLEX
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Example, Primitive
from kadam.ir.types import TensorType


@dataclass(frozen=True)
class Fourier(Primitive):
    """y_k = the sum of x_n exp(-2 pi i k n / size) along each of `axes`; with `inverse` the sign is plus. Never scaled.

    As `torch.fft.fftn`, or `ifftn` with norm="forward".
    """

    axes: tuple[int, ...]
    inverse: bool = False

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype.category != COMPLEX:
            raise DTypeError(f"Fourier: x is {x}; it must be complex. Fix: cast it first.")
        if len(set(self.axes)) < len(self.axes) or any(not 0 <= axis < x.rank for axis in self.axes):
            raise ShapeError(f"Fourier: {list(self.axes)} are not different axes of {x}")
        if any(x.shape[axis] == 0 for axis in self.axes):
            raise ShapeError(f"Fourier: an axis of {x} that is transformed is empty")
        return x

    def reference(self, x: Array) -> Array:
        return np.fft.ifftn(x, axes=self.axes, norm="forward") if self.inverse else np.fft.fftn(x, axes=self.axes)

    def vjp(self, ct: Node, out: Node, x: Node) -> tuple[Node]:
        return (emit(Fourier(self.axes, not self.inverse), ct),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        return (
            Example(cls((0,)), "c64[6]"),
            Example(cls((1,), inverse=True), "c64[2,5]"),
            Example(cls((0, 2)), "c64[3,2,4]"),
        )
