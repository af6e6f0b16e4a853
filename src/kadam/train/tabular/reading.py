"""Reading tables: CSV, TSV, JSON lines, Parquet and frames in memory, piece by piece, so that memory stays bounded."""

from __future__ import annotations

import csv
import datetime
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from kadam.errors import KadamError, UnsupportedError
from kadam.train.frames import columns_of
from kadam.train.tabular.charset import charset_of, opened

CHUNK_ROWS = 16_384
_DELIMITERS = ",;\t|"
_SAID = re.compile(r"sep=(.)")  # a spreadsheet's first line, which tells the delimiter
_LONGEST_CELL = 1 << 20

Cells = list[Any] | np.ndarray
Chunk = dict[str, Cells]


class TableError(KadamError, ValueError):
    """A table that cannot be learned from; the message names the row and the column."""


def chunks_of(source: Any, charset: str | None = None) -> Iterator[Chunk]:
    """A table in pieces: for each column name its cells: text, numbers, None where a cell is missing.

    Args:
        source: a path (`.csv`, `.tsv`, `.txt`, `.jsonl`, `.ndjson`, `.parquet`; text also with `.gz`), or a table of
            pandas, polars or Arrow.
        charset: how text is encoded; None: as its first bytes tell.

    Raises:
        TableError: what stands there is no table; the message names row and column.
        UnsupportedError: a file format that needs a package that is not installed.
    """
    if not isinstance(source, str | Path):
        columns = columns_of(source)
        if columns is None:
            raise TableError(f"a {type(source).__name__} is no table. Fix: give a path, or a DataFrame.")
        return _frame_chunks(columns)
    path = Path(source)
    kind = kind_of(path)
    if kind in _PARQUET:
        return _parquet_chunks(path)
    if kind in _JSON:
        return _json_chunks(path, charset or charset_of(path).name)
    return _csv_chunks(path, "\t" if kind in (".tsv", ".tab") else None, charset or charset_of(path).name)


_PARQUET = (".parquet", ".pq")
_JSON = (".jsonl", ".ndjson", ".json")
_CSV = (".csv", ".tsv", ".tab", ".txt", ".data")


def kind_of(path: Path) -> str:
    """The ending that tells what a file holds.

    Raises:
        TableError: there is no such file, or nobody knows what it holds.
    """
    if not path.exists():
        raise TableError(f"{str(path)!r}: no such file. Fix: check the path.")
    if path.is_dir():
        raise TableError(f"{str(path)!r} is a folder. Fix: give one file.")
    suffixes = [one.lower() for one in path.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
    if kind not in (*_PARQUET, *_JSON, *_CSV):
        raise TableError(
            f"{str(path)!r}: {kind or 'a file without an ending'} is no format that is known. Fix: .csv, .tsv, .jsonl "
            "or .parquet."
        )
    return kind


def is_text(source: Any) -> bool:
    """Whether a table is a file of text, whose encoding somebody has to know."""
    return isinstance(source, str | Path) and kind_of(Path(source)) not in _PARQUET


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """A packed file that ends too early is no table."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise TableError(f"{str(path)!r} is damaged ({error}). Fix: pack it again.") from error


def _undecoded(path: Path, row: int, charset: str, error: UnicodeDecodeError) -> TableError:
    byte = f"byte {error.object[error.start]:#x}"
    if charset.startswith("utf-8"):
        told = f'{byte} is no UTF-8 text. Fix: save the table as UTF-8 (in a spreadsheet: as "CSV UTF-8")'
    else:
        told = f"{byte} is no {charset} text either. Fix: save the table as UTF-8"
    return TableError(f"{str(path)!r}, near row {row}: {told}; or say how it is encoded, such as --encoding shift_jis.")


def _csv_chunks(path: Path, delimiter: str | None, charset: str) -> Iterator[Chunk]:
    with _whole(path), opened(path, charset) as file:
        row = 0
        reader: Any = None
        try:
            first = file.readline()
            said = _SAID.fullmatch(first.strip())
            if said is not None:
                first, delimiter = file.readline(), said[1]
            if not first.strip():
                raise TableError(f"{str(path)!r} has no header: its first line is empty. Fix: name the columns there.")
            csv.field_size_limit(_LONGEST_CELL)
            reader = csv.reader(chain([first], file), delimiter=delimiter or _delimiter(first), strict=True)
            names = _checked_names(next(reader), path)
            width = len(names)
            rows: list[list[str]] = []
            for cells in reader:
                if not cells:
                    continue  # an empty line
                row += 1
                if len(cells) != width:
                    raise _ragged(path, row, reader.line_num, cells, names)
                rows.append(cells)
                if len(rows) == CHUNK_ROWS:
                    yield dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
                    rows = []
        except csv.Error as error:
            raise TableError(
                f"{str(path)!r}, row {row + 1} (line {reader.line_num}): {error}. Fix: close every quote, and double "
                "quotes within quotes."
            ) from error
        except UnicodeDecodeError as error:
            raise _undecoded(path, row + 1, charset, error) from error
        if rows or row == 0:
            yield dict(zip(names, map(list, zip(*rows, strict=True)) if rows else [[] for _ in names], strict=True))


def _delimiter(header: str) -> str:
    """What parts the columns: what stands most often outside of quotes."""
    bare = re.sub('"[^"]*"?', "", header)
    return max(_DELIMITERS, key=bare.count)


def _checked_names(names: list[str], path: Path) -> list[str]:
    names = [name.strip() for name in names]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise TableError(
                f"{str(path)!r}: two columns are named {name!r} ({names.index(name) + 1} and {place + 1}). Fix: give "
                "each a name of its own."
            )
    return [name or f"column {place + 1}" for place, name in enumerate(names)]


def _ragged(path: Path, row: int, line: int, cells: list[str], names: list[str]) -> TableError:
    where = f"{str(path)!r}, row {row} (line {line})"
    if len(cells) < len(names):
        return TableError(
            f"{where}: {len(cells)} cells, but the header names {len(names)} columns: {names[len(cells)]!r} is the "
            "first without a cell. Fix: add the missing cells."
        )
    return TableError(
        f"{where}: {len(cells)} cells, but the header names {len(names)} columns, the last of them {names[-1]!r}. "
        f"Fix: quote cells that hold the delimiter, such as {cells[-1]!r}."
    )


def _json_chunks(path: Path, charset: str) -> Iterator[Chunk]:
    with _whole(path), opened(path, charset) as file:
        number = 0
        names: list[str] = []
        rows: list[dict[str, Any]] = []
        try:
            if file.read(1) == "[":
                yield from _json_list(path, "[" + file.read())
                return
            file.seek(0)
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                rows.append(_json_row(line, number, path))
                if len(rows) == CHUNK_ROWS:
                    yield _transposed(rows, names)
                    rows = []
        except UnicodeDecodeError as error:
            raise _undecoded(path, number + 1, charset, error) from error
        yield _transposed(rows, names)


def _json_list(path: Path, text: str) -> Iterator[Chunk]:
    """A list of objects, as pandas and web services write tables: it has to be read whole."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise TableError(f"{str(path)!r}: {error}. Fix: write it again; or one JSON object on each line.") from error
    rows = [_checked_row(row, number, path) for number, row in enumerate(found, 1)]
    names: list[str] = []
    for start in range(0, max(len(rows), 1), CHUNK_ROWS):
        yield _transposed(rows[start : start + CHUNK_ROWS], names)


def _json_row(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise TableError(
            f'{str(path)!r}, row {number}: {error}. Fix: one JSON object on each line, such as {{"age": 3}}.'
        ) from error
    return _checked_row(row, number, path)


def _checked_row(row: Any, number: int, path: Path) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise TableError(
            f"{str(path)!r}, row {number}: a {type(row).__name__}, not an object. Fix: one object for each row."
        )
    for name, cell in row.items():
        if isinstance(cell, dict | list):
            raise TableError(
                f"{str(path)!r}, row {number}, column {name!r}: a {type(cell).__name__} is no cell. Fix: give each of "
                "its entries a column of its own."
            )
    return row


def _transposed(rows: list[dict[str, Any]], names: list[str]) -> Chunk:
    """Rows to columns; `names` are those met so far, and grow."""
    for row in rows:
        if len(row) > len(names) or not row.keys() <= set(names):
            names.extend(name for name in row if name not in names)
    return {name: [row.get(name) for row in rows] for name in names}


def _parquet_chunks(path: Path) -> Iterator[Chunk]:
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise UnsupportedError(
            "kadam train: Parquet files need pyarrow. Fix: pip install pyarrow; or save the table as CSV."
        ) from error
    try:
        file = ParquetFile(path)
    except ArrowInvalid as error:
        raise TableError(f"{str(path)!r} is no whole Parquet file ({error}). Fix: write it again.") from error
    empty = True
    for batch in file.iter_batches(CHUNK_ROWS):
        empty = False
        yield {name: _plain(batch.column(place)) for place, name in enumerate(batch.schema.names)}
    if empty:
        yield {name: [] for name in file.schema_arrow.names}


def _plain(column: Any) -> Cells:
    """An Arrow column as an array of numbers, or as a list."""
    if column.null_count == 0 and str(column.type) in _NUMBERS:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    return [_cell(one) for one in column.to_pylist()]


_NUMBERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {"float", "double"}


def _frame_chunks(columns: dict[str, np.ndarray]) -> Iterator[Chunk]:
    rows = len(next(iter(columns.values()))) if columns else 0
    for start in range(0, max(rows, 1), CHUNK_ROWS):
        yield {
            name: part if part.dtype.kind in "fiu" else [_cell(one) for one in part.tolist()]
            for name, column in columns.items()
            for part in (_moments(column[start : start + CHUNK_ROWS]),)
        }


def _moments(column: np.ndarray) -> np.ndarray:
    """Dates as texts, and how long something took in hours; all else as it is."""
    if column.dtype.kind == "m":
        return column / np.timedelta64(1, "h")
    return np.datetime_as_string(column, unit="s") if column.dtype.kind == "M" else column


def _cell(cell: Any) -> Any:
    """A cell as text or number; None for the missing values of pandas; how long something took in hours."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell:
        return None
    return cell.total_seconds() / 3600 if isinstance(cell, datetime.timedelta) else cell
