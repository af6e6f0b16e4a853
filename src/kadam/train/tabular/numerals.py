"""Numbers as people write them: $1,234.50, 12,5, 45 %, (300), 12,34,567. Which way a column goes its own cells tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kadam.train.tabular.notes import Note

POINT, COMMA = "point", "comma"  # what parts the whole from the rest
CLOCK = "clock"  # hours, minutes and seconds, parted by colons
_SPACES = " \u00a0\u202f'"
_UNITS = r"[$€£¥₹%‰]|USD|EUR|GBP|INR|JPY|CHF|Rs\.?"
_MEASURES = r"[^\W\d_]{1,10}[²³.]?"  # km, sqft, years
_WRITTEN = re.compile(
    rf"(?P<open>\()?\s*(?P<sign>[-+−]?)\s*(?P<before>{_UNITS})?\s*(?P<sign2>[-+−]?)"
    rf"(?P<digits>\d[\d.,{_SPACES}]*?|[.,]\d+)\s*(?P<after>{_UNITS}|{_MEASURES})?\s*(?P<close>\))?"
)
_GROUPED = {
    POINT: re.compile(rf"(\d+|[1-9]\d{{0,2}}([,{_SPACES}]\d{{3}})+|[1-9]\d?(,\d{{2}})*,\d{{3}})?(\.\d*)?"),
    COMMA: re.compile(rf"(\d+|[1-9]\d{{0,2}}([.{_SPACES}]\d{{3}})+)?(,\d*)?"),
}
_SHARE = 0.95  # of a column's texts that must be numbers


@dataclass(frozen=True)
class Numeral:
    """How the numbers of a column are written.

    Attributes:
        form: POINT (1,234.5) or COMMA (1.234,5).
        unit: what stands beside the digits: a currency, `%`, a measure, or nothing.
        notes: what is worth telling of it.
    """

    form: str
    unit: str
    notes: list[Note]


def numeral_of(texts: Sequence[str]) -> Numeral | None:
    """How the numbers among these texts are written; None if nearly all of them are not, or their units differ."""
    found = [one for text in texts if (one := _WRITTEN.fullmatch(text)) is not None]
    units = {_singular(unit): unit for one in found for unit in (one["before"], one["after"]) if unit}
    if len(found) < _SHARE * len(texts) or len(units) > 1:
        return None
    counts = {form: sum(_GROUPED[form].fullmatch(one["digits"]) is not None for one in found) for form in _GROUPED}
    form = max(counts, key=lambda one: counts[one])  # POINT where both read all
    if counts[form] < _SHARE * len(texts):
        return None
    unit = next(iter(units.values()), "")
    notes = [Note("unit", {"unit": unit})] if unit else []
    if form == COMMA:
        notes.append(Note("comma"))
    elif any("," in one["digits"] for one in found):
        notes.append(Note("thousands_doubt" if counts[COMMA] == counts[POINT] else "thousands"))
    return Numeral(form, unit, notes)


def _singular(unit: str) -> str:
    """Years and year are one unit, as are Yrs. and yr."""
    plain = unit.rstrip(".").lower()
    return plain[:-1] if len(plain) > 2 and plain.endswith("s") else plain


def reader(form: str) -> Callable[[str], float | None]:
    """Reads numbers that are written in a form; None for what is none."""
    grouped = _GROUPED[form]
    drop = re.compile(rf"[{_SPACES}{',' if form == POINT else '.'}]")

    def read(text: str) -> float | None:
        found = _WRITTEN.fullmatch(text)
        if found is None or grouped.fullmatch(found["digits"]) is None:
            return _plain(text) if form == POINT else None
        if (found["open"] is None) != (found["close"] is None):
            return None
        number = float(drop.sub("", found["digits"]).replace(",", "."))
        minus = found["open"] or {found["sign"], found["sign2"]} & {"-", "−"}
        return -number if minus else number

    return read


def _plain(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


TRUE, FALSE = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})
_LETTERS = (frozenset("tf"), frozenset("yn"))


def are_truths(words: Iterable[str]) -> bool:
    """Whether texts are yes and no in several spellings: TRUE, true, yes ..."""
    lower = {word.lower() for word in words}
    letters = {word for word in lower if len(word) == 1 and word.isalpha()}
    known = lower - letters <= TRUE | FALSE and any(letters <= pair for pair in _LETTERS)
    spelled = known and bool(lower - {"0", "1"})
    both = {truth(word) for word in lower} == {"true", "false"}
    return spelled and both and len(set(words)) > 2


def truth(word: str) -> str:
    """The spelling that stands for all of a kind: `true` or `false`; any other text as it is."""
    lower = word.lower()
    if lower in TRUE or lower in ("t", "y"):
        return "true"
    return "false" if lower in FALSE or lower in ("f", "n") else word
