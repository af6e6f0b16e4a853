"""Operations that programs add, with derivatives of their own. As `torch.library`.

What is registered for PyTorch's tracer (`register_fake`) is accepted: Kadam records the function itself.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from kadam import missing, ops
from kadam.autograd.function import Function
from kadam.errors import GradientError, UnsupportedError
from kadam.recording.tensor import Recorded

Registered = TypeVar("Registered", bound=Callable[..., Any])

TENSOR, OPTIONAL, LIST, OTHER = "Tensor", "Tensor?", "Tensor[]", ""  # what a parameter takes
_UNKNOWN = "unknown"  # of `mutates_args`: it may change every tensor

_made: dict[str, CustomOpDef] = {}


@dataclass(frozen=True)
class _Call:
    """The arguments of a call; those that are lists of tensors are taken apart, for each tensor has its gradient."""

    args: tuple[Any, ...]
    named: dict[str, Any]
    counts: tuple[int | None, ...]  # of the tensors in each positional argument; None: it is no list of tensors

    def flat(self) -> list[Any]:
        pairs = zip(self.args, self.counts, strict=True)
        return [part for one, count in pairs for part in ([one] if count is None else one)]

    def nested(self, flat: Sequence[Any]) -> tuple[Any, ...]:
        """What stands for each part of each argument, as the arguments stand."""
        rest = iter(flat)
        return tuple(next(rest) if count is None else [next(rest) for _ in range(count)] for count in self.counts)

    def gradients(self, found: Any) -> tuple[Any, ...]:
        """What `backward` has returned, one after another."""
        if all(count is None for count in self.counts):
            return tuple(found) if isinstance(found, tuple | list) else (found,)
        flat: list[Any] = []
        for one, count in zip(found if isinstance(found, tuple) else (found,), self.counts, strict=True):
            flat += [one] if count is None else [None] * count if one is None else one
        return tuple(flat)


class CustomOpDef:
    """An operation that a program added: called as the function that it is made of.

    Attributes:
        _qualname: its name, `library::name`.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        mutates: str | Iterable[str] = (),
        devices: str | Sequence[str] | None = None,
        schema: str | None = None,
    ) -> None:
        self._qualname = name
        self._signature = inspect.signature(function)
        self._takes = _kinds(function, self._signature) if schema is None else _told(name, schema, self._signature)
        self._mutates = _mutated(name, mutates, self._takes)
        self._function: Callable[..., Any] | None = function if _runs_here(devices) else None
        self._backward: Callable[..., Any] | None = None
        self._setup: Callable[..., None] | None = None
        self._calls = _as_function(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise RuntimeError(f"{self._qualname}: {error}. Fix: call it as {self._signature}.") from None
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            self._check(name, value)
        lists = [
            len(value) if self._takes[name] == LIST and value is not None else None
            for name, value in bound.arguments.items()
        ]
        call = _Call(bound.args, bound.kwargs, tuple(lists[: len(bound.args)]))
        return self._calls.apply(call, *call.flat())

    def _check(self, name: str, value: Any) -> None:
        """Whether a parameter takes a value, and may change it."""
        takes = self._takes[name]
        parts = list(value) if takes == LIST and isinstance(value, list | tuple) else [value]
        if takes != OTHER and not all(  # None is a tensor that is not there, for PyTorch too
            isinstance(one, Recorded) or one is None for one in parts
        ):
            raise RuntimeError(
                f"{self._qualname}() Expected a value of type '{takes}' for argument '{name}' but instead found type "
                f"'{type(value).__name__}'. Fix: give tensors."
            )
        if name in self._mutates and any(one is not None and one.requires_grad for one in parts):
            raise UnsupportedError(
                f"{self._qualname}: it changes {name!r} (mutates_args), which requires a gradient: Kadam has none "
                "through that. Fix: give a detached tensor, or return the result instead."
            )

    def _compute(self, call: _Call) -> Any:
        if self._function is None:
            raise UnsupportedError(
                f"Could not run '{self._qualname}' with arguments from the 'CPU' backend: its function is for other "
                "devices. Fix: register one by register_kernel('cpu')."
            )
        result = self._function(*call.args, **call.named)
        results = list(result) if isinstance(result, tuple | list) else [result]
        given = [one for one in [*call.flat(), *call.named.values()] if isinstance(one, Recorded)]
        for index, one in enumerate(results):
            if isinstance(one, Recorded) and any(
                one.root is other.root for other in [*given, *results[:index]] if isinstance(other, Recorded)
            ):
                raise RuntimeError(
                    f"{self._qualname}: The output of this custom operator (1) must not also be an input to this "
                    "custom operator and (2) may not alias any inputs or other returns. Fix: return a clone()."
                )
        return result

    default = property(lambda self: self)  # PyTorch's only overload of it

    def register_autograd(
        self, backward: Callable[..., Any], /, *, setup_context: Callable[..., None] | None = None
    ) -> None:
        """Give the operation a derivative.

        Args:
            backward: from the context and the results' gradients to the inputs'.
            setup_context: keeps in the context what `backward` needs of the inputs and the result.

        Raises:
            UnsupportedError: tensors are given by name alone, which PyTorch does not derive by either.
        """
        named = [one.name for one in self._signature.parameters.values() if one.kind is one.KEYWORD_ONLY]
        for name in named:
            if self._takes[name] != OTHER:
                raise UnsupportedError(
                    f"register_autograd: {self._qualname} takes the tensor {name!r} by name alone, and has no "
                    "derivative by it. Fix: make it a positional parameter."
                )
        self._backward, self._setup = backward, setup_context

    def register_fake(self, fn: Registered, /) -> Registered:
        """The function itself: Kadam does not need to know shapes ahead."""
        return fn

    def register_kernel(self, device_types: Any, fn: Registered | None = None, /) -> Any:
        """Have the operation compute by another function on the CPU; those for other devices are accepted."""
        if fn is None:
            return lambda found: self.register_kernel(device_types, found)
        if _runs_here(device_types):
            self._function = fn
        return fn


def _as_function(operation: CustomOpDef) -> type[Function]:
    """The differentiable operation that stands behind one that a program added."""

    def forward(call: _Call, *parts: Any) -> Any:
        return operation._compute(call)

    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx._call, ctx._gives_list = inputs[0], isinstance(output, list)
        if operation._setup is None:
            return
        with _needs_nested(ctx):
            if ctx._call.named:
                operation._setup(ctx, ctx._call.args, keyword_only_inputs=ctx._call.named, output=output)
            else:
                operation._setup(ctx, ctx._call.args, output)

    def backward(ctx: Any, *gradients: Any) -> Any:
        if operation._backward is None:
            raise GradientError(
                f"{operation._qualname}: it has no derivative. Fix: register one, by "
                f"torch.library.register_autograd({operation._qualname!r}, backward, setup_context=...)."
            )
        with _needs_nested(ctx):
            found = operation._backward(ctx, *([list(gradients)] if ctx._gives_list else gradients))
        return None, *ctx._call.gradients(found)

    rules: dict[str, Callable[..., Any]] = {"forward": forward, "setup_context": setup_context, "backward": backward}
    return type(operation._qualname, (Function,), {name: staticmethod(rule) for name, rule in rules.items()})


@contextmanager
def _needs_nested(ctx: Any) -> Iterator[None]:
    """While a function of the program runs, `needs_input_grad` stands as its arguments do."""
    flat = ctx.needs_input_grad
    ctx.needs_input_grad = ctx._call.nested(flat[1:])
    try:
        yield
    finally:
        ctx.needs_input_grad = flat


def _kinds(function: Callable[..., Any], signature: inspect.Signature) -> dict[str, str]:
    """What each parameter takes, by its annotation."""
    found = {}
    for name, one in signature.parameters.items():
        if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            raise _unclear("We do not support positional-only args, varargs, or varkwargs. Fix: name each.", signature)
        if one.annotation is one.empty:
            raise _unclear(
                f"Parameter {name} must have a type annotation. Fix: annotate it, as x: torch.Tensor.", signature
            )
        found[name] = _kind(_evaluated(one.annotation, function, signature))
        if found[name] == OTHER and get_origin(one.annotation) is tuple:
            raise _unclear(f"Parameter {name} has unsupported type {one.annotation}: a tuple. Fix: a list.", signature)
    if signature.return_annotation is signature.empty:
        raise _unclear("No return type annotation was provided. Fix: annotate it, as -> torch.Tensor.", signature)
    return found


def _unclear(what: str, signature: inspect.Signature) -> ValueError:
    return ValueError(f"custom_op: {what} Got {signature}.")


def _evaluated(annotation: Any, function: Callable[..., Any], signature: inspect.Signature) -> Any:
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, getattr(function, "__globals__", {}))
    except Exception as error:
        raise _unclear(
            f"Unsupported type annotation {annotation} ({error}). Fix: name types of the module.", signature
        ) from None


def _kind(annotation: Any) -> str:
    """What a parameter of a type takes."""
    if isinstance(annotation, type) and issubclass(annotation, Recorded):
        return TENSOR
    inside = [_kind(one) for one in get_args(annotation)]
    if get_origin(annotation) in (Union, UnionType):
        return {TENSOR: OPTIONAL}.get(inside[0] or inside[-1], inside[0] or inside[-1])
    return LIST if get_origin(annotation) in (list, Sequence) and inside[0] in (TENSOR, OPTIONAL) else OTHER


def _told(operation: str, schema: str, signature: inspect.Signature) -> dict[str, str]:
    """What each parameter takes, by a schema in PyTorch's notation, whose parameters must be the function's."""
    inside = schema[schema.find("(") + 1 : schema.rfind("->")].strip().removesuffix(")")
    declared = {}
    for one in (part.strip() for part in re.split(r",(?![^\[(]*[\])])", inside)):
        if one not in ("", "*"):
            type_, _, rest = one.rpartition(" ") if "=" not in one else one.partition("=")[0].strip().rpartition(" ")
            plain = re.sub(r"\([^)]*\)", "", type_)
            kind = LIST if re.match(r"Tensor\??\[", plain) else plain if plain in (TENSOR, OPTIONAL) else OTHER
            declared[rest] = kind, "=" in one
    own = {name: parameter.default is not parameter.empty for name, parameter in signature.parameters.items()}
    if list(declared) != list(own) or any(told and not own[name] for name, (_, told) in declared.items()):
        raise UnsupportedError(
            f"custom_op: the schema {schema!r} of {operation} has other parameters or defaults than its function "
            f"{signature}. Fix: give both the same."
        )
    return {name: kind for name, (kind, _) in declared.items()}


def _mutated(operation: str, mutates: str | Iterable[str], takes: dict[str, str]) -> frozenset[str]:
    """The names of the arguments that an operation changes."""
    if isinstance(mutates, str):
        if mutates != _UNKNOWN:
            raise ValueError(f"custom_op: mutates_args is {mutates!r}. Fix: a sequence of names, or {_UNKNOWN!r}.")
        return frozenset(name for name, kind in takes.items() if kind != OTHER)
    names = frozenset(mutates)
    for name in sorted(names):
        if takes.get(name, OTHER) == OTHER:
            raise ValueError(
                f"custom_op: mutates_args names {name!r}, which is no tensor that {operation} takes. "
                f"Fix: name one of {', '.join(one for one, kind in takes.items() if kind != OTHER) or 'no argument'}."
            )
    return names


def _runs_here(devices: str | Sequence[str] | None) -> bool:
    return devices is None or "cpu" in ([devices] if isinstance(devices, str) else devices)


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
        device_types: where `fn` runs; if the CPU is not among them, `register_kernel` must give what runs there.
        schema: the types of arguments and results, in PyTorch's notation.
        tags: notes for PyTorch's compiler.

    Raises:
        ValueError: the name has no library before `::`, or a parameter no annotation, without a schema.
        UnsupportedError: the schema has other parameters than `fn`.
    """
    if fn is None:
        return lambda found: custom_op(
            name, found, mutates_args=mutates_args, device_types=device_types, schema=schema, tags=tags
        )
    library, divided, own = name.partition("::")
    if not (divided and library and own):
        raise ValueError(f"custom_op: {name!r} names no library. Fix: custom_op('mine::{own or name}', ...).")
    made = _made[name] = CustomOpDef(name, fn, mutates_args, device_types, schema)
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
    """The function itself: Kadam does not need to know shapes ahead.

    Raises:
        RuntimeError: there is no such operation.
    """
    if isinstance(op, str) and op not in _made:
        raise RuntimeError(f"register_fake: operator {op} does not exist. Fix: make it by torch.library.custom_op.")
    return func if func is not None else lambda found: found


def register_kernel(op: Any, device_types: Any, func: Any = None, /, **options: Any) -> Any:
    """Have an operation compute by another function; see `CustomOpDef.register_kernel`."""
    return _named(op).register_kernel(device_types, func)


impl_abstract = register_fake

__all__ = [
    "CustomOpDef", "custom_op", "impl_abstract", "register_autograd", "register_fake", "register_kernel",
]  # fmt: skip

missing.install(__name__)
