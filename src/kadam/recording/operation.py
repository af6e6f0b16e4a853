"""How an operation of the surface is declared.

`@operation` turns a body, written over tensors in the language of the surface, into a function that records calls
(`kadam.recording.caller` generates it). What an argument is to the call, its role, stands in the body's annotations:

    Tensor                  an operand
    Tensor | None           an operand that may be absent
    Tensor | Number         an operand, or a Python number that becomes an input of the run
    Sequence[Tensor]        several operands
    Sequence[State]         several operands that the call updates: its results, in order, become their values
    Number                  a runtime scalar: its value may change from call to call; the default is structure
    Fixed                   a number that is structure, told apart by kind (2 is not 2.0)
    Raw                     structure that stands in the key as it is
    anything else           structure: part of the key
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from kadam import dtypes
from kadam.ir.graph import Phase
from kadam.ir.primitive import Primitive
from kadam.primitives.elementwise import Cast
from kadam.recording import precision
from kadam.recording.caller import caller_of
from kadam.recording.calls import emit
from kadam.recording.order import Rule
from kadam.recording.step import state
from kadam.recording.tensor import Number, Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor
    from kadam.tensor import Tensor as State
else:
    State = Recorded

Fixed = bool | int | float | complex
Raw = Any
Body = TypeVar("Body", bound=Callable[..., Any])

_ROLES = {
    "Tensor": "operand",
    "Tensor|None": "optional",
    "Tensor|Number": "mixed",
    "Tensor|Number|None": "mixed_optional",
    "Sequence[Tensor]": "list",
    "Sequence[Tensor|None]": "list_optional",
    "Sequence[State]": "state",
    "Number": "number",
    "Number|None": "number_optional",
    "Fixed": "fixed",
    "Fixed|None": "fixed",
    "Raw": "raw",
}
_HALVES = (dtypes.float16, dtypes.bfloat16)


class Operation:
    """What is known of an operation; it stands first in the keys of its calls.

    Attributes:
        name: as the surface calls it.
        body: what runs on symbols at first sight.
        chain_of: for a view: the primitives between the first operand and the result.
        caller: the generated function.
        phase: of the nodes that it emits, where it is not the call's own.
        grad_name: PyTorch's name of its derivative; a body that only calls other operations takes theirs.
        differentiable: False: its results never require grad.
        once: whether it computes half precision in single precision, and rounds its results.
        order: the rule for how its results lie in memory; None: the one that follows from what it is made of.
        state: indices of the parameters whose tensors the call updates: its results, in order, are their new values.
        anywhere: whether what the body emits depends on structure and operands alone, not on where the call stands.
        names, roles, defaults, keyword_only: of its parameters, in order.
        older: the parameters in the order of older PyTorch, if it had another one.
    """

    older: tuple[str, ...] = ()

    def __init__(
        self,
        body: FunctionType,
        phase: Phase | None,
        grad: str | None,
        differentiable: bool,
        once: bool,
        order: Rule | None,
    ) -> None:
        self.name = body.__name__
        self.body: Callable[..., Any] = body
        self.chain_of: Callable[..., Iterable[Primitive]] | None = None
        self.caller: Callable[..., Any] = body
        self.phase = phase
        self.forces_name = grad is not None
        self.grad_name = grad or "".join(part.capitalize() for part in self.name.split("_")) + "Backward0"
        self.differentiable = differentiable
        self.once = once
        self.order = order
        code = body.__code__
        if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            raise TypeError(f"{self.name}: the body of an operation takes named parameters only")
        count = code.co_argcount + code.co_kwonlyargcount
        self.names = list(code.co_varnames[:count])
        self.keyword_only = set(self.names[code.co_argcount :])
        given = body.__defaults__ or ()
        self.defaults = dict(zip(self.names[code.co_argcount - len(given) : code.co_argcount], given, strict=True))
        self.defaults |= body.__kwdefaults__ or {}
        self.roles = [_role(body.__annotations__.get(name)) for name in self.names]
        self.anywhere = "raw" not in self.roles
        self.state = tuple(index for index, role in enumerate(self.roles) if role == "state")

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def run_body(self, arguments: Sequence[Any]) -> Any:
        """The body on symbols."""
        if state.lower is not None and self.name in precision.POLICIES:
            arguments = precision.adapted(self.name, arguments)
            with precision.outside():
                return self.run_body(arguments)
        return _rounded_once(self._on, arguments) if self.once else self._on(arguments)

    def _on(self, arguments: Sequence[Any]) -> Any:
        positional = [one for name, one in zip(self.names, arguments, strict=True) if name not in self.keyword_only]
        named = {name: one for name, one in zip(self.names, arguments, strict=True) if name in self.keyword_only}
        return self.body(*positional, **named)


def _role(annotation: object) -> str:
    return _ROLES.get(annotation.replace(" ", ""), "static") if isinstance(annotation, str) else "static"


def _rounded_once(result_on: Callable[[Sequence[Any]], Any], arguments: Sequence[Any]) -> Any:
    """What a body returns for operands of half precision as single precision, rounded."""
    operands = [one._spec for one in arguments if isinstance(one, Recorded) and not one._spec.weak]
    records = {spec.dtype for spec in operands if spec.dtype.is_floating_point}
    record = records.pop() if len(records) == 1 else None
    if record not in _HALVES:
        return result_on(arguments)

    def cast(value: Any, old: dtypes.dtype | None, new: dtypes.dtype | None) -> Any:
        return emit(Cast(new), value) if isinstance(value, Recorded) and value._spec.dtype is old else value  # type: ignore[arg-type]

    result = result_on([cast(one, record, dtypes.float32) for one in arguments])
    if isinstance(result, Recorded):
        return cast(result, dtypes.float32, record)
    return [cast(one, dtypes.float32, record) for one in result]


@overload
def operation(body: Body) -> Body: ...
@overload
def operation(
    *,
    phase: Phase | None = None,
    grad: str | None = None,
    differentiable: bool = True,
    once: bool = False,
    order: Rule | None = None,
) -> Callable[[Body], Body]: ...
def operation(
    body: Any = None,
    *,
    phase: Phase | None = None,
    grad: str | None = None,
    differentiable: bool = True,
    once: bool = False,
    order: Rule | None = None,
) -> Any:
    """Declare an operation: see the module's first lines for the roles of its parameters.

    Args:
        body: runs once per path, on symbols; returns a tensor or a (named) tuple or list of tensors.
        phase: of the nodes it emits, where that is not the phase of the call.
        grad: PyTorch's name of the derivative, where it differs from `<Name>Backward0`.
        differentiable: False: the results never require grad.
        once: let it compute operands of half precision in single precision and round its results, as a kernel does.
        order: how its results lie in memory, where that does not follow from what it is made of (`recording.order`).
    """

    def declared(body: FunctionType) -> Any:
        return _dressed(Operation(body, phase, grad, differentiable, once, order), body)

    return declared if body is None else declared(body)


@overload
def view(body: Callable[..., Any]) -> Callable[..., Tensor]: ...
@overload
def view(
    *, grad: str | None = None, order: Rule | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Tensor]]: ...
def view(body: Any = None, *, grad: str | None = None, order: Rule | None = None) -> Any:
    """Declare an operation whose result sees its first operand's memory.

    The body returns the chain of primitives that leads from the operand to the result, given the other arguments (a
    chain with a primitive that is no view makes a copy; an empty chain returns the operand itself). A tensor whose
    values are known and that needs no gradient is seen at once, without a recording.
    """

    def declared(chain_of: FunctionType) -> Any:
        def emitted(input: Tensor, *rest: Any) -> Tensor:
            result = input
            for primitive in chain_of(input, *rest):
                result = emit(primitive, result)
            return result

        op = Operation(chain_of, None, grad, True, False, order)
        op.chain_of, op.body = chain_of, emitted
        return _dressed(op, chain_of)

    return declared if body is None else declared(body)


def _dressed(op: Operation, body: Callable[..., Any]) -> Any:
    caller = caller_of(op)
    for name in ("__module__", "__qualname__", "__doc__", "__annotations__"):
        setattr(caller, name, getattr(body, name))
    if op.chain_of is not None:
        caller.__annotations__ = {**body.__annotations__, "return": "Tensor"}
    caller.__wrapped__ = body  # type: ignore[attr-defined]
    caller.operation = op  # type: ignore[attr-defined]
    return caller


__all__ = ["Fixed", "Number", "Operation", "Raw", "State", "emit", "operation", "view"]
