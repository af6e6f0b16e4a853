"""The catalogue: every text in every language, by key."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from kadam.language.choice import LANGUAGES

Entry = dict[str, Any]


def text(key: str, lang: str, **values: Any) -> str:
    """The text of a key (`explain.loss.title`), its placeholders filled in.

    Where the value `n` is 1 and the entry has a text for one (`en_one`), that is taken.

    Raises:
        KeyError: there is no such text, or a placeholder has no value.
    """
    room, _, name = key.partition(".")
    try:
        entry = entries(room)[name]
    except (KeyError, FileNotFoundError):
        raise KeyError(f"the catalogue has no text {key!r}") from None
    alone = f"{lang}_one"
    template: str = entry[alone if values.get("n") == 1 and alone in entry else lang]
    return template.format_map(values)


@cache
def rooms() -> tuple[str, ...]:
    """The names of all rooms."""
    folder = files("kadam.language").joinpath("texts")
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


@cache
def entries(room: str) -> dict[str, Entry]:
    """The entries of a room by key: those of nested tables have dotted keys."""
    source = files("kadam.language").joinpath("texts", f"{room}.toml").read_text(encoding="utf-8")
    found: dict[str, Entry] = {}
    _collect(tomllib.loads(source), "", found)
    return found


def keys() -> tuple[str, ...]:
    """The keys of all texts."""
    return tuple(f"{room}.{name}" for room in rooms() for name in entries(room))


def _collect(table: dict[str, Any], above: str, found: dict[str, Entry]) -> None:
    if all(isinstance(table.get(lang), str) for lang in LANGUAGES):
        found[above] = table
        return
    for name, below in table.items():
        if not isinstance(below, dict):
            raise KeyError(f"{above or 'the catalogue'} has {name!r} but not a text in each of {', '.join(LANGUAGES)}")
        _collect(below, f"{above}.{name}" if above else name, found)
