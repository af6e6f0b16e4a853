"""Expressions: what each comes to."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

from kadam.engines.native.own.calls import Calls
from kadam.engines.native.own.text import Ref

_BINARY = {
    ast.Add: "Add", ast.Sub: "Subtract", ast.Mult: "Multiply", ast.Div: "TrueDivide", ast.FloorDiv: "FloorDivide",
    ast.Mod: "Remainder", ast.BitAnd: "And", ast.BitOr: "Or",
}  # fmt: skip


_NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Expressions(Calls):
    """What is computed."""

    def value(self, node: ast.expr) -> Ref:
        """What an expression comes to."""
        method = getattr(self, f"of_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.refuse(node, f"`{ast.unparse(node)}`")
        found: Ref = method(node)
        return found

    def of_constant(self, node: ast.Constant) -> Ref:
        return self.constant(node.value)

    def of_name(self, node: ast.Name) -> Ref:
        if node.id in self.given and node.id in self.locals and not self.locals[node.id]:
            return Ref(self.given[node.id], False)  # the caller holds it
        if node.id in self.locals:
            return self.t.get(self.locals[node.id], node.id in self.bound)
        return self.constant(self.find(node.id, node))

    def of_namedexpr(self, node: ast.NamedExpr) -> Ref:
        raise self.refuse(node, "`:=`, but for the left of a comparison,")

    def of_attribute(self, node: ast.Attribute) -> Ref:
        known = self.known(node)
        if known is not None:
            return self.constant(known)
        owner = self.value(node.value)
        if node.attr == "__class__":
            found = Ref(self.t.let(f"call ptr @type(ptr {owner.text})"), False)
            self.t.do(f"call void @take(ptr %table, ptr {found.text})")
            self.t.drop(owner)
            self.t.held.append(found.text)
            return Ref(found.text, True)
        if isinstance(self.known(node.value), threading.local):
            made = self.of_thread(node.value, node.attr, owner)
        elif node.attr in self.unit.slots:
            made = self.t.made(self.t.let(f"call ptr @{self.unit.getter(node.attr)}(ptr %table, ptr {owner.text})"))
        else:
            made = self.new("PyObject_GetAttr", owner.text, self.object(node.attr))
        self.t.drop(owner)
        return made

    def of_thread(self, node: ast.expr, name: str, owner: Ref) -> Ref:
        """An attribute of the thread's own, found at once if it is the thread that compiled."""
        parts = [self.object(vars(self.known(node))), self.object(name), owner.text]
        given = ", ".join(f"ptr {one}" for one in parts)
        return self.t.made(self.t.let(f"call ptr @of_thread(ptr %table, {given})"))

    def set_attribute(self, owner: str, name: str, value: Ref) -> None:
        if name in self.unit.slots:
            code = self.t.let(f"call i32 @{self.unit.setter(name)}(ptr %table, ptr {owner}, ptr {value.text})")
            self.t.demand(self.t.let(f"icmp sge i32 {code}, 0"))
        else:
            self.sure("PyObject_SetAttr", owner, self.object(name), value.text)

    def of_subscript(self, node: ast.Subscript) -> Ref:
        owner = self.kept(self.value(node.value), node.slice)
        key = self.value(node.slice)
        made = self.new("PyObject_GetItem", owner.text, key.text)
        self.t.drop(key, owner)
        return made

    def of_slice(self, node: ast.Slice) -> Ref:
        parts = [self.constant(None) if one is None else self.value(one) for one in (node.lower, node.upper, node.step)]
        made = self.new("PySlice_New", *[one.text for one in parts])
        self.t.drop(*parts)
        return made

    def of_tuple(self, node: ast.Tuple) -> Ref:
        if any(isinstance(one, ast.Starred) for one in node.elts):
            return self.spread(node.elts)
        return self.row(node.elts, "PyTuple_New")

    def of_list(self, node: ast.List) -> Ref:
        return self.row(node.elts, "PyList_New")

    def of_dict(self, node: ast.Dict) -> Ref:
        if None in node.keys:
            raise self.refuse(node, "`**` in a dict")
        made = self.new("PyDict_New")
        for key, value in zip(node.keys, node.values, strict=True):
            assert key is not None
            one, other = self.value(key), self.value(value)
            self.sure("PyDict_SetItem", made.text, one.text, other.text)
            self.t.drop(other, one)
        return made

    def of_listcomp(self, node: ast.ListComp) -> Ref:
        if len(node.generators) != 1 or node.generators[0].is_async:
            raise self.refuse(node, "a comprehension of several loops")
        (part,) = node.generators
        names = {one.id for one in ast.walk(part.target) if isinstance(one, ast.Name)}
        outer = self.locals
        result = self.t.variable()
        self.t.set(result, self.new("PyList_New", "0"))
        own = {name: self.t.variable() for name in sorted(names)}

        def add(again: str, after: str) -> None:
            for condition in part.ifs:
                good = self.t.label("good")
                self.test(condition, good, again)
                self.t.open(good)
            value = self.value(node.elt)
            self.sure("PyList_Append", self.t.get(result).text, value.text)
            self.t.drop(value)

        self.loop(part.target, part.iter, add, own)
        for variable in own.values():
            self.t.clear(variable)
        self.locals = outer
        return self.moved(result)

    def loop(
        self, target: ast.expr, iterated: ast.expr, body: Callable[[str, str], None], own: Mapping[str, str] = _NO_NAMES
    ) -> None:
        """`body`, for each item, with names of the loop's own.

        What is gone over is taken as it is: a list may grow meanwhile, an iterator is emptied first.
        """
        parts, targets, counted = [iterated], [target], None
        if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name) and isinstance(target, ast.Tuple):
            called = self.known(iterated.func)
            if called is zip and not iterated.keywords:
                parts, targets = iterated.args, target.elts
            elif called is enumerate and len(iterated.args) == 1:
                parts, targets, counted = iterated.args, target.elts[1:], target.elts[0]
        holders = []
        for part in parts:
            value = self.value(part)
            sequence = self.sequence(value)
            self.t.drop(value)
            holders.append(self.t.variable())
            self.t.set(holders[-1], sequence)
        self.locals = {**self.locals, **own}
        bound = set(self.bound)
        counter = self.t.variable("i64", "0")
        self.t.do(f"store i64 0, ptr {counter}")
        head, again, after = (self.t.label(stem) for stem in ("head", "next", "endfor"))
        self.t.open(head)
        index = self.t.let(f"load i64, ptr {counter}")
        items = [self.t.let(f"load ptr, ptr {holder}") for holder in holders]
        for item in items:
            more = self.t.label("more")
            self.t.branch(self.t.let(f"icmp slt i64 {index}, {self.size(item)}"), more, after)
            self.t.open(more)
        found = [self.held(Ref(self.item(item, index), False)) for item in items]
        for one, value in zip(targets, found, strict=True):
            self.assign(one, value)
        if counted is not None:
            self.assign(counted, self.new("PyLong_FromSsize_t", index))
        body(again, after)
        self.t.open(again)
        following = self.t.let(f"add i64 {index}, 1")
        self.t.do(f"store i64 {following}, ptr {counter}")
        self.t.go(head)
        self.t.open(after)
        self.bound &= bound
        for holder in holders:
            self.t.clear(holder)

    def of_ifexp(self, node: ast.IfExp) -> Ref:
        yes, no, after = (self.t.label(stem) for stem in ("then", "else", "endif"))
        result = self.t.variable()
        self.test(node.test, yes, no)
        bound = set(self.bound)
        self.t.open(yes)
        self.t.set(result, self.value(node.body))
        self.t.go(after)
        self.t.open(no)
        self.bound = set(bound)
        self.t.set(result, self.value(node.orelse))
        self.bound = bound
        self.t.open(after)
        return self.moved(result)

    def of_boolop(self, node: ast.BoolOp) -> Ref:
        result, after, bound = self.t.variable(), self.t.label("endbool"), self.bound
        for index, part in enumerate(node.values):
            self.t.set(result, self.value(part))
            bound = bound if index else set(self.bound)
            if index == len(node.values) - 1:
                break
            holds = self.truth(self.t.get(result, sure=True))
            more = self.t.label("more")
            self.t.branch(holds, *((more, after) if isinstance(node.op, ast.And) else (after, more)))
            self.t.open(more)
        self.bound &= bound
        self.t.open(after)
        return self.moved(result)

    def of_compare(self, node: ast.Compare) -> Ref:
        return self.boolean(self.compared(node))

    def of_unaryop(self, node: ast.UnaryOp) -> Ref:
        if isinstance(node.op, ast.Not):
            return self.of_ifexp(ast.IfExp(node.operand, ast.Constant(False), ast.Constant(True)))
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return self.constant(-node.operand.value)  # type: ignore[operator]
        name = {ast.Invert: "PyNumber_Invert", ast.USub: "PyNumber_Negative"}.get(type(node.op))
        if name is None:
            raise self.refuse(node, ast.unparse(node))
        value = self.value(node.operand)
        made = self.new(name, value.text)
        self.t.drop(value)
        return made

    def of_binop(self, node: ast.BinOp) -> Ref:
        first = self.kept(self.value(node.left), node.right)
        second = self.value(node.right)
        if isinstance(node.op, ast.Pow):
            made = self.new("PyNumber_Power", first.text, second.text, self.object(None))
        elif type(node.op) in _BINARY:
            made = self.new(f"PyNumber_{_BINARY[type(node.op)]}", first.text, second.text)
        else:
            raise self.refuse(node, ast.unparse(node))
        self.t.drop(second, first)
        return made
