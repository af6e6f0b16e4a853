"""The files in which TensorBoard finds its events: a record for each, with checksums.

Source: TensorFlow's record format; CRC-32C: Castagnoli et al. 1993.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from pathlib import Path

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits reversed
_serial = itertools.count()


def _steps() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = rest >> 1 ^ (_POLYNOMIAL if rest & 1 else 0)
        table.append(rest)
    return table


_STEPS = _steps()


def crc32c(data: bytes) -> int:
    """The checksum CRC-32C."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest = rest >> 8 ^ _STEPS[(rest ^ byte) & 0xFF]
    return rest ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    """The checksum of data that may hold checksums itself."""
    checksum = crc32c(data)
    return struct.pack("<I", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)


class RecordFile:
    """A new file of records in a folder.

    Args:
        folder: is made if it is not there.
        suffix: of the file's name.
    """

    def __init__(self, folder: str | Path, suffix: str = "") -> None:
        os.makedirs(folder, exist_ok=True)
        maker = f"{socket.gethostname()}.{os.getpid()}.{next(_serial)}"
        name = f"events.out.tfevents.{int(time.time()):010d}.{maker}{suffix}"
        self._file = open(Path(folder) / name, "wb")  # noqa: SIM115  (closed by `close`)

    def write(self, record: bytes) -> None:
        """Append a record."""
        length = struct.pack("<Q", len(record))
        self._file.write(length + _masked(length) + record + _masked(record))

    def flush(self) -> None:
        """Let other programs see what has been written."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
