"""The container of a checkpoint: a zip archive, laid out as `torch.save` lays it out.

    archive/data.pkl     the pickled object, in which each storage is a key
    archive/data/<key>   the elements of that storage, beginning at a multiple of 64 bytes in the file
    archive/byteorder    `little` or `big`
    archive/version and a few more small records that describe the format

Nothing is compressed, so a storage can be mapped from the file. Every record carries a checksum.
"""

from __future__ import annotations

import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from kadam.errors import UnsupportedError
from kadam.serialization.files import CheckpointError, FileError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

ROOT = "archive"
ALIGNMENT = 64
_CHUNK_BYTES = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ZIP64_EXTRA_BYTES = 20
# What the zip reader raises over broken bytes: RuntimeError where they claim encryption, NotImplementedError where
# they claim a newer format, MemoryError where they claim a size beyond this machine.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, NotImplementedError, MemoryError,
)  # fmt: skip
_LEGACY_PICKLE = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def write_archive(file: IO[bytes], pickled: bytes, storages: Mapping[str, Bytes]) -> None:
    """Write a checkpoint, front to back, where `file` stands."""
    stream = _Stream(file)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        _write(archive, stream, "data.pkl", pickled)
        _write(archive, stream, ".format_version", b"1")
        _write(archive, stream, ".storage_alignment", str(ALIGNMENT).encode())
        _write(archive, stream, "byteorder", sys.byteorder.encode())
        for key, elements in storages.items():
            _write(archive, stream, f"data/{key}", elements.data)
        _write(archive, stream, "version", b"3\n")
        _write(archive, stream, ".data/serialization_id", _fingerprint(archive))
    file.flush()


def _write(archive: zipfile.ZipFile, stream: _Stream, name: str, content: bytes | memoryview) -> None:
    record = zipfile.ZipInfo(f"{ROOT}/{name}")
    is_large = len(content) > zipfile.ZIP64_LIMIT
    start = stream.position + _LOCAL_HEADER.size + len(record.filename) + is_large * _ZIP64_EXTRA_BYTES
    padding = -(start + 4) % ALIGNMENT
    record.extra = struct.pack("<2sH", b"FB", padding) + b"Z" * padding
    with archive.open(record, "w", force_zip64=is_large) as target:
        target.write(content)


def _fingerprint(archive: zipfile.ZipFile) -> bytes:
    """Forty digits that follow from the content, so that equal objects give equal files."""
    names = zlib.crc32(repr(archive.namelist()).encode())
    contents = zlib.crc32(repr([record.CRC for record in archive.infolist()]).encode())
    return f"{names:020d}{contents:020d}".encode()


class _Stream:
    """A file that can only be written onwards: all that a checkpoint needs, and all that some files can do."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.position = 0

    def write(self, content: bytes | memoryview) -> int:
        rest = memoryview(content)
        while rest:  # an unbuffered file may take only a part
            written = self._file.write(rest)
            rest = rest[len(rest) if written is None else written :]
        self.position += len(content)
        return len(content)

    def flush(self) -> None:
        self._file.flush()


class Archive:
    """A checkpoint's records, checked against their checksums as they are read.

    Args:
        file: an open file; the archive begins where it stands.
        name: how messages call the file.

    Raises:
        EOFError: the file is empty.
        FileError: the archive is damaged; a RuntimeError, as in PyTorch.
        UnsupportedError: a format that PyTorch can read and Kadam cannot.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self.name = name
        start = file.tell()
        _check_format(file.read(512), name)
        file.seek(start)
        with self._damage("its directory cannot be read; the file may have been cut short"):
            self._zip = zipfile.ZipFile(file)
            self._records = {record.filename: record for record in self._zip.infolist()}
        if not self._records or min(record.header_offset for record in self._records.values()) != start:
            raise FileError(
                f"load: {name} is not one whole checkpoint: its records do not begin where it begins. Fix: copy it "
                "again, or save it again."
            )
        self._root = next(iter(self._records)).split("/")[0]
        if "constants.pkl" in self:
            raise UnsupportedError(
                f"load: {name} is a TorchScript program, which Kadam does not run. Fix: save model.state_dict() with "
                "torch.save, and load it into the model's class."
            )
        self.is_foreign_order = self._byte_order() != sys.byteorder

    def __contains__(self, record: str) -> bool:
        return f"{self._root}/{record}" in self._records

    def read(self, record: str) -> bytes:
        """The content of a small record."""
        found = self._find(record)
        with self._damage(f"record {record!r} cannot be read"):
            return self._zip.read(found)

    def read_array(self, record: str, size_bytes: int) -> Bytes:
        """The content of a storage, in memory of its own."""
        found = self._find(record, size_bytes)
        with self._damage(f"record {record!r} cannot be read"), self._zip.open(found) as source:
            content = np.empty(size_bytes, np.uint8)
            view = content.data
            for start in range(0, max(size_bytes, 1), _CHUNK_BYTES):
                chunk = view[start : start + _CHUNK_BYTES]
                if source.readinto(chunk) != len(chunk):  # type: ignore[attr-defined]
                    raise EOFError("the file ends inside it")
        return content

    def map_array(self, record: str, size_bytes: int) -> Bytes:
        """The content of a storage, read from the file when it is used and never written back. Not checked."""
        found = self._find(record, size_bytes)
        if found.compress_type != zipfile.ZIP_STORED or size_bytes == 0:
            return self.read_array(record, size_bytes)
        self._file.seek(found.header_offset)
        with self._damage(f"record {record!r} cannot be found"):
            signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
            if signature != b"PK\x03\x04":
                raise zipfile.BadZipFile("no record begins there")
            start = found.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
            if start % ALIGNMENT:
                return self.read_array(record, size_bytes)
            return np.memmap(self._file, np.uint8, "c", start, (size_bytes,)).view(np.ndarray)

    def close(self) -> None:
        """Let go of the archive; the file stays open."""
        self._zip.close()

    def _find(self, record: str, size_bytes: int | None = None) -> zipfile.ZipInfo:
        found = self._records.get(f"{self._root}/{record}")
        if found is None:
            raise FileError(
                f"load: {self.name} is damaged: it has no record {record!r}. Fix: copy it again, or save it again."
            )
        if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileError(
                f"load: {self.name} is damaged: record {record!r} is packed in an unknown way. Fix: copy it again, or "
                "save it again."
            )
        if size_bytes is not None and found.file_size != size_bytes:
            raise FileError(
                f"load: {self.name} is damaged: record {record!r} holds {found.file_size} bytes, its tensors need "
                f"{size_bytes}. Fix: copy it again, or save it again."
            )
        return found

    def _byte_order(self) -> str:
        order = self.read("byteorder").decode("ascii", "replace") if "byteorder" in self else "little"
        if order not in ("little", "big"):
            raise FileError(
                f"load: {self.name} is damaged: {order!r} is not a byte order. Fix: copy it again, or save it again."
            )
        return order

    @contextmanager
    def _damage(self, verdict: str) -> Iterator[None]:
        """Turn what the zip reader says of broken bytes into one kind of error that names the file."""
        try:
            yield
        except _DAMAGE as error:
            raise FileError(
                f"load: {self.name} is damaged: {verdict} ({error}). Fix: copy it again, or save it again."
            ) from None


def _check_format(beginning: bytes, name: str) -> None:
    if not beginning:
        raise EOFError(f"load: {name} is empty. Fix: check that saving it came to its end.")
    if beginning.startswith(b"PK\x03\x04"):
        return
    if beginning.startswith(_LEGACY_PICKLE) or beginning[257:262] == b"ustar":
        raise UnsupportedError(
            f"load: {name} is in PyTorch's legacy format (before 1.6), which Kadam does not read. "
            "Fix: load it with PyTorch and save it again with torch.save."
        )
    raise CheckpointError(
        f"load: {name} is not a checkpoint: it begins with {beginning[:8]!r}, and a zip archive with b'PK\\x03\\x04'. "
        "Fix: give the path of a file that torch.save wrote; see whether a download came to its end."
    )
