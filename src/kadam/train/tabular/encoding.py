"""Encoding: columns of any kind become the numbers and codes that the network reads; learned once, kept as JSON.

What a column becomes:

    number   its standardised value (its logarithm where a few values are huge), and whether it is missing
    date     days, place in the year and in the week, hour; and whether it is missing
    time     hours since midnight, place in the day; and whether it is missing
    category a code: 0 never or hardly seen, 1 missing, 2 ... the values
    text     whether each of its frequent words is there
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from kadam import language
from kadam.train.tabular.columns import HUGE, Column, canonical
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.fitting import FARTHEST
from kadam.train.tabular.notes import Note, told
from kadam.train.tabular.numerals import truth
from kadam.train.tabular.reading import TableError

MOST_CATEGORIES = 1_000
MOST_TOKENS = 64
_TOKENS = re.compile(r"\w+")
_NAMES_OF_IDS = re.compile(r"(^|[_\W])(id|uid|uuid|guid|key|index|nr|no)$|[a-z](Id|ID|No|Nr|Key)$", re.ASCII)
_YEAR, _WEEK = 365.2425, 7.0


@dataclass
class Encoding:
    """How one column is encoded.

    Attributes:
        name, kind: of the column: number, date, time, category, text, or left out.
        notes: what is worth telling about it, or why it is left out.
        log: whether the logarithm is taken.
        center, scale: means and spreads, one per part.
        fill: what stands for a missing value, before it is standardised.
        missing: whether cells were missing, so that a part tells so.
        values: the categories, or the words.
        hours: whether its dates have a time.
        form: how its dates or numbers are written.
        truths: whether its values are yes and no in any spelling.
    """

    name: str
    kind: str
    notes: list[Note] = field(default_factory=list)
    log: bool = False
    center: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    fill: float = 0.0
    missing: bool = False
    values: list[str] = field(default_factory=list)
    hours: bool = False
    form: str = ""
    truths: bool = False

    @property
    def why(self) -> str:
        """Its notes, in English."""
        return told(self.notes)

    def parts(self) -> int:
        """How many numbers it becomes."""
        return len(self.center) + self.missing if self.kind not in ("category", "left out") else 0


def learn(column: Column, rows: np.ndarray) -> Encoding:
    """How a column is encoded, by what these rows of it hold."""
    if column.note is not None:
        return _left_out(column, column.note)
    part = column.take(rows)
    missing = part.missing
    if missing.all():
        return _left_out(column, Note("empty"))
    if column.kind == "text":
        return _learn_text(part, missing)
    known = part.values[~missing].astype(np.float64)
    if known.min() == known.max() and not missing.any():
        return _left_out(column, Note("always", {"value": f"{known[0]:g}"}))
    if column.kind == "number" and _counts_rows(column):
        return _left_out(column, Note("counts_rows"))
    found = Encoding(column.name, column.kind, missing=bool(missing.any()), fill=float(np.median(known)))
    found.form = column.form
    found.notes = [*column.notes, *odd_cells(column)]
    if column.kind == "date":
        found.hours = bool((known % 1 != 0).any())
    elif column.kind == "number" and _is_heavy(known):
        found.log = True
    parts = _raw_parts(found, part.values.astype(np.float64))
    found.center = [float(one.mean()) for one in parts]
    found.scale = [float(one.std()) or 1.0 for one in parts]
    return found


def _left_out(column: Column, why: Note) -> Encoding:
    return Encoding(column.name, "left out", [why])


def odd_cells(column: Column) -> list[Note]:
    """What is said of cells that are not what the column holds."""
    if column.odd is None:
        return []
    cells, row, text = column.odd
    return [Note(f"odd_{column.kind}", {"n": cells, "row": row, "text": repr(text)})]


def _counts_rows(column: Column) -> bool:
    """Whether numbers are names of the rows: whole, all different, and one after the other or close together (numbers
    that measure something repeat then), or called so."""
    values = column.values[~np.isnan(column.values)].astype(np.float64)
    if len(values) <= 20 or len(values) < len(column) or column.notes or (values != np.round(values)).any():
        return False
    span = values.max() - values.min()
    ordered = np.sort(values)
    if (np.diff(ordered) == 0).any():
        return False
    dense = span < (3 if len(values) < 100 else 10) * len(values)
    return bool(dense or _NAMES_OF_IDS.search(column.name))


def _is_heavy(known: np.ndarray) -> bool:
    """Whether a few values lie so far out that the others would be pressed together."""
    if np.abs(known).max() > HUGE:
        return True  # no spread could be computed
    low, high = np.quantile(known, [0.25, 0.75])
    spread = high - low
    return bool(spread > 0 and (np.abs(known - np.median(known)).max() > 30 * spread))


def _learn_text(part: Column, missing: np.ndarray) -> Encoding:
    counts = np.bincount(part.codes[~missing], minlength=len(part.words))
    rows, distinct = len(part), int((counts > 0).sum())
    words = [word for word, count in zip(part.words, counts.tolist(), strict=True) if count]
    length = sum(len(word.split()) for word in words[:2_000]) / max(len(words[:2_000]), 1)
    if distinct == 1 and not missing.any():
        return _left_out(part, Note("always", {"value": repr(words[0])}))
    if length >= 2 and distinct > max(30, 0.05 * rows):
        return _learn_words(part, counts)
    if distinct > max(20, 0.5 * rows):
        return _left_out(part, Note("own_text", {"distinct": language.count(distinct), "rows": language.count(rows)}))
    least = 1 if rows < 200 else 2 if rows < 10_000 else 5
    kept = [part.words[code] for code in np.argsort(-counts, kind="stable")[:MOST_CATEGORIES] if counts[code] >= least]
    rare = distinct - len(kept)
    notes = [*part.notes, *([Note("truths")] if part.truths else []), *([Note("rare", {"n": rare})] if rare else [])]
    return Encoding(part.name, "category", notes, missing=bool(missing.any()), values=kept, truths=part.truths)


def _learn_words(part: Column, counts: np.ndarray) -> Encoding:
    rows = len(part)
    seen: Counter[str] = Counter()
    for word, count in zip(part.words, counts.tolist(), strict=True):
        if count:
            for token in dict.fromkeys(_tokens(word)):
                seen[token] += count
    least, most = max(3, 0.005 * rows), 0.98 * rows
    kept = [token for token, count in seen.most_common(4 * MOST_TOKENS) if least <= count <= most][:MOST_TOKENS]
    if not kept:
        return _left_out(part, Note("every_word" if any(count > most for count in seen.values()) else "no_word"))
    shares = [seen[token] / rows for token in kept]
    return Encoding(
        part.name, "text", [Note("words", {"n": len(kept)})], center=shares,
        scale=[float(np.sqrt(one * (1 - one))) or 1.0 for one in shares], values=kept,
    )  # fmt: skip


def _tokens(text: str) -> list[str]:
    return _TOKENS.findall(text.lower())


def _raw_parts(encoding: Encoding, values: np.ndarray) -> list[np.ndarray]:
    """The numbers of a number, a date or a time, not yet standardised."""
    values = np.where(np.isnan(values), encoding.fill, values)
    if encoding.kind == "number":
        return [np.sign(values) * np.log1p(np.abs(values))] if encoding.log else [values]
    if encoding.kind == "time":
        angles = [2 * np.pi * values / 24]
    else:
        angles = [2 * np.pi * values / period for period in (_YEAR, _WEEK, *([1.0] if encoding.hours else []))]
    return [values, *(turn(angle) for angle in angles for turn in (np.sin, np.cos))]


class Encoder:
    """All columns' encodings."""

    def __init__(self, encodings: list[Encoding]) -> None:
        self.encodings = encodings
        self.used = [one for one in encodings if one.kind != "left out"]
        self.numbers = sum(one.parts() for one in encodings)
        self.coded = [one for one in encodings if one.kind == "category"]
        self.sizes = tuple(len(one.values) + 2 for one in self.coded)

    def __call__(self, columns: Mapping[str, Column], rows: int) -> Columns:
        """Encode columns.

        Raises:
            TableError: a column that was learned from is not there, or holds something else.
        """
        return self._encoded(columns, [(slice(None), rows)])[0]

    def split(self, columns: dict[str, Column], parts: Sequence[np.ndarray]) -> list[Columns]:
        """Encode parts of the rows apart. Each column is let go as soon as it is done, so that all of the table is in
        memory but once."""
        return self._encoded(columns, [(rows, len(rows)) for rows in parts], drop=True)

    def _encoded(
        self, columns: Mapping[str, Column], parts: Sequence[tuple[Any, int]], drop: bool = False
    ) -> list[Columns]:
        found = [
            Columns(np.empty((rows, self.numbers), np.float32), np.empty((rows, len(self.coded)), np.int64), self.sizes)
            for _, rows in parts
        ]
        place = code = 0
        for encoding in self.used:
            column = columns.get(encoding.name)
            if column is None:
                raise TableError(
                    f"the table has no column {encoding.name!r}, which the model learned from. Fix: add it (its cells "
                    "may be empty)."
                )
            if encoding.kind == "category":
                values = _codes(encoding, column)
                for one, (rows, _) in zip(found, parts, strict=True):
                    one.codes[:, code] = values[rows]
                code += 1
            else:
                for values in _parts(encoding, column):
                    for one, (rows, _) in zip(found, parts, strict=True):
                        one.numbers[:, place] = values[rows]
                    place += 1
            if drop:
                column.values, column.codes, column.words = np.zeros(0), np.zeros(0, np.int32), []
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """What `from_json` reads back."""
        return [asdict(one) for one in self.encodings]

    @staticmethod
    def from_json(given: list[dict[str, Any]]) -> Encoder:
        """The encoder that `to_json` wrote down."""
        return Encoder([Encoding(**one | {"notes": [Note(**note) for note in one["notes"]]}) for one in given])


def _parts(encoding: Encoding, column: Column) -> list[np.ndarray]:
    """The standardised numbers of a column."""
    if encoding.kind == "text":
        found = [np.zeros(len(column), np.float32) for _ in encoding.values]
        at = {token: place for place, token in enumerate(encoding.values)}
        table = np.zeros((len(column.words) + 1, len(at)), np.float32)
        for code, word in enumerate(_words_of(column)):
            for token in _tokens(word):
                if token in at:
                    table[code, at[token]] = 1.0
        codes = column.codes if column.kind == "text" else np.arange(len(column))
        found = [table[codes, place] for place in range(len(at))]
    else:
        found = _raw_parts(encoding, _values(encoding, column))
    scaled = [
        np.clip((one - center) / scale, -FARTHEST, FARTHEST)
        for one, center, scale in zip(found, encoding.center, encoding.scale, strict=True)
    ]
    return [*scaled, column.missing.astype(np.float32)] if encoding.missing and encoding.kind != "text" else scaled


def _values(encoding: Encoding, column: Column) -> np.ndarray:
    if column.kind == encoding.kind or column.missing.all():
        return column.values.astype(np.float64) if len(column.values) else np.full(len(column), np.nan)
    row = int(np.flatnonzero(~column.missing)[0])
    cell = column.cell(row)
    raise TableError(
        f"row {column.first_row + row + 1}, column {encoding.name!r}: {cell!r} is no {encoding.kind}, but the "
        f"model learned {encoding.kind}s from this column. Fix: give {encoding.kind}s, or leave cells empty."
    )


def _words_of(column: Column) -> list[str]:
    """The texts of a column; of numbers, the texts that they would have been."""
    return column.words if column.kind == "text" else ["" if one != one else f"{one:.12g}" for one in column.values]


def _codes(encoding: Encoding, column: Column) -> np.ndarray:
    spelled = _speller(encoding)
    at = {spelled(value): place + 2 for place, value in enumerate(encoding.values)}
    if column.kind == "text":
        table = np.array([at.get(spelled(word), 0) for word in column.words] + [1], np.int64)
        return table[column.codes]
    kept, places = np.unique(column.values, return_inverse=True)
    codes = np.array([1 if one != one else at.get(spelled(f"{one:.12g}"), 0) for one in kept.tolist()], np.int64)
    return codes[places]


def _speller(encoding: Encoding) -> Callable[[str], str]:
    """What gives the spellings of a category one form: yes and no, and names whose noughts a spreadsheet has eaten."""
    return truth if encoding.truths else lambda word: canonical(word) or word


def unseen(encoder: Encoder, columns: Mapping[str, Column]) -> dict[str, list[str]]:
    """For each column of categories the values that were never (or hardly) seen in training."""
    found = {}
    for encoding in encoder.coded:
        column = columns[encoding.name]
        spelled = _speller(encoding)
        known = set(map(spelled, encoding.values))
        words = column.words if column.kind == "text" else dict.fromkeys(_words_of(column))
        strange = [word for word in words if word and spelled(word) not in known]
        if strange:
            found[encoding.name] = strange
    return found
