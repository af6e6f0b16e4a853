"""A graph as text that is read back exactly: how bugs are reported.

One line is one node: its type, what computes it, its phase, then its scope, the user's line and its origin, if any:

    %12  f32[32,10]  = Add(%11, %3)         forward   encoder.fc1 train.py:41
    %40  f32[32,10]  = Neg(%39)             backward  encoder.fc1 train.py:41 of %12
    inputs %0, %1
    outputs %12
    updates %1 <- %40
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, NoReturn

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import TextError
from kadam.ir.graph import Graph, Node, Phase, Source
from kadam.ir.primitive import Primitive
from kadam.ir.types import TensorType, parse_type

_WIDEST_CALL = 60  # columns that a call may take before it pushes the notes aside


def to_text(graph: Graph) -> str:
    """The graph as text, one node a line; `parse` reads it back.

    Raises:
        TextError: an attribute of a primitive is of a type that has no notation.
    """
    rows = [(str(node), str(node.type), _call(node), node.phase.value, _notes(node)) for node in graph.nodes]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    widths[2] = min(widths[2], _WIDEST_CALL)
    lines = [
        f"{name:<{widths[0]}}  {type:<{widths[1]}} = {call:<{widths[2]}}  {phase:<{widths[3]}}  {notes}".rstrip()
        for name, type, call, phase, notes in rows
    ]
    lines.append("inputs " + ", ".join(map(str, graph.inputs)))
    lines.append("outputs " + ", ".join(map(str, graph.outputs)))
    lines.append("updates " + ", ".join(f"{state} <- {value}" for state, value in graph.updates.items()))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def parse(text: str) -> Graph:
    """The graph that `to_text` wrote. It is not verified: a text may report a graph that is wrong.

    Raises:
        TextError: the text is not that of a graph; the message names the line.
    """
    nodes: list[Node] = []
    words = Primitive.registry()
    ends: dict[str, Any] = {"inputs": (), "outputs": (), "updates": {}}
    for number, line in enumerate(text.splitlines(), start=1):
        reader = _Reader(line, nodes, words)
        try:
            if not reader.kind:
                continue
            if reader.kind == "node":
                nodes.append(_read_node(reader))
            else:
                _read_end(reader, ends)
            reader.expect_end()
        except (TextError, TypeError) as error:
            raise TextError(f"line {number}: {error}") from error
    return Graph(tuple(nodes), **ends)


def _call(node: Node) -> str:
    operands = [str(source) for source in node.inputs]
    attributes = [f"{field.name}={_write(getattr(node.primitive, field.name))}" for field in fields(node.primitive)]
    return f"{type(node.primitive).__name__}({', '.join(operands + attributes)})"


def _notes(node: Node) -> str:
    notes = []
    if node.scope:
        bare = re.fullmatch(_BARE_SCOPE, node.scope)
        notes.append(node.scope if bare else repr(node.scope))
    if node.source is not None:
        bare = re.fullmatch(_BARE_FILE, node.source.file)
        notes.append(f"{node.source.file if bare else repr(node.source.file)}:{node.source.line}")
    if node.origin is not None:
        notes.append(f"of %{node.origin}")
    return " ".join(notes)


def _write(value: Any) -> str:
    match value:
        case np.generic():
            return _write(value.item())
        case None | bool() | int() | float() | str():
            return repr(value)
        case complex():
            return f"complex({value.real!r}, {value.imag!r})"
        case tuple():
            return f"({', '.join(map(_write, value))}{',' if len(value) == 1 else ''})"
        case dtype():
            return value.short
        case TensorType():
            return str(value)
    raise TextError(f"no notation for {value!r} of type {type(value).__name__}")


_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_BARE_SCOPE = r"(?!of\b)[\w.]+"
_BARE_FILE = r"[^\s:'\"%]+"
_NUMBER = r"-?(?:inf\b|nan\b|\d+(?:\.\d*)?(?:e[-+]?\d+)?)"
_TOKENS = re.compile(
    rf"\s*(?:(?P<node>%\d+)|(?P<type>\w+\[[\d,]*\])|(?P<number>{_NUMBER})|(?P<quoted>{_QUOTED})"
    rf"|(?P<name>\w+)|(?P<mark><-|[(),=]))"
)
_NOTES = re.compile(
    rf"\s*(?P<phase>\w+)(?:\s+(?P<scope>{_BARE_SCOPE}|{_QUOTED})(?=\s|$))?"
    rf"(?:\s+(?P<file>{_BARE_FILE}|{_QUOTED}):(?P<line>\d+))?(?:\s+of %(?P<origin>\d+))?\s*"
)


class _Reader:
    """One line, token by token.

    Attributes:
        nodes: those of the lines above.
        words: the primitives by name.
        kind, token: of the token that is next; the kind is empty at the end of the line.
    """

    def __init__(self, line: str, nodes: list[Node], words: Mapping[str, type[Primitive]]) -> None:
        self.line = line
        self.nodes = nodes
        self.words = words
        self.start = self.position = 0
        self.advance()

    def advance(self) -> None:
        self.start = self.position
        found = _TOKENS.match(self.line, self.position)
        if found is None:
            if self.line[self.position :].strip():
                self.refuse("a token")
            self.kind = self.token = ""
            return
        self.kind, self.token = found.lastgroup or "", found[found.lastgroup or 0]
        self.position = found.end()

    def refuse(self, wanted: str) -> NoReturn:
        raise TextError(f"expected {wanted} at {self.line[self.start :].strip()!r}")

    def take(self, kind: str) -> str:
        if self.kind != kind:
            self.refuse(f"a {kind}")
        token = self.token
        self.advance()
        return token

    def mark(self, token: str) -> None:
        if self.token != token:
            self.refuse(repr(token))
        self.advance()

    def skips(self, token: str) -> bool:
        """Whether `token` is next; then it is passed."""
        if self.token != token:
            return False
        self.advance()
        return True

    def node(self) -> Node:
        token = self.take("node")
        if int(token[1:]) >= len(self.nodes):
            raise TextError(f"{token} is not defined above")
        return self.nodes[int(token[1:])]

    def rest(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """What is left of the line, which must have this pattern."""
        found = pattern.fullmatch(self.line, self.start)
        if found is None:
            self.refuse("a phase, then perhaps a scope, file:line and an origin,")
        self.position = len(self.line)
        self.advance()
        return found

    def expect_end(self) -> None:
        if self.kind:
            self.refuse("the end of the line")


def _read_node(reader: _Reader) -> Node:
    name = reader.take("node")
    if int(name[1:]) != len(reader.nodes):
        raise TextError(f"{name} stands where %{len(reader.nodes)} must follow")
    result = parse_type(reader.take("type"))
    reader.mark("=")
    primitive, inputs = _read_call(reader)
    notes = reader.rest(_NOTES)
    try:
        phase = Phase(notes["phase"])
    except ValueError as error:
        raise TextError(f"{notes['phase']!r} is no phase") from error
    source = Source(_unquoted(notes["file"]), int(notes["line"])) if notes["file"] else None
    origin = int(notes["origin"]) if notes["origin"] else None
    return Node(len(reader.nodes), primitive, inputs, result, phase, _unquoted(notes["scope"] or ""), source, origin)


def _read_call(reader: _Reader) -> tuple[Primitive, tuple[Node, ...]]:
    name = reader.take("name")
    primitive = reader.words.get(name)
    if primitive is None:
        raise TextError(f"{name} is no primitive")
    inputs: list[Node] = []
    attributes: dict[str, Any] = {}
    for _ in _items(reader):
        if reader.kind == "node":
            inputs.append(reader.node())
        else:
            attribute = reader.take("name")
            reader.mark("=")
            attributes[attribute] = _read_value(reader)
    return primitive(**attributes), tuple(inputs)


def _items(reader: _Reader) -> Iterator[None]:
    """Once for each item of a list in parentheses; the caller reads the item."""
    reader.mark("(")
    while not reader.skips(")"):
        yield
        if reader.token != ")":
            reader.mark(",")


def _read_value(reader: _Reader) -> Any:
    if reader.token == "(":
        return tuple(_read_value(reader) for _ in _items(reader))
    if reader.kind == "type":
        return parse_type(reader.take("type"))
    if reader.kind == "quoted":
        return _unquoted(reader.take("quoted"))
    if reader.kind == "number":
        token = reader.take("number")
        return int(token) if re.fullmatch(r"-?\d+", token) else float(token)
    name = reader.take("name")
    if name in _NAMED:
        return _NAMED[name]
    if name == "complex":
        return complex(*(_read_value(reader) for _ in _items(reader)))
    try:
        return dtypes.by_short(name)
    except KeyError:
        raise TextError(f"{name!r} is no value") from None


_NAMED = {"True": True, "False": False, "None": None}


def _read_end(reader: _Reader, ends: dict[str, Any]) -> None:
    name = reader.take("name")
    if name not in ends:
        raise TextError(f"expected a node, inputs, outputs or updates, not {name!r}")
    items: list[Any] = []
    while reader.kind:
        node = reader.node()
        if name == "updates":
            reader.mark("<-")
            items.append((node, reader.node()))
        else:
            items.append(node)
        if reader.kind:
            reader.mark(",")
    ends[name] = dict(items) if name == "updates" else tuple(items)


def _unquoted(token: str) -> str:
    return str(ast.literal_eval(token)) if token[:1] in ("'", '"') else token
