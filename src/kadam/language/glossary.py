"""The glossary: what each technical term means, and where a reader is told so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kadam.language.catalogue import entries, text

# Languages in which a term is foreign, so that its first mention is followed by its gloss.
GLOSSED = ("hi",)


@dataclass(frozen=True)
class Term:
    """A technical term, written in Latin script in every language.

    Attributes:
        name: as the glossary lists it.
        forms: how it stands in texts: plurals and other spellings too.
        never: spellings that no text may use (transliterations).
        gloss: language -> what it means, in two or three words.
        meaning: language -> what it means, in a sentence or two.
    """

    name: str
    forms: tuple[str, ...]
    never: tuple[str, ...]
    gloss: dict[str, str]
    meaning: dict[str, str]


@cache
def terms() -> tuple[Term, ...]:
    """All terms, by name."""
    by_name: dict[str, dict[str, Any]] = {}
    for key, entry in entries("glossary").items():
        name, _, part = key.rpartition(".")
        by_name.setdefault(name, {})[part] = entry
    found = [
        Term(
            name,
            tuple(parts["gloss"].get("forms", (name, f"{name}s"))),
            tuple(parts["gloss"].get("never", ())),
            parts["gloss"],
            parts["meaning"],
        )
        for name, parts in by_name.items()
    ]
    return tuple(sorted(found, key=lambda term: term.name.lower()))


class Speech:
    """The texts of one page or report, in the order in which its reader meets them.

    Called with a key, it gives the text; in Hindi, the first mention of a term is followed by its gloss.

    Attributes:
        lang: the language.
        told: names of the terms that the reader has met.
    """

    def __init__(self, lang: str, told: Iterable[str] = ()) -> None:
        self.lang = lang
        self.told = set(told)

    def __call__(self, key: str, **values: Any) -> str:
        """The text of a key, with glosses."""
        return self.gloss(text(key, self.lang, **values))

    def label(self, key: str, **values: Any) -> str:
        """The text of a key as it is: for headings, buttons, the cells of tables."""
        return text(key, self.lang, **values)

    def gloss(self, written: str) -> str:
        """A text with the gloss of each term after its first mention; what stands in `backticks` is left alone."""
        if self.lang not in GLOSSED:
            return written
        parts = re.split(r"(`[^`]*`)", written)
        return "".join(part if part.startswith("`") else self._glossed(part) for part in parts)

    def _glossed(self, written: str) -> str:
        def with_gloss(found: re.Match[str]) -> str:
            term = _by_form()[found[0].lower()]
            if term.name in self.told:
                return found[0]
            self.told.add(term.name)
            before, behind = written[: found.start()], written[found.end() :]
            if behind.lstrip().startswith("("):  # the text explains it itself
                return found[0]
            inside_brackets = before.count("(") > before.count(")")
            return (
                f"{found[0]} – {term.gloss[self.lang]}" if inside_brackets else f"{found[0]} ({term.gloss[self.lang]})"
            )

        return _pattern().sub(with_gloss, written)


@cache
def _by_form() -> dict[str, Term]:
    return {form.lower(): term for term in terms() for form in term.forms}


@cache
def _pattern() -> re.Pattern[str]:
    """Finds terms as words of their own: not within names such as `fc1.weight[2,0]`, longer ones first."""
    forms = sorted(_by_form(), key=len, reverse=True)
    return re.compile(rf"(?<![\w.`/-])(?:{'|'.join(map(re.escape, forms))})(?![\w`\[/]|[.(-]\w)", re.IGNORECASE)
