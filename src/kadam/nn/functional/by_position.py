"""Functions that `torch` has beside `torch.nn.functional`: they take flags by position, and reductions as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.errors import UnsupportedError
from kadam.nn import functional as F
from kadam.nn.modules.recurrence import State, Sweep, Weights
from kadam.ops.combine import cat, stack
from kadam.ops.reduce import vector_norm
from kadam.recording.modes import no_grad
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_REDUCTIONS = (
    "none",
    "mean",
    "sum",
)  # by number; PyTorch's signatures say 1, its Python functions take 0 if none is given


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """`F.batch_norm`. As `torch.batch_norm`."""
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = False,
) -> Tensor:
    """`F.instance_norm`. As `torch.instance_norm`."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def _reduced_by_number(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    def loss(*args: Any, reduction: int | str = 0, **kwargs: Any) -> Tensor:
        named = reduction if isinstance(reduction, str) else _REDUCTIONS[reduction]
        return function(*args, reduction=named, **kwargs)

    loss.__name__ = loss.__qualname__ = name
    loss.__doc__ = f"`F.{name}`, its reduction a number: {dict(enumerate(_REDUCTIONS))}. As `torch.{name}`."
    return loss


cosine_embedding_loss = _reduced_by_number(F.cosine_embedding_loss, "cosine_embedding_loss")
hinge_embedding_loss = _reduced_by_number(F.hinge_embedding_loss, "hinge_embedding_loss")
binary_cross_entropy_with_logits = _reduced_by_number(
    F.binary_cross_entropy_with_logits, "binary_cross_entropy_with_logits"
)


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """`F.kl_div`, its reduction a number. As `torch.kl_div`."""
    return F.kl_div(input, target, reduction=_REDUCTIONS[reduction], log_target=log_target)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """`F.ctc_loss`, its reduction a number. As `torch.ctc_loss`."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _REDUCTIONS[reduction], zero_infinity)


def adaptive_max_pool1d(self: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """The maxima and where they stand. As `torch.adaptive_max_pool1d`."""
    return F.adaptive_max_pool1d(self, output_size, return_indices=True)  # type: ignore[no-any-return]


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """`F.affine_grid`. As `torch.affine_grid_generator`."""
    return F.affine_grid(theta, tuple(size), align_corners)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole channels. As `torch.feature_dropout`."""
    return F.dropout2d(input, p, train) if input.dim() > 3 else F.dropout1d(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout in place. As `torch.dropout_`."""
    return F.dropout(input, p, train, inplace=True)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`F.alpha_dropout` in place. As `torch.alpha_dropout_`."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`F.feature_alpha_dropout` in place. As `torch.feature_alpha_dropout_`."""
    return F.feature_alpha_dropout(input, p, train, inplace=True)


def embedding_renorm_(self: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale rows of a table down to a norm, in place. As `torch.embedding_renorm_`."""
    with no_grad():
        F.embedding(indices, self, max_norm=max_norm, norm_type=norm_type)
    return self


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norms over all axes but one, which keep their places. As `torch.norm_except_dim`."""
    if dim == -1:
        return vector_norm(v, pow)
    return vector_norm(v, pow, tuple(axis for axis in range(v.dim()) if axis != dim % v.dim()), True)


def conv_tbc(self: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution along the first axis, f32[time, batch, channels]. As `torch.conv_tbc`."""
    return F.conv1d(self.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


def _of_layers(
    mode: str,
    input: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, State]:
    """All layers of a recurrent network, whose weights are given one after the other."""
    ways = 1 + bidirectional
    each = len(params) // (num_layers * ways)
    output = input.transpose(0, 1) if batch_first else input
    last: list[State] = []
    for layer in range(num_layers):
        outputs = []
        for way in range(ways):
            place = layer * ways + way
            w_ih, w_hh, *rest = params[place * each : (place + 1) * each]
            b_ih, b_hh = rest[:2] if has_biases else (None, None)
            projection = rest[2:] if has_biases else rest
            weights = Weights(w_ih, w_hh, b_ih, b_hh, projection[0] if projection else None)
            start = State(hx[0][place], hx[1][place] if mode == "LSTM" else None)
            steps, end = Sweep(mode, weights, bool(way)).over(output, start)
            outputs.append(steps)
            last.append(end)
        output = outputs[0] if ways == 1 else cat(outputs, -1)
        if dropout and train and layer < num_layers - 1:
            output = F.dropout(output, dropout, True)
    cells = [state.cell for state in last if state.cell is not None]
    ended = State(stack([state.hidden for state in last]), stack(cells) if cells else None)
    return output.transpose(0, 1) if batch_first else output, ended


def lstm(input: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], *flags: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The layers of an LSTM over a batch of sequences. As `torch.lstm`.

    Args:
        input: f32[steps, batch, size].
        hx: the hidden and the cell states, f32[layers * directions, batch, size] each.
        params: w_ih, w_hh, b_ih, b_hh of each layer and direction.
        flags: has_biases, num_layers, dropout, train, bidirectional, batch_first.

    Raises:
        UnsupportedError: packed sequences: nn.LSTM takes these.
    """
    _refuse_packed("lstm", hx)
    output, state = _of_layers("LSTM", input, hx, params, *flags)
    assert state.cell is not None
    return output, state.hidden, state.cell


def _layers_of(mode: str, name: str) -> Callable[..., tuple[Tensor, Tensor]]:
    def layers(input: Tensor, hx: Tensor, params: Sequence[Tensor], *flags: Any) -> tuple[Tensor, Tensor]:
        _refuse_packed(name, params)
        output, state = _of_layers(mode, input, [hx], params, *flags)
        return output, state.hidden

    layers.__name__ = layers.__qualname__ = name
    layers.__doc__ = f"The layers of a recurrent network over a batch of sequences: see `lstm`. As `torch.{name}`."
    return layers


gru, rnn_tanh, rnn_relu = (
    _layers_of("GRU", "gru"),
    _layers_of("RNN_TANH", "rnn_tanh"),
    _layers_of("RNN_RELU", "rnn_relu"),
)


def _refuse_packed(name: str, given: Any) -> None:
    if isinstance(given, Recorded):
        raise UnsupportedError(
            f"torch.{name}: packed sequences by position. Fix: torch.nn.{name.upper()}(...)(packed)."
        )


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: the hidden and the cell state after it. As `torch.lstm_cell`."""
    return F.rnn_cell("LSTM", input, hx[0], hx[1], w_ih, w_hh, b_ih, b_hh)  # type: ignore[return-value]


def _cell_of(mode: str, name: str) -> Callable[..., Tensor]:
    def cell(
        input: Tensor,
        hx: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:
        return F.rnn_cell(mode, input, hx, None, w_ih, w_hh, b_ih, b_hh)  # type: ignore[return-value]

    cell.__name__ = cell.__qualname__ = name
    cell.__doc__ = f"One step of a recurrent network. As `torch.{name}`."
    return cell


gru_cell, rnn_tanh_cell = _cell_of("GRU", "gru_cell"), _cell_of("RNN_TANH", "rnn_tanh_cell")
rnn_relu_cell = _cell_of("RNN_RELU", "rnn_relu_cell")

__all__ = [
    "adaptive_max_pool1d", "affine_grid_generator", "alpha_dropout_", "batch_norm", "binary_cross_entropy_with_logits",
    "conv_tbc", "cosine_embedding_loss", "ctc_loss", "dropout_", "embedding_renorm_", "feature_alpha_dropout_",
    "feature_dropout", "gru", "gru_cell", "hinge_embedding_loss", "instance_norm", "kl_div", "lstm", "lstm_cell",
    "norm_except_dim", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell",
]  # fmt: skip
