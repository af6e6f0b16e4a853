"""Calls in the order of older PyTorch: `x.add_(0.5, y)` for `x.add_(y, alpha=0.5)`, as optimizers once were written.

An operation that takes such calls has as many parameters more, which nobody else gives; known calls cost a comparison.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kadam.errors import OperandError
from kadam.recording.arguments import shown
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.recording.operation import Operation

absent = object()


def takes_older_order(names: str, *functions: Any) -> None:
    """Let operations be called in an older order too.

    Args:
        names: all parameters in that order, with spaces between. A number at the front may come before the tensor or
            after it, for a method has its tensor first; the second of two numbers may be left out.
        functions: the operations.
    """
    for function in functions:
        function.operation.older = tuple(names.split())


def more_parameters(op: Operation) -> list[str]:
    """The parameters that stand for what is given by position in the older order only."""
    return [f"more_{index}" for index in range(len(op.older) - len(op.names) + len(op.keyword_only))]


def in_older_order(function: Callable[..., Any], op: Operation, given: tuple[Any, ...], options: Any, out: Any) -> Any:
    """The call of `function`, with each argument where it stands now.

    Args:
        function: the operation's caller, or the one that takes `out`.
        op: the operation.
        given: by position.
        options: what was given by name.
        out: of the call; None if it has none.

    Raises:
        OperandError: the arguments are in no order that there was.
    """
    values = [one for one in given if one is not absent]
    if not isinstance(values[0], Recorded):
        values[:2] = values[1::-1]
    names = list(op.older)
    if len(values) < len(names):
        names.remove("alpha")
    arguments = dict(zip(names, values, strict=True))
    scales = [arguments[name] for name in arguments if name in op.keyword_only]
    plain = all(value is op.defaults[name] for name, value in zip(sorted(op.keyword_only), options, strict=True))
    if not (plain and all(map(_is_number, scales)) and isinstance(values[0], Recorded)):
        count = len(op.names) - len(op.keyword_only)
        raise OperandError(
            f"{op.name}() takes {count} positional arguments but {sum(one is not absent for one in given)} were given. "
            f"Fix: {op.name} takes {shown(inspect.signature(op.body))}."
        )
    return function(**arguments) if out is None else function(**arguments, out=out)


def _is_number(value: Any) -> bool:
    return not isinstance(value, Recorded) or not value._spec.shape
