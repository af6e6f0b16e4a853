"""The glossary: what each technical term means, and where a reader is told so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kadam.language.catalogue import entries, text

# Languages in which a term is foreign, so that the sentence that first mentions it ends with its gloss: never in the
# middle, where it would stand between a term and its postposition, or beside a plural.
GLOSSED = {"hi": "{term} यानी {gloss}"}
MOST_GLOSSES = 3  # in one sentence


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

    Called with a key, it gives the text; in Hindi, a sentence ends with the glosses of the terms it mentions first.

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
        """A text whose sentences end with the glosses of the terms that they mention first; code is left alone."""
        if self.lang not in GLOSSED:
            return written
        return "".join(self._glossed(sentence) for sentence in _SENTENCES.split(written))

    def _glossed(self, sentence: str) -> str:
        found: list[str] = []
        for mention in _pattern().finditer(_CODE.sub(lambda code: "`" * len(code[0]), sentence)):
            term = _by_form()[mention[0].lower()]
            if term.name in self.told:
                continue
            explained = _EXPLAINED.match(sentence[mention.end() :]) is not None
            if not explained and len(found) == MOST_GLOSSES:
                continue  # a later sentence will tell
            self.told.add(term.name)
            if not explained:
                shown = term.name if mention[0].lower().startswith(term.name.lower()) else mention[0]
                found.append(GLOSSED[self.lang].format(term=shown, gloss=term.gloss[self.lang]))
        if not found:
            return sentence
        end = _END.search(sentence)
        at = len(sentence) if end is None else end.start()
        return f"{sentence[:at]} ({', '.join(found)}){sentence[at:]}"


_SENTENCES = re.compile(r"(?<=[।?!])(?=[\s\0])")
_CODE = re.compile(r"`[^`]*`")
_EXPLAINED = re.compile(r"[\s\0]*(?:\(|–|:|यानी)")  # the text itself says what it means
_END = re.compile(r"[।?!:,;]*[\s\0]*$")


@cache
def _by_form() -> dict[str, Term]:
    return {form.lower(): term for term in terms() for form in term.forms}


@cache
def _pattern() -> re.Pattern[str]:
    """Finds terms as words of their own: not within names such as `fc1.weight[2,0]`, longer ones first."""
    forms = sorted(_by_form(), key=len, reverse=True)
    return re.compile(rf"(?<![\w.`/-])(?:{'|'.join(map(re.escape, forms))})(?![\w`\[/]|[.(-]\w)", re.IGNORECASE)
