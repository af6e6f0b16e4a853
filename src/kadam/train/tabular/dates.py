"""Dates and times of day as people write them. Which way a column goes its own cells tell."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kadam.train.tabular.notes import Note

_EPOCH = datetime.datetime(1970, 1, 1)
_DATE_FORMATS = (
    "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y-%m", "%m/%Y", "%d.%m.%y", "%m/%d/%y",
    "%d/%m/%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y", "%B %d %Y",
    "%b %Y", "%B %Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_PARTS = {"%d": "day", "%m": "month", "%Y": "year", "%y": "year", "%b": "month", "%B": "month", "%H": "hour",
          "%I": "hour", "%M": "minute", "%S": "second", "%p": "am/pm"}  # fmt: skip
MOST_FORMS = 3  # in which the dates of one column are written
MOSTLY = 0.95  # share of cells that decides what a column holds
COMPACT = "%Y%m%d"  # 20240131, which is a whole number too
_CLOCK = re.compile(r"(-?)(\d{1,4}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?(?:\s*([ap])\.?\s?m\.?)?", re.IGNORECASE)


def days_of(moment: datetime.datetime) -> float:
    """Days since 1970, by the clock that the moment was told by."""
    return (moment.replace(tzinfo=None) - _EPOCH) / datetime.timedelta(days=1)


def date_text(days: float) -> str:
    """Days since 1970 as ISO writes them."""
    return (_EPOCH + datetime.timedelta(days=days)).isoformat().removesuffix("T00:00:00")


def iso_date(text: str) -> float | None:
    """Days since 1970 of a date as ISO writes it; None if it is none."""
    try:
        return days_of(datetime.datetime.fromisoformat(text))
    except ValueError:
        return None


def forms_of(texts: list[str], known: str) -> Iterator[str]:
    """The forms in which nearly all of these are dates, of several parted by "|"; or that alone which is known."""
    if not texts or not any(char.isdigit() for char in texts[0]):
        return
    forms = [known] if known else ["", *(day + time for day in _DATE_FORMATS for time in _TIMES)]
    yield from (form for form in [*forms, *_several(forms, texts)] if mostly(dated(form), texts))


def mostly(parse: Callable[[str], float | None], texts: Sequence[str]) -> bool:
    """Whether nearly all of these can be read."""
    allowed = (1 - MOSTLY) * len(texts)
    for text in texts:
        if parse(text) is None:
            allowed -= 1
            if allowed < 0:
                return False
    return True


def _several(forms: list[str], texts: list[str]) -> list[str]:
    """The forms of dates that together read what none of them reads alone, as one; nothing if two could be mixed up."""
    left, found = some_of(texts, 40), []
    for _ in range(MOST_FORMS if len(forms) > 1 else 0):
        best, unread = min(((one, _unread(one, left)) for one in forms), key=lambda pair: len(pair[1]))
        if len(unread) > 0.9 * len(left):
            break
        found.append(best)
        left = unread
        if not left:
            return [] if any(_swapped(one) in found for one in found) else ["|".join(found)]
    return []


def some_of(texts: list[str], most: int) -> list[str]:
    """At most so many of these, in their order; drawn, for every sixth may be written in another way than the rest."""
    if len(texts) <= most:
        return texts
    places = np.random.default_rng(0).choice(len(texts), most, replace=False)
    return [texts[place] for place in np.sort(places).tolist()]


def _unread(form: str, texts: list[str]) -> list[str]:
    parse = dated(form)
    return [text for text in texts if parse(text) is None]


def _swapped(form: str) -> str | None:
    """The form with day and month the other way round, if dates are written so; else None."""
    other = form.replace("%d", "%%").replace("%m", "%d").replace("%%", "%m")
    return other if other != form and other.split()[0] in _DATE_FORMATS else None


def how_dated(form: str, texts: Sequence[str] = ()) -> list[Note]:
    """How dates were read, if not as ISO says; and whether another reading of these texts is as good."""
    if not form:
        return []
    forms = form.split("|")
    names = " / ".join(_named(one) if one else "year-month-day" for one in forms)
    other = _swapped(form) if len(forms) == 1 else None
    doubtful = other is not None and mostly(dated(other), texts)
    return [Note("dated", {"form": names}), *([Note("dated_doubt", {"form": _named(str(other))})] if doubtful else [])]


def _named(form: str) -> str:
    return re.sub("%.", lambda part: _PARTS[part[0]], form)


def dated(form: str) -> Callable[[str], float | None]:
    """Reads dates of a form, or of several; no form is ISO's."""
    forms = form.split("|")

    def parse(text: str) -> float | None:
        for one in forms:
            found = _strictly(text, one) if one else iso_date(text)
            if found is not None:
                return found
        return None

    return parse


def _strictly(text: str, form: str) -> float | None:
    try:
        return days_of(datetime.datetime.strptime(text, form))
    except ValueError:
        return None


def hours(text: str) -> float | None:
    """A time of day (9:30, 21:15:08, 9:30 pm), or how long something took (36:10), in hours."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    minus, hour, minute, second, half = found.groups()
    whole = int(hour)
    if half is not None:
        if minus or not 1 <= whole <= 12:
            return None
        whole = whole % 12 + (12 if half in "pP" else 0)
    passed = whole + int(minute) / 60 + float(second or 0) / 3600
    return -passed if minus else passed


def days_of_compact(values: np.ndarray) -> np.ndarray:
    """Days since 1970 of numbers such as 20240131; nan where a number is no date between 1900 and 2100."""
    kept, places = np.unique(values, return_inverse=True)
    return np.array([_days_of_number(one) for one in kept.tolist()], np.float64)[places]


def _days_of_number(number: float) -> float:
    found = _strictly(f"{number:.0f}", COMPACT) if 19_000_101 <= number <= 21_001_231 and number % 1 == 0 else None
    return float("nan") if found is None else found
