"""Whether two programs printed the same: the same text, and numbers that differ by rounding alone."""

from __future__ import annotations

import math
import re
from itertools import zip_longest

_NUMBER = re.compile(r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)")
_ABSOLUTE, _RELATIVE = 2e-4, 2e-3


def disagreements(expected: str, printed: str) -> list[str]:
    """The lines that differ, as a reader wants to see them."""
    return [
        f"line {number}:\n  expected {one!r}\n  printed  {other!r}"
        for number, (one, other) in enumerate(zip_longest(expected.splitlines(), printed.splitlines()), start=1)
        if one is None or other is None or not _agree(one, other)
    ]


def _agree(one: str, other: str) -> bool:
    pieces, other_pieces = _NUMBER.split(one), _NUMBER.split(other)
    if pieces[::2] != other_pieces[::2]:  # the text between the numbers
        return False
    return all(_same_number(a, b) for a, b in zip(pieces[1::2], other_pieces[1::2], strict=True))


def _same_number(one: str, other: str) -> bool:
    if one == other:
        return True
    is_whole = [re.fullmatch(r"[-+]?\d+", number) is not None for number in (one, other)]
    return not any(is_whole) and math.isclose(float(one), float(other), rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def verdict(error: object) -> str:
    """What an error says, without the operation's name before it, its operands and the fix behind, which Kadam adds."""
    text = re.sub(r"\.?(\n  \S|\s+Fix: ).*", "", str(error), flags=re.DOTALL).strip("'\". \n\t")
    return re.sub(r"^[\w.]+(\(\))?: ", "", text)
