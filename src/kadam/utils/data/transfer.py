"""Transfer: what a worker sends to its loader. Tensors travel as NumPy arrays, large ones in shared memory.

Shared memory has no name (a Linux memfd whose descriptor goes through the socket), so nothing is left behind
whichever side dies. Each large array has its own, so that keeping one does not keep its whole batch. Elsewhere, and for
small arrays, the bytes go through the connection.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from kadam.errors import GradientError
from kadam.recording.tensor import from_array, read
from kadam.tensor import Tensor

_SHARES_MEMORY = hasattr(os, "memfd_create") and reduction.HAVE_SEND_HANDLE
_SHARED_FROM_BYTES = 1 << 16


@dataclass(frozen=True)
class Parcel:
    """An object ready to be sent.

    Attributes:
        content: the pickled object without its arrays' memory.
        buffers: that memory: copied bytes, or the descriptor and size of shared memory.
    """

    content: bytes
    buffers: Sequence[bytes | tuple[int, int]]


def pack(value: Any) -> Parcel:
    """Make an object ready to be sent: later changes to its arrays do not reach the parcel.

    Raises:
        GradientError: it holds a tensor that an operation made and that requires grad.
        Any error that pickling raises.
    """
    content = io.BytesIO()
    buffers: list[pickle.PickleBuffer] = []
    _Pickler(content, protocol=5, buffer_callback=buffers.append).dump(value)
    return Parcel(content.getvalue(), [_pack_memory(buffer.raw()) for buffer in buffers])


def send(connection: Connection, parcel: Parcel) -> None:
    """Send a parcel, which is used up by that.

    Raises:
        OSError: the other side is gone.
    """
    sizes = [-buffer[1] if isinstance(buffer, tuple) else len(buffer) for buffer in parcel.buffers]
    connection.send_bytes(pickle.dumps((parcel.content, sizes)))
    for buffer in parcel.buffers:
        if isinstance(buffer, tuple):
            reduction.send_handle(connection, buffer[0], None)
            os.close(buffer[0])
        else:
            connection.send_bytes(buffer)


def receive(connection: Connection) -> Any:
    """The next object sent.

    Raises:
        EOFError, OSError: the other side is gone.
    """
    content, sizes = pickle.loads(connection.recv_bytes())
    buffers = [_receive_shared(connection, -size) if size < 0 else bytearray(connection.recv_bytes()) for size in sizes]
    return pickle.loads(content, buffers=buffers)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return NotImplemented
        if value.requires_grad and not value.is_leaf:
            raise GradientError(
                "DataLoader: a worker cannot send a tensor that requires grad and was computed: its history stays "
                "in the worker.\n  Fix: detach() it in the dataset or the collate_fn."
            )
        return from_array, (read(value), value.requires_grad)


def _pack_memory(memory: memoryview) -> bytes | tuple[int, int]:
    if not _SHARES_MEMORY or memory.nbytes < _SHARED_FROM_BYTES:
        return memory.tobytes()
    descriptor = os.memfd_create("kadam-batch")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(memory)
    return descriptor, memory.nbytes


def _receive_shared(connection: Connection, size: int) -> mmap.mmap:
    descriptor = reduction.recv_handle(connection)
    try:
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)
