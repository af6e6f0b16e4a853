"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, BinaryIO

from kadam.errors import KadamError

FileLike = str | os.PathLike[str] | IO[bytes]


class FileError(KadamError, RuntimeError):
    """A checkpoint that cannot be written, or that is damaged or made for a device that is not here."""


class CheckpointError(KadamError, pickle.UnpicklingError):
    """A file that is no checkpoint, or that asks for what a checkpoint may not hold."""


class AbsentFileError(KadamError, FileNotFoundError):
    """A file that is not there."""

    def __str__(self) -> str:
        directory = os.path.dirname(os.path.abspath(str(self.filename)))
        return f"{self.strerror}: {self.filename!r}. Fix: give one of the files in {directory!r}, or save it first."


class DirectoryError(KadamError, IsADirectoryError):
    """A directory where a file is needed."""

    def __str__(self) -> str:
        return f"{self.strerror}: {self.filename!r}. Fix: name a file in it."


def name_of(f: FileLike) -> str:
    """How messages call the file."""
    name = os.fspath(f) if isinstance(f, str | os.PathLike) else getattr(f, "name", None)
    return repr(name) if isinstance(name, str) else "the given buffer"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write whose content takes the place of `path` only once it is complete and on the disk.

    Until the block ends well, a file that stood at `path` stays as it was: a crash, an error or a full disk loses
    nothing. A device or a pipe is written directly, since it has no content to keep.

    Raises:
        FileError: the directory does not exist, or `path` is one.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise FileError(f"save: the directory {directory!r} does not exist. Fix: create it with os.makedirs.")
    if os.path.isdir(target):
        raise FileError(f"save: {os.fspath(path)!r} is a directory. Fix: add a file name, for example 'model.pt'.")
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as device:
            yield device
        return
    draft = os.path.join(directory, f".kadam-{os.urandom(8).hex()}.tmp")
    try:
        with open(draft, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, draft)
        os.replace(draft, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise
    _sync_directory(directory)


def _sync_directory(directory: str) -> None:
    """Put the new directory entry on the disk too, where the system can."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
