"""Regions in which products are computed in lower precision: what `autocast` does to the operands of a call.

The calls of such a region stand on a trail of their own, so that a call outside of it costs nothing more.

Source: the lists are PyTorch's for the CPU, and so are the names, but for those that begin with an underscore: the
operations of Kadam in which PyTorch's functions of like names end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from kadam import dtypes
from kadam.dtypes import dtype, float32, float64
from kadam.primitives.elementwise import Cast
from kadam.recording.step import enter_region, state
from kadam.recording.tensor import Recorded

Function = TypeVar("Function", bound=Callable[..., Any])

# What takes operands of the region's type.
_LOWERED = """
    addbmm addmm baddbmm bmm linalg_vecdot linear matmul mkldnn_rnn_layer mm prelu _attention _batched _contracted
    _multi_head conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution
    transposed_convolution
"""
# What computes in float32 all the same.
_SINGLE = """
    adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d cdist fractional_max_pool2d fractional_max_pool3d
    reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d replication_pad3d
    _max_pool3d _sampled _unpool1d _unpool2d _unpool3d
    fft_fft fft_fft2 fft_fftn fft_hfft fft_ifft fft_ifft2 fft_ifftn fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft
    fft_rfft2 fft_rfftn stft view_as_complex
    nanquantile polar prod quantile trace
    cholesky_inverse cholesky_solve eig eigh eigvalsh geqrf householder_product linalg_cond linalg_inv linalg_inv_ex
    linalg_lstsq linalg_matrix_rank linalg_solve linalg_tensorinv linalg_tensorsolve lu_solve ormqr pinverse qr
    triangular_solve _lu_with_info _cholesky _cholesky_ex _svd _svdvals
    _binary_cross_entropy _binary_cross_entropy_with_logits _cosine_embedding_loss _cross_entropy _ctc_losses
    _hinge_embedding_loss _huber_loss _kl_div _l1_loss _margin_ranking_loss _mse_loss _multi_margin_loss
    _multilabel_margin_loss _nll_loss _poisson_nll_loss _smooth_l1_loss _soft_margin_loss _triplet_margin_loss
"""
# What takes operands of the widest type among them.
_WIDEST = "cat index_copy stack"
# What computes as its operands say, and so does what it is made of.
_AS_GIVEN = "linalg_lu_solve _segment_reduce"


class Entered:
    """Marks the place on the trail where a region began or ended."""


def switch(lower: dtype | None) -> None:
    """Compute products in the type `lower` from here on; None: as the operands say."""
    if state.lower is lower:
        return
    state.lower = lower
    enter_region((Entered, lower))


def _lowest(operands: Any) -> dtype | None:
    lower: dtype | None = state.lower
    return lower


def _single(operands: Any) -> dtype | None:
    return float32


def _widest(operands: Any) -> dtype | None:
    kinds = [one._spec.dtype for one in _tensors(operands) if one._spec.dtype.is_floating_point]
    wide = kinds[0] if kinds else None
    for kind in kinds[1:]:
        wide = dtypes.promote(wide, kind)  # type: ignore[arg-type]
    return wide


def _as_given(operands: Any) -> dtype | None:
    return None


_LISTS = {_lowest: _LOWERED, _single: _SINGLE, _widest: _WIDEST, _as_given: _AS_GIVEN}
POLICIES = {name: policy for policy, names in _LISTS.items() for name in names.split()}


def adapted(name: str, operands: Any) -> Any:
    """In a body: the operands (a sequence or a dict) that an operation sees in such a region."""
    if state.lower is None or name not in POLICIES:
        return operands
    return _each(operands, POLICIES[name](operands), _emitted)


@contextmanager
def outside() -> Iterator[None]:
    """In a body: what a listed operation is made of computes as its operands say."""
    lower, state.lower = state.lower, None
    try:
        yield
    finally:
        state.lower = lower


def listed(name: str) -> Callable[[Function], Function]:
    """Decorates a function that is no operation, and stands in the lists by this name of PyTorch's.

    Its operands are converted before it looks at them.
    """
    policy = POLICIES[name]

    def decorate(function: Function) -> Function:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            lower = state.lower
            if lower is None:
                return function(*args, **kwargs)
            record = policy([*args, *kwargs.values()])
            switch(None)
            try:
                return function(*_each(args, record, _converted), **_each(kwargs, record, _converted))
            finally:
                switch(lower)

        return called  # type: ignore[return-value]

    return decorate


def lowered(operands: Any) -> Any:
    """Operands as a product in such a region takes them."""
    return _each(operands, state.lower, _converted)


def _tensors(value: Any) -> Iterator[Recorded]:
    if isinstance(value, Recorded):
        yield value
    elif value.__class__ in (list, tuple):
        for one in value:
            yield from _tensors(one)


def _each(value: Any, record: dtype | None, cast: Callable[[Any, dtype], Any]) -> Any:
    """A value with its tensors of real numbers cast; float64 stays."""
    if record is None:
        return value
    if isinstance(value, Recorded):
        kind = value._spec.dtype
        kept = not kind.is_floating_point or kind in (record, float64)
        return value if kept else cast(value, record)
    if value.__class__ is dict:
        return {key: _each(one, record, cast) for key, one in value.items()}
    if value.__class__ in (list, tuple):
        return value.__class__(_each(one, record, cast) for one in value)
    return value


def _emitted(tensor: Any, record: dtype) -> Any:
    from kadam.recording.calls import emit

    return emit(Cast(record), tensor)


def _converted(tensor: Any, record: dtype) -> Any:
    return tensor.to(record)


__all__ = ["POLICIES", "Entered", "adapted", "listed", "lowered", "outside", "switch"]
