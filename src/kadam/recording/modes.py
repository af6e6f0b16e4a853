"""Whether gradients are recorded: `no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from kadam.errors import OperandError
from kadam.recording.place import passing_on
from kadam.recording.step import enter_region, state, turn

Function = TypeVar("Function", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """PyTorch's grad mode: whether operations record gradients now, were it not for inference mode."""
    return _thread.grad if state.inference else state.grad


def _switch(grad: bool) -> bool:
    """Set the grad mode: a move along the trail, as the same calls mean something else from here on.

    Returns:
        The one before.
    """
    own = vars(state)  # looked up once: attributes of a `threading.local` take their time
    if own["inference"]:
        before, _thread.grad = _thread.grad, grad
        return before
    before = own["grad"]
    if before is not grad:
        own["grad"] = grad
        rec = own["rec"]
        earlier = None if rec is None or rec.closed or rec.here.info is not _Move else rec.here.parent
        if earlier is not None and len(rec.created) == earlier.created:
            rec.here = earlier  # nothing was called since the mode was entered
        else:
            turn(_Move)
    return before


def _infer(inference: bool, grad: bool) -> None:
    """Set inference mode and the grad mode. A region of calls of its own: what they return is otherwise the same."""
    if inference and not state.inference:
        _switch(False)
    if state.inference is not inference:
        state.inference = inference
        enter_region((_infer, inference))
    _switch(grad)


class _Thread(threading.local):
    grad = True
    keeps_graphs = False


_thread = _Thread()


@contextmanager
def keeping_graphs(keep: bool) -> Iterator[None]:
    """Whether sweeps inside leave what they sweep: the same function is to be called on another example."""
    before = _thread.keeps_graphs
    _thread.keeps_graphs = before or keep
    try:
        yield
    finally:
        _thread.keeps_graphs = before


def keeps_graphs() -> bool:
    """Whether graphs are kept, although a sweep does not ask for it."""
    return _thread.keeps_graphs


class _Move:
    """Key of a change of mode on the trail."""


class _Mode:
    """A context manager that is also a decorator, as PyTorch's."""

    grad = True

    def __init__(self) -> None:
        self.outer: list[bool] = []

    def __enter__(self) -> None:
        self.outer.append(_switch(self.grad))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _switch(self.outer.pop())

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function):
            return _wrapped_generator(function, self.clone)  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        passing_on.add(wrapped.__code__)  # type: ignore[attr-defined]
        return wrapped  # type: ignore[return-value]

    def clone(self) -> _Mode:
        return type(self)()


def _wrapped_generator(function: Callable[..., Any], mode: Callable[[], _Mode]) -> Callable[..., Any]:
    """A generator whose own steps run in the mode, and its caller's do not."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume, sent = generator.send, None
        while True:
            try:
                with mode():
                    value = resume(sent)
            except StopIteration as end:
                return end.value
            try:
                resume, sent = generator.send, (yield value)
            except GeneratorExit:
                with mode():
                    generator.close()
                raise
            except BaseException as error:
                resume, sent = generator.throw, error

    passing_on.add(wrapped.__code__)  # type: ignore[attr-defined]
    return wrapped


class grad_mode(_Mode):  # noqa: N801  (a context, as its siblings)
    """The given grad mode, for Kadam's own use."""

    def __init__(self, grad: bool) -> None:
        super().__init__()
        self.grad = grad


class no_grad(_Mode):  # noqa: N801  (PyTorch's name)
    """Operations inside record no gradients. A context manager and a decorator (`@no_grad` and `@no_grad()`)."""

    grad = False

    def __new__(cls, function: Any = None) -> Any:
        mode = super().__new__(cls)
        if function is None:
            return mode
        mode.__init__()  # type: ignore[misc]
        return mode(function)

    def __init__(self, function: Any = None) -> None:
        super().__init__()


class enable_grad(no_grad):  # noqa: N801  (PyTorch's name)
    """Operations inside record gradients, also within `no_grad`."""

    grad = True


class inference_mode(_Mode):  # noqa: N801  (PyTorch's name)
    """No operation inside records gradients, whatever the grad mode, and what they return never takes part in any: see
    `kadam.recording.inference`. `inference_mode(False)` leaves the mode as PyTorch does: gradients are recorded."""

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__(True)  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = mode
        self.outer_inference: list[bool] = []

    def __enter__(self) -> None:
        self.outer.append(is_grad_enabled())
        self.outer_inference.append(state.inference)
        _infer(self.mode, not self.mode)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _infer(self.outer_inference.pop(), self.outer.pop())

    def clone(self) -> _Mode:
        return inference_mode(self.mode)


class set_grad_enabled(_Mode):  # noqa: N801  (PyTorch's name)
    """Set the grad mode at once; as a context manager, until the block ends."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        if not isinstance(mode, bool):
            raise OperandError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}. Fix: "
                "torch.set_grad_enabled(True)."
            )
        self.grad = bool(mode)
        self.before = _switch(self.grad)

    def __enter__(self) -> None:
        self.outer.append(self.before)
        _switch(self.grad)

    def __call__(self, function: Function) -> Function:
        _switch(self.before)
        return super().__call__(function)

    def clone(self) -> _Mode:
        return set_grad_enabled(self.grad)


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on, in this thread."""
    return state.inference
