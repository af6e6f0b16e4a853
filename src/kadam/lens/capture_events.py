"""What a program does besides recording: its calls of the surface, noted while somebody watches.

The surface is wrapped for as long as that takes. Off, nothing of this is there.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FrameType
from typing import Any, Protocol

import kadam
import kadam.autograd as autograd
import kadam.nn.functional as functional
import kadam.nn.utils as nn_utils
from kadam.ir.graph import Source
from kadam.lens.step import Event, Setting
from kadam.nn.modules import hooks
from kadam.nn.modules.module import Module
from kadam.optim import lr_scheduler
from kadam.optim.optimizer import Optimizer
from kadam.recording import modes
from kadam.recording.place import is_ours, shown
from kadam.recording.watch import Tokens
from kadam.tensor import Tensor
from kadam.utils.data import dataloader

_ours: dict[CodeType, bool] = {}
_lines: dict[tuple[CodeType, int], Source] = {}
_events: dict[tuple[Any, ...], Event] = {}
PICTURES = (3, 4)  # channels of pictures as they come from files
HOOKS = 2  # of all modules, that are the watcher's
_BOUND = 100_000  # distinct events: from then on equal ones are no longer one object


def event(kind: str, source: Source | None, name: str = "", **facts: Setting) -> Event:
    """The one event of these properties."""
    key = (kind, id(source), name, *facts.values())  # a line's source is one object, a kind's facts have their order
    found = _events.get(key)
    if found is None:
        if len(_events) >= _BOUND:
            _events.clear()
        found = _events[key] = Event(kind, source, name, tuple(facts.items()))
    return found


def is_users(frame: FrameType) -> bool:
    """Whether a frame runs code of the program's."""
    code = frame.f_code
    ours = _ours.get(code)
    if ours is None:
        ours = _ours[code] = is_ours(code.co_filename)
    return not ours


def line_of(frame: FrameType | None) -> Source | None:
    """The program's line that leads to a frame."""
    while frame is not None:
        ours = _ours.get(frame.f_code)
        if ours is False or (ours is None and is_users(frame)):
            break
        frame = frame.f_back
    if frame is None:
        return None
    key = (frame.f_code, frame.f_lineno)
    found = _lines.get(key)
    if found is None:
        found = _lines[key] = Source(shown(frame.f_code.co_filename), frame.f_lineno)
    return found


class Changes(Protocol):
    """Who is told how a program changes its parameters."""

    def zero_grad(self, source: Source | None, owner: Any) -> None: ...
    def before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None: ...
    def after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None: ...
    def replaced(self, source: Source | None, parameter: Any, value: Any) -> None: ...
    def renewed(self, parameter: Any) -> None: ...
    def settled(self) -> None: ...


class Notes(Protocol):
    """Who is told of a program's calls; the line is that of the call."""

    tokens: Tokens
    calling: list[Any]

    @property
    def updates(self) -> Changes: ...
    def note(self, kind: str, source: Source | None, name: str = "", **facts: Setting) -> None: ...
    def backward(self, source: Source | None, roots: list[Any], gradients: list[Any]) -> None: ...
    def after_backward(self) -> None: ...
    def before_call(self, module: Any, args: tuple[Any, ...]) -> None: ...
    def after_call(self, module: Any, args: tuple[Any, ...], output: Any) -> None: ...
    def loader(self, source: Source | None, loader: Any) -> None: ...


_READS = ("item", "tolist", "numpy", "__float__", "__int__", "__bool__", "__format__", "__repr__", "__array__")
_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
_LOOPS = ("kadam.train.run", "kadam.train.trainer")  # what these call, the program has asked for
_CLIPS = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "clip_grads_with_norm_")


@contextmanager
def noted(notes: Notes) -> Iterator[None]:
    """While this lasts, `notes` is told of what the program calls."""
    from kadam.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    with ExitStack() as stack:
        for handle in (
            hooks.register_module_forward_pre_hook(notes.before_call),
            hooks.register_module_forward_hook(notes.after_call, always_call=True),
            register_optimizer_step_pre_hook(notes.updates.before_step),
            register_optimizer_step_post_hook(notes.updates.after_step),
        ):
            stack.callback(handle.remove)
        stack.callback(_at_once(notes))
        for undo in _wraps(notes):
            stack.callback(undo)
        yield


def _at_once(notes: Notes) -> Callable[[], None]:
    """Let modules that have no hooks but those of `notes` tell of their calls without looking for others."""
    original = hooks.Hooked._call_with_hooks
    before, after, backward, full = hooks.everywhere.values()

    def call(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        own = vars(self)
        if len(before) + len(after) != HOOKS or backward or full or "_hooked" in own or "_members" not in own:
            return original(self, args, kwargs)
        notes.before_call(self, args)
        try:
            result = self.forward(*args, **kwargs)
        except Exception:
            notes.after_call(self, args, None)
            raise
        notes.after_call(self, args, result)
        return result

    hooks.Hooked._call_with_hooks = call  # type: ignore[method-assign]
    return lambda: setattr(hooks.Hooked, "_call_with_hooks", original)


def _wraps(notes: Notes) -> Iterator[Callable[[], None]]:
    """Wrap one name after the other; what takes it back is yielded."""
    for owner in (Tensor, autograd):
        yield _wrapped(owner, "backward", _backward(notes), lambda *_: notes.after_backward())
    yield _wrapped(autograd, "grad", _grad(notes))
    for kind in (Optimizer, Module):
        yield _wrapped(kind, "zero_grad", lambda source, self, *_, **__: notes.updates.zero_grad(source, self))
    for name in ("train", "eval"):
        yield _wrapped(Module, name, _of_module(notes, name))
    for schedule in vars(lr_scheduler).values():
        if isinstance(schedule, type) and "step" in vars(schedule):
            yield _wrapped(schedule, "step", lambda source, self, *_, **__: notes.note(
                "scheduler_step", source, type(self).__name__))  # fmt: skip
    for name in _READS:
        yield _wrapped(Tensor, name, _read(notes, name))
    for name in ("detach", "detach_"):
        yield _wrapped(Tensor, name, lambda source, self, *_: notes.note("detach", source, "", **_taken(self)))
    for name in ("view", "reshape"):
        yield _wrapped(Tensor, name, _other_shape(notes, name))
    yield _wrapped(kadam, "tensor", _new(notes))
    for name in _DROPOUTS:
        yield _wrapped(functional, name, _dropout(notes, name))
    for name in [name for name in vars(Tensor) if _is_in_place(name)]:
        yield _wrapped(Tensor, name, _in_place(notes, name))
    for name in _CLIPS:
        yield _wrapped(nn_utils, name, _clip(notes, name))
    yield _wrapped(dataloader.DataLoader, "__iter__", lambda source, self: notes.loader(source, self))
    yield _wrapped_data(notes)
    yield _wrapped_mode(notes, "__enter__")
    yield _wrapped_mode(notes, "__exit__")
    yield _wrapped_mode(notes, "__init__", modes.set_grad_enabled)  # it switches as it is made, with no `with`


def _wrapped(
    owner: Any, name: str, before: Callable[..., None], after: Callable[..., None] | None = None
) -> Callable[[], None]:
    """Let calls of `owner.name` by the program itself tell `before` (and `after`) of themselves."""
    owner = next((kind for kind in getattr(owner, "__mro__", ()) if name in vars(kind)), owner)
    original = vars(owner)[name]

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        if not is_users(frame) and frame.f_globals.get("__name__") not in _LOOPS:
            return original(*args, **kwargs)
        before(line_of(frame), *args, **kwargs)
        result = original(*args, **kwargs)
        if after is not None:
            after()
        return result

    setattr(owner, name, wrapper)
    return lambda: setattr(owner, name, original)


def _wrapped_data(notes: Notes) -> Callable[[], None]:
    original = vars(Tensor)["data"]

    def get(self: Any) -> Any:
        frame = sys._getframe(1)
        if is_users(frame):
            notes.note("data", line_of(frame), requires_grad=self._spec.requires_grad, leaf=self.is_leaf)
        return original.fget(self)

    def put(self: Any, other: Any) -> None:
        frame = sys._getframe(1)
        own = other is self or getattr(other, "root", None) is self  # `x.data -= y` sets what it has changed
        updates = not own and is_users(frame) and self._spec.requires_grad and self.is_leaf
        if updates:
            notes.updates.replaced(line_of(frame), self, other)
        original.fset(self, other)
        if updates:
            notes.updates.settled()

    Tensor.data = property(get, put, original.fdel, original.__doc__)  # type: ignore[assignment]
    return lambda: setattr(Tensor, "data", original)


def _wrapped_mode(notes: Notes, name: str, owner: type[modes._Mode] = modes._Mode) -> Callable[[], None]:
    """Changes of the grad mode, by `with` or by a decorator, whose frame is Kadam's."""
    kind = "exit" if name == "__exit__" else "enter"
    original = vars(owner)[name]

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any) -> Any:
        result = original(self, *args)
        frame: FrameType | None = sys._getframe(1)
        if frame is not None and frame.f_code.co_filename == modes.__file__:
            frame = frame.f_back  # a decorator's
        if frame is not None and is_users(frame):
            notes.note("grad_mode", line_of(frame), kind, grad=modes.is_grad_enabled())
        return result

    setattr(owner, name, wrapper)
    return lambda: setattr(owner, name, original)


def _backward(notes: Notes) -> Callable[..., None]:
    def before(source: Source | None, roots: Any, *args: Any, **kwargs: Any) -> None:
        given = args[0] if args else kwargs.get("gradient", kwargs.get("grad_tensors"))
        tensors, gradients = (list(one) if isinstance(one, list | tuple) else [one] for one in (roots, given))
        notes.backward(source, tensors, gradients if given is not None else [None] * len(tensors))

    return before


def _grad(notes: Notes) -> Callable[..., None]:
    def before(source: Source | None, *args: Any, **options: Any) -> None:
        again = args[4] if len(args) > 4 else options.get("create_graph", False)
        notes.note("grad", source, create_graph=bool(again))

    return before


def _of_module(notes: Notes, kind: str) -> Callable[..., None]:
    def before(source: Source | None, self: Any, mode: bool = True) -> None:
        notes.note(kind if mode else "eval", source, type(self).__name__)

    return before


def _read(notes: Notes, name: str) -> Callable[..., None]:
    def before(source: Source | None, self: Any, *_: Any, **__: Any) -> None:
        notes.note("read", source, name.strip("_"), **_taken(self))

    return before


def _taken(one: Any) -> dict[str, Setting]:
    """What is known of a value that is taken out of the graph."""
    return {"requires_grad": one._spec.requires_grad, "leaf": one.is_leaf, "single": one._spec.type.elements == 1}


def _new(notes: Notes) -> Callable[..., None]:
    """A tensor made of Python's numbers: if tensors with gradients are among them, these end there."""

    def before(source: Source | None, data: Any = None, *_: Any, requires_grad: bool = False, **__: Any) -> None:
        parts = data if isinstance(data, list | tuple) else (data,)
        cut = any(isinstance(one, Tensor) and one._spec.requires_grad for one in parts)
        if cut or requires_grad:
            notes.note("new", source, "tensor", requires_grad=cut, leaf=False, single=False)

    return before


def _other_shape(notes: Notes, name: str) -> Callable[..., None]:
    """Pictures with their channels last that are given another shape."""

    def before(source: Source | None, self: Any, *_: Any, **__: Any) -> None:
        shape = self._spec.shape
        if len(shape) in (3, 4) and shape[-1] in PICTURES:
            notes.note("other_shape", source, name, channels=int(shape[-1]))

    return before


def _dropout(notes: Notes, name: str) -> Callable[..., None]:
    """Dropout as a function: it does not know the mode of the module that calls it."""

    def before(source: Source | None, input: Any, p: float = 0.5, *told: Any, **named: Any) -> None:
        training = told[0] if told else named.get("training")
        inside = notes.calling[-1][0].training if notes.calling else True
        on = bool(p) and training is not False
        notes.note("dropout", source, name, on=on, told=training is not None, training=bool(inside))

    return before


def _is_in_place(name: str) -> bool:
    arithmetic = name.startswith("__i") and name[3:-2] in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
    named = name.endswith("_") and not name.startswith("_")
    return (named and name not in ("requires_grad_", "detach_", "share_memory_")) or arithmetic or name == "__setitem__"


def _in_place(notes: Notes, name: str) -> Callable[..., None]:
    def before(source: Source | None, self: Any, *_: Any, **__: Any) -> None:
        token = notes.tokens.of(self.root)
        notes.note("in_place", source, name, requires_grad=self._spec.requires_grad, leaf=self.is_leaf, token=token)

    return before


def _clip(notes: Notes, name: str) -> Callable[..., None]:
    def before(source: Source | None, parameters: Any, limit: Any = None, *_: Any, **__: Any) -> None:
        notes.note("clip", source, name, limit=float(limit) if isinstance(limit, int | float) else None)

    return before
