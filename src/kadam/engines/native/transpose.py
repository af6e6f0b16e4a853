"""Small matrices, transposed between memory and registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kadam.engines.native.writer import Value, Writer

BLOCK_BYTES = 16  # shuffles within so many bytes are the fast ones


def block_of(itemsize: int) -> int:
    """How many columns `transpose` turns at a time; the number of rows must be a multiple."""
    return max(BLOCK_BYTES // itemsize, 2)


def transpose(writer: Writer, rows: int, block: int, load: Callable[[int], Value]) -> list[Value]:
    """`block` neighbouring columns of a matrix, each as a vector.

    Args:
        rows: how many lanes the columns have: a power of two, at least `block`.
        block: a power of two.
        load: gives a row's elements of these columns.
    """
    # Vector m holds rows m, block + m, 2 block + m ... one behind the other: squares, that are transposed in place.
    squares = [_joined(writer, [load(row) for row in range(start, rows, block)]) for start in range(block)]
    step = 1
    while step < block:
        low = [lane if not lane & step else rows + lane - step for lane in range(rows)]
        high = [lane + step if not lane & step else rows + lane for lane in range(rows)]
        for place in range(block):
            if not place & step:
                first, second = squares[place], squares[place + step]
                squares[place] = writer.shuffle(first, low, second)
                squares[place + step] = writer.shuffle(first, high, second)
        step *= 2
    return squares


def _joined(writer: Writer, parts: Sequence[Value]) -> Value:
    """Vectors one behind the other, as one."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    first, second = _joined(writer, parts[:half]), _joined(writer, parts[half:])
    return writer.shuffle(first, range(2 * first.lanes), second)
