"""How elements are kept, and in which order: PyTorch's names for it, which compare as what they are called."""

from __future__ import annotations


class layout(str):  # noqa: N801  (PyTorch's name)
    """Whether all elements are kept, or only some. As `torch.layout`."""

    __slots__ = ()
    __repr__ = str.__str__


class memory_format(str):  # noqa: N801  (PyTorch's name)
    """The order of axes in memory. As `torch.memory_format`; what Kadam computes is in the contiguous one."""

    __slots__ = ()
    __repr__ = str.__str__


strided, sparse_coo, sparse_csr = layout("torch.strided"), layout("torch.sparse_coo"), layout("torch.sparse_csr")
contiguous_format, preserve_format = memory_format("torch.contiguous_format"), memory_format("torch.preserve_format")
channels_last, channels_last_3d = memory_format("torch.channels_last"), memory_format("torch.channels_last_3d")
