"""What the calls on a trail read and make: their operands by position, and what is known of their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kadam.recording.operation import Operation
from kadam.recording.spec import Spec
from kadam.recording.trail import TrailNode

_LISTS = ("list", "list_optional")
_NUMBERS = ("number", "number_optional")
_ONE_OF_BOTH = ("mixed", "mixed_optional")


def specs_of(call: TrailNode) -> Sequence[Spec]:
    """What is known of the results of a call, in order."""
    return (call.spec,) if call.plain and call.spec is not None else call.specs


def operands_of(call: TrailNode) -> tuple[str, list[int | None]]:
    """An operation's name, and the positions of its operands; None for a number that stands where a tensor may.

    A tensor that the recording met at this call stands in the key by its spec: it is the next of the feeds.
    """
    assert call.parent is not None
    operation, *parts = call.key
    if not isinstance(operation, Operation):
        return str(operation), []
    return operation.name, list(_positions(operation, parts, call.parent.feeds))


def _positions(operation: Operation, parts: Sequence[Any], feeds: int) -> Iterator[int | None]:
    for role, part in zip(operation.roles, parts, strict=True):
        if role in _NUMBERS:
            feeds += isinstance(part, type | Spec)
            continue
        if role in _LISTS:
            some = part
        elif role in ("operand", "optional", *_ONE_OF_BOTH):
            some = (part,)
        else:
            continue
        for one in some:
            if one is None:
                continue
            if isinstance(one, int):
                yield one
                continue
            feeds += 1
            yield -feeds if isinstance(one, Spec) else None
