"""Files that several processes write together: there is one process. As `torch.distributed.checkpoint`."""

from __future__ import annotations

from kadam import missing
from kadam.absent import functions, kinds

_MODULE = "torch.distributed.checkpoint"
_INSTEAD = "torch.save(module.state_dict(), path) and torch.load(path)."

FileSystemReader, FileSystemWriter, StorageReader, StorageWriter = kinds(
    _MODULE, "FileSystemReader FileSystemWriter StorageReader StorageWriter", _INSTEAD
)
async_save, load, save = functions(_MODULE, "async_save load save", _INSTEAD)

__all__ = ["FileSystemReader", "FileSystemWriter", "StorageReader", "StorageWriter", "async_save", "load", "save"]

missing.install(__name__)
