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

    def methods_named(self, name: str, count: int, caller: FunctionType) -> list[FunctionType]:
        """The methods of this text that a call by this name, with so many arguments, may mean.

        A call of the caller itself goes by Python, which counts how deep it goes.
        """
        return [
            one
            for one in self.numbers
            if one.__name__ == name
            and one is not caller
            and one.__qualname__.rpartition(".")[0][-1:] not in ("", ">")
            and one.__code__.co_argcount == count
            and not one.__code__.co_kwonlyargcount
        ]

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
                f"  %at{index} = getelementptr ptr, ptr %table, i64 {self.table.object(cls)}",
                f"  %type{index} = load ptr, ptr %at{index}",
                f"  %is{index} = icmp eq ptr %type, %type{index}",
                f"  %any{index + 1} = or i1 %any{index}, %is{index}",
            ]
        return "\n".join([*lines, f"  ret i1 %any{len(self._dicts)}", "}"])

    def getter(self, name: str) -> str:
        """The function that reads a slot, or whatever the attribute is; its value is the caller's to give back."""
        return self._access("get", name)

    def peek(self, name: str) -> str:
        """The same for a value that is only compared, not followed."""
        return self._access("peek", name)

    def setter(self, name: str) -> str:
        """The function that writes a slot, or whatever the attribute is."""
        return self._access("set", name)

    def _access(self, what: str, name: str) -> str:
        slot = self._helper(f"slot.{name}", lambda: self._slot(name))
        return self._helper(f"{what}.{name}", lambda: self._wrapped(what, name, slot))

    def _slot(self, name: str) -> str:
        """Where an attribute lies in an object: null if that is none whose slots are known."""
        lines = [f"define internal ptr @slot.{name}(ptr %table, ptr %o) alwaysinline nounwind {{"]
        lines.append("  %type = call ptr @type(ptr %o)")
        found = "null"
        for index, (cls, offset) in enumerate(self.slots[name]):
            lines += [
                f"  %t{index}.at = getelementptr ptr, ptr %table, i64 {self.table.object(cls)}",
                f"  %t{index} = load ptr, ptr %t{index}.at",
                f"  %is{index} = icmp eq ptr %type, %t{index}",
                f"  %at{index} = getelementptr i8, ptr %o, i64 {offset}",
                f"  %found{index} = select i1 %is{index}, ptr %at{index}, ptr {found}",
            ]
            found = f"%found{index}"
        return "\n".join([*lines, f"  ret ptr {found}", "}"])

    def _wrapped(self, what: str, name: str, slot: str) -> str:
        result, more, given = ("i32", ", ptr %v", ", ptr %v") if what == "set" else ("ptr", "", "")
        return "\n".join([
            f"define internal {result} @{what}.{name}(ptr %table, ptr %o{more}) nounwind {{",
            f"  %slot = call ptr @{slot}(ptr %table, ptr %o)",
            f"  %name.at = getelementptr ptr, ptr %table, i64 {self.table.object(name)}",
            "  %name = load ptr, ptr %name.at",
            f"  %r = call {result} @{what}(ptr %table, ptr %slot, ptr %o, ptr %name{given})",
            f"  ret {result} %r", "}",
        ])  # fmt: skip
