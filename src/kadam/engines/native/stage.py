"""What the native engine runs: stages, each a kernel over tasks that do not depend on each other."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from kadam.engines.native.writer import Value, Writer
from kadam.ir.graph import Node


@dataclass(frozen=True, eq=False)
class Scratch:
    """Memory that one stage leaves for a later one.

    Attributes:
        size_bytes: how much of it.
    """

    size_bytes: int


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a node's memory, as a buffer of its own: so that a kernel need not know which part it is.

    Attributes:
        node: the whole.
        offset: where the part begins, in elements.
    """

    node: Node
    offset: int


@dataclass(frozen=True)
class Touch:
    """What the tasks of a stage read or write of a buffer, where it moves on with them: see `Stage.leading`.

    Attributes:
        stride: bytes from a range of tasks to the next one's; 0 if any task may touch anything.
        low, high: bytes from there that a range touches: those before `high`, from `low` on.
        writes: whether any of them are written.
    """

    stride: int
    low: int
    high: int
    writes: bool


@dataclass(frozen=True)
class Stage:
    """One launch of a kernel.

    Attributes:
        name: what it does, for the profile, such as `Dot+Add+Relu`.
        text: LLVM's text of the kernel (see `writer`).
        buffers: keys of the buffers, in the order of the kernel's `args`: nodes of the graph, or `Scratch`.
        tasks: how many tasks there are.
        flops: floating-point operations of all tasks together.
        size_bytes: memory that they read and write together, each byte counted once.
        work: what all tasks cost, in floating-point operations that take as long: decides how many make a chunk for
            the team of threads, and whether it is called at all.
        leading: into how many ranges of equal length the tasks fall that move through memory evenly; 0: unknown.
        touches: of each buffer, the memory that such a range reads or writes.
    """

    name: str
    text: str
    buffers: tuple[Hashable, ...]
    tasks: int
    flops: float
    size_bytes: float
    work: float
    leading: int = 0
    touches: tuple[Touch, ...] = ()


class Finish(Protocol):
    """What becomes of a result that a kernel holds in registers: the fused elementwise rest, and the stores."""

    def __call__(
        self, writer: Writer, at: tuple[Value, ...], lanes_along: int | None, value: Value, mask: Value | None
    ) -> None:
        """Called (while the kernel is written) for every scalar or vector of results, each element exactly once.

        Args:
            at: one integer per axis of the result; along `lanes_along` that of the first lane.
            lanes_along: the axis along which the lanes of `value` lie, one next to the other; None for a scalar.
            value: the results.
            mask: which lanes are real; None if all are.
        """
