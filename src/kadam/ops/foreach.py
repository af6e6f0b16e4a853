"""One operation on each tensor of a list: `torch._foreach_add_(parameters, gradients, alpha=-lr)`.

Optimizers are written with them. A step is one graph here, so that nothing is gained by them: they are what a loop is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam import linalg
from kadam.errors import OperandError, RangeError, ShapeError
from kadam.ops.arithmetic import pow
from kadam.recording.tensor import Recorded, made

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_ELEMENTWISE = (
    "abs acos add addcdiv addcmul asin atan ceil clamp_max clamp_min cos cosh div erf erfc exp expm1 floor frac lerp "
    "lgamma log log10 log1p log2 maximum minimum mul neg pow reciprocal round rsqrt sigmoid sign sin sinh sqrt sub tan "
    "tanh trunc"
)
_EITHER_WAY = _ELEMENTWISE.split()
_NAMES = [*_EITHER_WAY, *[f"{one}_" for one in _EITHER_WAY], "clone", "copy_", "max", "mm", "norm", "powsum", "zero_"]
# Of an operation with a scale at its end: the lists before that, and its name in one tensor's operation.
_SCALED = {"addcmul": (2, "value"), "addcdiv": (2, "value"), "lerp": (1, "weight")}
_METHODS = {"maximum": "clamp_min", "minimum": "clamp_max", "maximum_": "clamp_min_", "minimum_": "clamp_max_"}


def _powsum(self: Tensor, ord: float = 2) -> Tensor:
    """The sum of the powers of the absolute values."""
    return self.abs().pow(ord).sum()


def _norm(self: Tensor, ord: float = 2, dtype: Any = None) -> Tensor:
    """The norm of all elements."""
    return linalg.vector_norm(self, ord, dtype=dtype)


def _foreach(name: str) -> Callable[..., Any]:
    lists, scale = _SCALED.get(name.removesuffix("_"), (1, "other"))

    def call(self: Any, *given: Any, **named: Any) -> Any:
        if name == "pow" and not isinstance(self, list | tuple):
            return tuple([pow(self, one) for one in given[0]])
        if "scalars" in named:
            named[scale] = named.pop("scalars")
        if scale != "other" and len(given) > lists:
            named[scale] = given[lists]
            given = given[:lists]
        _check(name, self, [*given, *named.values()])
        function = _OTHERS.get(name) or getattr(made.cls, _METHODS.get(name, name))
        results = [
            function(
                one,
                *[_at(place, value) for value in given],
                **{key: _at(place, value, key == "value") for key, value in named.items()},
            )
            for place, one in enumerate(self)
        ]
        return self if name.endswith("_") else tuple(results)

    call.__name__ = call.__qualname__ = f"_foreach_{name}"
    call.__doc__ = f"`{name}` of each tensor of a list; other lists are gone through beside it."
    return call


_OTHERS = {"norm": _norm, "powsum": _powsum}


def _at(place: int, value: Any, scales: bool = False) -> Any:
    """An argument for one tensor: its entry of a list, or what is for all; a vector of scales is a list."""
    listed = isinstance(value, list | tuple) or (scales and isinstance(value, Recorded) and len(value._spec.shape) == 1)
    return value[place] if listed else value


def _check(name: str, tensors: Any, others: Sequence[Any]) -> None:
    if not isinstance(tensors, list | tuple) or not all(isinstance(one, Recorded) for one in tensors):
        raise OperandError(f"_foreach_{name}(): argument 'self' must be tuple of Tensors. Fix: a list of tensors.")
    if not tensors:
        raise RangeError(f"_foreach_{name}: Tensor list must have at least one tensor. Fix: leave empty lists out.")
    for other in others:
        if isinstance(other, list | tuple) and len(other) != len(tensors):
            raise ShapeError(
                f"_foreach_{name}: Tensor lists must have the same number of tensors, got {len(tensors)} and "
                f"{len(other)}. Fix: lists of one length."
            )


globals().update({f"_foreach_{name}": _foreach(name) for name in _NAMES})
__all__ = [f"_foreach_{name}" for name in _NAMES]
