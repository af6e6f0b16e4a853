"""Conditions: comparisons and truth, without an object for what only decides the way."""

from __future__ import annotations

import ast
from sys import getrefcount

from kadam.engines.native.own.frame import Frame
from kadam.engines.native.own.text import Ref

_COMPARE = {ast.Lt: 0, ast.LtE: 1, ast.Eq: 2, ast.NotEq: 3, ast.Gt: 4, ast.GtE: 5}
_SIGNED = ("slt", "sle", "eq", "ne", "sgt", "sge")


class Conditions(Frame):
    """Where a function goes on."""

    def test(self, node: ast.expr, yes: str, no: str) -> None:
        """Go to `yes` or `no`."""
        if isinstance(node, ast.BoolOp):
            always = set(self.bound)
            for index, part in enumerate(node.values[:-1]):
                more = self.t.label("more")
                self.test(part, *((more, no) if isinstance(node.op, ast.And) else (yes, more)))
                self.t.open(more)
                always = always if index else set(self.bound)
            self.test(node.values[-1], yes, no)
            self.bound = always  # what only later parts have set may not be
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.test(node.operand, no, yes)
        elif isinstance(node, ast.Compare):
            self.t.branch(self.compared(node), yes, no)
        elif isinstance(node, ast.Call) and self.known(node.func) is isinstance:
            self.t.branch(self.is_instance(node), yes, no)
        elif isinstance(node, ast.Constant):
            self.t.go(yes if node.value else no)
        else:
            self.t.branch(self.truth(self.value(node)), yes, no)

    def truth(self, value: Ref) -> str:
        """Whether a value counts as true."""
        truth = self.t.let(f"call i32 @truth(ptr %table, ptr {value.text})")
        self.t.demand(self.t.let(f"icmp sge i32 {truth}, 0"))
        self.t.drop(value)
        return self.t.let(f"icmp ne i32 {truth}, 0")

    def compared(self, node: ast.Compare) -> str:
        """Whether a comparison holds."""
        if len(node.ops) != 1:
            raise self.refuse(node, "a chain of comparisons")
        op, left, right = node.ops[0], node.left, node.comparators[0]
        if isinstance(left, ast.NamedExpr):
            self.assign(left.target, self.value(left.value))
            left = left.target
        if isinstance(op, ast.Is | ast.IsNot):
            this = self.value(left)
            that = self.identity(right)  # while the first is held, nothing else can come to stand at its place
            same = self.t.let(f"icmp {'eq' if isinstance(op, ast.Is) else 'ne'} ptr {this.text}, {that}")
            self.t.drop(this)
            return same
        if isinstance(op, ast.In | ast.NotIn):
            one = self.kept(self.value(left), right)
            many = self.value(right)
            found = self.sure("PySequence_Contains", many.text, one.text)
            self.t.drop(many, one)
            return self.t.let(f"icmp {'ne' if isinstance(op, ast.In) else 'eq'} i32 {found}, 0")
        which = _COMPARE[type(op)]
        if self.is_number(left) and self.is_number(right) and (self.is_count(left) or self.is_count(right)):
            a, b = self.count(left), self.count(right)
            return self.t.let(f"icmp {_SIGNED[which]} i64 {a}, {b}")
        first = self.kept(self.value(left), right)
        second = self.value(right)
        outcome = self.new("PyObject_RichCompare", first.text, second.text, str(which))
        self.t.drop(second, first)
        return self.truth(outcome)

    def identity(self, node: ast.expr) -> str:
        """A pointer to be compared, not followed."""
        if isinstance(node, ast.Attribute) and node.attr in self.unit.slots and self.known(node.value) is None:
            owner = self.value(node.value)
            value = self.t.let(f"call ptr @{self.unit.peek(node.attr)}(ptr %table, ptr {owner.text})")
            self.t.demand(self.t.let(f"icmp ne ptr {value}, null"))
            self.t.drop(owner)
            return value
        found = self.value(node)
        self.t.drop(found)
        return found.text

    def is_count(self, node: ast.expr) -> bool:
        """Whether an expression is a number of things, which no object need stand for."""
        return isinstance(node, ast.Call) and self.known(node.func) in (len, getrefcount)

    def is_number(self, node: ast.expr) -> bool:
        """Whether an expression is surely a whole number, in Python or here."""
        return self.is_count(node) or type(self.number(node)) is int

    def number(self, node: ast.expr) -> object:
        return node.value if isinstance(node, ast.Constant) else self.known(node)

    def count(self, node: ast.expr) -> str:
        """A whole number, without an object for it."""
        if not isinstance(node, ast.Call):
            return str(self.number(node))
        value = self.value(node.args[0])
        if self.known(node.func) is not len:
            return self.references(value)
        number = self.t.let(f"call i64 @length(ptr %table, ptr {value.text})")
        self.t.drop(value)
        self.t.demand(self.t.let(f"icmp sge i64 {number}, 0"))
        return number

    def references(self, value: Ref) -> str:
        # As Python counts them: with the one by which the argument is held.
        number = self.t.let(f"call i64 @references(ptr {value.text})")
        if not value.owned:
            number = self.t.let(f"add i64 {number}, 1")
        self.t.drop(value)
        return number

    def is_instance(self, node: ast.Call) -> str:
        one, cls = self.value(node.args[0]), self.value(node.args[1])
        holds = self.sure("PyObject_IsInstance", one.text, cls.text)
        self.t.drop(cls, one)
        return self.t.let(f"icmp ne i32 {holds}, 0")

    def boolean(self, holds: str) -> Ref:
        yes, no = self.object(True), self.object(False)
        return Ref(self.t.let(f"select i1 {holds}, ptr {yes}, ptr {no}"), False)
