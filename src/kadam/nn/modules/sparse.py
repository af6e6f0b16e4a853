"""Tables of vectors that are looked up by index."""

from __future__ import annotations

from typing import Any, Self

from kadam.dtypes import dtype
from kadam.errors import AssertedError
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.module import Module, listed, settings
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty
from kadam.recording.modes import no_grad
from kadam.tensor import Tensor


class _Table(Module):
    """What `Embedding` and `EmbeddingBag` have in common: the table and its options."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    sparse: bool
    weight: Tensor

    def _set_up(self, weight: Tensor | None, trained: bool, **factory: Any) -> None:
        shape = (self.num_embeddings, self.embedding_dim)
        if self.padding_idx is not None:
            if not -self.num_embeddings <= self.padding_idx < self.num_embeddings:
                raise AssertedError(
                    f"{type(self).__name__}: Padding_idx must be within num_embeddings, but it is {self.padding_idx} "
                    f"of {self.num_embeddings}. Fix: padding_idx from "
                    f"{-self.num_embeddings} to {self.num_embeddings - 1}."
                )
            self.padding_idx %= self.num_embeddings
        if weight is None:
            self.weight = Parameter(empty(shape, **factory), requires_grad=trained)
            self.reset_parameters()
        elif tuple(weight.shape) != shape:
            raise AssertedError(
                f"{type(self).__name__}: Shape of weight does not match num_embeddings and embedding_dim: "
                f"{list(weight.shape)} is not {list(shape)}. Fix: "
                f"{type(self).__name__}.from_pretrained(weight)."
            )
        else:
            self.weight = Parameter(weight, requires_grad=trained)

    def reset_parameters(self) -> None:
        """Draw the table anew from N(0, 1); the padding row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _scaling(self) -> str:
        return listed(
            self.max_norm is not None and settings(self, "max_norm"),
            self.norm_type != 2 and settings(self, "norm_type"),
            self.scale_grad_by_freq and settings(self, "scale_grad_by_freq"),
        )


class Embedding(_Table):
    """A row of a table for each index: i64[...] -> f32[..., embedding_dim].

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        padding_idx: a row that is 0 at first and gets no gradient.
        max_norm: rows that are looked up are scaled down to this norm, in place.
        norm_type: which norm.
        scale_grad_by_freq: whether gradients are divided by how often a row occurs in the batch.
        sparse: whether the table's gradient is a sparse tensor, with values for the rows of the batch alone.
        device: the CPU.
        dtype: of the table.

    Raises:
        ValueError: `padding_idx` is no row.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._set_up(_weight, not _freeze, device=device, dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        return listed(
            f"{self.num_embeddings}, {self.embedding_dim}",
            self.padding_idx is not None and settings(self, "padding_idx"),
            self._scaling(),
            self.sparse and "sparse=True",
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """An embedding on a given table f32[num_embeddings, embedding_dim].

        Args:
            embeddings: the table.
            freeze: whether it is not trained.
            padding_idx: as in the constructor, and the other arguments too.
            max_norm: as in the constructor.
            norm_type: as in the constructor.
            scale_grad_by_freq: as in the constructor.
            sparse: as in the constructor.
        """
        rows, columns = _sizes(embeddings)
        return cls(
            rows,
            columns,
            _weight=embeddings,
            _freeze=freeze,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the rows of each bag of indices.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the size of a row.
        max_norm: rows that are looked up are scaled down to this norm, in place.
        norm_type: which norm.
        scale_grad_by_freq: whether gradients are divided by how often a row occurs in the batch.
        mode: `sum`, `mean` or `max`.
        sparse: whether the table's gradient is a sparse tensor, with values for the rows of the batch alone.
        include_last_offset: whether the offsets end with the number of indices.
        padding_idx: a row that counts for nothing.
        device: the CPU.
        dtype: of the table.

    Raises:
        ValueError: `padding_idx` is no row.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.padding_idx = padding_idx
        self._set_up(_weight, True, device=device, dtype=dtype)

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        """Reduce each bag.

        Args:
            input: i64[bags, size], or i64[indices] of all bags in a row.
            offsets: where each bag begins, when `input` has one axis.
            per_sample_weights: of each index, for sums.
        """
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        return listed(
            f"{self.num_embeddings}, {self.embedding_dim}",
            self._scaling(),
            settings(self, "mode"),
            self.padding_idx is not None and settings(self, "padding_idx"),
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """A bag on a given table f32[num_embeddings, embedding_dim].

        Args:
            embeddings: the table.
            freeze: whether it is not trained.
            max_norm: as in the constructor, and the other arguments too.
            norm_type: as in the constructor.
            scale_grad_by_freq: as in the constructor.
            mode: as in the constructor.
            sparse: as in the constructor.
            include_last_offset: as in the constructor.
            padding_idx: as in the constructor.
        """
        rows, columns = _sizes(embeddings)
        bag = cls(
            rows,
            columns,
            _weight=embeddings,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
        bag.weight.requires_grad = not freeze
        return bag


def _sizes(table: Tensor) -> tuple[int, int]:
    if table.dim() != 2:
        raise AssertedError(
            f"from_pretrained: Embeddings parameter is expected to be 2-dimensional, but it is {table.dim()}-D. Fix: "
            "give a matrix "
            "[rows, features]."
        )
    return table.shape[0], table.shape[1]
