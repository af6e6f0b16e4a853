"""How many floating-point operations products and convolutions take. As `torch.utils.flop_counter`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from math import prod
from typing import Any, Self

from kadam import missing
from kadam.errors import UnsupportedError
from kadam.ir.graph import Node
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve, ConvolveInput, ConvolveWeight
from kadam.recording.calls import end_step
from kadam.recording.step import Recording, state
from kadam.recording.trail import TrailNode

GLOBAL = "Global"  # PyTorch's name for the whole


class FlopCounterMode:
    """Counts the operations that its block records: a multiplication and an addition are two.

    As in PyTorch, matrix products and convolutions count, forward and backward; all else is small beside them. Products
    in attention count as the products that they are.

    Args:
        mods: accepted, without effect: modules are known by their paths.
        depth: how deep the table looks into modules.
        display: whether the table is printed at the end.
        custom_mapping: not supported.

    Raises:
        UnsupportedError: formulas of one's own.
    """

    def __init__(
        self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: dict[Any, Any] | None = None
    ) -> None:
        if custom_mapping:
            raise UnsupportedError(
                "FlopCounterMode: custom_mapping: Kadam counts products and convolutions, whatever calls them. Fix: "
                "leave it out."
            )
        self.depth, self.display = depth, display
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def __enter__(self) -> Self:
        if state.rec is not None:
            end_step(state.rec)  # what was recorded before does not count
        self._counts.clear()
        self._outer, state.watcher = state.watcher, self
        return self

    def __exit__(self, *error: object) -> None:
        if state.rec is not None and state.rec.open:
            self._count(state.rec)
        state.watcher = self._outer
        if self.display:
            print(self.get_table(self.depth))

    def takes(self, rec: Recording) -> bool:
        """Asked before each cut: see `kadam.recording.watch`."""
        self._count(rec)
        return self._outer is not None and self._outer.takes(rec)

    def _count(self, rec: Recording) -> None:
        line = rec.here.line()
        wanted = _reached(line)
        for node in (one for call in line for one in call.nodes if one.id in wanted):
            name, flops = flops_of(node)
            if flops:
                for module in (GLOBAL, *_around(node.scope)):
                    self._counts[module][name] += flops

    def get_total_flops(self) -> int:
        """Of all modules."""
        return sum(self._counts[GLOBAL].values())

    def get_flop_counts(self) -> dict[str, dict[str, int]]:
        """By the module's path, then by the operation's name; the whole is `Global`."""
        return {GLOBAL: dict(self._counts[GLOBAL])} | {name: dict(counts) for name, counts in self._counts.items()}

    def get_table(self, depth: int | None = None) -> str:
        """As text: a row for each module and each of its operations."""
        depth, whole = self.depth if depth is None else depth, self.get_total_flops()
        rows = [("Module", "FLOP", "% Total")]
        for name, counts in sorted(self.get_flop_counts().items(), key=lambda item: (item[0] != GLOBAL, item[0])):
            level = 0 if name == GLOBAL else name.count(".") + 1
            if level <= depth:
                total = sum(counts.values())
                rows.append((" " * level + name, _readable(total), _share(total, whole)))
                rows += [
                    (f"{' ' * level} - {operation}", _readable(count), _share(count, whole))
                    for operation, count in counts.items()
                ]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        rows.insert(1, ("-" * widths[0], "-" * widths[1], "-" * widths[2]))
        return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


def flops_of(node: Node) -> tuple[str, int]:
    """PyTorch's name of the operation that a node is, and how many operations it takes; 0 for what does not count."""
    primitive, result = node.primitive, node.type
    if isinstance(primitive, Dot):
        summed = prod(node.inputs[0].shape[axis] for axis in primitive.a_axes)
        return "aten.bmm" if primitive.a_batch else "aten.mm", 2 * summed * prod(result.shape)
    if isinstance(primitive, Convolve):
        return "aten.convolution", 2 * prod(result.shape) * prod(node.inputs[1].shape[1:])
    if isinstance(primitive, ConvolveInput):
        ct, weight = node.inputs
        return "aten.convolution_backward", 2 * prod(ct.shape) * prod(weight.shape[1:])
    if isinstance(primitive, ConvolveWeight):
        return "aten.convolution_backward", 2 * prod(node.inputs[1].shape) * prod(result.shape[1:])
    return "", 0


def _reached(line: Collection[TrailNode]) -> set[int]:
    """The ids of the nodes that results of calls are computed from: derivatives that nobody asks for are not."""
    reached: set[int] = set()
    waiting = [node for call in line for node in call.outputs]
    while waiting:
        node = waiting.pop()
        if node.id not in reached:
            reached.add(node.id)
            waiting.extend(node.inputs)
    return reached


def _around(scope: str) -> list[str]:
    """The modules that a module is in, and itself, by path."""
    parts = scope.split(".") if scope else []
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _readable(count: int) -> str:
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if count >= size:
            return f"{count / size:.3f}{unit}"
    return str(count)


def _share(count: int, whole: int) -> str:
    return f"{100 * count / whole:.2f}%" if whole else "0.00%"


__all__ = ["FlopCounterMode", "flops_of"]

missing.install(__name__)
