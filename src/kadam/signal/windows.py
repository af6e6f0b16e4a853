"""Windows that signals are seen through. As `torch.signal.windows`.

Source: F. J. Harris, On the use of windows for harmonic analysis with the discrete Fourier transform, 1978.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import OperandError
from kadam.ops.creation import check_options, finished
from kadam.ops.require import ArgumentError
from kadam.primitives.bessel import Bessel

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


def _window(
    name: str, M: int, sym: bool, dtype: dtype | None, options: dict[str, Any], shape: Callable[[Array, int], Array]
) -> Tensor:
    """The window of a shape: a function of the places 0, 1, 2 ... and of the last place of its symmetric whole.

    Raises:
        ArgumentError: the length is negative, or the element type is no float type.
    """
    record = dtype or dtypes.default_float()
    if options.pop("layout", "torch.strided") != "torch.strided":
        raise ArgumentError(f"{name} is implemented for strided tensors only. Fix: leave layout out.")
    requires_grad = check_options(name, options)
    if M < 0:
        raise ArgumentError(f"{name} requires non-negative window length, got M={M}. Fix: M=64.")
    if record not in (dtypes.float32, dtypes.float64):
        raise ArgumentError(f"{name} expects float32 or float64 dtypes, got: {record}. Fix: dtype=torch.float32.")
    last = M - 1 if sym else M
    values = np.ones(M) if M <= 1 else shape(np.arange(float(M)), last)
    return finished(values.astype(record.numpy), requires_grad, options.get("device"))


def general_cosine(
    M: int, *, a: Iterable[float], sym: bool = True, dtype: dtype | None = None, **options: Any
) -> Tensor:
    """A sum of cosines with weights of alternating sign. As `torch.signal.windows.general_cosine`.

    Raises:
        OperandError: `a` is no sequence.
        ArgumentError: `a` is empty.
    """
    if not isinstance(a, Iterable):
        raise OperandError("Coefficients must be a list/tuple. Fix: a=[0.5, 0.5].")
    weights = list(a)
    if not weights:
        raise ArgumentError("Coefficients cannot be empty. Fix: a=[0.5, 0.5].")

    def shape(place: Array, last: int) -> Array:
        waves = [(-1) ** i * weight * np.cos(2 * math.pi * i / last * place) for i, weight in enumerate(weights)]
        return np.asarray(np.sum(waves, axis=0))

    return _window("general_cosine", M, sym, dtype, options, shape)


def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, dtype: dtype | None = None, **options: Any
) -> Tensor:
    """A cosine on a platform. As `torch.signal.windows.general_hamming`."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, dtype=dtype, **options)


def hamming(M: int, *, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The Hamming window. As `torch.signal.windows.hamming`."""
    return general_hamming(M, sym=sym, dtype=dtype, **options)


def hann(M: int, *, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The Hann window. As `torch.signal.windows.hann`."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, **options)


def blackman(M: int, *, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The Blackman window. As `torch.signal.windows.blackman`."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, **options)


def nuttall(M: int, *, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The Nuttall window of four terms. As `torch.signal.windows.nuttall`."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, dtype=dtype, **options)


def bartlett(M: int, *, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The triangle. As `torch.signal.windows.bartlett`."""
    return _window("bartlett", M, sym, dtype, options, lambda place, last: np.asarray(1 - np.abs(2 * place / last - 1)))


def cosine(M: int, *, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Half a wave. As `torch.signal.windows.cosine`."""
    return _window(
        "cosine", M, sym, dtype, options, lambda place, last: np.asarray(np.sin(math.pi * (place + 0.5) / (last + 1)))
    )


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: dtype | None = None,
    **options: Any,
) -> Tensor:
    """A window that decays from its center. As `torch.signal.windows.exponential`.

    Raises:
        ArgumentError: tau is not positive; a symmetric window has another center than its middle.
    """
    if tau <= 0:
        raise ArgumentError(f"Tau must be positive, got: {tau} instead. Fix: tau=1.0.")
    if sym and center is not None:
        raise ArgumentError("Center must be None for symmetric windows. Fix: sym=False.")

    def shape(place: Array, last: int) -> Array:
        return np.asarray(np.exp(-np.abs(place - (last / 2 if center is None else center)) / tau))

    return _window("exponential", M, sym, dtype, options, shape)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The bell curve. As `torch.signal.windows.gaussian`.

    Raises:
        ArgumentError: the standard deviation is not positive.
    """
    if std <= 0:
        raise ArgumentError(f"Standard deviation must be positive, got: {std} instead. Fix: std=1.0.")
    return _window(
        "gaussian",
        M,
        sym,
        dtype,
        options,
        lambda place, last: np.asarray(np.exp(-0.5 * ((place - last / 2) / std) ** 2)),
    )


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: dtype | None = None, **options: Any) -> Tensor:
    """The Kaiser window. As `torch.signal.windows.kaiser`.

    Raises:
        ArgumentError: beta is negative.
    """
    if beta < 0:
        raise ArgumentError(f"beta must be non-negative, got: {beta} instead. Fix: beta=12.0.")

    def shape(place: Array, last: int) -> Array:
        inside = np.sqrt(np.maximum(1 - (2 * place / last - 1) ** 2, 0))
        return np.asarray(Bessel("i0").reference(beta * inside) / Bessel("i0").reference(np.array(float(beta))))

    return _window("kaiser", M, sym, dtype, options, shape)


def _older(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A window under its older name in the `torch` namespace, where it is periodic by default."""

    def window(window_length: int, periodic: bool = True, *, dtype: dtype | None = None, **options: Any) -> Tensor:
        return function(window_length, sym=not periodic, dtype=dtype, **options)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"{function.__doc__.split('.')[0]}, periodic by default. As `torch.{name}`."  # type: ignore[union-attr]
    return window


hann_window = _older("hann_window", hann)
blackman_window = _older("blackman_window", blackman)
bartlett_window = _older("bartlett_window", bartlett)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: dtype | None = None,
    **options: Any,
) -> Tensor:
    """The Hamming window, periodic by default. As `torch.hamming_window`."""
    return general_cosine(window_length, a=[alpha, beta], sym=not periodic, dtype=dtype, **options)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: dtype | None = None, **options: Any
) -> Tensor:
    """The Kaiser window, periodic by default. As `torch.kaiser_window`."""
    return kaiser(window_length, beta=beta, sym=not periodic, dtype=dtype, **options)


__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming", "hamming", "hann",
    "kaiser", "nuttall",
]  # fmt: skip
