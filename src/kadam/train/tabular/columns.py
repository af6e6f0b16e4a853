"""Columns as they are read: numbers, dates or text, told apart cell by cell, kept small."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from kadam import language
from kadam.recording.pause import uncollected
from kadam.train.tabular.dates import (
    COMPACT,
    MOSTLY,
    date_text,
    dated,
    days_of,
    days_of_compact,
    forms_of,
    hours,
    how_dated,
    some_of,
)
from kadam.train.tabular.notes import Note, told
from kadam.train.tabular.numerals import CLOCK, COMMA, POINT, are_truths, numeral_of, reader, truth
from kadam.train.tabular.reading import Cells, TableError, chunks_of

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "missing", "#n/a", "<na>"})
MOST_VALUES = 200_000  # distinct texts that a column may have before it is given up
HUGE = 1e30  # from here on, f32 and squares get into difficulties
LARGEST_EXACT = 1 << 24  # whole number up to which f32 holds them all
_PADDED = re.compile(r"\s*0\d{2,}\s*")
_PADDED_LINE = re.compile(r"\n0\d{2,}(?=\n)")
FEWEST_PADDED = 0.002  # share of a column's cells that tells that its digits are names
WORDS = ("category", "text")  # kinds of which a cell's text is all
FEW_WORDS, MANY_NUMBERS = 3, 20  # in a column where most cells are numbers, and the others say why they are none


Read = TypeVar("Read")


class Column:
    """One column, once it has been read.

    Attributes:
        name: of the column.
        kind: "number" (f64 or f32 `values`, nan where missing), "date" (days since 1970), "time" (hours since
            midnight) or "text" (`codes` into `words`, -1 where missing).
        wanted: the kind that the model has learned from it; None where its cells alone decide.
        odd: cells that are no numbers in a column of numbers: how many, and the row and text of the first.
        note: why a column was given up; None otherwise.
        form: how its dates (in several ways: parted by "|") or numbers are written; empty for ISO dates, and for
            numbers as computers write them.
        notes: what is worth telling of the way they are written.
        truths: whether it holds yes and no in several spellings, which are one here: `true` and `false`.
        first_row: rows of the table before its first, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind = "number"
        self.wanted: str | None = None
        self.values = np.zeros(0)
        self.codes = np.zeros(0, np.int32)
        self.words: list[str] = []
        self.odd: tuple[int, int, str] | None = None
        self.note: Note | None = None
        self.form = ""
        self.notes: list[Note] = []
        self.truths = False
        self.first_row = 0
        self._pieces: list[tuple[str, np.ndarray]] = []
        self._known: dict[str, int] = {}
        self._rows = 0
        self._parse: Callable[[str], float | None] | None = None  # once it is known what all cells are

    def __len__(self) -> int:
        return self._rows

    @property
    def why(self) -> str:
        """Its notes, in English."""
        return told(self.notes)

    def add(self, cells: Cells) -> None:
        """Take in the next cells."""
        if self._parse is not None:
            self._pieces.append((self.kind, self._parsed(cells, self._parse)))
            self._rows += len(cells)
            return
        written = self.form in (POINT, COMMA, CLOCK) and not isinstance(cells, np.ndarray)
        found = None if written else _numbers(cells)
        if found is not None:
            self._pieces.append(("number", found))
        elif self.note:
            pass
        elif not written and self.wanted not in WORDS and (dates := _dates(cells)) is not None:
            self._pieces.append(("date", dates))
        else:
            self._pieces.append(("text", self._coded(cells)))
        self._rows += len(cells)
        if len(self._known) > MOST_VALUES:
            self._decide()

    def pad(self, rows: int) -> None:
        """Missing cells, for a column that comes up late."""
        if rows > 0:
            self.add(np.full(rows, np.nan, np.float32))

    def _coded(self, cells: Cells) -> np.ndarray:
        return np.fromiter(_by_spelling(self._code, cells), np.int32, len(cells))

    def _code(self, cell: Any) -> int:
        """The number of the text that a cell is; -1 if it is missing."""
        text = cell.strip() if isinstance(cell, str) and cell.strip().lower() not in MISSING else canonical(cell)
        return -1 if text is None else self._known.setdefault(text, len(self._known))

    def _decide(self) -> None:
        """There are too many texts to keep: they are numbers or dates, or the column is given up."""
        self.codes = np.concatenate([self._as_codes(kind, piece) for kind, piece in self._pieces])
        self.words, self._known, self._pieces = list(self._known), {}, []
        if self._settle_numbers() or self._settle_dates() or self._settle_times():
            self._pieces, self.values = [(self.kind, self.values)], np.zeros(0)
            self._parse = self._reader(self.kind)
        else:
            self.note = Note("too_many", {"most": language.count(MOST_VALUES)})
            self.codes, self.words = np.zeros(0, np.int32), []

    def _parsed(self, cells: Cells, parse: Callable[[str], float | None]) -> np.ndarray:
        """The cells read in the way that was decided."""
        texts = [canonical(cell) if not isinstance(cell, str) else cell.strip() for cell in cells]
        known = [None if text is None or text.lower() in MISSING else parse(text) for text in texts]
        for row, (text, one) in enumerate(zip(texts, known, strict=True)):
            if one is None and text is not None and text.lower() not in MISSING:
                count, first, what = self.odd or (0, self.first_row + self._rows + row + 1, text)
                self.odd = count + 1, first, what
        return np.array([np.nan if one is None else one for one in known])

    def finish(self) -> None:
        """Decide what the column holds, once all is read."""
        pieces, self._pieces = self._pieces, []
        if self.note:
            return
        kinds = {kind for kind, piece in pieces if kind != "number" or not np.isnan(piece).all()}
        if "text" not in kinds and len(kinds) < 2:
            self.kind = kinds.pop() if kinds else "number"
            self.values = np.concatenate([piece for _, piece in pieces]) if pieces else np.zeros(0)
            self._settle_compact_dates()
            return
        self.codes = np.concatenate([self._as_codes(kind, piece) for kind, piece in pieces])
        self.kind, self.words, self._known = "text", list(self._known), {}
        if self.wanted not in WORDS and self._settle_any():
            return
        self._merge(lambda word: canonical(word) or word)
        if are_truths(self.words):
            self.truths = True
            self._merge(truth)

    def _settle_any(self) -> bool:
        """Take the texts for what they are nearly all; whether they are anything but texts."""
        settled = self._settle_numbers() or self._settle_dates() or self._settle_times()
        return settled or self._settle_mostly_numbers()

    def _merge(self, spelled: Callable[[str], str]) -> None:
        """Texts that are spelled alike are one."""
        known: dict[str, int] = {}
        longest: dict[int, str] = {}  # a name of digits is shown with all its noughts
        table = np.array([known.setdefault(spelled(word), len(known)) for word in self.words] + [-1], np.int32)
        for code, word in zip(table.tolist(), self.words, strict=False):
            if _PADDED.fullmatch(word):
                longest[code] = max(longest.get(code, ""), word, key=len)
        self.codes, self.words = table[self.codes], [longest.get(code, word) for word, code in known.items()]

    def _settle_numbers(self) -> bool:
        if self.form in (POINT, COMMA, CLOCK):
            return self._settle(self._reader("number"), "number")
        if self._are_names():
            return False
        if self._settle(_number, "number"):
            return True
        numeral = numeral_of(self.words)
        if numeral is None or not self._settle(reader(numeral.form), "number"):
            return False
        self.form, self.notes = numeral.form, numeral.notes
        return True

    def _are_names(self) -> bool:
        """Whether its digits are names (ZIP codes, phone numbers): nobody writes noughts before an amount."""
        padded = np.array([_PADDED.fullmatch(word) is not None for word in self.words] + [False])
        known = self.codes >= 0
        if self.wanted == "number" or padded[self.codes[known]].sum() <= FEWEST_PADDED * known.sum():
            return False
        if sum(word.isdecimal() for word in self.words) >= MOSTLY * len(self.words):
            self.notes = [Note("names")]
            return True
        return False

    def _settle_mostly_numbers(self) -> bool:
        """Numbers, and a few words where there is none: unknown, refused."""
        if self.notes:
            return False  # they are names
        numbers = sum(_number(word) is not None for word in self.words)
        few = len(self.words) - numbers <= FEW_WORDS and numbers > MANY_NUMBERS
        return few and self._settle(_number, "number", mostly=0.5)

    def _as_codes(self, kind: str, piece: np.ndarray) -> np.ndarray:
        if kind == "text":
            return piece
        kept, places = np.unique(piece, return_inverse=True)
        show = canonical if kind == "number" else date_text
        codes = [
            -1 if one != one else self._known.setdefault(str(show(one)), len(self._known)) for one in kept.tolist()
        ]
        return np.array(codes, np.int32)[places] if len(codes) else piece.astype(np.int32)

    def _settle(self, parse: Callable[[str], float | None], kind: str, mostly: float = MOSTLY) -> bool:
        """Take the texts for numbers or dates if nearly all of them are (and one at least)."""
        found = [parse(word) for word in self.words]
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.words))
        bad = np.array([one is None for one in found], bool)
        if bad.all() or counts[bad].sum() > (1 - mostly) * counts.sum():
            return False
        table = np.array([np.nan if one is None else one for one in found] + [np.nan])
        if bad.any():
            rows = np.flatnonzero(np.isin(self.codes, np.flatnonzero(bad)))
            self.odd = len(rows), self.first_row + int(rows[0]) + 1, self.words[self.codes[rows[0]]]
        self.kind, self.values = kind, table[self.codes]
        self.codes, self.words = np.zeros(0, np.int32), []
        return True

    def settle_as(self, kind: str) -> None:
        """Take texts for what the column is to hold although most may be none; those that are none are missing."""
        if self.kind == "text" and kind in ("number", "date", "time"):
            self._settle(self._reader(kind), kind, mostly=0.0)

    def _reader(self, kind: str) -> Callable[[str], float | None]:
        """What reads a cell as it is written in this column."""
        if kind == "date":
            return dated(self.form)
        return hours if kind == "time" or self.form == CLOCK else reader(self.form or POINT)

    def _settle_dates(self) -> bool:
        some = some_of(self.words, 200)
        for form in forms_of(some, self.form):
            if self._settle(dated(form), "date"):
                self.form, self.notes = form, how_dated(form, some)
                return True
        return False

    def _settle_times(self) -> bool:
        """Times of day; or how long something took, if that may be more than a day."""
        if not self.words or not self._settle(hours, "time"):
            return False
        known = self.values[~np.isnan(self.values)]
        if self.wanted is None and (known.min() < 0 or known.max() >= 24):
            self.kind, self.form, self.notes = "number", CLOCK, [Note("clock")]
        return True

    def _settle_compact_dates(self) -> None:
        """Whole numbers that are all dates, as 20240131 is."""
        if self.kind != "number" or self.wanted not in (None, "date") or np.isnan(self.values).all():
            return
        if self.wanted is None and not LARGEST_EXACT < np.nanmin(self.values) <= np.nanmax(self.values) < 1e8:
            return  # most columns need not be looked at cell by cell
        days = days_of_compact(self.values)
        odd = np.isnan(days) & ~np.isnan(self.values)
        if self.wanted is None and odd.any():
            return
        if odd.any():
            row = int(odd.argmax())
            self.odd = int(odd.sum()), self.first_row + row + 1, f"{self.values[row]:.12g}"
        self.kind, self.values, self.form, self.notes = "date", days, COMPACT, how_dated(COMPACT)

    @property
    def missing(self) -> np.ndarray:
        """bool[rows]: where no value is known."""
        return self.codes < 0 if self.kind == "text" else np.isnan(self.values)

    def cell(self, row: int) -> str:
        """A cell that is not missing, for messages."""
        if self.kind == "text":
            return self.words[int(self.codes[row])]
        value = float(self.values[row])
        if self.kind == "date":
            return date_text(value)
        return f"{int(value)}:{round(value * 60) % 60:02d}" if self.kind == "time" else f"{value:.12g}"

    def take(self, rows: np.ndarray) -> Column:
        """These rows only."""
        part = Column(self.name)
        part.kind, part.words, part.odd, part.note, part.form = self.kind, self.words, self.odd, self.note, self.form
        part.notes, part.truths = self.notes, self.truths
        part._rows = len(rows)
        part.values = self.values[rows] if len(self.values) else self.values
        part.codes = self.codes[rows] if len(self.codes) else self.codes
        return part


def read_columns(
    source: Any, wanted: set[str] | None = None, charset: str | None = None
) -> tuple[dict[str, Column], int]:
    """All columns of a table, and how many rows it has.

    Raises:
        TableError: the table is broken, or empty.
    """
    columns: dict[str, Column] = {}
    rows = 0
    with uncollected():  # cells are many small objects, none of them in a cycle
        for chunk in chunks_of(source, charset):
            for name, cells in chunk.items():
                if wanted is None or name in wanted:
                    column = columns.setdefault(name, Column(name))
                    column.pad(rows - len(column))
                    column.add(cells)
            rows += len(next(iter(chunk.values()))) if chunk else 0
        for column in columns.values():
            column.pad(rows - len(column))
            column.finish()
    if not rows:
        raise TableError(f"{str(source)!r} has no rows. Fix: give a table with rows below its header.")
    return columns, rows


def canonical(cell: Any) -> str | None:
    """A cell as the text that stands for its category: numbers in one form, no blanks around; None if missing."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, int | float):
        return f"{cell:.12g}"
    if isinstance(cell, datetime.date | datetime.datetime):
        return cell.isoformat()
    text = str(cell).strip()
    if text.lower() in MISSING:
        return None
    number = _number(text)
    return text if number is None else f"{number:.12g}"


def _numbers(cells: Cells) -> np.ndarray | None:
    """The cells as numbers, in f32 where that loses nothing that matters; None if one of them is no number."""
    if isinstance(cells, np.ndarray):
        return _narrow(cells.astype(np.float64))
    if any(isinstance(one, bool) for one in cells[:64]):
        return None
    try:
        found = np.fromiter(map(float, cells), np.float64, len(cells))
    except (TypeError, ValueError):
        try:
            found = np.array([np.nan if one is None or one == "" or (isinstance(one, str) and
                              one.strip().lower() in MISSING) else float(one) for one in cells])  # fmt: skip
        except (TypeError, ValueError):
            return None
    return None if _some_padded(cells, found) else _narrow(found)


def _some_padded(cells: list[Any], found: np.ndarray) -> bool:
    """Whether digits with noughts before them are among these cells, so that all are kept as texts for now."""
    if (np.floor(found) < found).any():
        return False  # nearly every column of fractions ends here
    lines = "\n".join(["", *(one for one in cells if type(one) is str), ""])
    lines = lines.replace(" ", "") if "\n " in lines else lines
    return _PADDED_LINE.search(lines) is not None


def _narrow(values: np.ndarray) -> np.ndarray:
    values[np.isinf(values)] = np.nan
    known = values[~np.isnan(values)]
    largest = np.abs(known).max(initial=0.0)
    if largest > HUGE or (len(known) and largest > 1e4 * known.std()):
        return values  # too large for f32; or so close together that it would round their differences away
    if largest > LARGEST_EXACT and not (known % 1).any():
        return values  # numbers of things, dates without dashes
    return values.astype(np.float32)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


def _dates(cells: Cells) -> np.ndarray | None:
    """Days since 1970 of cells that are all ISO dates or missing; None if not."""
    try:
        return np.fromiter(_by_spelling(_day, cells), np.float64, len(cells))
    except ValueError:
        return None


def _day(cell: Any) -> float:
    text = canonical(cell)
    return np.nan if text is None else days_of(datetime.datetime.fromisoformat(text))


def _by_spelling(read: Callable[[Any], Read], cells: Cells) -> Iterator[Read]:
    """What is read in each cell; texts that come up again are read once. (Not so numbers: 1 and True are equal.)"""
    known: dict[str, Read] = {}
    for cell in cells:
        if type(cell) is not str:
            yield read(cell)
        elif cell in known:
            yield known[cell]
        else:
            known[cell] = found = read(cell)
            yield found
