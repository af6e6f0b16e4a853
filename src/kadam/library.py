"""Operations that programs add, with derivatives of their own. As `torch.library`.

What is registered for PyTorch's tracer (`register_fake`) is accepted: Kadam records the function itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, TypeVar

from kadam import missing, ops
from kadam.autograd.function import Function
from kadam.errors import GradientError, UnsupportedError

Registered = TypeVar("Registered", bound=Callable[..., Any])

_made: dict[str, CustomOpDef] = {}


class CustomOpDef:
    """An operation that a program added: called as the function that it is made of.

    Attributes:
        _qualname: its name, `library::name`.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._qualname = name
        self._signature = inspect.signature(function)
        self._function = function
        self._backward: Callable[..., Any] | None = None
        self._setup: Callable[..., None] | None = None
        self._calls = _as_function(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self._calls.apply(*bound.arguments.values())

    default = property(lambda self: self)  # PyTorch's only overload of it

    def register_autograd(
        self, backward: Callable[..., Any], /, *, setup_context: Callable[..., None] | None = None
    ) -> None:
        """Give the operation a derivative.

        Args:
            backward: from the context and the results' gradients to the inputs'.
            setup_context: keeps in the context what `backward` needs of the inputs and the result.
        """
        self._backward, self._setup = backward, setup_context

    def register_fake(self, fn: Registered, /) -> Registered:
        """The function itself: Kadam does not need to know shapes ahead."""
        return fn

    def register_kernel(self, device_types: Any, fn: Registered | None = None, /) -> Any:
        """Have the operation compute by another function on the CPU; those for other devices are accepted."""
        if fn is None:
            return lambda found: self.register_kernel(device_types, found)
        if "cpu" in ([device_types] if isinstance(device_types, str) else list(device_types or ["cpu"])):
            self._function = fn
        return fn


def _as_function(operation: CustomOpDef) -> type[Function]:
    """The differentiable operation that stands behind one that a program added."""

    def forward(*args: Any) -> Any:
        return operation._function(*args)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        if operation._setup is not None:
            operation._setup(ctx, inputs, output)

    def backward(ctx: Any, *gradients: Any) -> Any:
        if operation._backward is None:
            raise GradientError(
                f"{operation._qualname}: it has no derivative. Fix: register one, by "
                f"torch.library.register_autograd({operation._qualname!r}, backward, setup_context=...)."
            )
        return operation._backward(ctx, *gradients)

    rules = {"forward": forward, "setup_context": setup_context, "backward": backward}
    return type(operation._qualname, (Function,), {name: staticmethod(rule) for name, rule in rules.items()})


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: str | Iterable[str],
    device_types: Any = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """An operation made of a function; without one, a decorator that makes it.

    Args:
        name: `library::name`, by which `torch.ops.library.name` is the operation.
        fn: computes it.
        mutates_args: names of the arguments that it changes.
        device_types: where `fn` runs; the CPU must be among them.
        schema: the types of arguments and results, in PyTorch's notation.
        tags: notes for PyTorch's compiler.

    Raises:
        ValueError: the name has no library before `::`.
    """
    if fn is None:
        return lambda found: custom_op(name, found, mutates_args=mutates_args, schema=schema)
    library, divided, own = name.partition("::")
    if not (divided and library and own):
        raise ValueError(f"custom_op: {name!r} names no library. Fix: custom_op('mine::{own or name}', ...).")
    made = _made[name] = CustomOpDef(name, fn)
    room = vars(ops).setdefault(library, SimpleNamespace())
    setattr(room, own, made)
    return made


def _named(op: Any) -> CustomOpDef:
    found = op if isinstance(op, CustomOpDef) else _made.get(op)
    if found is None:
        raise UnsupportedError(
            f"torch.library: {op!r} is no operation that this program made by custom_op, and others cannot be changed. "
            "Fix: make one by torch.library.custom_op."
        )
    return found


def register_autograd(
    op: Any, backward: Callable[..., Any], /, *, setup_context: Callable[..., None] | None = None, lib: Any = None
) -> None:
    """Give an operation a derivative; see `CustomOpDef.register_autograd`."""
    _named(op).register_autograd(backward, setup_context=setup_context)


def register_fake(op: Any, func: Any = None, /, **options: Any) -> Any:
    """The function itself: Kadam does not need to know shapes ahead."""
    return func if func is not None else lambda found: found


def register_kernel(op: Any, device_types: Any, func: Any = None, /, **options: Any) -> Any:
    """Have an operation compute by another function; see `CustomOpDef.register_kernel`."""
    return _named(op).register_kernel(device_types, func)


impl_abstract = register_fake

__all__ = [
    "CustomOpDef", "custom_op", "impl_abstract", "register_autograd", "register_fake", "register_kernel",
]  # fmt: skip

missing.install(__name__)
