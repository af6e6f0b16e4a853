"""Calls: of functions of the same text at once, of all others as Python does it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from sys import getrefcount
from types import FunctionType

from kadam.engines.native.own.conditions import Conditions
from kadam.engines.native.own.text import Ref


class Calls(Conditions):
    """What is called."""

    def of_call(self, node: ast.Call) -> Ref:
        called = self.known(node.func)
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            return self.spread_call(node)
        if called is len or called is getrefcount:
            return self.new("PyLong_FromSsize_t", self.count(node))
        if called is object.__new__ and len(node.args) == 1:
            cls = self.value(node.args[0])
            made = self.new("PyType_GenericAlloc", cls.text, "0")
            self.t.drop(cls)
            return made
        if called is tuple and len(node.args) == 1:
            value = self.value(node.args[0])
            made = self.new("PySequence_Tuple", value.text)
            self.t.drop(value)
            return made
        if isinstance(called, FunctionType) and called in self.unit.compiled:
            return self.function_call(node, called)
        if isinstance(called, type) and vars(called).get("__init__") in self.unit.numbers:
            return self.instance(node, called)
        if called is isinstance:
            return self.boolean(self.is_instance(node))
        if isinstance(node.func, ast.Attribute) and called is None:
            return self.method_call(node, node.func)
        return self.value_call(node, self.value(node.func))

    def value_call(self, node: ast.Call, function: Ref) -> Ref:
        """Whatever can be called; an instance of a class whose `__call__` stands in the same text without detour."""
        values, names = self.arguments(node)
        result, after = self.t.variable(), self.t.label("called")
        kind = self.t.let(f"call ptr @type(ptr {function.text})")
        for cls, method in self.unit.callable.items():
            yes, no = self.t.label("known"), self.t.label("unknown")
            self.t.branch(self.t.let(f"icmp eq ptr {kind}, {self.object(cls)}"), yes, no)
            self.t.open(yes)
            if len(values) + 1 == method.__code__.co_argcount and not node.keywords:
                passed = "".join(f", ptr {one.text}" for one in (function, *values))
                made = self.t.let(f"call ptr @own{self.unit.numbers[method]}(ptr %table{passed})")
                self.t.set(result, self.t.made(made))
                self.t.go(after)
            self.t.open(no)
        place = self.t.array([one.text for one in values])
        self.t.set(result, self.new("PyObject_Vectorcall", function.text, place, str(len(node.args)), names))
        self.t.open(after)
        self.t.drop(*values, function)
        return self.moved(result)

    def arguments(self, node: ast.Call) -> tuple[list[Ref], str]:
        nodes = [*node.args, *(one.value for one in node.keywords)]
        values = [self.kept(self.value(one), *nodes) for one in nodes]
        names = tuple(str(one.arg) for one in node.keywords)
        return values, self.object(names) if names else "null"

    def instance(self, node: ast.Call, cls: type) -> Ref:
        """An instance of a class whose `__init__` stands in the same text."""
        made = self.new("PyType_GenericAlloc", self.object(cls), "0")
        self.t.drop(self.function_call(node, vars(cls)["__init__"], made))
        return made

    def function_call(self, node: ast.Call, called: FunctionType, *first: Ref) -> Ref:
        """A compiled function, with all its arguments in a row: of the same text at once, of another as a builtin.

        A call of the function itself goes by Python, which counts how deep it goes.
        """
        values = [*first, *self.in_row(node, called, len(first))]
        if called in self.unit.numbers and called is not self.function:
            passed = "".join(f", ptr {one.text}" for one in values)
            made = self.t.made(self.t.let(f"call ptr @own{self.unit.numbers[called]}(ptr %table{passed})"))
        else:
            place = self.t.array([one.text for one in values])
            builtin = self.object(self.unit.compiled[called])
            made = self.new("PyObject_Vectorcall", builtin, place, str(len(values)), "null")
        self.t.drop(*values[len(first) :])
        return made

    def in_row(self, node: ast.Call, called: FunctionType, start: int) -> list[Ref]:
        """A call's arguments in the order of the parameters, from one of these on; found out in the call's order."""
        code = called.__code__
        parameters = code.co_varnames[start : code.co_argcount + code.co_kwonlyargcount]
        positional = code.co_varnames[start : code.co_argcount]
        values, names = self.arguments(node)[0], [str(one.arg) for one in node.keywords]
        if len(node.args) > len(positional):
            raise self.refuse(node, f"a call with more arguments than {called.__name__} has")
        given = dict(zip([*positional[: len(node.args)], *names], values, strict=True))
        defaults = dict(zip(positional[::-1], (called.__defaults__ or ())[::-1]))  # noqa: B905  (the last ones have them)
        defaults |= called.__kwdefaults__ or {}
        if len(given) < len(values) or given.keys() - set(parameters):
            raise self.refuse(node, f"a call with other arguments than {called.__name__} has")
        lacking = [name for name in parameters if name not in given and name not in defaults]
        if lacking:
            raise self.refuse(node, f"a call without {lacking[0]}")
        return [given[name] if name in given else self.constant(defaults[name]) for name in parameters]

    def method_call(self, node: ast.Call, function: ast.Attribute) -> Ref:
        if function.attr in self.unit.slots:
            return self.value_call(node, self.kept(self.value(function), *node.args))
        owner = self.kept(self.value(function.value), *node.args)
        if function.attr in ("append", "get") and len(node.args) == 1 and not node.keywords:
            value = self.value(node.args[0])
            quick = {"append": "append", "get": "look_up"}[function.attr]
            name = self.object(function.attr)
            made = self.t.made(
                self.t.let(f"call ptr @{quick}(ptr %table, ptr {owner.text}, ptr {value.text}, ptr {name})")
            )
            self.t.drop(value, owner)
            return made
        values, names = self.arguments(node)
        known = [] if node.keywords else self.unit.methods_named(function.attr, len(values) + 1, self.function)
        if known:
            return self.known_method_call(function.attr, known, [owner, *values])
        place = self.t.array([owner.text, *[one.text for one in values]])
        made = self.new("PyObject_VectorcallMethod", self.object(function.attr), place, str(len(node.args) + 1), names)
        self.t.drop(*values, owner)
        return made

    def known_method_call(self, name: str, known: Sequence[FunctionType], values: Sequence[Ref]) -> Ref:
        """A call of a method that may be one of the compiled ones: found as Python finds it, those called at once."""
        method, result, after = self.t.variable(), self.t.variable(), self.t.label("called")
        unbound = self.api("_PyObject_GetMethod", values[0].text, self.object(name), method)
        found = self.t.let(f"load ptr, ptr {method}")
        self.t.demand(self.t.let(f"icmp ne ptr {found}, null"))
        passed = "".join(f", ptr {one.text}" for one in values)
        is_method = self.t.let(f"icmp eq i32 {unbound}, 1")
        function_of_class = self.t.let(f"select i1 {is_method}, ptr {found}, ptr null")
        for function in known:
            yes, no = self.t.label("known"), self.t.label("unknown")
            self.t.branch(self.t.let(f"icmp eq ptr {function_of_class}, {self.object(function)}"), yes, no)
            self.t.open(yes)
            made = self.t.let(f"call ptr @own{self.unit.numbers[function]}(ptr %table{passed})")
            self.t.set(result, self.t.made(made))
            self.t.go(after)
            self.t.open(no)
        place = self.t.array([one.text for one in values])
        count = self.t.let(f"zext i32 {unbound} to i64")  # 1 for a function that is still to get its first argument
        start = self.t.let(f"getelementptr ptr, ptr {place}, i64 {self.t.let(f'sub i64 1, {count}')}")
        given = self.t.let(f"add i64 {count}, {len(values) - 1}")
        self.t.set(result, self.new("PyObject_Vectorcall", found, start, given, "null"))
        self.t.open(after)
        self.t.clear(method)
        self.t.drop(*reversed(values))
        return self.moved(result)

    def spread_call(self, node: ast.Call) -> Ref:
        if node.keywords:
            raise self.refuse(node, "a call with `*` and names")
        function = self.kept(self.value(node.func), *node.args)
        values = self.spread(node.args)
        made = self.new("PyObject_Call", function.text, values.text, "null")
        self.t.drop(values, function)
        return made

    def row(self, elements: Sequence[ast.expr], kind: str) -> Ref:
        """A new tuple or list of some values."""
        values = [self.held(self.value(one)) for one in elements]
        made = self.new(kind, str(len(values)))
        if values:
            items = "tuple_items" if kind == "PyTuple_New" else "list_items"
            start = self.t.let(f"call ptr @{items}(ptr {made.text})")
        for index, value in enumerate(values):
            at = self.t.let(f"getelementptr ptr, ptr {start}, i64 {index}")
            self.t.do(f"store ptr {self.t.release(value)}, ptr {at}")
        return made

    def spread(self, elements: Sequence[ast.expr]) -> Ref:
        """A tuple in which others stand spread out."""
        whole: Ref = self.constant(())
        for one in elements:
            if isinstance(one, ast.Starred):
                value = self.value(one.value)
                part = self.new("PySequence_Tuple", value.text)
                self.t.drop(value)
            else:
                part = self.row([one], "PyTuple_New")
            joined = self.new("PyNumber_Add", whole.text, part.text)
            self.t.drop(part, whole)
            whole = joined
        return whole
