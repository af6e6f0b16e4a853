"""How a file of text is encoded. Nothing in it says so, so its first bytes are looked at."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from kadam.train.tabular.notes import Note

OTHERWISE = "cp1252"  # what spreadsheets in the Americas and western Europe write that write no Unicode
_MARKS = {  # the longer one first: it begins as the shorter one does
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_PIECE_BYTES = 1 << 20
_SOME = 4_096  # bytes or letters, which tell the encoding


@dataclass(frozen=True)
class Charset:
    """How a text is encoded.

    Attributes:
        name: as Python calls it.
        note: what is worth telling of it; None where there is no doubt.
    """

    name: str
    note: Note | None = None


def charset_of(path: Path, otherwise: str = OTHERWISE) -> Charset:
    """How a file is encoded: as its mark says, in UTF-16 where every other byte is nought, else in UTF-8; or, if its
    first letters beyond ASCII are no UTF-8, as `otherwise` says."""
    with unpacked(path) as file:
        some = file.read(_SOME)
        for mark, name in _MARKS.items():
            if some.startswith(mark):
                return Charset(name)
        for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
            noughts = some[first::2].count(0)
            if noughts > 0.3 * len(some[first::2]) and noughts > 4 * some[1 - first :: 2].count(0):
                return Charset(name, Note("wide"))
        lines = 1
        for piece in _pieces(file, some):
            if not piece.isascii():
                at = next(place for place, byte in enumerate(piece) if byte > 127)
                if _is_utf8(piece[at : at + _SOME]):
                    break
                byte, line = f"{piece[at]:#x}", lines + piece[:at].count(b"\n")
                return Charset(otherwise, Note("no_utf8", {"byte": byte, "line": line, "charset": otherwise}))
            lines += piece.count(b"\n")
    return Charset("utf-8-sig")


def _pieces(file: BinaryIO, first: bytes) -> Iterator[bytes]:
    """The rest of a file after its first bytes, and these; what may be cut at a piece's end is looked at no more."""
    yield first + file.read(_PIECE_BYTES)
    while piece := file.read(_PIECE_BYTES):
        yield piece + file.read(_SOME)


def _is_utf8(some: bytes) -> bool:
    """Whether more letters beyond ASCII can be read as UTF-8 than cannot: one broken cell is not all of a table."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(some)  # the last letter may be cut
    broken = text.count("\ufffd")
    return broken <= sum(letter > "\x7f" for letter in text) - broken


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes; those that were packed, if it ends in `.gz`."""
    unpack: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with unpack(path, "rb") as file:
        yield file


@contextmanager
def opened(path: Path, charset: str) -> Iterator[TextIO]:
    """A file's text, line ends as they stand."""
    unpack: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with unpack(path, "rt", encoding=charset, newline="") as file:
        yield file
