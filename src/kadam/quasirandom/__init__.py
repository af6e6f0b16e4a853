"""Points that fill a cube more evenly than random ones. As `torch.quasirandom`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kadam import dtypes, missing
from kadam.ops.creation import from_numpy
from kadam.ops.random import randint
from kadam.quasirandom.directions import KNOWN, Integers, direction_numbers
from kadam.recording.generator import Generator
from kadam.tensor import Tensor


class SobolEngine:
    """Draws Sobol points in [0, 1)^dimension, one after the other. As `torch.quasirandom.SobolEngine`.

    Args:
        dimension: of the cube.
        scramble: multiply the points' bits by random triangular matrices and add a random shift (Owen 1998).
        seed: of the scrambling; None takes the default generator.

    Raises:
        ValueError: no direction numbers are known for so many dimensions.
    """

    MAXBIT = 30
    MAXDIM = KNOWN

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None) -> None:
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(
                f"SobolEngine: Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}], not {dimension}"
                ". Fix: fewer dimensions, or torch.rand."
            )
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        self._directions = direction_numbers(dimension, self.MAXBIT)
        self._shift = np.zeros(dimension, np.int64)
        if scramble:
            self._scramble()
        self._at = self._shift
        self.num_generated = 0

    @property
    def quasi(self) -> Tensor:
        """The last point drawn, in units of 2^-30, i64[dimension]."""
        return from_numpy(self._at.copy())

    @property
    def shift(self) -> Tensor:
        """The first point, in units of 2^-30, i64[dimension]."""
        return from_numpy(self._shift.copy())

    @property
    def sobolstate(self) -> Tensor:
        """The direction numbers, i64[dimension, 30]."""
        return from_numpy(self._directions.copy())

    def draw(self, n: int = 1, out: Tensor | None = None, dtype: dtypes.dtype | None = None) -> Tensor:
        """The next `n` points, [n, dimension]."""
        record = dtypes.default_float() if dtype is None else dtype
        points = from_numpy(self._next(n) / 2.0**self.MAXBIT).to(record)
        return points if out is None else out.resize_as_(points).copy_(points)

    def draw_base2(self, m: int, out: Tensor | None = None, dtype: dtypes.dtype | None = None) -> Tensor:
        """The next 2^m points, [2^m, dimension].

        Raises:
            ValueError: with them the number of all points drawn would be no power of 2.
        """
        total = self.num_generated + 2**m
        if total & (total - 1):
            raise ValueError(
                "SobolEngine.draw_base2: The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: n={self.num_generated}+2**{m}="
                f"{total}. Fix: draw()."
            )
        return self.draw(2**m, out, dtype)

    def fast_forward(self, n: int) -> SobolEngine:
        """Pass over the next `n` points."""
        self._next(n)
        return self

    def reset(self) -> SobolEngine:
        """Begin anew."""
        self._at, self.num_generated = self._shift, 0
        return self

    def _next(self, n: int) -> Integers:
        """The next `n` points, in units of 2^-30: each differs from the one before by one direction (Gray code)."""
        numbers = np.arange(max(self.num_generated, 1), self.num_generated + n, dtype=np.int64)
        lowest = np.bitwise_count(np.bitwise_xor(numbers - 1, numbers)).astype(np.int64) - 1
        moves = [self._directions.T[lowest]]
        if not self.num_generated:
            moves.insert(0, np.zeros((min(n, 1), self.dimension), np.int64))
        points = np.bitwise_xor.accumulate(np.concatenate([self._at[None], *moves]), axis=0)[1:]
        if n:
            self._at = points[-1]
        self.num_generated += n
        return points

    def _scramble(self) -> None:
        generator = None if self.seed is None else Generator().manual_seed(self.seed)
        bits, powers = self.MAXBIT, 2 ** np.arange(self.MAXBIT, dtype=np.int64)

        def flips(*sizes: int) -> Any:
            return randint(2, sizes, generator=generator).numpy()

        self._shift = flips(self.dimension, bits) @ powers
        lower = np.tril(flips(self.dimension, bits, bits), -1) + np.eye(bits, dtype=np.int64)
        rows = lower @ powers[::-1]  # [dimension, bits]: the rows of the matrices as numbers
        products = rows[:, :, None] & self._directions[:, None, :]
        self._directions = ((np.bitwise_count(products) & 1).astype(np.int64) * powers[::-1, None]).sum(1)

    def __repr__(self) -> str:
        shown = [f"dimension={self.dimension}"]
        shown += ["scramble=True"] if self.scramble else []
        shown += [] if self.seed is None else [f"seed={self.seed}"]
        return f"{type(self).__name__}({', '.join(shown)})"


__all__ = ["SobolEngine"]

missing.install(__name__)
