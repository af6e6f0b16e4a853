"""Hooks on tensors: the user's code in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kadam.errors import GradientError
from kadam.recording import accumulation
from kadam.recording.backward_pass import Stop
from kadam.recording.history import History
from kadam.recording.step import Recording
from kadam.recording.tensor import Recorded
from kadam.recording.view import up_to_date
from kadam.recording.way import locate


class Handle:
    """Takes a hook back, as `torch.utils.hooks.RemovableHandle`."""

    _next = 0

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.id = Handle._next
        Handle._next += 1
        self.hooks = hooks

    def remove(self) -> None:
        """Take the hook back."""
        self.hooks.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def _stop_at(tensor: Recorded) -> tuple[Stop, int] | None:
    """The stop of a non-leaf, made if there is none, and its place; None for a leaf."""
    found = locate(tensor)
    if found is None:
        return None
    owner, place = found
    return _stop_of(owner, place), place


def _stop_of(owner: Recording | History, place: int) -> Stop:
    stop = owner.stops.get(place)
    if stop is None:
        stop = Stop([place])
        owner.halt(place, stop)
    return stop


def _check(tensor: Recorded) -> None:
    if not up_to_date(tensor)._spec.requires_grad:
        raise GradientError(
            "register_hook: cannot register a hook on a tensor that doesn't require gradient. Fix: x.requires_grad_() "
            "before it is used."
        )


def register_hook(tensor: Recorded, hook: Callable[[Any], Any]) -> Handle:
    """Call `hook` with the gradient of `tensor` in each backward pass; what it returns (if not None) goes on instead.

    Raises:
        GradientError: the tensor does not require grad.
    """
    _check(tensor)
    found = _stop_at(tensor)
    if found is None:
        if tensor._hooks is None:
            tensor._hooks = {}
        hooks = tensor._hooks
    else:
        stop, place = found
        hooks = stop.hooks.setdefault(place, {})
    handle = Handle(hooks)
    hooks[handle.id] = hook
    return handle


def register_after_hook(tensor: Recorded, hook: Callable[[Any], None]) -> Handle:
    """Call `hook` with the leaf `tensor` after each accumulation into its `.grad`.

    Raises:
        GradientError: the tensor is no leaf or does not require grad.
    """
    _check(tensor)
    if tensor._spec.grad_name is not None:
        raise GradientError(
            "post accumulate grad hooks cannot be registered on non-leaf tensors. Fix: register_hook on a computed "
            "tensor."
        )
    if tensor._after_hooks is None:
        tensor._after_hooks = {}
    handle = Handle(tensor._after_hooks)
    tensor._after_hooks[handle.id] = hook
    return handle


class Group:
    """A function of the gradients of several tensors.

    With `any` it is called with the first gradient of each backward pass that arrives at one of them, otherwise at the
    end of the pass with all of them: None for a tensor that the pass did not reach.
    """

    def __init__(self, tensors: Sequence[Recorded], function: Callable[[Any], None], any: bool) -> None:
        self.function, self.any = function, any
        self.found: list[Any] | None = None  # of the pass that is under way
        self.handles = [register_hook(one, self._arrival(index)) for index, one in enumerate(tensors)]

    def _arrival(self, index: int) -> Callable[[Any], None]:
        def arrive(ct: Any) -> None:
            if self.found is None:
                self.found = [None] * len(self.handles)
                accumulation.after_pass.append(self._end)
                if self.any:
                    self.function(ct)
            self.found[index] = ct

        return arrive

    def _end(self) -> None:
        found, self.found = self.found, None
        if not self.any:
            self.function(found)

    def remove(self) -> None:
        """Take the function back."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def hook_place(owner: Recording | History, position: int, hook: Callable[[Any], Any]) -> Handle:
    """Call `hook` with the cotangent of what stands at a position of a recording, which may be over by now."""
    if isinstance(owner, Recording) and owner.closed:
        owner = owner.left() or owner
    place = position if isinstance(owner, Recording) else owner.current_path().at(position).id
    hooks = _stop_of(owner, place).hooks.setdefault(place, {})
    handle = Handle(hooks)
    hooks[handle.id] = hook
    return handle


def retain_grad(tensor: Recorded) -> None:
    """Keep the gradient of a non-leaf in its `.grad`.

    Raises:
        GradientError: the tensor does not require grad.
    """
    if not up_to_date(tensor)._spec.requires_grad:
        raise GradientError(
            "can't retain_grad on Tensor that has requires_grad=False. Fix: x.requires_grad_() before it is used."
        )
    found = _stop_at(tensor)
    if found is not None:
        stop, place = found
        stop.keeper[place] = tensor
        tensor._retains = True
