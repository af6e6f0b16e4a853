"""Integer arithmetic in a kernel, done while it is written where the numbers are known."""

from __future__ import annotations

from collections.abc import Sequence

from kadam.engines.native.writer import BOOL, I64, Value, Writer, index

Integer = int | Value


class Integers:
    """Arithmetic on integers of 64 bits that Python knows, or only the kernel. Quotients are of numbers >= 0."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def add(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self._let("add nsw", a, b)

    def sub(self, a: Integer, b: Integer) -> Integer:
        if isinstance(b, int):
            return self.add(a, -b)
        return self._let("sub nsw", a, b)

    def mul(self, a: Integer, b: int) -> Integer:
        if isinstance(a, int):
            return a * b
        return 0 if b == 0 else a if b == 1 else self._let("mul nsw", a, b)

    def div(self, a: Integer, b: int) -> Integer:
        if isinstance(a, int):
            return a // b
        return a if b == 1 else self._let("udiv", a, b)

    def rem(self, a: Integer, b: int) -> Integer:
        if isinstance(a, int):
            return a % b
        return 0 if b == 1 else self._let("urem", a, b)

    def least(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.writer.intrinsic("smin", index(a), index(b))

    def most(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.writer.intrinsic("smax", index(a), index(b))

    def sum(self, *terms: Integer) -> Integer:
        total: Integer = 0
        for term in terms:
            total = self.add(total, term)
        return total

    def below(self, a: Integer, limit: Integer) -> Value:
        """Whether 0 <= a < limit."""
        return self.writer.let(BOOL, 0, f"icmp ult {index(a)}, {index(limit).text}")

    def equal(self, a: Integer, b: int) -> Value:
        return self.writer.let(BOOL, 0, f"icmp eq {index(a)}, {b}")

    def split(self, number: Integer, sizes: Sequence[int]) -> tuple[Integer, ...]:
        """The row-major index in an array of these sizes that a number stands for."""
        found: list[Integer] = []
        for place, size in reversed(list(enumerate(sizes))):
            found.append(self.rem(number, size) if place else number)
            number = self.div(number, size)
        return tuple(reversed(found))

    def _let(self, instruction: str, a: Integer, b: Integer) -> Value:
        return self.writer.let(I64, 0, f"{instruction} {index(a)}, {index(b).text}")
