"""A module as a notebook shows it: its layers one below the other, and how many parameters each has."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kadam.nn.parameter import is_lazy

if TYPE_CHECKING:
    from kadam.nn.modules.module import Module


def as_html(module: Module) -> str:
    """A table of the layers of a module; what only holds others is indicated by their names."""
    rows, total, learned = [], 0, 0
    for name, one in module.named_modules():
        own = [param for param in one.parameters(recurse=False) if not is_lazy(param)]
        count = sum(param.numel() for param in own)
        total += count
        learned += sum(param.numel() for param in own if param.requires_grad)
        if own or next(one.children(), None) is None:
            layer = repr(one) if next(one.children(), None) is None else type(one).__name__
            cells = (escape(name), f"<code>{escape(layer)}</code>", f"{count:,}" if own else "")
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("name", "layer", "parameters"))
    frozen = "" if learned == total else f", {learned:,} of them learned"
    return (
        f"<p><b>{escape(type(module).__name__)}</b>: {total:,} parameters{frozen}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
