"""Gradient checkpointing, as `torch.utils.checkpoint`: here a part of the program like any other.

In PyTorch a checkpointed part is run again in the backward pass, so that its intermediate values need not be kept. The
results and the gradients are those of running it once, with the same random numbers. Kadam records whole steps and
keeps what their derivatives read: it runs the part once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from kadam.autograd import no_grad
from kadam.recording.modes import is_grad_enabled
from kadam.recording.tensor import Recorded


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """The value of `function`. As `torch.utils.checkpoint.checkpoint`, but nothing is computed twice.

    With `use_reentrant` gradients flow only if an argument requires grad, as in PyTorch.
    """
    if use_reentrant and is_grad_enabled() and not any(_requires_grad(one) for one in args):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        with no_grad():
            return function(*args, **kwargs)
    return function(*args, **kwargs)


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Recorded) and value._spec.requires_grad


def checkpoint_sequential(
    functions: Sequence[Callable[..., Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """The functions one after the other. As `torch.utils.checkpoint.checkpoint_sequential`."""
    for function in functions:
        input = function(input)
    return input


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The accelerators that tensors are on, and the state of each one's generator: there are none."""
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Any], *, device_type: str | None = None) -> None:
    """Nothing, for no accelerator has a generator whose state `get_device_states` could have given."""


__all__ = ["checkpoint", "checkpoint_sequential", "get_device_states", "set_device_states"]
