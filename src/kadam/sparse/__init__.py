"""Sparse tensors in coordinates and in compressed rows. As `torch.sparse`."""

from kadam import dtypes, missing
from kadam.dtypes import dtype
from kadam.sparse import calls as calls  # dense functions, which ask it
from kadam.sparse.creation import sparse_coo_tensor, sparse_csr_tensor, spdiags, to_sparse, to_sparse_csr
from kadam.sparse.products import addmm, mm, sampled_addmm, softmax, sum
from kadam.sparse.tensor import SparseTensor

spmm = smm = mm


def _legacy(record: dtype) -> object:
    """A constructor of PyTorch's first years."""

    def construct(indices: object, values: object, size: tuple[int, ...] | None = None) -> SparseTensor:
        return sparse_coo_tensor(indices, values, size, dtype=record)

    return construct


FloatTensor, DoubleTensor = _legacy(dtypes.float32), _legacy(dtypes.float64)

__all__ = [
    "DoubleTensor", "FloatTensor", "SparseTensor", "addmm", "mm", "sampled_addmm", "softmax", "sparse_coo_tensor",
    "sparse_csr_tensor", "spdiags", "spmm", "sum", "to_sparse", "to_sparse_csr",
]  # fmt: skip
missing.install(__name__)
