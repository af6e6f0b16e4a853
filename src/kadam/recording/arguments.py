"""What kinds of arguments a function takes, as its annotations say, and the error about one that is of another kind.

Nothing here runs as long as the arguments are right: operations ask at the first sight of a call, other functions once
they have failed.
"""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from kadam import dtypes
from kadam.errors import KadamError, NotATensorError, OperandError
from kadam.recording.tensor import Recorded

Function = TypeVar("Function", bound=Callable[..., Any])


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Recorded)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Number | np.generic | Recorded) or getattr(value, "shape", None) == ()


def _is_int(value: Any) -> bool:
    return isinstance(value, numbers.Integral | Recorded) or getattr(value, "shape", None) == ()


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool | np.bool_ | int | Recorded)


def _is_dtype(value: Any) -> bool:
    return isinstance(value, dtypes.dtype) or (isinstance(value, type) and value in dtypes.PYTHON_TYPES)


def _are_ints(value: Any) -> bool:
    return isinstance(value, list | tuple | range) and all(map(_is_int, value))


def _are_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_tensor, value))


# By annotation: the kind in PyTorch's words, who is of it, and what the user may write instead.
_KINDS: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "Tensor": ("Tensor", _is_tensor, "torch.tensor({name})"),
    "Number": ("Number", _is_number, "{name}=1.0"),
    "Fixed": ("Number", _is_number, "{name}=1.0"),
    "float": ("float", _is_number, "{name}=0.5"),
    "int": ("int", _is_int, "{name}=1"),
    "bool": ("bool", _is_bool, "{name}=True"),
    "dtype": ("torch.dtype", _is_dtype, "{name}=torch.float32"),
    "tuple[int, ...]": ("tuple of ints", _are_ints, "{name}=(1, 2)"),
    "tuple[int | None, ...]": ("tuple of ints", lambda value: isinstance(value, list | tuple), "{name}=(1, 2)"),
    "Sequence[int]": ("tuple of ints", _are_ints, "{name}=(1, 2)"),
    "Sequence[Tensor]": ("tuple of Tensors", _are_tensors, "[{name}]"),
    "None": ("None", lambda value: value is None, "None"),
}
_ELEMENTS = {"tuple of ints": _is_int, "tuple of Tensors": _is_tensor}


def complaint(
    function: str, annotations: dict[str, Any], arguments: Iterable[tuple[str, Any]], first: int = 1
) -> tuple[type[OperandError], str] | None:
    """What to say, by which error, of the first argument whose kind is not that of its annotation; None if none is.

    Args:
        function: its name; empty: that of the user's call, which the error finds out.
        annotations: of its parameters, as strings.
        arguments: names and values, in order.
        first: the position of the first, as the user counts.
    """
    for position, (name, value) in enumerate(arguments, first):
        kinds = [_KINDS.get(part) for part in str(annotations.get(name, "Any")).split(" | ")]
        known = [kind for kind in kinds if kind is not None]
        if len(known) == len(kinds) and not any(accepts(value) for _, accepts, _ in known):
            error = NotATensorError if known[0][0] == "Tensor" else OperandError
            called = f"{function}(): " if function else ""
            return error, f"{called}argument '{name}' (position {position}) must be {_wanted(name, value, known)}"
    return None


def check_arguments(function: str, annotations: dict[str, Any], arguments: Iterable[tuple[str, Any]]) -> None:
    """Raise for the first argument that is not of the kind of its annotation.

    Raises:
        OperandError: one is not.
    """
    wrong = complaint(function, annotations, arguments)
    if wrong is not None:
        error, words = wrong
        raise error(words) from None


def require_tensors(function: str = "", **operands: Any) -> None:
    """Raise for the first operand that is no tensor: for functions that have just failed to use one.

    Raises:
        NotATensorError: one is not.
    """
    check_arguments(function, dict.fromkeys(operands, "Tensor"), operands.items())


def _wanted(name: str, value: Any, kinds: list[tuple[str, Callable[[Any], bool], str]]) -> str:
    named = sorted((kind for kind in kinds if kind[0] != "None"), key=lambda kind: kind[0].startswith("tuple"))
    words = " or ".join(dict.fromkeys(kind for kind, _, _ in named))
    kind, _, example = named[0]
    odd = _odd_element(value, _ELEMENTS.get(named[-1][0]))
    if odd is not None:
        place, element = odd
        told = f"{words}, but found element of type {type(element).__name__} at pos {place}"
        return f"{told}. Fix: {_fix(kind, f'{name}[{place}]', element, example)}."
    return f"{words}, not {_type_name(value)}. Fix: {_fix(kind, name, value, example)}."


def _odd_element(value: Any, accepts: Callable[[Any], bool] | None) -> tuple[int, Any] | None:
    if accepts is None or not isinstance(value, list | tuple):
        return None
    return next(((place, one) for place, one in enumerate(value) if not accepts(one)), None)


def _fix(kind: str, name: str, value: Any, example: str) -> str:
    """What to write instead, made of what was given where that is possible."""
    if kind == "torch.dtype" and isinstance(value, str):
        known = dtypes.ALIASES.get(value) or next((one for one in dtypes.ALL if one.name == value), None)
        return f"{name}={known}" if known is not None else example.format(name=name)
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return f"{name}={int(value)}"
    if kind == "tuple of Tensors" and "[" in name:
        kind, example = "Tensor", "torch.tensor({name})"
    if kind == "Tensor" and (value is None or isinstance(value, str | dict)):
        return f"give a tensor for {name}"
    if kind == "Tensor" and isinstance(value, list | tuple) and any(map(_is_tensor, value)):
        return "take the tensor out first, as in  output, state = layer(x); torch.stack(tensors) for equal ones"
    if kind == "Tensor" and hasattr(value, "named_parameters"):
        return "give one of its parameters, such as layer.weight"
    if kind == "Tensor" and isinstance(value, numbers.Number | list | tuple) and len(repr(value)) < 30:
        return f"torch.tensor({value!r})"
    if kind == "tuple of Tensors" and not isinstance(value, Recorded):
        return f"a list of tensors for {name}"
    return example.format(name=name)


def _type_name(value: Any) -> str:
    return "Tensor" if isinstance(value, Recorded) else type(value).__name__


def wrong_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> OperandError | None:
    """The error about a call of a function that is no operation; None where its annotations tell nothing."""
    name = function.__name__
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **kwargs)
    except TypeError as error:
        return OperandError(f"{name}() {error}. Fix: its parameters are {shown(signature)}.")
    single = [
        (parameter, value)
        for parameter, value in given.arguments.items()
        if signature.parameters[parameter].kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    annotations = {parameter: one.annotation for parameter, one in signature.parameters.items()}
    first = 0 if single and single[0][0] == "self" else 1
    wrong = complaint(name, annotations, single, first)
    return None if wrong is None else wrong[0](wrong[1])


def _wrong_option(function: Callable[..., Any], kwargs: dict[str, Any], error: Exception) -> OperandError | None:
    """The error about a named argument that a function has handed on, and an inner function has refused."""
    unknown = _UNKNOWN.search(str(error))
    if unknown is None or unknown[1] not in kwargs:
        return None
    return OperandError(
        f"{function.__name__}() {unknown[0]}. Fix: its parameters are {shown(inspect.signature(function))}."
    )


_UNKNOWN = re.compile(r"got an unexpected keyword argument '(\w+)'")


def shown(signature: inspect.Signature) -> str:
    """The parameters as a user writes them: without annotations and `self`."""
    given = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    return str(inspect.Signature([one.replace(annotation=one.empty, default=_Plain.of(one.default)) for one in given]))


class _Plain:
    """A default that is a function or class, shown by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    @classmethod
    def of(cls, default: Any) -> Any:
        named = inspect.isroutine(default) or (isinstance(default, type) and default is not inspect.Parameter.empty)
        return cls(default.__name__) if named else default


def guarded(function: Function) -> Function:
    """A function that is no operation, whose wrong arguments are told as PyTorch tells them once it fails for them."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except KadamError:
            raise
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            record = dtypes.PYTHON_TYPES.get(kwargs.get("dtype"))
            if record is not None:
                return call(*args, **{**kwargs, "dtype": record})
            wrong = wrong_call(function, args, kwargs) or _wrong_option(function, kwargs, error)
            if wrong is None:
                raise
        raise wrong

    return call  # type: ignore[return-value]
