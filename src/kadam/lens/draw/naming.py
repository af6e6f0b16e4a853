"""What to call a few nodes, in the user's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kadam.ir.graph import Node
from kadam.lens.step import Step

_SILENT = {"Broadcast", "Cast", "Full", "Detach", "Copy", "Iota", "Within"}
_MOVES = {"Reshape", "Permute", "Slice", "Concat", "Insert", "Flip"}
_SIGNS = {"Add": "+", "Sub": "−", "Mul": "×", "Div": "÷", "Neg": "−", "Dot": "matmul", "Convolve": "conv"}
# Operations of Kadam's own, by the names under which users call them.
_KNOWN_AS = {
    "batched": "matmul", "mm": "matmul", "bmm": "matmul", "multi_head": "attention", "slice_axis": "slice",
    "selected": "index", "indexed": "index", "masked": "index", "chosen": "where", "with_masked": "index_put",
    "with_put": "index_put", "viewed": "view", "copied_flat": "reshape", "squeezed": "squeeze",
    "squeezed_at": "squeeze", "permuted": "permute", "expanded": "expand", "sorted": "sort", "true_div": "÷",
    "rounded_div": "//", "transposed_convolution": "conv_transpose", "pow_fixed": "pow", "converted": "to",
}  # fmt: skip
_KIND = re.compile(r"_(all|along|eval|train)$")
_MOST = 3  # names


def operation_name(step: Step, nodes: Sequence[Node]) -> str:
    """The operations that made the nodes: `softmax`, or `+`; at most three."""
    names = list(dict.fromkeys(step.called[node.id] for node in nodes if node.id in step.called))
    if not names:
        names = _of_primitives(nodes)
    names = [_KIND.sub("", name.strip("_")) for name in names]
    names = [_SIGNS.get(name.capitalize(), _KNOWN_AS.get(name, name)) for name in names]
    return ", ".join(names[:_MOST]) + (" …" if len(names) > _MOST else "")


def _of_primitives(nodes: Sequence[Node]) -> list[str]:
    kinds = [type(node.primitive).__name__ for node in nodes]
    if {"Exp", "Sum", "Div"} <= set(kinds):
        return ["softmax"]
    loud = [kind for kind in kinds if kind not in _SILENT]
    found = [kind for kind in loud if kind not in _MOVES] or loud or kinds
    return [_SIGNS.get(kind, kind.lower()) for kind in dict.fromkeys(found)]
