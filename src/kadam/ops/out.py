"""`out=`: the result of a function, put into memory that the caller gives.

One mechanism for every function of PyTorch that takes it: `with_out` gives a function the argument. The function with
the argument has a signature of its own, generated at its first call, so that calls without `out` cost a comparison.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from itertools import product
from types import FunctionType
from typing import TYPE_CHECKING, Any

from kadam import dtypes, hot
from kadam.errors import DTypeError, GradientError, InPlaceError, OperandError
from kadam.ops.numpy_names import numpy_names
from kadam.recording.caller import source_of
from kadam.recording.layout import check_overlap, strides_of
from kadam.recording.memory import assign
from kadam.recording.older_order import absent, more_parameters
from kadam.recording.refused import mend
from kadam.recording.step import state
from kadam.recording.succession import renew_memory
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_HEAD = """\
def {name}({signature}):
"""
_WITH = """\
    if out is not None:
        check_apart(function, out, ({operands}))
        return into(out, function({passing}), function.__name__)
"""
_WITHOUT = """\
    return function({passing})
"""


def into(out: Any, result: Any, name: str = "") -> Any:
    """A result, put into the memory of `out` if that is given: what `out=` does.

    Args:
        out: a tensor, or as many as there are results; one of another shape gets memory of the result's shape.
        result: a tensor, a named tuple of tensors, or a list of tensors, of which PyTorch returns nothing.
        name: of the function; some convert nothing.

    Raises:
        DTypeError: the result's element type cannot become that of `out`, or is to be the same and is not.
        GradientError: gradients would flow through it.
        OperandError: `out` is no tensor, or not as many as the results.
    """
    if out is None:
        return result
    if isinstance(result, Recorded):
        return _into(out, result, name)
    if isinstance(out, Recorded) or len(out) != len(result):
        given = "one tensor" if isinstance(out, Recorded) else f"{len(out)} tensors"
        raise OperandError(f"out= takes {len(result)} tensors here, but {given} came. Fix: out=(first, second).")
    parts = [_into(one, part, name) for one, part in zip(out, result, strict=True)]
    if hasattr(result, "fields"):
        return type(result)(*parts)
    return None if isinstance(result, list) or name.endswith("_copy") else tuple(parts)


def _into(out: Any, result: Any, name: str) -> Tensor:
    if not isinstance(out, Recorded):
        raise OperandError(f"argument 'out' must be Tensor, not {type(out).__name__}. Fix: out=torch.empty(0).")
    if state.grad and (out._spec.requires_grad or result._spec.requires_grad):
        raise GradientError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments "
            "requires grad. Fix: call it under torch.no_grad(), or without out."
        )
    steps = [step for step, size in zip(strides_of(out), out._spec.shape, strict=True) if size > 1]
    if 0 in steps and out._spec.type.elements:
        raise InPlaceError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation. Fix: out=torch.empty(0)."
        )
    if name in _EXACT and out._spec.dtype is not result._spec.dtype:
        raise DTypeError(
            f"{name}: Expected out tensor to have dtype {result._spec.dtype}, but got {out._spec.dtype} instead. Fix: "
            f"out=torch.empty(0, dtype={result._spec.dtype})."
        )
    if not dtypes.can_cast(result._spec.dtype, out._spec.dtype):
        raise DTypeError(
            f"result type {result._spec.dtype} can't be cast to the desired output type {out._spec.dtype}. "
            f"Fix: out=torch.empty(0, dtype={result._spec.dtype})."
        )
    if out._spec.shape != result._spec.shape:
        _resize(out, result)
        return out  # type: ignore[return-value]
    return assign(out, result)  # type: ignore[arg-type]


def _resize(out: Recorded, result: Any) -> None:
    """Give `out` new memory of the result's shape, with the result in it."""
    if out._spec.type.elements:
        warnings.warn(
            f"An output with one or more elements was resized since it had shape {list(out._spec.shape)}, which does "
            f"not match the required output shape {list(result._spec.shape)}. Fix: out=torch.empty(0).",
            UserWarning,
            stacklevel=5,
        )
    renew_memory(out, result.to(out._spec.dtype, copy=True))


def with_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the argument `out`, where it does not have it already."""
    if takes_out(function):
        return function
    if hasattr(function, "takes_numpy_names"):
        return numpy_names(with_out(function.__wrapped__))  # type: ignore[attr-defined]
    names = {
        **(function.__globals__ if _is_operation(function) else {}),
        "function": function,
        "into": into,
        "mend": mend,
        "check_apart": check_apart,
    }

    def generate() -> Callable[..., Any]:
        tree = ast.parse(_source_of(function, names))
        exec(compile(tree, f"<out= of {function.__name__}>", "exec"), names)
        generated = names[function.__name__]
        caller.__code__ = generated.__code__
        caller.__defaults__, caller.__kwdefaults__ = generated.__defaults__, generated.__kwdefaults__
        names[function.__name__] = caller
        if _is_operation(function):
            hot.callers[caller] = tree
        return caller

    names["generate"] = generate
    caller = FunctionType(_first_call.__code__, names, function.__name__)
    for name in ("__module__", "__qualname__", "__doc__", "__annotations__"):
        setattr(caller, name, getattr(function, name))
    caller.__wrapped__ = function  # type: ignore[attr-defined]
    caller.takes_out = True  # type: ignore[attr-defined]
    return caller


def _first_call(*args: Any, **kwargs: Any) -> Any:
    try:
        return generate()(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821  (a name of each caller's own)
    except TypeError as error:
        mend(error)
        raise


def takes_out(function: Any) -> bool:
    """Whether a function has the argument `out`."""
    while hasattr(function, "__wrapped__") and not hasattr(function, "takes_out"):
        function = function.__wrapped__
    code = function.__code__
    return hasattr(function, "takes_out") or "out" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def give_out(room: MutableMapping[str, Any], names: str) -> None:
    """Give functions of a module the argument `out`.

    Args:
        room: the module's names, `globals()`.
        names: PyTorch's functions that take it, with spaces in between.
    """
    for name in names.split():
        if name in room:
            room[name] = with_out(room[name])


def check_apart(function: Callable[..., Any], out: Any, operands: Sequence[Any]) -> None:
    """Raise where PyTorch refuses to write into memory that is read.

    Raises:
        InPlaceError: `out` lies in an operand's memory.
    """
    targets = [out] if isinstance(out, Recorded) else out
    for target, operand in product(targets, _tensors(operands)):
        check_overlap(target, operand)
        if function.__name__.strip("_") in _APART and target.root is operand.root:
            raise InPlaceError(
                f"{function.__name__}: unsupported operation: some elements of the input tensor and the written-to "
                "tensor refer to a single memory location. Please clone() the tensor before performing the operation. "
                "Fix: leave out= away."
            )


def _tensors(operands: Iterable[Any]) -> Iterator[Recorded]:
    for one in operands:
        if isinstance(one, Recorded):
            yield one
        elif isinstance(one, (list, tuple)):
            yield from _tensors(one)


# What converts nothing on the way into `out`.
_EXACT = frozenset(
    {
        "addmm",
        "amax",
        "amin",
        "aminmax",
        "argmax",
        "argmin",
        "bmm",
        "cross",
        "cummax",
        "cummin",
        "diag",
        "dot",
        "gather",
        "histc",
        "index_add",
        "index_copy",
        "index_select",
        "kthvalue",
        "make_complex",
        "masked_select",
        "matmul",
        "median",
        "mm",
        "mode",
        "mv",
        "nonzero",
        "polar",
        "renorm",
        "scatter",
        "scatter_add",
        "sort",
        "take",
        "topk",
        "tril",
        "triu",
        "where",
    }
)
# What reads operands at places other than those that it writes.
_APART = frozenset({"cat", "gather", "index_select", "kthvalue", "masked_select", "mode", "take"})


def _is_operation(function: Any) -> bool:
    """Whether a function is generated: with `out`, it is generated anew, so that it costs no second call."""
    return hasattr(function, "operation") and function.operation.caller is function


def _source_of(function: Any, names: dict[str, Any]) -> str:
    """The text of the function with `out`."""
    parameters = list(inspect.signature(function).parameters.values())
    named = [one for one in parameters if one.kind is not one.VAR_KEYWORD]
    signature, passing = [], []
    starred = False
    more = [inspect.Parameter(one, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=absent) for one in _more(function)]
    first = [one for one in named if one.kind is not one.KEYWORD_ONLY]
    for one in [*first, *more, *named[len(first) :], _OUT, *parameters[len(named) :]]:
        stars = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
        if one.kind is one.KEYWORD_ONLY and not starred:
            signature.append("*")
        starred = starred or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        default = ""
        if one.default is not one.empty:
            names[f"{one.name}_default"] = one.default
            default = f"={one.name}_default"
        signature.append(f"{stars}{one.name}{default}")
        if one is not _OUT and one not in more:
            passing.append(f"{one.name}={one.name}" if one.kind is one.KEYWORD_ONLY else f"{stars}{one.name}")
    without = source_of(function.operation, "out").partition("):\n")[2] if _is_operation(function) else _WITHOUT
    older, begins, rest = without.partition("    _rec = state.rec\n")
    without = begins + rest if more else without
    return (_HEAD + (older if more else "") + _WITH).format(
        name=function.__name__,
        signature=", ".join(signature),
        passing=", ".join(passing),
        operands="".join(f"{one.name}, " for one in named),
    ) + without.replace("{passing}", ", ".join(passing))


def _more(function: Any) -> list[str]:
    return more_parameters(function.operation) if _is_operation(function) else []


_OUT = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None)
