"""The text of one compiled function: instructions, labels, references held, and where to go when a call fails.

A value is a pointer to a Python object, *owned* (to be given back) or *borrowed* (from a variable or the table, which
hold it long enough). Owned values that wait to be used are `held`: whatever fails meanwhile gives them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Ref(NamedTuple):
    """A Python object.

    Attributes:
        text: the name of the pointer to it.
        owned: whether it must be given back.
    """

    text: str
    owned: bool


class Text:
    """The body of a function that is being written."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.handlers: list[str] = ["fail"]
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._failures: dict[tuple[str, ...], str] = {}
        self._count = 0
        self.variables: list[str] = []
        self._arguments = 0
        self.closed = False  # whether the present block has ended

    # Names and blocks

    def name(self, stem: str = "v") -> str:
        self._count += 1
        return f"%{stem}{self._count}"

    def label(self, stem: str) -> str:
        return self.name(stem)[1:]

    def let(self, instruction: str) -> str:
        """The value of an instruction."""
        name = self.name()
        self.do(f"{name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        if not self.closed:
            self._lines.append(f"  {instruction}")

    def open(self, label: str) -> None:
        """Begin a block; the one before goes on there."""
        self.go(label)
        self._lines.append(f"{label}:")
        self.closed = False

    def go(self, label: str) -> None:
        """End the block: on to another."""
        self.do(f"br label %{label}")
        self.closed = True

    def branch(self, condition: str, yes: str, no: str) -> None:
        self.do(f"br i1 {condition}, label %{yes}, label %{no}")
        self.closed = True

    def variable(self, kind: str = "ptr", start: str = "null") -> str:
        """A variable of the function. One of pointers is given back at its end."""
        name = self.name("var")
        self._entry += [f"  {name} = alloca {kind}", f"  store {kind} {start}, ptr {name}"]
        if kind == "ptr":
            self.variables.append(name)
        return name

    def array(self, values: Sequence[str]) -> str:
        """Some pointers in a row, for a call: the address of the first."""
        self._arguments = max(self._arguments, len(values))
        for index, value in enumerate(values):
            at = self.let(f"getelementptr ptr, ptr %arguments, i64 {index}")
            self.do(f"store ptr {value}, ptr {at}")
        return "%arguments"

    # References

    def release(self, ref: Ref) -> str:
        """A value that from now on somebody else gives back: a variable, a tuple that it stands in."""
        if not ref.owned:
            self.do(f"call void @take(ptr %table, ptr {ref.text})")
        else:
            self.held.remove(ref.text)
        return ref.text

    def made(self, value: str) -> Ref:
        """A new object, or null if an error was raised: then on to whoever handles it."""
        self.demand(self.let(f"icmp ne ptr {value}, null"))
        self.held.append(value)
        return Ref(value, True)

    def drop(self, *refs: Ref) -> None:
        """Values that are not needed any more."""
        for ref in refs:
            if ref.owned:
                self.held.remove(ref.text)
                self.do(f"call void @give(ptr %table, ptr {ref.text})")

    def demand(self, good: str) -> None:
        """Go on if the condition holds; else an error was raised."""
        after = self.label("good")
        self.branch(good, after, self.failure())
        self.open(after)

    def failure(self) -> str:
        """The label where an error that is raised now goes: what is held is given back first."""
        key = (self.handlers[-1], *self.held)
        if key not in self._failures:
            self._failures[key] = self.label("failure") if self.held else self.handlers[-1]
        return self._failures[key]

    # Variables

    def get(self, variable: str, sure: bool = False) -> Ref:
        """What a variable holds; an error if it holds nothing yet, which can't be if that is `sure`."""
        value = self.let(f"load ptr, ptr {variable}")
        if sure:
            return Ref(value, False)
        bound, unbound = self.label("bound"), self.label("unbound")
        self.branch(self.let(f"icmp ne ptr {value}, null"), bound, unbound)
        self.open(unbound)
        self.do("call void @unbound(ptr %table)")
        self.go(self.failure())
        self.open(bound)
        return Ref(value, False)

    def set(self, variable: str, ref: Ref) -> None:
        """Let a variable hold a value."""
        value = self.release(ref)
        before = self.let(f"load ptr, ptr {variable}")
        self.do(f"store ptr {value}, ptr {variable}")
        self.do(f"call void @give_any(ptr %table, ptr {before})")

    def clear(self, variable: str) -> None:
        before = self.let(f"load ptr, ptr {variable}")
        self.do(f"store ptr null, ptr {variable}")
        self.do(f"call void @give_any(ptr %table, ptr {before})")

    # The whole

    def finish(self, name: str, parameters: Sequence[str], result: str) -> str:
        """The function's text; `result` is the variable that holds what it returns."""
        given = "".join(f", ptr %p{index}" for index in range(len(parameters)))
        lines = [f"define internal ptr @{name}(ptr %table{given}) nounwind {{", "entry:"]
        lines += [f"  %arguments = alloca [{max(1, self._arguments)} x ptr]", *self._entry]
        for index, variable in enumerate(parameters):
            if variable:
                lines += [f"  call void @take(ptr %table, ptr %p{index})", f"  store ptr %p{index}, ptr {variable}"]
        lines += ["  br label %start", "start:", *self._lines]
        if not self.closed:
            lines.append("  br label %leave")
        for (handler, *held), label in self._failures.items():
            if held:
                lines += [f"{label}:", *[f"  call void @give(ptr %table, ptr {one})" for one in reversed(held)]]
                lines.append(f"  br label %{handler}")
        lines += ["fail:", *self._cleared(result, "f"), "  br label %leave", "leave:"]
        for variable in self.variables:
            if variable != result:
                lines += self._cleared(variable, "l")
        lines += [f"  %returned = load ptr, ptr {result}", "  ret ptr %returned", "}"]
        return "\n".join(lines)

    def _cleared(self, variable: str, stem: str) -> list[str]:
        value = f"%{stem}.{variable[1:]}"
        return [
            f"  {value} = load ptr, ptr {variable}",
            f"  store ptr null, ptr {variable}",
            f"  call void @give_any(ptr %table, ptr {value})",
        ]
