"""Gradients by difference quotients, where PyTorch knows its own to be wrong, as those of `as_strided_scatter`."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.testing._internal.opinfo.core import OpInfo

_STEP = 1e-6


def is_expected_to_fail(entry: OpInfo) -> bool:
    """Whether PyTorch's own tests expect the gradient of an operator to differ from its difference quotient."""
    return any(
        getattr(one, "cls_name", None) == "TestBwdGradients"
        and one.test_name == "test_fn_grad"
        and unittest.expectedFailure in one.decorators
        for one in entry.decorators
    )


def quotients(value: Callable[[], torch.Tensor], inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The slopes of a number along each element of its inputs, which stand in double precision."""
    return [_slopes(value, one.detach().reshape(-1)).reshape(one.shape) for one in inputs]


def _slopes(value: Callable[[], torch.Tensor], line: torch.Tensor) -> torch.Tensor:
    found: list[Any] = []
    for place in range(line.numel()):
        here = line[place].item()
        sides = []
        for side in (_STEP, -_STEP):
            line[place] = here + side
            sides.append(value())
        line[place] = here
        found.append((sides[0] - sides[1]) / (2 * _STEP))
    return torch.stack(found).to(line.dtype) if found else torch.zeros_like(line)
