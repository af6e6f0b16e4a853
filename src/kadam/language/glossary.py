"""The glossary: what each technical term means, and where a reader is told so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from kadam.language.catalogue import entries, text

# Languages in which a term is foreign, so that its first mention is followed by its gloss: right behind it, or behind
# the other foreign words that it stands with (`training step में`), which nothing may part.
GLOSSED = {"hi": "{term} यानी {gloss}"}
ALONE = {"hi": "यानी {gloss}"}
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

    Called with a key, it gives the text; in Hindi, a term that is mentioned first is followed by its gloss.

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
        """A text in which terms that are mentioned first are followed by their glosses; code is left alone."""
        if self.lang not in GLOSSED:
            return written
        return "".join(self._glossed(sentence) for sentence in _SENTENCES.split(written))

    def _glossed(self, sentence: str) -> str:
        """A sentence with glosses: each stands behind the foreign words among which the term is."""
        plain = _CODE.sub(lambda code: "`" * len(code[0]), sentence)
        brackets = [range(*found.span()) for found in _BRACKETS.finditer(plain)]
        found: dict[int, list[tuple[Term, str]]] = {}
        for mention in _pattern().finditer(plain):
            term = _by_form()[mention[0].lower()]
            if term.name in self.told:
                continue
            rest = plain[mention.end() :]
            run = _FOREIGN.match(rest)
            at = mention.end() + (run.end() if run is not None else 0)
            explained = any(mention.start() in one for one in brackets) or _EXPLAINED.match(plain[at:]) is not None
            if not explained and sum(map(len, found.values())) == MOST_GLOSSES:
                continue  # a later sentence will tell
            self.told.add(term.name)
            if not explained:
                found.setdefault(at, []).append((term, mention[0] if at == mention.end() else ""))
        for at in sorted(found, reverse=True):
            sentence = f"{sentence[:at]} ({self._told(found[at])}){sentence[at:]}"
        return sentence

    def _told(self, here: list[tuple[Term, str]]) -> str:
        """The glosses of terms; one that stands right behind its term does not name it."""
        if len(here) == 1 and here[0][1]:
            return ALONE[self.lang].format(gloss=here[0][0].gloss[self.lang])
        return ", ".join(GLOSSED[self.lang].format(term=term.name, gloss=term.gloss[self.lang]) for term, _ in here)


_SENTENCES = re.compile(r"(?<=[।?!])(?=\0*(?:\s|$))")
_CODE = re.compile(r"`[^`]*`")
_BRACKETS = re.compile(r"\([^()]*\)")
_FOREIGN = re.compile(r"(?:[ -][A-Za-z][\w-]*)+")  # more words that are not Hindi
_EXPLAINED = re.compile(r"[\s\0]*(?:\(|–|:|यानी)")  # the text itself says what it means


@cache
def _by_form() -> dict[str, Term]:
    return {form.lower(): term for term in terms() for form in term.forms}


@cache
def _pattern() -> re.Pattern[str]:
    """Finds terms as words of their own: not within names such as `fc1.weight[2,0]`, longer ones first."""
    forms = sorted(_by_form(), key=len, reverse=True)
    return re.compile(rf"(?<![\w.`/-])(?:{'|'.join(map(re.escape, forms))})(?![\w`\[/]|[.(-]\w)", re.IGNORECASE)
