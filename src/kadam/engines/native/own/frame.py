"""A function that is being compiled: its names, and what may be asked of Python."""

from __future__ import annotations

import ast
import builtins
import inspect
from types import FunctionType, ModuleType
from typing import Any

from kadam.engines.native.own.table import API
from kadam.engines.native.own.text import Ref, Text
from kadam.engines.native.own.unit import Refused, Unit


class Frame:
    """A function that is being compiled: its names, and what may be asked of Python."""

    def __init__(self, unit: Unit, function: FunctionType, tree: ast.FunctionDef) -> None:
        self.unit = unit
        self.function = function
        self.tree = tree
        self.t = Text()
        self.result = self.t.variable()
        code = function.__code__
        self.parameters = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        stored = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
        self.given = {name: f"%p{index}" for index, name in enumerate(self.parameters) if name not in stored}
        self.locals = {name: "" if name in self.given else self.t.variable() for name in self.parameters}
        for name in (*code.co_varnames[len(self.parameters) :], *code.co_cellvars):
            if name not in self.locals:
                self.locals[name] = self.t.variable()
        if code.co_freevars:
            raise self.refuse(tree, f"a closure, over {code.co_freevars[0]},")
        if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR):
            raise self.refuse(tree, "a function of any number of arguments, or a generator,")
        self.bound = set(self.parameters)  # the names that hold something here, whichever way led here
        self.loops: list[tuple[str, str, int]] = []
        self.caught: list[list[str]] = []  # the errors that are being handled
        self.finals: list[tuple[list[ast.stmt], int]] = []

    def refuse(self, node: ast.AST, what: str) -> Refused:
        return Refused(f"{self.function.__qualname__}, line {getattr(node, 'lineno', 0)}: {what} is not compiled.")

    # What the rooms above this one say

    def value(self, node: ast.expr) -> Ref:
        """What an expression comes to."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Ref) -> None:
        """Let a target have a value."""
        raise NotImplementedError

    # Python's functions and objects

    def api(self, name: str, *arguments: str) -> str:
        """Call one of Python's functions; its value, unchecked."""
        kind = API[name]
        result, parameters = kind.split(" ", 1)
        types = parameters.strip("()").split(", ") if parameters != "()" else []
        at = self.t.let(f"getelementptr ptr, ptr %table, i64 {self.unit.table.function(name)}")
        function = self.t.let(f"load ptr, ptr {at}")
        given = ", ".join(f"{kind} {one}" for kind, one in zip(types, arguments, strict=True))
        if result == "void":
            self.t.do(f"call void {function}({given})")
            return ""
        return self.t.let(f"call {result} {function}({given})")

    def new(self, name: str, *arguments: str) -> Ref:
        """The new object that one of Python's functions makes."""
        return self.t.made(self.api(name, *arguments))

    def sure(self, name: str, *arguments: str) -> str:
        """The number that one of Python's functions returns, if it is not -1 for an error."""
        code = self.api(name, *arguments)
        self.t.demand(self.t.let(f"icmp sge i32 {code}, 0"))
        return code

    def object(self, value: Any) -> str:
        """A pointer to an object of the table."""
        at = self.t.let(f"getelementptr ptr, ptr %table, i64 {self.unit.table.object(value)}")
        return self.t.let(f"load ptr, ptr {at}")

    def constant(self, value: Any) -> Ref:
        return Ref(self.object(value), False)

    def find(self, name: str, node: ast.AST) -> Any:
        """A global name's object."""
        for names in (self.function.__globals__, vars(builtins)):
            if name in names:
                return names[name]
        raise self.refuse(node, f"the name {name!r}, which is not there,")

    def known(self, node: ast.AST) -> Any:
        """The object behind an expression that always has the same one; None if it is not known."""
        if isinstance(node, ast.Name) and node.id not in self.locals:
            return self.find(node.id, node)
        if isinstance(node, ast.Attribute):
            owner = self.known(node.value)
            found = getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
            return found if callable(found) else None  # a setting of a module may change
        return None

    def sequence(self, value: Ref) -> Ref:
        """A list or tuple of what can be gone over."""
        return self.t.made(self.t.let(f"call ptr @sequence(ptr %table, ptr {value.text})"))

    def size(self, sequence: str) -> str:
        """How many items a list or tuple has."""
        return self.t.let(f"call i64 @size(ptr {sequence})")

    def item(self, sequence: str, index: str) -> str:
        """An item of a list or tuple, borrowed."""
        return self.t.let(f"call ptr @item(ptr %table, ptr {sequence}, i64 {index})")

    def kept(self, value: Ref, *later: ast.expr) -> Ref:
        """A value that lasts while `later` is found out, should that change the variable it was read from."""
        changing = any(isinstance(one, ast.NamedExpr) for node in later for one in ast.walk(node))
        return self.held(value) if changing else value

    def held(self, value: Ref) -> Ref:
        """A value that is not borrowed."""
        if value.owned:
            return value
        self.t.do(f"call void @take(ptr %table, ptr {value.text})")
        self.t.held.append(value.text)
        return Ref(value.text, True)

    def moved(self, variable: str) -> Ref:
        """What a variable holds, which it holds no more."""
        value = self.t.let(f"load ptr, ptr {variable}")
        self.t.do(f"store ptr null, ptr {variable}")
        self.t.held.append(value)
        return Ref(value, True)
