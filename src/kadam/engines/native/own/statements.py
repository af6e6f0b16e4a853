"""Statements: what a function does, one after another. `Body` is a whole function."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from kadam.engines.native.own.expressions import Expressions
from kadam.engines.native.own.text import Ref

_IN_PLACE = {ast.Add: "Add", ast.Sub: "Subtract", ast.BitOr: "Or"}


class Body(Expressions):
    """A function that is being compiled."""

    def text(self) -> str:
        """The function in LLVM's language."""
        self.block(self.tree.body)
        self.leave(Ref(self.object(None), False))
        name = f"own{self.unit.numbers[self.function]}"
        return self.t.finish(name, [self.locals[one] for one in self.parameters], self.result)

    def branch(self, statements: Sequence[ast.stmt]) -> None:
        """Statements that are not always reached."""
        bound = set(self.bound)
        self.block(statements)
        self.bound &= bound

    def block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            method = getattr(self, f"do_{type(statement).__name__.lower()}", None)
            if method is None:
                raise self.refuse(statement, f"`{type(statement).__name__.lower()}`")
            method(statement)
            assert not self.t.held, ast.dump(statement)

    def do_expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.t.drop(self.value(node.value))

    def do_pass(self, node: ast.Pass) -> None:
        pass

    def do_assert(self, node: ast.Assert) -> None:
        pass

    def do_assign(self, node: ast.Assign) -> None:
        targets = node.targets
        if len(targets) == 1 and isinstance(targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            values = [self.held(self.value(one)) for one in node.value.elts]
            for target, value in zip(targets[0].elts, values, strict=True):
                self.assign(target, value)
            return
        value = self.value(node.value)
        if len(targets) > 1:
            value = self.held(value)
        for target in targets[:-1]:
            self.assign(target, Ref(value.text, False))
        self.assign(targets[-1], value)

    def do_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value))

    def do_augassign(self, node: ast.AugAssign) -> None:
        target = node.target
        old = self.value(ast.copy_location(ast.parse(ast.unparse(target), mode="eval").body, target))
        change = self.value(node.value)
        name = _IN_PLACE.get(type(node.op))
        if name is None:
            raise self.refuse(node, ast.unparse(node))
        made = self.new(f"PyNumber_InPlace{name}", old.text, change.text)
        self.t.drop(change, old)
        self.assign(target, made)

    def assign(self, target: ast.expr, value: Ref) -> None:
        if isinstance(target, ast.Name):
            self.t.set(self.locals[target.id], value)
            self.bound.add(target.id)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value)
            self.set_attribute(owner.text, target.attr, value)
            self.t.drop(owner, value)
        elif isinstance(target, ast.Subscript):
            owner, key = self.value(target.value), self.value(target.slice)
            self.sure("PyObject_SetItem", owner.text, key.text, value.text)
            self.t.drop(key, owner, value)
        elif isinstance(target, ast.Tuple):
            self.unpack(target, value)
        else:
            raise self.refuse(target, "such a target")

    def unpack(self, target: ast.Tuple, value: Ref) -> None:
        parts = self.new("PySequence_Tuple", value.text)
        self.t.drop(value)
        holder = self.t.variable()
        self.t.set(holder, parts)
        items = self.t.get(holder).text
        size = self.size(items)
        good, bad = self.t.label("fits"), self.t.label("unfit")
        self.t.branch(self.t.let(f"icmp eq i64 {size}, {len(target.elts)}"), good, bad)
        self.t.open(bad)
        self.t.do("call void @unfit(ptr %table)")
        self.t.go(self.t.failure())
        self.t.open(good)
        for index, one in enumerate(target.elts):
            self.assign(one, Ref(self.item(items, str(index)), False))
        self.t.clear(holder)

    def do_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                owner, key = self.value(target.value), self.value(target.slice)
                self.sure("PyObject_DelItem", owner.text, key.text)
                self.t.drop(key, owner)
            elif isinstance(target, ast.Name) and not self.loops and len(self.t.handlers) == 1:
                self.t.clear(self.locals[target.id])
                self.bound.discard(target.id)
            else:
                raise self.refuse(node, ast.unparse(node))

    def do_return(self, node: ast.Return) -> None:
        self.leave(Ref(self.object(None), False) if node.value is None else self.value(node.value))

    def leave(self, value: Ref) -> None:
        self.t.set(self.result, value)
        self.run_finals(0)
        self.t.go("leave")

    def run_finals(self, above: int) -> None:
        """What `finally` says, of all that is being left."""
        finals, handlers = self.finals, self.t.handlers
        for index in range(len(finals) - 1, above - 1, -1):
            body, depth = finals[index]
            self.finals, self.t.handlers = finals[:index], handlers[:depth]
            self.block(body)
        self.finals, self.t.handlers = finals, handlers

    def do_if(self, node: ast.If) -> None:
        yes, no, after = (self.t.label(stem) for stem in ("then", "else", "endif"))
        self.test(node.test, yes, no)
        self.t.open(yes)
        self.branch(node.body)
        self.t.go(after)
        self.t.open(no)
        self.branch(node.orelse)
        self.t.open(after)

    def do_while(self, node: ast.While) -> None:
        if node.orelse:
            raise self.refuse(node, "`while` with `else`")
        again, body, after = (self.t.label(stem) for stem in ("again", "body", "endwhile"))
        self.t.open(again)
        self.test(node.test, body, after)
        self.t.open(body)
        self.inside(again, after, node.body)
        self.t.go(again)
        self.t.open(after)

    def inside(self, again: str, after: str, body: Sequence[ast.stmt]) -> None:
        self.loops.append((again, after, len(self.finals)))
        self.branch(body)
        self.loops.pop()

    def do_break(self, node: ast.Break) -> None:
        _, after, depth = self.loops[-1]
        self.run_finals(depth)
        self.t.go(after)

    def do_continue(self, node: ast.Continue) -> None:
        again, _, depth = self.loops[-1]
        self.run_finals(depth)
        self.t.go(again)

    def do_for(self, node: ast.For) -> None:
        if node.orelse:
            raise self.refuse(node, "`for` with `else`")
        self.loop(node.target, node.iter, lambda again, after: self.inside(again, after, node.body))

    def do_raise(self, node: ast.Raise) -> None:
        if node.exc is None and self.caught:
            self.restore(self.caught[-1])
            return
        if node.exc is None or not (node.cause is None or (isinstance(node.cause, ast.Constant))):
            raise self.refuse(node, ast.unparse(node))
        value = self.value(node.exc)
        kind = self.t.let(f"call ptr @type(ptr {value.text})")
        # a class is raised as it is, an instance by its class
        is_class = self.t.let(f"icmp eq ptr {kind}, {self.object(type)}")
        chosen = self.t.let(f"select i1 {is_class}, ptr {value.text}, ptr {kind}")
        nothing = self.object(None)
        given = self.t.let(f"select i1 {is_class}, ptr {nothing}, ptr {value.text}")
        self.api("PyErr_SetObject", chosen, given)
        self.t.drop(value)
        self.t.go(self.t.failure())

    def do_try(self, node: ast.Try) -> None:
        if node.orelse:
            raise self.refuse(node, "`try` with `else`")
        if node.finalbody:
            self.protect(node)
        else:
            self.attempt(node.body, node.handlers)

    def protect(self, node: ast.Try) -> None:
        """`try ... finally`."""
        handler, after = self.t.label("finally"), self.t.label("endtry")
        depth = len(self.t.handlers)
        self.t.handlers.append(handler)
        self.finals.append((node.finalbody, depth))
        before = set(self.bound)
        if node.handlers:
            self.attempt(node.body, node.handlers)
        else:
            self.block(node.body)
        self.finals.pop()
        self.t.handlers.pop()
        self.block(node.finalbody)
        self.t.go(after)
        self.t.open(handler)
        caught = self.fetched()
        reached, self.bound = self.bound, before
        self.branch(node.finalbody)
        self.bound = reached
        self.restore(caught)
        self.t.open(after)

    def attempt(self, body: Sequence[ast.stmt], clauses: Sequence[ast.ExceptHandler]) -> None:
        """`try ... except`."""
        handler, after = self.t.label("except"), self.t.label("endtry")
        self.t.handlers.append(handler)
        self.branch(body)
        self.t.handlers.pop()
        self.t.go(after)
        self.t.open(handler)
        caught = self.fetched()
        for clause in clauses:
            yes, no = self.t.label("caught"), self.t.label("other")
            if clause.type is None:
                raise self.refuse(clause, "`except` without a type")
            kind = self.value(clause.type)
            held = self.t.let(f"load ptr, ptr {caught[0]}")
            match = self.api("PyErr_GivenExceptionMatches", held, kind.text)
            self.t.drop(kind)
            self.t.branch(self.t.let(f"icmp ne i32 {match}, 0"), yes, no)
            self.t.open(yes)
            if clause.name:
                if clause.name in self.given:
                    raise self.refuse(clause, "an error that takes the name of a parameter")
                self.t.set(self.locals[clause.name], Ref(self.t.let(f"load ptr, ptr {caught[1]}"), False))
            if clause.name:
                self.bound.add(clause.name)
            self.caught.append(caught)
            self.branch(clause.body)
            self.caught.pop()
            for one in caught:
                self.t.clear(one)
            if clause.name:
                self.bound.discard(clause.name)
                self.t.clear(self.locals[clause.name])
            self.t.go(after)
            self.t.open(no)
        self.restore(caught)
        self.t.open(after)

    def fetched(self) -> list[str]:
        """The error that was raised, in variables: type, value, traceback."""
        caught = [self.t.variable() for _ in range(3)]
        self.api("PyErr_Fetch", *caught)
        self.api("PyErr_NormalizeException", *caught)
        return caught

    def restore(self, caught: Sequence[str]) -> None:
        """Raise it again."""
        values = [self.t.let(f"load ptr, ptr {one}") for one in caught]
        for one in caught:
            self.t.do(f"store ptr null, ptr {one}")
        self.api("PyErr_Restore", *values)
        self.t.go(self.t.failure())
