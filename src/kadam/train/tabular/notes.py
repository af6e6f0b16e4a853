"""Notes: what is worth telling of a column, kept apart from the words that tell it in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kadam.language import Speech


@dataclass(frozen=True)
class Note:
    """A text `train.note.<key>` of the catalogue, and what stands in its places."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return told([self])


def told(notes: Iterable[Note], say: Speech | None = None) -> str:
    """Notes as one line; English unless something else is spoken."""
    say = say or Speech("en")
    return "; ".join(say.label(f"train.note.{one.key}", **one.values) for one in notes)
