"""Gradient checkpointing, as `torch.utils.checkpoint`: the function is called again in the backward pass.

PyTorch does this so that intermediate values need not be kept. Kadam records whole steps and keeps what their
derivatives read, so it computes them once: nothing reads what the second call gives, and what nothing reads is not
computed. The call is made for what it leaves behind: running statistics move twice, hooks and prints come twice.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from kadam.autograd import no_grad
from kadam.func.tree import tensors
from kadam.recording import precision
from kadam.recording.generator import default_generator
from kadam.recording.hooks import register_hook
from kadam.recording.modes import grad_mode, is_grad_enabled
from kadam.recording.step import state
from kadam.recording.tensor import Recorded
from kadam.recording.view import up_to_date


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
    """The value of `function`, which is called again when a backward pass comes by. As PyTorch's.

    With `use_reentrant` gradients flow only if an argument requires grad, as in PyTorch.
    """
    if use_reentrant and is_grad_enabled() and not any(_requires_grad(one) for one in args):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)
        with no_grad():
            return function(*args, **kwargs)
    again = _Again(lambda: function(*args, **kwargs), preserve_rng_state) if is_grad_enabled() else None
    result = function(*args, **kwargs)
    if again is not None:
        again.follow(tensors(result), tensors((args, kwargs)))
    return result


class _Again:
    """A call that is made again, as it was made first: with the same random numbers and the same precision."""

    def __init__(self, call: Callable[[], Any], same_draws: bool) -> None:
        self.call = call
        self.draws = default_generator.state_bytes() if same_draws else None
        self.lower = state.lower
        self.arrived: set[int] = set()  # the results that the present backward pass has come by

    def follow(self, results: Sequence[Any], arguments: Sequence[Any]) -> None:
        """Make the call again in each backward pass that comes by a result of the first one."""
        given = set(map(id, arguments))
        for index, one in enumerate(results):
            if id(one) not in given and not up_to_date(one)._spec.is_leaf:
                register_hook(one, self._arrival(index))

    def _arrival(self, index: int) -> Callable[[Any], None]:
        def arrive(ct: Any) -> None:
            if not self.arrived or index in self.arrived:  # another pass has begun
                self.arrived.clear()
                self._run()
            self.arrived.add(index)

        return arrive

    def _run(self) -> None:
        lower, draws = state.lower, default_generator.state_bytes()
        precision.switch(self.lower)
        if self.draws is not None:
            default_generator.set_state_bytes(self.draws)
        try:
            with grad_mode(True):
                self.call()
        finally:
            precision.switch(lower)
            if self.draws is not None:
                default_generator.set_state_bytes(draws)


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Recorded) and value._spec.requires_grad


def checkpoint_sequential(
    functions: Sequence[Callable[..., Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """The functions one after the other, in checkpointed segments but for the last. As PyTorch's."""
    chain = list(functions)
    length = len(chain) // segments
    for start in range(0, length * (segments - 1), length):
        segment = _chained(chain[start : start + length])
        input = checkpoint(segment, input, use_reentrant=use_reentrant, **kwargs)
    return _chained(chain[length * (segments - 1) :])(input)


def _chained(functions: Sequence[Callable[..., Any]]) -> Callable[[Any], Any]:
    def run(input: Any) -> Any:
        for function in functions:
            input = function(input)
        return input

    return run


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The accelerators that tensors are on, and the state of each one's generator: there are none."""
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Any], *, device_type: str | None = None) -> None:
    """Nothing, for no accelerator has a generator whose state `get_device_states` could have given."""


__all__ = ["checkpoint", "checkpoint_sequential", "get_device_states", "set_device_states"]
