"""What Kadam says, in English and in Hindi: one catalogue, one glossary.

A *room* is a file of texts, `texts/explain.toml` for example; each of its texts has a key and stands there in both
languages. `text` gives one of them; a `Speech` gives those of a whole page or report, and says in a few words what a
technical term means where the reader meets it first.
"""

from kadam.language.catalogue import keys, rooms, text
from kadam.language.choice import LANGUAGES, UnknownLanguage, choose, speak, spoken
from kadam.language.glossary import Speech, Term, terms
from kadam.language.numbers import count, number, percent, size

__all__ = [
    "LANGUAGES",
    "Speech",
    "Term",
    "UnknownLanguage",
    "choose",
    "count",
    "keys",
    "number",
    "percent",
    "rooms",
    "size",
    "speak",
    "spoken",
    "terms",
    "text",
]
