"""Formulas as MathML, from a notation that can be read as it is: `σ(z) = 1/(1 + e^(−z))`.

`_` and `^` take the next thing as index or power, `/` makes a fraction of the things beside it, and round brackets that
hold such a thing together are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

_TOKEN = re.compile(r"∂?[A-Za-z\u0370-\u03ff]+|\d+(?:[.,]\d+)*|\S")
_SUMS = "ΣΠ"
_HATS = {"ŷ": "y", "ẑ": "z", "ŵ": "w"}
_FUNCTIONS = {"log", "exp", "max", "min", "tanh", "sin", "cos"}
_THIN = '<mspace width="0.2em"/>'  # around names of functions


def formulas(lines: Sequence[str]) -> str:
    """Formulas as HTML, one a line."""
    return "".join(f'<p class="formula">{math(line)}</p>' for line in lines)


def math(line: str) -> str:
    """A formula as MathML; its text stands in `alttext`."""
    shown, rest = _row(_TOKEN.findall(line), "")
    assert not rest
    return f'<math display="block" alttext="{escape(line, quote=True)}">{shown}</math>'


def _row(tokens: list[str], end: str) -> tuple[str, list[str]]:
    """What stands up to a closing bracket, and the tokens behind it."""
    parts: list[str] = []
    while tokens and tokens[0] != end:
        if tokens[0] == "/" and parts:
            above = parts.pop()
            below, tokens = _scripted(tokens[1:])
            parts.append(f"<mfrac>{_bare(above)}{_bare(below)}</mfrac>")
        else:
            part, tokens = _scripted(tokens)
            parts.append(part)
    return f"<mrow>{''.join(parts)}</mrow>", tokens[1:]


def _scripted(tokens: list[str]) -> tuple[str, list[str]]:
    """A thing with its index and power."""
    is_sum = tokens[0] in _SUMS
    thing, tokens = _thing(tokens)
    scripts: dict[str, str] = {}
    while len(tokens) > 1 and tokens[0] in "_^":
        mark = tokens[0]
        script, tokens = _thing(tokens[1:])
        scripts[mark] = _bare(script)
    if not scripts:
        return thing, tokens
    below, above = ("under", "over") if is_sum else ("sub", "sup")
    name = "m" + (below if "_" in scripts else "") + (above if "^" in scripts else "")
    return f"<{name}>{thing}{scripts.get('_', '')}{scripts.get('^', '')}</{name}>", tokens


def _thing(tokens: list[str]) -> tuple[str, list[str]]:
    token, rest = tokens[0], tokens[1:]
    if token == "(":
        inner, rest = _row(rest, ")")
        return f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>", rest
    if token[0] == "∂" and len(token) > 1:
        return f"<mrow><mo>∂</mo><mi>{escape(token[1:])}</mi></mrow>", rest
    if token[0].isdigit():
        return f"<mn>{token}</mn>", rest
    if token in _HATS:
        return f'<mover accent="true"><mi>{_HATS[token]}</mi><mo>^</mo></mover>', rest
    if token in _FUNCTIONS:
        return f"{_THIN}<mi>{token}</mi>{_THIN}", rest
    if token[0].isalpha() and token not in _SUMS:
        return f"<mi>{escape(token)}</mi>", rest
    return f"<mo>{escape(token)}</mo>", rest


def _bare(part: str) -> str:
    """A thing without the brackets that hold it together."""
    found = re.fullmatch(r"<mrow><mo>\(</mo>(.*)<mo>\)</mo></mrow>", part)
    return found[1] if found and _is_whole(found[1]) else part


def _is_whole(inner: str) -> bool:
    """Whether the first bracket before `inner` is closed by the last one behind it."""
    depth = 0
    for mark in re.findall(r"<mo>([()])</mo>", inner):
        depth += 1 if mark == "(" else -1
        if depth < 0:
            return False
    return True
