"""Fourier transforms, their norms, sizes, axes and derivatives, against PyTorch; and against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kadam
from against_torch import compare

RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((3, 4, 5))
NORMS = [None, "forward", "backward", "ortho"]


def parts(result: Any) -> Any:
    """The two parts of a complex result, which have derivatives of their own."""
    return (result.real, result.imag * 1) if result.is_complex() else result


def test_definition() -> None:
    x = RNG.standard_normal(6)
    n = np.arange(6)
    expected = (x * np.exp(-2j * np.pi * n * n[:, None] / 6)).sum(-1)
    np.testing.assert_allclose(kadam.fft.fft(kadam.tensor(x)).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(kadam.fft.rfft(kadam.tensor(x)).numpy(), expected[:4], atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "ihfft", "irfft", "hfft"])
def test_along_one_axis(name: str, norm: str | None) -> None:
    for n in (None, 3, 7):
        compare(lambda m, x, n=n: parts(getattr(m.fft, name)(x, n, 1, norm)), REAL, order=2)


@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "ihfftn", "irfftn", "hfftn", "fft2", "irfft2", "hfft2"])
def test_along_several_axes(name: str) -> None:
    compare(lambda m, x: parts(getattr(m.fft, name)(x, norm="ortho")), REAL)
    compare(lambda m, x: parts(getattr(m.fft, name)(x, (3, 6), (0, 2))), REAL)
    compare(lambda m, x: parts(getattr(m.fft, name)(x, (-1, 6), (2, 1))), REAL)


@pytest.mark.parametrize("name", ["fft", "ifft", "irfft"])
def test_of_complex_numbers(name: str) -> None:
    compare(lambda m, a, b: parts(getattr(m.fft, name)(m.complex(a, b))), REAL, REAL[::-1].copy())


def test_inverses() -> None:
    x = kadam.tensor(REAL)
    for there, back in (("fft", "ifft"), ("rfft", "irfft"), ("ihfft", "hfft")):
        again = getattr(kadam.fft, back)(getattr(kadam.fft, there)(x), 5)
        np.testing.assert_allclose(again.real.numpy() if again.is_complex() else again.numpy(), REAL, atol=1e-12)


def test_frequencies_and_shifts() -> None:
    np.testing.assert_allclose(kadam.fft.fftfreq(5, 0.5).numpy(), np.fft.fftfreq(5, 0.5), atol=1e-7)
    np.testing.assert_allclose(kadam.fft.rfftfreq(6).numpy(), np.fft.rfftfreq(6), atol=1e-7)
    for ours, theirs in ((kadam.fft.fftshift, np.fft.fftshift), (kadam.fft.ifftshift, np.fft.ifftshift)):
        np.testing.assert_array_equal(ours(kadam.tensor(REAL)).numpy(), theirs(REAL))
        np.testing.assert_array_equal(ours(kadam.tensor(REAL), 1).numpy(), theirs(REAL, 1))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: kadam.fft.fft(x, 0), RuntimeError, "Invalid number of data points"),
        (lambda x: kadam.fft.fft(x, norm="none"), RuntimeError, "Invalid normalization mode"),
        (lambda x: kadam.fft.rfft(x.cfloat()), RuntimeError, "expects a real input"),
        (lambda x: kadam.fft.fft(x.half()), RuntimeError, "Unsupported dtype"),
        (lambda x: kadam.fft.fft(x, dim=5), IndexError, "out of range"),
        (lambda x: kadam.fft.fftn(x, dim=(0, 0)), RuntimeError, "must be unique"),
        (lambda x: kadam.fft.fftn(x, (2,), (0, 1)), RuntimeError, "same length"),
        (lambda x: kadam.fft.rfftn(x, dim=()), RuntimeError, "at least one axis"),
    ],
)
def test_what_has_no_transform_says_so(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(kadam.tensor(REAL))


@pytest.mark.parametrize("options", [{}, {"win_length": 8}, {"center": False}, {"normalized": True}, {"hop_length": 5}])
def test_short_time_transform(options: dict[str, Any]) -> None:
    signal = RNG.standard_normal((2, 60))
    compare(lambda m, x: parts(m.stft(x, 16, return_complex=True, **options)), signal)


def test_short_time_transform_and_back() -> None:
    signal = RNG.standard_normal((2, 60))

    def there_and_back(m: Any, x: Any) -> Any:
        window = m.hann_window(16, dtype=m.float64)
        return m.istft(m.stft(x, 16, window=window, return_complex=True), 16, window=window, length=60)

    compare(there_and_back, signal)
    np.testing.assert_allclose(there_and_back(kadam, kadam.tensor(signal)).numpy(), signal, atol=1e-12)


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hann", {}), ("hamming", {}), ("bartlett", {}), ("blackman", {}), ("cosine", {}), ("nuttall", {}),
        ("exponential", {"tau": 2.0}), ("gaussian", {"std": 1.5}), ("kaiser", {"beta": 5.0}),
        ("general_cosine", {"a": [0.5, 0.3, 0.2]}), ("general_hamming", {"alpha": 0.6}),
    ],
)  # fmt: skip
def test_windows(name: str, options: dict[str, Any], sym: bool) -> None:
    for size in (0, 1, 2, 7, 8):
        compare(lambda m, n=size: getattr(m.signal.windows, name)(n, sym=sym, dtype=m.float64, **options))
