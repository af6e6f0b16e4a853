"""The nodes' own operators, with which derivatives are written: `ct * (1 - out * out)`."""

from __future__ import annotations

from kadam.ir.builder import emit
from kadam.ir.graph import Node, lend_arithmetic
from kadam.primitives.elementwise import Add, Div, Mul, Neg, Sub
from kadam.primitives.sources import full_like


class _Operators:
    """Both sides have one type; a Python number becomes a constant of the other side's type."""

    def neg(self, a: Node) -> Node:
        return emit(Neg(), a)

    def add(self, a: Node | float, b: Node | float) -> Node:
        return emit(Add(), *_both(a, b))

    def sub(self, a: Node | float, b: Node | float) -> Node:
        return emit(Sub(), *_both(a, b))

    def mul(self, a: Node | float, b: Node | float) -> Node:
        return emit(Mul(), *_both(a, b))

    def div(self, a: Node | float, b: Node | float) -> Node:
        return emit(Div(), *_both(a, b))


def _both(a: Node | float, b: Node | float) -> tuple[Node, Node]:
    if isinstance(a, Node):
        return a, b if isinstance(b, Node) else full_like(a, b)
    if isinstance(b, Node):
        return full_like(b, a), b
    raise TypeError("at least one operand must be a node")


lend_arithmetic(_Operators())
