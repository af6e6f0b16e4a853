"""The loss of sequences whose alignment with their labels is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kadam import dtypes
from kadam.errors import ShapeError
from kadam.ir.builder import current_builder
from kadam.ir.graph import Phase
from kadam.nn.functional.reduction import reduced
from kadam.ops.combine import cat
from kadam.ops.compare import maximum, where
from kadam.ops.pointwise import clamp_min, exp, log
from kadam.ops.promotion import cast, constant, stretched
from kadam.ops.reduce import sum
from kadam.ops.require import require_floating
from kadam.primitives.index import Gather
from kadam.primitives.move import Reshape
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.tensor import Recorded, from_array, read
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_IMPOSSIBLE = float("-inf")


def _log_of_sum(*logs: Tensor) -> Tensor:
    """In a body: log(sum(exp(x))) of several tensors, differentiable where all of them are -inf too."""
    high = logs[0]
    for one in logs[1:]:
        high = maximum(high, one)
    possible = high > _IMPOSSIBLE
    high = where(possible, high, 0.0).detach()
    total = exp(logs[0] - high)
    for one in logs[1:]:
        total = total + exp(one - high)
    return where(possible, log(where(possible, total, 1.0)) + high, _IMPOSSIBLE)


def _shifted(logs: Tensor, steps: int) -> Tensor:
    """In a body: columns moved to the right, impossible ones put in front."""
    front = constant(_IMPOSSIBLE, logs.dtype, (logs.shape[0], steps))
    return cat([front, logs[:, : logs.shape[1] - steps]], 1)


def _steps(shape: Shape, axis: int) -> Tensor:
    return symbol(current_builder().emit(Iota(shape, axis, dtypes.int64)))


def _with_blanks(labels: Tensor, blank: int) -> Tensor:
    """In a body: blank, first label, blank, second label ... blank."""
    samples, longest = labels.shape
    pairs = cat([emit(Reshape((samples, longest, 1)), labels), constant(blank, dtypes.int64, (samples, longest, 1))], 2)
    return cat([constant(blank, dtypes.int64, (samples, 1)), emit(Reshape((samples, 2 * longest)), pairs)], 1)


def _nothing(log_probs: Tensor, input_lengths: Tensor) -> Tensor:
    """In a body: 0 for each sample, whose derivative is exp(log_probs).

    PyTorch's derivative of the loss holds this term, so that it is already that of the logits behind `log_softmax`
    (which lets the term vanish: its derivative takes away the sum of what it gets).
    """
    counted = _steps(tuple(log_probs.shape), 0) < input_lengths.unsqueeze(1)
    chance = where(counted, exp(log_probs), 0.0)
    return sum(chance - chance.detach(), (0, 2))


@operation(phase=Phase.LOSS, grad="CtcLossBackward0")
def _ctc_losses(
    log_probs: Tensor, labels: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int, zero_infinity: bool
) -> Tensor:
    """Minus the log-probability of each sample's labels: the sum over all alignments, time step by time step."""
    require_floating("ctc_loss", log_probs)
    times, samples, _ = log_probs.shape
    labels = where(_steps(tuple(labels.shape), 1) < target_lengths.unsqueeze(1), labels, blank)
    states = _with_blanks(labels, blank)
    width = states.shape[1]
    scores = emit(Gather(2), log_probs, stretched(states.unsqueeze(0), (times, samples, width)))
    # A label may follow another one directly, without a blank, unless they are equal.
    before = cat([constant(blank, dtypes.int64, (samples, 2)), states[:, : width - 2]], 1)
    may_skip = (states != blank) & (states != before)
    reached = where(_steps((samples, width), 1) < 2, scores[0], _IMPOSSIBLE)
    for time in range(1, times):
        skipped = where(may_skip, _shifted(reached, 2), _IMPOSSIBLE) if width > 1 else _shifted(reached, 1)
        onwards = _log_of_sum(reached, _shifted(reached, 1), skipped) + scores[time]
        reached = where(input_lengths.unsqueeze(1) > time, onwards, reached)
    last = (target_lengths * 2).unsqueeze(1)
    ends = emit(Gather(1), reached, last), emit(Gather(1), reached, clamp_min(last - 1, 0))
    loss = -_log_of_sum(ends[0], where(last > 0, ends[1], _IMPOSSIBLE)).squeeze(1)
    loss = loss + _nothing(log_probs, input_lengths)
    return where(loss == -_IMPOSSIBLE, 0.0, loss) if zero_infinity else loss


@operation(phase=Phase.LOSS)
def _reduced_by_length(loss: Tensor, target_lengths: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        loss = loss / cast(clamp_min(target_lengths, 1), loss.dtype)
    return reduced(loss, reduction)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-probability of labels, whatever their alignment. As `torch.nn.functional.ctc_loss`.

    Shapes:
        log_probs f32[time, batch, classes], targets i64[batch, longest] or one after the other i64[sum of lengths],
        input_lengths i64[batch], target_lengths i64[batch]; or f32[time, classes], i64[longest], i64[], i64[]

    Args:
        log_probs: of the classes at each time step.
        targets: the labels of each sample.
        input_lengths: how many time steps each sample has.
        target_lengths: how many labels each sample has.
        blank: the class that stands for no label.
        reduction: `mean` (of the losses divided by the number of labels), `sum` or `none`.
        zero_infinity: whether samples with more labels than time steps count for nothing.

    Raises:
        ShapeError: the operands do not fit.

    Source: Graves et al., "Connectionist temporal classification", 2006.
    """
    batched = len(log_probs.shape) == 3
    if not batched:
        log_probs, targets = log_probs.unsqueeze(1), targets.unsqueeze(0)
    samples, classes = log_probs.shape[1], log_probs.shape[2]
    if not 0 <= blank < classes:
        raise ShapeError(
            f"blank must be in label range: {blank} is none of the {classes} classes. Fix: give a blank from 0 to "
            f"{classes - 1}."
        )
    inputs, labels = _lengths("input", input_lengths, samples), _lengths("target", target_lengths, samples)
    if read(inputs).max(initial=0) > log_probs.shape[0]:
        raise ShapeError(
            f"Expected input_lengths to have value at most {log_probs.shape[0]}, the number of time steps. Fix: give "
            f"lengths of at most {log_probs.shape[0]}, or log_probs as [time, batch, classes]."
        )
    loss = _ctc_losses(log_probs, _padded(targets, read(labels)), inputs, labels, blank, zero_infinity)
    loss = _reduced_by_length(loss, labels, reduction)
    return loss if batched or reduction != "none" else loss.squeeze(0)


def _lengths(kind: str, given: Tensor | Sequence[int], samples: int) -> Tensor:
    lengths = given.long() if isinstance(given, Recorded) else from_array(np.asarray(given, np.int64))
    lengths = lengths.reshape(-1)
    if lengths.shape[0] != samples:
        raise ShapeError(
            f"{kind}_lengths must be of size batch_size: {lengths.shape[0]} lengths, {samples} samples. Fix: give one "
            "length per sample."
        )
    return lengths


def _padded(targets: Tensor, lengths: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
    """The labels as a matrix, one row for each sample.

    Raises:
        ShapeError: there are fewer labels than the lengths say.
    """
    targets = targets.long()
    longest = int(lengths.max(initial=0))
    if len(targets.shape) == 2:
        if targets.shape[0] != len(lengths) or targets.shape[1] < longest:
            raise ShapeError(
                f"Expected targets of at least [{len(lengths)}, {longest}], got {list(targets.shape)}. Fix: pad each "
                f"row of the targets to {longest}."
            )
        return targets
    if targets.shape[0] != lengths.sum():
        raise ShapeError(
            f"Expected {lengths.sum()} targets, the sum of target_lengths, got {targets.shape[0]}. Fix: join the "
            "targets of all samples, without padding."
        )
    first = np.cumsum(lengths) - lengths
    place = np.minimum(first[:, None] + np.arange(longest), max(targets.shape[0] - 1, 0))
    return targets[from_array(place)]


__all__ = ["ctc_loss"]
