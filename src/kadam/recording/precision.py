"""Regions in which products are computed in lower precision: what `autocast` does to the operands of a call.

The calls of such a region stand on a trail of their own, so that a call outside of it costs nothing more.

Source: the lists are PyTorch's for the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kadam.dtypes import dtype, float32, float64
from kadam.primitives.elementwise import Cast
from kadam.recording.step import state, turn
from kadam.recording.tensor import Recorded
from kadam.recording.trail import TrailNode

# Operations whose operands take the region's type, and those that compute in float32 all the same.
_LOWERED = frozenset(
    [
        "addbmm",
        "addmm",
        "baddbmm",
        "bmm",
        "mm",
        "mv",
        "dot",
        "linear",
        "prelu",
        "_batched",
        "_einsum",
        "_tensordot",
        "_attention",
        "_multi_head",
        "rnn_cell",
        "rnn_layer",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "convolution",
        "transposed_convolution",
    ]
)
_RAISED = frozenset(
    [
        "avg_pool3d",
        "_binary_cross_entropy",
        "_binary_cross_entropy_with_logits",
        "_sampled",
        "polar",
        "prod",
        "_quantile",
        "_pairs",
        "_pair_distances",
        "_cholesky",
        "cholesky_inverse",
        "cholesky_solve",
        "_cholesky_ex",
        "_inverse",
        "_pinv",
        "_unpool2d",
        "_unpool3d",
        "_adaptive_avg_pool3d",
        "_mse_loss",
        "_cosine_embedding_loss",
        "_nll_loss",
        "_hinge_embedding_loss",
        "_poisson_nll_loss",
        "_smooth_l1_loss",
        "_cross_entropy",
        "_l1_loss",
        "_huber_loss",
        "_margin_ranking_loss",
        "_soft_margin_loss",
        "_triplet_margin_loss",
        "_multi_margin_loss",
        "_ctc_losses",
        "_kl_div",
        "_multilabel_margin_loss",
        "det",
        "slogdet",
        "qr",
        "_svd",
        "_svdvals",
        "eig",
        "eigh",
        "eigvalsh",
        "_solve",
        "_lu",
        "_lu_factor",
        "_triangular_solve",
        "solve_triangular",
        "vector_norm",
        "_matrix_norm",
        "matrix_exp",
    ]
)


class Entered:
    """Marks the place on the trail where a region began or ended."""


def switch(lower: dtype | None) -> None:
    """Compute products in the type `lower` from here on; None: as the operands say."""
    if state.lower is lower:
        return
    state.lower = lower
    by_precision: dict[Any, dict[bool, TrailNode]] = state.roots_by_precision
    state.roots = by_precision.setdefault(lower, {True: TrailNode(), False: TrailNode()})
    turn((Entered, lower))


def adapted(name: str, arguments: Sequence[Any]) -> Sequence[Any]:
    """The operands that an operation's body sees in such a region."""
    if name in _LOWERED:
        return [_cast(one, state.lower) for one in arguments]
    if name in _RAISED:
        return [_cast(one, float32) for one in arguments]
    return arguments


def _cast(argument: Any, record: dtype | None) -> Any:
    if isinstance(argument, Recorded):
        kind = argument._spec.dtype
        if record is None or not kind.is_floating_point or kind in (record, float64):
            return argument
        from kadam.recording.calls import emit

        return emit(Cast(record), argument)  # type: ignore[arg-type]
    if argument.__class__ in (list, tuple) and any(isinstance(one, Recorded) for one in argument):
        return type(argument)(_cast(one, record) for one in argument)
    return argument
