"""How the frequencies of a signal change over time: short-time Fourier transforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam import fft
from kadam.dtypes import FLOAT
from kadam.errors import DTypeError, ShapeError
from kadam.ops.convert import view_as_real
from kadam.ops.creation import ones
from kadam.primitives.window import Overlap, Windows
from kadam.recording.calls import emit
from kadam.recording.operation import operation
from kadam.recording.precision import listed
from kadam.recording.tensor import read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _window_of(name: str, window: Tensor | None, length: int, points: int) -> Tensor | None:
    """The window, in the middle of as many points as are transformed at a time.

    Raises:
        ShapeError: its length is not that of the windows.
    """
    from kadam.nn.functional.padding import pad

    if window is not None and tuple(window.shape) != (length,):
        raise ShapeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={length}, but got window with size "
            f"{list(window.shape)}. Fix: torch.hann_window({length})."
        )
    if length == points:
        return window
    before = (points - length) // 2
    return pad(ones(length) if window is None else window, (before, points - length - before))


def _hop(name: str, n_fft: int, hop_length: int | None, win_length: int | None) -> tuple[int, int]:
    """The step between windows, and the windows' length.

    Raises:
        ShapeError: one of them makes no sense.
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if hop <= 0:
        raise ShapeError(f"{name}: expected hop_length > 0, but got hop_length={hop}. Fix: hop_length=n_fft // 4.")
    if not 0 < length <= n_fft:
        raise ShapeError(f"{name}: expected 0 < win_length <= n_fft, but got win_length={length}. Fix: leave it out.")
    return hop, length


@operation(grad="UnfoldBackward0")
def _windows(input: Tensor, size: int, step: int) -> Tensor:
    return emit(Windows(len(input.shape) - 1, size, step), input)


@operation(grad="UnfoldBackwardBackward0")
def _overlapped(input: Tensor, step: int) -> Tensor:
    """The sum of windows in the last two axes, each laid one step behind the one before."""
    *batch, count, size = input.shape
    return emit(Overlap(len(batch), size, step, (count - 1) * step + size), input)


@listed("stft")
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The Fourier transforms of the windows of a signal. As `torch.stft`.

    Shapes: `input f32[*batch, length]` -> `c64[*batch, frequencies, windows]`

    Raises:
        DTypeError: whole numbers; a real signal without `return_complex`.
        ShapeError: the signal is no vector, or too short.
    """
    from kadam.nn.functional.padding import pad

    if return_complex is None:
        if not input.is_complex() and (window is None or not window.is_complex()):
            raise DTypeError(
                "stft requires the return_complex parameter be given for real inputs, and will further require that "
                "return_complex=True in a future PyTorch release. Fix: return_complex=True."
            )
        return_complex = True
    if input.dtype.category < FLOAT:
        raise DTypeError(
            f"stft: expected a tensor of floating point or complex values, not {input.dtype}. Fix: .float()."
        )
    if len(input.shape) not in (1, 2):
        raise ShapeError(f"stft: expected a 1D or 2D tensor, but it is {list(input.shape)}. Fix: reshape(-1, length).")
    if center and align_to_window is not None:
        raise ShapeError("stft: align_to_window should only be set when center = false. Fix: center=False.")
    hop, length = _hop("stft", n_fft, hop_length, win_length)
    signal = input if len(input.shape) == 2 else input.unsqueeze(0)
    margin = n_fft // 2 if center else (n_fft - length) // 2 if align_to_window else 0
    if margin:
        signal = pad(signal.unsqueeze(1), (margin, margin), pad_mode if center else "constant").squeeze(1)
    if not 0 < n_fft <= signal.shape[-1]:
        raise ShapeError(
            f"stft: expected 0 < n_fft <= {signal.shape[-1]}, but got n_fft={n_fft}. Fix: a longer signal, or "
            "center=True."
        )
    cut = _window_of("stft", window, length, n_fft)
    frames = _windows(signal, n_fft, hop)
    if cut is not None:
        frames = frames * cut
    half = not frames.is_complex() if onesided is None else onesided
    if half and frames.is_complex():
        raise DTypeError("stft: Cannot have onesided output if window or input is complex. Fix: onesided=False.")
    norm = "ortho" if normalized else "backward"
    found = (fft.rfft if half else fft.fft)(frames, norm=norm).transpose(-1, -2)
    found = found if len(input.shape) == 2 else found.squeeze(0)
    return found if return_complex else view_as_real(found)


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal whose `stft` comes closest to the input. As `torch.istft`.

    Raises:
        DTypeError: the input is real, or a complex signal is asked for from one half of its frequencies.
        ShapeError: the number of frequencies does not fit; the windows leave parts of the signal unseen.
    Source: Griffin and Lim, Signal estimation from modified short-time Fourier transform, 1984.
    """
    if not input.is_complex():
        raise DTypeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True. Fix: "
            "torch.view_as_complex(x)."
        )
    if len(input.shape) not in (2, 3) or input.numel() == 0:
        raise ShapeError(
            f"istft: expected a tensor with 2 or 3 dimensions and elements, but it is {list(input.shape)}. Fix: give "
            "[batch, frequencies, windows]."
        )
    hop, span = _hop("istft", n_fft, hop_length, win_length)
    frequencies = input.shape[-2]
    half = frequencies != n_fft if onesided is None else onesided
    expected = n_fft // 2 + 1 if half else n_fft
    if frequencies != expected:
        raise ShapeError(
            f"istft: expected the frequency dimension (3rd to the last) of the input tensor to match n_fft={n_fft}: "
            f"{expected} with onesided={half}, but it is {frequencies}. Fix: another n_fft."
        )
    if (return_complex and half) or (window is not None and window.is_complex() and not return_complex):
        raise DTypeError(
            "istft: Cannot have onesided input of a complex signal. Fix: onesided=False, return_complex=True."
        )
    spectra = (input if len(input.shape) == 3 else input.unsqueeze(0)).transpose(-1, -2)
    norm = "ortho" if normalized else "backward"
    frames = fft.ifft(spectra, norm=norm) if return_complex else fft.irfft(spectra, n_fft, norm=norm)
    cut = _window_of("istft", window, span, n_fft)
    cut = ones(n_fft, dtype=frames.real.dtype) if cut is None else cut
    signal = _overlapped(frames * cut, hop)
    seen = _overlapped((cut * cut).expand(frames.shape[-2], n_fft), hop)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else signal.shape[-1] - (n_fft // 2 if center else 0)
    kept = slice(start, min(end, signal.shape[-1]))
    seen = seen[kept]
    if (abs(read(seen.detach())) < 1e-11).any():
        raise ShapeError("istft: window overlap add min: 1, the windows leave parts unseen. Fix: a smaller hop_length.")
    found = signal[:, kept] / seen
    if end > signal.shape[-1]:
        from kadam.nn.functional.padding import pad

        found = pad(found, (0, end - signal.shape[-1]))
    return found if len(input.shape) == 3 else found.squeeze(0)
