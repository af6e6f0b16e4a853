"""What to call a few nodes, in the user's words."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Sequence
from functools import cache

from kadam.ir.graph import Node, Source
from kadam.lens.operations import OF_MEMORY, PUBLIC
from kadam.lens.step import Step

_SILENT = {"Broadcast", "Cast", "Full", "Detach", "Copy", "Iota", "Within"}
_MOVES = {"Reshape", "Permute", "Slice", "Concat", "Insert", "Flip"}
_SIGNS = {"Add": "+", "Sub": "−", "Mul": "×", "Div": "÷", "Neg": "−", "Dot": "matmul", "Convolve": "conv"}
_RESHAPING = {"view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze"}
_KIND = re.compile(r"_(all|along|eval|train)$")
_MOST = 3  # names


def operation_name(step: Step, nodes: Sequence[Node]) -> str:
    """The operations that made the nodes: `softmax`, or `+`; at most three."""
    names = list(dict.fromkeys(step.called[node.id] for node in nodes if node.id in step.called))
    if not names:
        names = _of_primitives(nodes)
    names = [_KIND.sub("", name.strip("_")) for name in names]
    names = [name for name in names if name not in OF_MEMORY] or names
    names = [_SIGNS.get(name.capitalize(), name) for name in (PUBLIC.get(one, one) for one in names)]
    names = [_as_written(name, nodes[-1].source) for name in names]
    return ", ".join(names[:_MOST]) + (" …" if len(names) > _MOST else "")


def _as_written(name: str, source: Source | None) -> str:
    """A slice, or what gives another shape, as the program's line has it, if it has one: `[:, :7]`, `flatten(1)`."""
    if name != "slice" and name not in _RESHAPING:
        return name
    found = [one for one in _moves(written(source)) if (one[0] == "slice") == (name == "slice")]
    kinds = {kind for kind, _ in found}
    return found[0][1] if len(found) == 1 else kinds.pop() if len(kinds) == 1 else name


@cache
def _moves(line: str) -> list[tuple[str, str]]:
    """The slices and changes of shape that a line of Python writes: (kind, text)."""
    try:
        parsed = ast.parse(line)
    except SyntaxError:  # a part of a statement
        return []
    found = []
    for node in ast.walk(parsed):
        if isinstance(node, ast.Subscript):
            found.append(("slice", f"[{ast.unparse(node.slice).strip('()')}]"))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _RESHAPING:
            given = ", ".join([*map(ast.unparse, node.args), *map(ast.unparse, node.keywords)])
            found.append((node.func.attr, f"{node.func.attr}({given})"))
    return found


def written(source: Source | None) -> str:
    """The line of the program, without a comment and an assignment."""
    if source is None:
        return ""
    line = linecache.getline(source.file, source.line).partition("#")[0].strip()
    line = re.sub(r"^(return |[\w., ]+ ?[-+*/@]?= ?(?!=))", "", line)
    return line.rstrip(":")


def _of_primitives(nodes: Sequence[Node]) -> list[str]:
    kinds = [type(node.primitive).__name__ for node in nodes]
    if {"Exp", "Sum", "Div"} <= set(kinds):
        return ["softmax"]
    loud = [kind for kind in kinds if kind not in _SILENT]
    found = [kind for kind in loud if kind not in _MOVES] or loud or kinds
    return [_SIGNS.get(kind, kind.lower()) for kind in dict.fromkeys(found)]
