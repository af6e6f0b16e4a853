"""What came of an entry: how many of its cases are right, and the first that is not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from conformance.counterpart import MissingError
from kadam.errors import UnsupportedError
from kadam.missing import MissingImportError, MissingModuleError, MissingNameError

_MISSING = (MissingError, MissingImportError, MissingModuleError, MissingNameError, UnsupportedError)
LONGEST = 300


@dataclass
class Verdict:
    """The outcome of an entry in one kind of comparison.

    Attributes:
        kind: `op`, `grad`, `module` ...
        name: of the entry.
        cases: that PyTorch itself accepts.
        right: those of them in which Kadam agrees.
        several: cases in which the error that agrees is of another of Python's types, too.
        excused: cases that are right though numbers differ by more than the tolerance.
        laid: cases in which a result that agrees lies in memory in another order than PyTorch's.
        missing: whether what differs first is that Kadam lacks something.
        first: the first difference.
        seconds: of the entry's whole run.
    """

    kind: str
    name: str
    cases: int = 0
    right: int = 0
    several: int = 0
    excused: int = 0
    laid: int = 0
    missing: bool = False
    first: str = ""
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """`passes`, `fails`, `missing`, or `empty` where PyTorch has no case."""
        if self.cases == 0 and not self.first:
            return "empty"
        if self.right == self.cases and not self.first:
            return "passes"
        return "missing" if self.missing else "fails"

    def note(self, case: str, found: str | BaseException | None) -> None:
        """Count a case; `found` is the difference or the error, None if there is none."""
        self.cases += 1
        if found is None:
            self.right += 1
        elif not self.first:
            self.missing = isinstance(found, _MISSING)
            text = found if isinstance(found, str) else described(found)
            self.first = f"{case}: {text}"[:LONGEST]

    def note_error(self, case: str, found: BaseException | None, expected: type[BaseException]) -> None:
        """Count a case in which PyTorch raises an error; `found` is Kadam's."""
        wrong = "no error" if found is None else disagreement(found, expected)
        self.note(case, wrong)
        self.several += wrong is None and len(kinds_of(found)) > 1

    def record(self) -> dict[str, Any]:
        """As it stands in a file of results."""
        return asdict(self)


def described(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def kinds_of(error: BaseException | None) -> list[type]:
    """Python's own types that an error is of, without those from which others of them descend."""
    own = [one for one in type(error).__mro__ if one.__module__ == "builtins"]
    return [one for one in own if not any(other is not one and issubclass(other, one) for other in own)]


def is_missing(error: BaseException) -> bool:
    """Whether an error says that Kadam lacks something, rather than that the arguments are wrong."""
    return isinstance(error, _MISSING)


def disagreement(error: BaseException, expected: type[BaseException]) -> str | BaseException | None:
    """Why an error of Kadam is not the one that PyTorch raises; None if it is."""
    if is_missing(error) and not issubclass(expected, NotImplementedError):
        return error
    if isinstance(error, expected):
        return None
    return f"{described(error)} instead of {expected.__name__}"
