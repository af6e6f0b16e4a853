"""Branches and loops as functions, and functions of sizes: in Kadam plain Python, which records what it does."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    """What one of two functions returns. As `torch.cond`; the branch not taken is not looked at."""
    return true_fn(*operands) if pred else false_fn(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> Any:
    """Apply a function to what it returned, as long as a condition holds. As `torch.while_loop`."""
    carried = tuple(carried_inputs)
    while cond_fn(*carried):
        carried = tuple(body_fn(*carried))
    return carried


SymInt, SymFloat, SymBool = int, float, bool  # sizes are numbers: no program is made for sizes that nobody knows

sym_int, sym_float, sym_not = int, float, lambda a: not a
sym_max, sym_min, sym_sqrt = builtins.max, builtins.min, math.sqrt


def sym_sum(args: Sequence[Any]) -> Any:
    """The sum of sizes. As `torch.sym_sum`."""
    return builtins.sum(args)


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t` if `b`, or else `f`. As `torch.sym_ite`."""
    return t if b else f


__all__ = [
    "SymBool", "SymFloat", "SymInt", "cond", "sym_float", "sym_int", "sym_ite", "sym_max", "sym_min", "sym_not",
    "sym_sqrt", "sym_sum", "while_loop",
]  # fmt: skip
