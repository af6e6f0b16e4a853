"""Checkpoints: objects with tensors in files, in PyTorch's own format, readable by both.

A file of tensors cannot run code: reading one only builds values. One of whole modules (`weights_only=False`) makes
objects of the program's own classes, so it is to be trusted as much as the program. A file is written whole or not at
all.
"""

from __future__ import annotations

import errno
import io
import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from kadam import missing
from kadam.device import device
from kadam.errors import OperandError, UnsupportedError
from kadam.serialization.allowlist import (
    add_safe_globals,
    allowed_by_user,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)
from kadam.serialization.archive import Archive, write_archive
from kadam.serialization.files import (
    AbsentFileError,
    CheckpointError,
    DirectoryError,
    FileError,
    FileLike,
    name_of,
    replacing,
)
from kadam.serialization.pickler import pickled
from kadam.serialization.storage import Storage, StorageType
from kadam.serialization.unpickler import globals_named, unpickled
from kadam.serialization.vocabulary import PYTHON, TORCH

__all__ = [
    "CheckpointError", "FileError", "add_safe_globals", "clear_safe_globals", "get_safe_globals",
    "get_unsafe_globals_in_checkpoint", "load", "safe_globals", "save",
]  # fmt: skip

MapLocation = str | bytes | device | Mapping[str, str] | Callable[[Storage, str], Storage | None] | None
MAP_LOCATION = MapLocation  # PyTorch's name, which libraries annotate with


def save(
    obj: object,
    f: FileLike,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object and all tensors in it to a file that `torch.load` and `kadam.load` read, as `torch.save`.

    Tensors that share memory share it in the file, and again when loaded. A path is replaced only once the new file
    is complete and on the disk.

    Raises:
        FileError: the path cannot be a file.
        UnsupportedError: another pickle module, or the legacy format.
    """
    if pickle_module not in (None, pickle):
        raise UnsupportedError("save: another pickle_module is not supported. Fix: leave pickle_module out.")
    if not _use_new_zipfile_serialization:
        raise UnsupportedError("save: PyTorch's legacy file format is not supported. Fix: save in the default format.")
    if pickle_protocol < 2:
        raise UnsupportedError(f"save: pickle protocol {pickle_protocol} is not supported. Fix: leave it at 2.")
    if not isinstance(f, str | os.PathLike) and not hasattr(f, "write"):
        raise _FileLikeError(
            f"save: expected a path or a file-like object with a 'write' method, but got {f!r}. Fix: open(path, 'wb'), "
            "or the path itself."
        )
    content, storages = pickled(obj, pickle_protocol)
    contents = {storage.key: storage.content for storage in storages}
    if isinstance(f, str | os.PathLike):
        with replacing(f) as file:
            write_archive(file, content, contents)
    else:
        write_archive(f, content, contents)


def load(
    f: FileLike,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read an object that `torch.save` or `kadam.save` has written, as `torch.load`.

    Args:
        f: a path, or a file-like object that can `read` and `seek`; reading begins where it stands.
        map_location: where tensors saved on other devices go; the CPU is the only place there is.
        pickle_module: only None.
        weights_only: with False the file may also hold whole modules, objects of the program's own classes, NumPy's
            arrays and plain data such as an argparse.Namespace. It calls no function of the program, but it decides
            what the program's objects hold, and so what their methods do: load only files that you trust this way.
        mmap: read tensors from the file only when they are used; the file must be given by its path.

    Raises:
        EOFError: the file is empty.
        FileError: the file is damaged, or its tensors are for a device that is not here; a RuntimeError.
        CheckpointError: not a checkpoint, or one that names what is not allowed; a pickle.UnpicklingError.
        UnsupportedError: a `pickle_module`, the legacy format or a TorchScript program.
    """
    _check_weights_only(weights_only, pickle_module)
    encoding = pickle_load_args.pop("encoding", "utf-8")
    if pickle_load_args:
        warnings.warn(f"load: {', '.join(pickle_load_args)} has no effect with weights_only=True.", stacklevel=2)
    if mmap and not isinstance(f, str | os.PathLike):
        raise ValueError(
            "load: f must be a file path in order to use the mmap argument. Fix: give the path, or leave mmap out."
        )
    with _opened(f) as archive:
        storages = _Storages(archive, map_location, bool(mmap))
        return unpickled(archive.read("data.pkl"), storages.find, archive.name, encoding, weights_only is False)


def get_unsafe_globals_in_checkpoint(f: FileLike) -> list[str]:
    """The full names that a checkpoint asks for and that are not allowed, so that `load` would refuse it."""
    known = PYTHON.keys() | TORCH.keys() | allowed_by_user().keys()
    with _opened(f) as archive:
        return sorted(globals_named(archive.read("data.pkl"), archive.name) - known)


class _FileLikeError(OperandError, AttributeError):
    pass


def _check_weights_only(weights_only: bool | None, pickle_module: Any) -> None:
    if weights_only and pickle_module is not None:
        raise FileError("load: cannot safely load weights when an explicit pickle_module is given. Fix: leave it out.")
    if pickle_module is not None:
        raise UnsupportedError(
            "load: another pickle_module would let the file run code, and no file can do that here. Fix: leave it out; "
            "classes of your own are allowed by torch.serialization.add_safe_globals([MyClass])."
        )


@contextmanager
def _opened(f: FileLike) -> Iterator[Archive]:
    with _readable(f) as file:
        archive = Archive(file, name_of(f))
        try:
            yield archive
        finally:
            archive.close()


@contextmanager
def _readable(f: FileLike) -> Iterator[IO[bytes]]:
    """An open file that can seek, closed afterwards only if it was given by its path."""
    if isinstance(f, str | os.PathLike):
        if not os.path.exists(f):
            raise AbsentFileError(errno.ENOENT, "load: no such file", os.fspath(f))
        if os.path.isdir(f):
            raise DirectoryError(errno.EISDIR, "load: is a directory", os.fspath(f))
        with open(f, "rb") as file:
            yield file
        return
    try:
        f.seek(f.tell())
    except (io.UnsupportedOperation, AttributeError) as error:
        raise type(error)(
            f"load: only a file that can seek can be loaded ({error}). Fix: io.BytesIO(f.read())."
        ) from None
    yield f


class _Storages:
    """The storages of one checkpoint, each read once, when a tensor first needs it."""

    def __init__(self, archive: Archive, map_location: MapLocation, is_mapped: bool) -> None:
        self._read = archive.map_array if is_mapped else archive.read_array
        self._archive = archive
        self._map_location = map_location
        self._found: dict[str, Storage] = {}

    def find(self, kind: StorageType, key: str, place: str, count: int) -> Storage:
        """The storage of this key, holding `count` elements, saved at `place`.

        Raises:
            FileError: it is missing, of another size, or for a device that is not here.
        """
        if key not in self._found:
            content = self._read(f"data/{key}", count * kind.dtype.itemsize)
            self._found[key] = self._placed(Storage(kind, key, content, self._archive.is_foreign_order), place)
        storage = self._found[key]
        if (storage.type, storage.count) != (kind, count):
            raise FileError(
                f"load: {self._archive.name} is damaged: storage {key!r} has two types or sizes. Fix: copy it again, "
                "or save it again."
            )
        return storage

    def _placed(self, storage: Storage, place: str) -> Storage:
        """The storage where `map_location` wants it, which must be the CPU or meta."""
        wanted = self._map_location
        if isinstance(wanted, Mapping):
            place = str(wanted.get(place, place))
        elif isinstance(wanted, bytes):
            place = wanted.decode()
        elif isinstance(wanted, str | device):
            place = str(wanted)
        elif wanted is not None:
            moved = wanted(storage, place)
            if isinstance(moved, Storage):
                return moved
            if moved is not None:
                raise FileError(
                    f"load: map_location must return the storage or None, but it returned {moved!r}. Fix: "
                    "map_location='cpu'."
                )
        if place == "meta":
            storage.has_values = False
            return storage
        if place != "cpu":
            raise FileError(
                f"load: Attempting to deserialize object on device {place!r}, but the CPU is the only device here. "
                "Fix: load with map_location='cpu'."
            )
        return storage


missing.install(__name__)
