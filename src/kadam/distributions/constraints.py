"""What the parameters and the values of distributions must satisfy, as `torch.distributions.constraints`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.distributions.constraint import Constraint, number
from kadam.distributions.matrix_constraints import (
    CorrCholesky,
    corr_cholesky,
    lower_cholesky,
    lower_triangular,
    positive_definite,
    positive_semidefinite,
    square,
    symmetric,
)

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.tensor import Tensor

_TOLERANCE = 1e-6  # of sums of probabilities


class Dependent(Constraint):
    """What depends on other parameters, and is checked by the distribution itself."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self.__dict__.update(_is_discrete=is_discrete, _event_dim=event_dim)

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return bool(_known(self, "is_discrete"))

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return int(_known(self, "event_dim"))

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> Dependent:
        """The same, of which more is known."""
        return Dependent(
            is_discrete=self.__dict__["_is_discrete"] if is_discrete is NotImplemented else is_discrete,
            event_dim=self.__dict__["_event_dim"] if event_dim is NotImplemented else event_dim,
        )

    def check(self, value: Tensor) -> Tensor:
        raise ValueError(
            "Cannot determine validity of dependent constraint. Fix: ask the constraint of a distribution's instance."
        )

    def __repr__(self) -> str:
        return "Dependent()"


class DependentProperty(property, Dependent):
    """A property whose value is a constraint: what a class says of it stands in the decorator's arguments."""

    def __init__(
        self, getter: Any = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented
    ) -> None:
        property.__init__(self, getter)
        Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, getter: Any) -> DependentProperty:  # type: ignore[override]
        return DependentProperty(
            getter, is_discrete=self.__dict__["_is_discrete"], event_dim=self.__dict__["_event_dim"]
        )


def _known(region: Dependent, name: str) -> Any:
    value = region.__dict__["_" + name]
    if value is NotImplemented:
        raise NotImplementedError(
            f".{name} cannot be determined statically. Fix: @constraints.dependent_property({name}=...)."
        )
    return value


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters."""
    return isinstance(constraint, Dependent)


@dataclass(frozen=True, repr=False)
class Boolean(Constraint):
    """0 or 1."""

    is_discrete = True

    def holds(self, array: Array) -> Any:
        return (array == 0) | (array == 1)


@dataclass(frozen=True, repr=False)
class Real(Constraint):
    """Any number but nan."""

    def holds(self, array: Array) -> Any:
        return array == array


@dataclass(frozen=True, repr=False)
class GreaterThan(Constraint):
    """Above a bound."""

    lower_bound: Any

    def holds(self, array: Array) -> Any:
        return array > number(self.lower_bound)


@dataclass(frozen=True, repr=False)
class GreaterThanEq(Constraint):
    """At or above a bound."""

    lower_bound: Any

    def holds(self, array: Array) -> Any:
        return array >= number(self.lower_bound)


@dataclass(frozen=True, repr=False)
class LessThan(Constraint):
    """Below a bound."""

    upper_bound: Any

    def holds(self, array: Array) -> Any:
        return array < number(self.upper_bound)


@dataclass(frozen=True, repr=False)
class Interval(Constraint):
    """From one bound to the other."""

    lower_bound: Any
    upper_bound: Any

    def holds(self, array: Array) -> Any:
        return (array >= number(self.lower_bound)) & (array <= number(self.upper_bound))


@dataclass(frozen=True, repr=False)
class HalfOpenInterval(Interval):
    """From one bound up to another, which it does not have."""

    def holds(self, array: Array) -> Any:
        return (array >= number(self.lower_bound)) & (array < number(self.upper_bound))


@dataclass(frozen=True, repr=False)
class IntegerInterval(Interval):
    """Whole numbers from one bound to the other."""

    is_discrete = True

    def holds(self, array: Array) -> Any:
        return (array % 1 == 0) & super().holds(array)


@dataclass(frozen=True, repr=False)
class IntegerGreaterThan(GreaterThanEq):
    """Whole numbers from a bound upwards."""

    is_discrete = True

    def holds(self, array: Array) -> Any:
        return (array % 1 == 0) & super().holds(array)


@dataclass(frozen=True, repr=False)
class Simplex(Constraint):
    """Probabilities along the last axis: not negative, with sum 1."""

    event_dim = 1

    def holds(self, array: Array) -> Any:
        whole = np.abs(array.sum(-1) - 1) < _TOLERANCE
        return (array >= 0).all(-1) & whole


@dataclass(frozen=True, repr=False)
class OneHot(Constraint):
    """A one among zeros, along the last axis."""

    is_discrete = True
    event_dim = 1

    def holds(self, array: Array) -> Any:
        return ((array == 0) | (array == 1)).all(-1) & (array.sum(-1) == 1)


@dataclass(frozen=True, repr=False)
class Multinomial(Constraint):
    """Counts along the last axis with at most the given sum."""

    upper_bound: Any
    is_discrete = True
    event_dim = 1

    def holds(self, array: Array) -> Any:
        return (array >= 0).all(-1) & (array.sum(-1) <= number(self.upper_bound))

    def __repr__(self) -> str:
        return "Multinomial()"


@dataclass(frozen=True)
class Independent(Constraint):
    """Another constraint, at all elements of an event."""

    base_constraint: Constraint
    reinterpreted_batch_ndims: int

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def holds(self, array: Array) -> Any:
        inside, axes = np.asarray(self.base_constraint.holds(array)), self.reinterpreted_batch_ndims
        if inside.ndim < axes:
            raise ValueError(
                f"Expected value.dim() >= {self.event_dim} but got {array.ndim}. Fix: give a value with as many axes "
                "as an event has."
            )
        return inside.all(tuple(range(-axes, 0))) if axes else inside

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


@dataclass(frozen=True, repr=False)
class MixtureSameFamilyConstraint(Constraint):
    """What all components of a mixture have."""

    base_constraint: Constraint

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base_constraint.event_dim

    def holds(self, array: Array) -> Any:
        inside = np.asarray(self.base_constraint.holds(np.expand_dims(array, -1 - self.event_dim)))
        kept = array.ndim - self.event_dim
        return inside.all(tuple(range(kept, inside.ndim)))

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _SideBySide(Constraint):
    """The base of several constraints of the parts of a tensor."""

    def __init__(self, cseq: Sequence[Constraint], dim: int) -> None:
        self.__dict__.update(cseq=list(cseq), dim=dim)

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return any(one.is_discrete for one in self.__dict__["cseq"])

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return max(int(one.event_dim) for one in self.__dict__["cseq"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Cat(_SideBySide):
    """Constraints of pieces of the given lengths along an axis."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None) -> None:
        super().__init__(cseq, dim)
        self.__dict__["lengths"] = [1] * len(cseq) if lengths is None else list(lengths)

    def holds(self, array: Array) -> Any:
        given = self.__dict__
        parts = np.split(array, np.cumsum(given["lengths"])[:-1], given["dim"])
        return np.concatenate([one.holds(part) for one, part in zip(given["cseq"], parts, strict=True)], given["dim"])


class Stack(_SideBySide):
    """Constraints of the slices along an axis."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        super().__init__(cseq, dim)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        axes = super().event_dim
        return axes + 1 if self.__dict__["dim"] + axes < 0 else axes

    def holds(self, array: Array) -> Any:
        given = self.__dict__
        parts = np.moveaxis(array, given["dim"], 0)
        return np.stack([one.holds(part) for one, part in zip(given["cseq"], parts, strict=False)], given["dim"])


dependent = Dependent()
dependent_property = DependentProperty
boolean = Boolean()
real = Real()
positive = GreaterThan(0.0)
nonnegative = GreaterThanEq(0.0)
unit_interval = Interval(0.0, 1.0)
nonnegative_integer, positive_integer = IntegerGreaterThan(0), IntegerGreaterThan(1)
simplex, one_hot = Simplex(), OneHot()
real_vector = Independent(real, 1)
greater_than, greater_than_eq, less_than, interval = GreaterThan, GreaterThanEq, LessThan, Interval
_CorrCholesky = CorrCholesky  # libraries that check it in their own way change the class under this name
half_open_interval, integer_interval, multinomial = HalfOpenInterval, IntegerInterval, Multinomial
independent, cat, stack = Independent, Cat, Stack

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval",
    "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite",
    "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip
