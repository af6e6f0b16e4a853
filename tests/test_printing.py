"""A tensor's text is PyTorch's, character for character: fixed texts, and PyTorch itself over thousands of tensors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kadam import dtypes, printing
from kadam.printing import format_tensor, get_printoptions, printoptions, set_printoptions


@pytest.fixture(autouse=True)
def _fresh_options() -> Iterator[None]:
    yield
    set_printoptions(profile="default")
    dtypes.set_default_float(dtypes.float32)


def text(values: Any, dtype: dtypes.dtype = dtypes.float32, **facts: Any) -> str:
    return format_tensor(np.asarray(values, dtype=dtype.numpy), dtype, **facts)


@pytest.mark.parametrize(
    ("values", "dtype", "facts", "expected"),
    [
        ([1.0, 2.5], dtypes.float32, {}, "tensor([1.0000, 2.5000])"),
        ([1.0, 2.0], dtypes.float32, {}, "tensor([1., 2.])"),
        (3.14159, dtypes.float32, {}, "tensor(3.1416)"),
        (7, dtypes.int64, {}, "tensor(7)"),
        ([True, False], dtypes.bool_, {}, "tensor([ True, False])"),
        ([1, -20], dtypes.int32, {}, "tensor([  1, -20], dtype=torch.int32)"),
        ([1e-5, 1.0], dtypes.float32, {}, "tensor([1.0000e-05, 1.0000e+00])"),
        ([np.nan, np.inf, -1.5], dtypes.float32, {}, "tensor([    nan,     inf, -1.5000])"),
        ([1 + 2j, -1.5 - 1j], dtypes.complex64, {}, "tensor([ 1.0000+2.j, -1.5000-1.j])"),
        ([], dtypes.float32, {}, "tensor([])"),
        (np.zeros((0, 3)), dtypes.float32, {}, "tensor([], size=(0, 3))"),
        ([], dtypes.int64, {}, "tensor([], dtype=torch.int64)"),
        (0.25, dtypes.float32, {"grad_fn": "MeanBackward0"}, "tensor(0.2500, grad_fn=<MeanBackward0>)"),
        ([0.0], dtypes.float32, {"requires_grad": True}, "tensor([0.], requires_grad=True)"),
        ([[1.0], [2.0]], dtypes.float64, {"prefix": "Mine("}, "Mine([[1.],\n      [2.]], dtype=torch.float64)"),
    ],
)
def test_known_texts(values: Any, dtype: dtypes.dtype, facts: dict[str, Any], expected: str) -> None:
    assert text(values, dtype, **facts) == expected


def test_a_large_tensor_is_summarised() -> None:
    assert text(np.arange(2000), dtypes.int64) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"
    assert text(np.arange(2000).reshape(1000, 2), dtypes.int64) == (
        "tensor([[   0,    1],\n        [   2,    3],\n        [   4,    5],\n        ...,\n"
        "        [1994, 1995],\n        [1996, 1997],\n        [1998, 1999]])"
    )


def test_only_what_is_shown_is_looked_at() -> None:
    large = np.broadcast_to(np.float32(0.5), (7, 40_000_000))
    start = time.perf_counter()
    text_of_large = format_tensor(large, dtypes.float32)
    elapsed_s = time.perf_counter() - start
    assert text_of_large.count("0.5000") == 36
    assert elapsed_s < 0.1


def test_options_are_set_kept_and_restored() -> None:
    before = get_printoptions()
    assert before == {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
    with printoptions(precision=2, sci_mode=True):
        assert text([0.125]) == "tensor([1.25e-01])"
        set_printoptions(precision=1)
        assert get_printoptions()["sci_mode"] is None, "every call sets sci_mode"
    assert get_printoptions() == before
    set_printoptions(profile="short")
    assert text([0.125]) == "tensor([0.12])"


def test_the_default_dtype_is_not_named() -> None:
    dtypes.set_default_float(dtypes.float64)
    assert text([0.5], dtypes.float64) == "tensor([0.5000])"
    assert text([0.5], dtypes.float32) == "tensor([0.5000], dtype=torch.float32)"
    assert text([0.5j], dtypes.complex128) == "tensor([0.+0.5000j])"


OPTIONS: list[dict[str, Any]] = [
    {}, {"precision": 2}, {"precision": 0}, {"precision": 10}, {"threshold": 5}, {"threshold": 20, "edgeitems": 1},
    {"threshold": 0}, {"threshold": 0, "edgeitems": 0}, {"edgeitems": 0}, {"threshold": 30, "edgeitems": 5},
    {"linewidth": 40}, {"linewidth": 5}, {"linewidth": 200}, {"profile": "short"}, {"profile": "full"},
    {"sci_mode": True}, {"sci_mode": False}, {"sci_mode": False, "precision": 8, "linewidth": 120},
]  # fmt: skip


def random_shape(rng: np.random.Generator) -> tuple[int, ...]:
    rank = int(rng.choice([0, 1, 1, 2, 2, 3, 4, 5]))
    is_large = rng.random() < 0.25
    longest = (0, 2000 if is_large else 40, 50 if is_large else 9, 12 if is_large else 5, 6, 4)[rank]
    shortest = 0 if rng.random() < 0.1 else 1
    return tuple(int(size) for size in rng.integers(shortest, longest + 1, rank))


def random_reals(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    normal = rng.standard_normal(shape)
    values = [
        lambda: normal * 10.0 ** rng.uniform(-5, 6),
        lambda: np.round(normal * 10.0 ** rng.uniform(0, 9)),
        lambda: normal * 10.0 ** rng.uniform(-6, 6, shape),
        lambda: normal * 10.0 ** rng.uniform(-320, 300),
        lambda: np.full(shape, rng.choice([1.0, -3.0, 1e-4, 1e8, 1e8 + 1, 1000.0, 0.001, 99999.99995])),
        lambda: np.zeros(shape),
    ][rng.integers(6)]()
    if rng.random() < 0.3:
        odd = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
        values = np.where(rng.random(shape) < rng.random(), odd, values)
    return np.asarray(values)


def random_array(rng: np.random.Generator, dtype: dtypes.dtype) -> np.ndarray[Any, Any]:
    shape = random_shape(rng)
    if dtype is dtypes.bool_:
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.category == dtypes.INTEGER:
        limits = np.iinfo(dtype.numpy)
        most = min(limits.max, 10 ** int(rng.integers(0, 20)))
        least = max(limits.min, -most) if rng.random() < 0.5 else 0
        return np.asarray(rng.integers(least, most, shape, dtype=dtype.numpy, endpoint=True))
    with np.errstate(all="ignore"):
        if dtype.is_complex:
            return np.asarray(random_reals(rng, shape) + 1j * random_reals(rng, shape)).astype(dtype.numpy)
        return random_reals(rng, shape).astype(dtype.numpy)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda dtype: dtype.name)
def test_identical_to_pytorch(dtype: dtypes.dtype) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(list(dtype.name.encode()))
    try:
        for _ in range(250):
            array = random_array(rng, dtype)
            stored = array.view(np.int16) if dtype is dtypes.bfloat16 else array
            tensor = (
                torch.from_numpy(np.atleast_1d(stored.copy())).view(getattr(torch, dtype.name)).reshape(array.shape)
            )
            facts: dict[str, Any] = {}
            if tensor.is_floating_point() or tensor.is_complex():
                facts = [{}, {"requires_grad": True}, {"requires_grad": True, "grad_fn": "ViewBackward0"}][
                    rng.integers(3)
                ]
                tensor.requires_grad_(bool(facts))
                tensor = tensor.view_as(tensor) if "grad_fn" in facts else tensor
            options = OPTIONS[rng.integers(len(OPTIONS))]
            torch.set_default_dtype([torch.float32, torch.float64][default := int(rng.random() < 0.1)])
            dtypes.set_default_float([dtypes.float32, dtypes.float64][default])
            with torch._tensor_str.printoptions(**options), printing.printoptions(**options):
                assert format_tensor(array, dtype, **facts) == repr(tensor), options
    finally:
        torch.set_default_dtype(torch.float32)
