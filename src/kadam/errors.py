"""Kadam's exceptions: each subclasses what PyTorch raises, so that ported `except` clauses work.

An error says the operation and its verdict, the exact disagreement, where each operand came from, and one fix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# What is asked to explain an error when it is made: `kadam.recording.blame` names the operation and its operands.
explanations: list[Callable[[KadamError], None]] = []


class KadamError(Exception):
    """The root of every error that Kadam raises on purpose.

    Attributes:
        explains: whether the error is explained by the call in which it was raised; else its words are all there is.
    """

    explains = True

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        if args and self.explains:
            for explain in explanations:
                explain(self)


class ShapeError(KadamError, RuntimeError):
    """Shapes that an operation cannot combine."""


class RankError(ShapeError, RuntimeError, ValueError, IndexError):
    """A number of axes that an operation does not take; PyTorch raises any of the three for it."""


class DTypeError(KadamError, RuntimeError):
    """Element types that an operation cannot combine or compute with."""


class AxisError(KadamError, IndexError):
    """An axis that a tensor does not have."""


class IndexOutOfRange(KadamError, IndexError, RuntimeError):  # noqa: N818  (it says what it is)
    """An index (a class label, a row, a position) beyond the axis; PyTorch raises either of the two for it."""


class PlaceError(IndexOutOfRange, RuntimeError):
    """An index beyond the axis along which elements are gathered or scattered."""


class NoMemoryError(KadamError, RuntimeError, MemoryError):
    """A tensor larger than the memory."""


class LinAlgError(KadamError, RuntimeError):
    """A matrix that has no such factorisation, inverse or solution."""


class RangeError(KadamError, RuntimeError):
    """A value outside the bounds that an operation sets."""


class GradientError(KadamError, RuntimeError):
    """A derivative that cannot be taken: no history, freed history, a value changed in place."""


class InPlaceError(KadamError, RuntimeError):
    """An in-place change that PyTorch's rules forbid."""


class OperandError(KadamError, TypeError):
    """An argument of the wrong Python type."""


class NotATensorError(OperandError, TypeError, AttributeError):
    """Something else where a tensor is needed; PyTorch raises either of the two for it."""


class MissingKeyError(KadamError, KeyError):
    """A dict without an entry that is needed."""

    __str__ = Exception.__str__  # not the words' repr


class AssertedError(KadamError, AssertionError, ValueError):
    """An argument whose value PyTorch asserts."""


class UnsupportedError(KadamError, NotImplementedError):
    """A thing PyTorch has and Kadam does not have (yet); the message names it and what comes closest."""


class UndefinedError(KadamError, NotImplementedError):
    """What nobody has defined for these operands, in PyTorch no more than here."""


class RecordingError(KadamError, RuntimeError):
    """A recording that was interrupted or is used from another thread."""


class VerifyError(KadamError):
    """A graph whose nodes contradict their primitives: a defect of Kadam, never of the user's program."""

    explains = False


class TextError(KadamError, ValueError):
    """A graph text that cannot be read back."""

    explains = False
