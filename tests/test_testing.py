"""`torch.testing.assert_close`: what passes, and what is said of what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam

NAN = float("nan")
CASES: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "one of two": lambda t: (t.tensor([1.0, 2.0]), t.tensor([1.0, 2.1])),
    "shapes": lambda t: (t.ones(2), t.ones(3)),
    "types": lambda t: (t.ones(2), t.ones(2).double()),
    "types unchecked": lambda t: (t.tensor([1.0, 5.0]), t.tensor([1.0, 5.0]).half(), {"check_dtype": False}),
    "tensor and number": lambda t: (t.tensor(1.0), 1.0),
    "lists": lambda t: ([1, 2.0], [1, 2.5]),
    "lengths": lambda t: ([1], [1, 2]),
    "keys": lambda t: ({"a": 1}, {"b": 1}),
    "a nest": lambda t: ((t.ones(1), {"x": [t.tensor([2.0])]}), (t.ones(1), {"x": [t.tensor([3.0])]})),
    "nan": lambda t: (t.tensor([NAN]), t.tensor([NAN])),
    "equal nan": lambda t: (t.tensor([NAN]), t.tensor([NAN]), {"equal_nan": True}),
    "integers": lambda t: (t.tensor([[1, 2], [3, 4]]), t.tensor([[1, 2], [3, 5]])),
    "integer": lambda t: (t.tensor(3), t.tensor(4)),
    "truth": lambda t: (t.tensor([True, False]), t.tensor([True, True])),
    "complex": lambda t: (t.tensor([1 + 1j]), t.tensor([1 + 2j])),
    "numbers": lambda t: (1.0, 1.1, {"rtol": 0, "atol": 0.01}),
    "kinds of number": lambda t: (1, 1.0),
    "booleans": lambda t: (True, False),
    "none": lambda t: (None, 1),
    "words": lambda t: ("a", "a"),
    "a message": lambda t: (t.ones(2), t.zeros(2), {"msg": "they differ"}),
    "a message of one": lambda t: (t.ones(2), t.zeros(2), {"msg": lambda said: "Here: " + said}),
    "one tolerance": lambda t: (t.ones(2), t.zeros(2), {"rtol": 1.0}),
    "beside zero": lambda t: (t.tensor([1.0, 5.0]), t.tensor([1.0, 0.0]), {"rtol": 1e-3, "atol": 0}),
    "strides": lambda t: (t.zeros(2, 3), t.zeros(3, 2).t(), {"check_stride": True}),
    "half": lambda t: (t.tensor([1.0], dtype=t.bfloat16), t.tensor([1.01], dtype=t.bfloat16)),
    "empty": lambda t: (t.zeros(0), t.zeros(0)),
    "infinite": lambda t: (t.tensor([float("inf"), 1.0]), t.tensor([-float("inf"), 1.0])),
    "arrays": lambda t: (np.ones(2), np.ones(2) * 2),
    "a parameter": lambda t: (t.nn.Parameter(t.ones(1)), t.ones(1)),
}


def _outcome(torch: Any, name: str) -> tuple[Any, str]:
    actual, expected, *options = CASES[name](torch)
    try:
        torch.testing.assert_close(actual, expected, **(options[0] if options else {}))
    except (AssertionError, TypeError, ValueError) as error:
        kind = next(one for one in (AssertionError, TypeError, ValueError) if isinstance(error, one))
        return kind, str(error).removeprefix("assert_close: ").partition("\n  ")[0].partition(" Fix:")[0]
    return None, ""


@pytest.mark.parametrize("name", CASES)
def test_says_what_pytorch_says(name: str) -> None:
    torch = pytest.importorskip("torch")
    (kind, said), (own_kind, own) = _outcome(torch, name), _outcome(kadam, name)
    assert own_kind is kind
    assert own.rstrip(".") == said.replace("<class 'torch.Tensor'>", str(kadam.Tensor)).rstrip(".")
