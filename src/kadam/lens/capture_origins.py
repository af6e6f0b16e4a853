"""Where a program made its modules, optimizers and loaders, and where it set, froze or loaded their parameters."""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import kadam
from kadam.ir.graph import Source
from kadam.lens.capture_events import Changes, line_of
from kadam.lens.step import Setting
from kadam.nn import init
from kadam.nn.modules.module import Module
from kadam.nn.modules.sparse import Embedding, EmbeddingBag
from kadam.nn.parameter import Parameter
from kadam.optim.optimizer import Optimizer
from kadam.recording.tensor import Recorded
from kadam.recording.watch import Tokens
from kadam.tensor import Tensor
from kadam.utils.data import dataloader

_FACTORIES = ("zeros", "ones", "full", "empty", "rand", "randn", "randint", "zeros_like", "ones_like",
              "full_like", "rand_like", "randn_like", "linspace", "eye")  # fmt: skip

KEPT = 256  # tensors of which it is known where a factory made them: what shall be learnt is told so soon


class Notes(Protocol):
    """Who is told, and knows tensors by their tokens."""

    tokens: Tokens
    origins: weakref.WeakKeyDictionary[Any, Source]
    factories: dict[int, Source | None]  # by token: the lines of the tensors that factories made last

    @property
    def updates(self) -> Changes: ...
    def note(self, kind: str, source: Source | None, name: str = "", **facts: Setting) -> None: ...


@contextmanager
def origins_noted(notes: Notes) -> Iterator[None]:
    """While this lasts, `notes` is told of what the program makes and sets."""
    with ExitStack() as stack:
        for undo in _wraps(notes):
            stack.callback(undo)
        yield


def _wraps(notes: Notes) -> Iterator[Callable[[], None]]:
    """Wrap one name after the other; what takes it back is yielded."""
    for owner in (Module, Optimizer, dataloader.DataLoader):
        yield _after(owner, "__init__", lambda source, self, *_, **__: _made(notes, source, self))
    yield _after(Module, "load_state_dict", lambda source, self, *_, **__: _loaded(notes, source, self))
    for kind in (Embedding, EmbeddingBag):
        yield _after_filling(notes, kind)
    yield _after(Tensor, "requires_grad_", lambda source, self, flag=True: _frozen(notes, source, self, flag))
    yield _after(Parameter, "__deepcopy__", lambda source, self, *_: notes.note(
        "copy", source, token=notes.tokens.of(self)))  # fmt: skip
    yield _after_setting(notes)
    yield _after_making(notes)
    for name in _FACTORIES:
        yield _after_factory(notes, name)
    for name in [name for name in vars(init) if name.endswith("_") and not name.startswith("_")]:
        yield _after(init, name, lambda source, tensor, *_, name=name, **__: _set(notes, source, name, tensor))


def _made(notes: Notes, source: Source | None, thing: Any) -> None:
    if source is not None:
        notes.origins[thing] = source
    if isinstance(thing, Optimizer):
        owned = tuple([notes.tokens.of(one) for group in thing.param_groups for one in group["params"]])
        notes.note("optimizer", source, type(thing).__name__, tokens=owned)


def _loaded(notes: Notes, source: Source | None, module: Any) -> None:
    owned = tuple([notes.tokens.of(one) for one in module.parameters()])
    notes.note("load", source, type(module).__name__, tokens=owned)


def _frozen(notes: Notes, source: Source | None, tensor: Any, flag: bool) -> None:
    if isinstance(tensor, Recorded) and tensor._spec.grad_name is None:
        notes.note("freeze", source, token=notes.tokens.of(tensor), frozen=not flag)
        if flag:
            token = notes.tokens.of(tensor)
            notes.note("made", notes.factories.get(token) or source, token=token)
            notes.updates.renewed(tensor)


def _set(notes: Notes, source: Source | None, name: str, tensor: Any) -> None:
    if isinstance(tensor, Recorded):
        notes.note("init", source, name, token=notes.tokens.of(tensor))


def _after(owner: Any, name: str, tell: Callable[..., None]) -> Callable[[], None]:
    """Let calls of `owner.name` tell of themselves once they are done, with the program's line that led there."""
    owner = next((kind for kind in getattr(owner, "__mro__", ()) if name in vars(kind)), owner)
    original = vars(owner)[name]

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        tell(line_of(_outside(args[0], sys._getframe(1))), *args, **kwargs)
        return result

    setattr(owner, name, wrapper)
    return lambda: setattr(owner, name, original)


def _outside(thing: Any, frame: Any) -> Any:
    """The frame that a thing is made from: not that of its own constructor, which may be the program's."""
    while frame is not None and frame.f_code.co_name == "__init__" and _is_self(thing, frame):
        frame = frame.f_back
    return frame


def _is_self(thing: Any, frame: Any) -> bool:
    """Whether a method that runs is a thing's own: any other variable may hold it too."""
    names = frame.f_code.co_varnames
    return bool(names) and frame.f_locals.get(names[0]) is thing


def _after_setting(notes: Notes) -> Callable[[], None]:
    original = vars(Tensor)["requires_grad"]

    def set_and_tell(self: Any, flag: bool) -> None:
        original.fset(self, flag)
        _frozen(notes, line_of(sys._getframe(1)), self, flag)

    Tensor.requires_grad = property(original.fget, set_and_tell, original.fdel, original.__doc__)  # type: ignore[assignment, method-assign]
    return lambda: setattr(Tensor, "requires_grad", original)


def _after_filling(notes: Notes, kind: type[Module]) -> Callable[[], None]:
    """Tables that the program made of its own numbers are told as loaded."""
    original = vars(kind)["from_pretrained"]

    @functools.wraps(original.__func__)
    def fill(cls: Any, *args: Any, **kwargs: Any) -> Any:
        table = original.__func__(cls, *args, **kwargs)
        _loaded(notes, line_of(sys._getframe(1)), table)
        return table

    kind.from_pretrained = classmethod(fill)  # type: ignore[attr-defined]
    return lambda: setattr(kind, "from_pretrained", original)


def _after_making(notes: Notes) -> Callable[[], None]:
    """Parameters tell of the line that made them."""
    original = vars(Parameter)["__new__"]

    @functools.wraps(original.__func__)
    def make(cls: Any, *args: Any, **kwargs: Any) -> Any:
        parameter = original.__func__(cls, *args, **kwargs)
        notes.note("made", line_of(sys._getframe(1)), token=notes.tokens.of(parameter))
        return parameter

    Parameter.__new__ = make  # type: ignore[method-assign]
    return lambda: setattr(Parameter, "__new__", original)


def _after_factory(notes: Notes, name: str) -> Callable[[], None]:
    """Tensors that are made to be learnt tell of the line that made them; of others that of the latest is kept."""
    original = vars(kadam)[name]

    @functools.wraps(original)
    def make(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        token, source = notes.tokens.of(made), line_of(sys._getframe(1))
        if kwargs.get("requires_grad"):
            notes.note("made", source, token=token)
            return made
        notes.factories[token] = source
        if len(notes.factories) > KEPT:
            del notes.factories[next(iter(notes.factories))]
        return made

    setattr(kadam, name, make)
    return lambda: setattr(kadam, name, original)


__all__ = ["origins_noted"]
