"""Functions that are compiled into one text, and what they share: the table, and readers and writers of slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from kadam.engines.native.own.table import Table, slots


class Refused(Exception):  # noqa: N818  (it says what is so)
    """A function contains what is not compiled."""


class Unit:
    """Functions that are compiled together, and call each other without detour.

    Attributes:
        table: what the code reads of this process.
        numbers: function -> its number in the text.
    """

    def __init__(
        self, functions: Iterable[FunctionType], compiled: Mapping[FunctionType, Any], classes: Iterable[type]
    ) -> None:
        classes = tuple(classes)
        self.table = Table()
        self.compiled = compiled
        self.slots = slots(classes)
        self.numbers = {function: number for number, function in enumerate(functions)}
        self.callable = {
            cls: method
            for cls in classes
            if isinstance(method := vars(cls).get("__call__"), FunctionType) and method in self.numbers
        }
        self._helpers: dict[str, str] = {}
        self._dicts = [dict, *[one for one in classes if issubclass(one, dict) and one.get is dict.get]]

    def place(self, value: Any) -> int:
        """The place in the table of an object, or of what it was compiled to."""
        return self.table.object(self.compiled.get(value, value) if isinstance(value, FunctionType) else value)

    def _helper(self, name: str, write: Callable[[], str]) -> str:
        """A function of the text's own, written once."""
        if name not in self._helpers:
            self._helpers[name] = write()
        return name

    def helpers(self) -> str:
        """The text's own functions."""
        return "\n\n".join([self._is_dict(), *self._helpers.values()])

    def _is_dict(self) -> str:
        """Whether a type is that of dicts whose `get` is Python's."""
        lines = ["define internal i1 @is_dict(ptr %table, ptr %type) nounwind {", "  %any0 = icmp eq ptr %type, null"]
        for index, cls in enumerate(self._dicts):
            lines += [
                f"  %at{index} = getelementptr ptr, ptr %table, i64 {self.place(cls)}",
                f"  %type{index} = load ptr, ptr %at{index}",
                f"  %is{index} = icmp eq ptr %type, %type{index}",
                f"  %any{index + 1} = or i1 %any{index}, %is{index}",
            ]
        return "\n".join([*lines, f"  ret i1 %any{len(self._dicts)}", "}"])

    def getter(self, name: str) -> str:
        return self._helper(f"get.{name}", lambda: self._reader(f"get.{name}", name, True))

    def peek(self, name: str) -> str:
        return self._helper(f"peek.{name}", lambda: self._reader(f"peek.{name}", name, False))

    def _reader(self, function: str, name: str, owned: bool) -> str:
        load, body = self._api("PyObject_GetAttr")
        lines = [f"define internal ptr @{function}(ptr %table, ptr %o) nounwind {{", "entry:"]
        lines.append("  %type = call ptr @type(ptr %o)")
        for index, (cls, offset) in enumerate(self.slots[name]):
            lines += [
                f"  %t{index}.at = getelementptr ptr, ptr %table, i64 {self.place(cls)}",
                f"  %t{index} = load ptr, ptr %t{index}.at",
                f"  %is{index} = icmp eq ptr %type, %t{index}",
                f"  br i1 %is{index}, label %yes{index}, label %no{index}",
                f"yes{index}:",
                f"  %at{index} = getelementptr i8, ptr %o, i64 {offset}",
                f"  %v{index} = load ptr, ptr %at{index}",
                f"  %none{index} = icmp eq ptr %v{index}, null",
                f"  br i1 %none{index}, label %slow, label %good{index}",
                f"good{index}:",
                *([f"  call void @take(ptr %table, ptr %v{index})"] if owned else []),
                f"  ret ptr %v{index}",
                f"no{index}:",
            ]
        lines += ["  br label %slow", "slow:", *body]
        lines.append(f"  %name.at = getelementptr ptr, ptr %table, i64 {self.place(name)}")
        lines += ["  %name = load ptr, ptr %name.at", f"  %r = call ptr {load}(ptr %o, ptr %name)"]
        if not owned:
            lines.append("  call void @give_any(ptr %table, ptr %r)")
        return "\n".join([*lines, "  ret ptr %r", "}"])

    def setter(self, name: str) -> str:
        return self._helper(f"set.{name}", lambda: self._writer(name))

    def _writer(self, name: str) -> str:
        load, body = self._api("PyObject_SetAttr")
        lines = [f"define internal i32 @set.{name}(ptr %table, ptr %o, ptr %v) nounwind {{", "entry:"]
        lines.append("  %type = call ptr @type(ptr %o)")
        for index, (cls, offset) in enumerate(self.slots[name]):
            lines += [
                f"  %t{index}.at = getelementptr ptr, ptr %table, i64 {self.place(cls)}",
                f"  %t{index} = load ptr, ptr %t{index}.at",
                f"  %is{index} = icmp eq ptr %type, %t{index}",
                f"  br i1 %is{index}, label %yes{index}, label %no{index}",
                f"yes{index}:",
                f"  %at{index} = getelementptr i8, ptr %o, i64 {offset}",
                f"  %old{index} = load ptr, ptr %at{index}",
                "  call void @take(ptr %table, ptr %v)",
                f"  store ptr %v, ptr %at{index}",
                f"  call void @give_any(ptr %table, ptr %old{index})",
                "  ret i32 0",
                f"no{index}:",
            ]
        lines += ["  br label %slow", "slow:", *body]
        lines.append(f"  %name.at = getelementptr ptr, ptr %table, i64 {self.place(name)}")
        lines += ["  %name = load ptr, ptr %name.at", f"  %r = call i32 {load}(ptr %o, ptr %name, ptr %v)"]
        return "\n".join([*lines, "  ret i32 %r", "}"])

    def _api(self, name: str) -> tuple[str, list[str]]:
        """The lines that load one of Python's functions into `%f`."""
        place = self.table.function(name)
        return "%f", [f"  %f.at = getelementptr ptr, ptr %table, i64 {place}", "  %f = load ptr, ptr %f.at"]
