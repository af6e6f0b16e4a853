"""What the parameters and the values of distributions must satisfy, as `torch.distributions.constraints`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.recording.tensor import from_array, read

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.tensor import Tensor

_TOLERANCE = 1e-6  # of sums of probabilities, and of symmetry


@dataclass(frozen=True)
class Constraint:
    """A region; `event_dim` axes at the end of a tensor are judged together."""

    is_discrete = False
    event_dim = 0

    def holds(self, array: Array) -> Any:
        """Where an array lies in the region."""
        raise NotImplementedError

    def check(self, value: Tensor) -> Tensor:
        """Where a tensor lies in the region: one truth value for each event."""
        return from_array(np.asarray(self.holds(read(value))))

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name}={_plain(bound)}" for name, bound in self.__dict__.items())
        return f"{type(self).__name__}({bounds})"


def _plain(bound: Any) -> Any:
    return bound.item() if hasattr(bound, "item") and not getattr(bound, "shape", ()) else bound


def _number(bound: Any) -> Any:
    return read(bound) if hasattr(bound, "_spec") else bound


@dataclass(frozen=True, repr=False)
class Dependent(Constraint):
    """What depends on other parameters, and is checked by the distribution itself."""


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
        return array > _number(self.lower_bound)


@dataclass(frozen=True, repr=False)
class GreaterThanEq(Constraint):
    """At or above a bound."""

    lower_bound: Any

    def holds(self, array: Array) -> Any:
        return array >= _number(self.lower_bound)


@dataclass(frozen=True, repr=False)
class LessThan(Constraint):
    """Below a bound."""

    upper_bound: Any

    def holds(self, array: Array) -> Any:
        return array < _number(self.upper_bound)


@dataclass(frozen=True, repr=False)
class Interval(Constraint):
    """From one bound to the other."""

    lower_bound: Any
    upper_bound: Any

    def holds(self, array: Array) -> Any:
        return (array >= _number(self.lower_bound)) & (array <= _number(self.upper_bound))


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
        return (array >= 0).all(-1) & (array.sum(-1) <= _number(self.upper_bound))

    def __repr__(self) -> str:
        return "Multinomial()"


@dataclass(frozen=True, repr=False)
class LowerCholesky(Constraint):
    """Lower triangular matrices with a positive diagonal."""

    event_dim = 2

    def holds(self, array: Array) -> Any:
        lower = (np.tril(array) == array).all((-2, -1))
        return lower & (np.diagonal(array, axis1=-2, axis2=-1) > 0).all(-1)


@dataclass(frozen=True, repr=False)
class PositiveDefinite(Constraint):
    """Symmetric matrices all of whose eigenvalues are positive."""

    event_dim = 2

    def holds(self, array: Array) -> Any:
        symmetric = np.isclose(array, array.swapaxes(-2, -1), atol=_TOLERANCE).all((-2, -1))
        return symmetric & (np.linalg.eigvalsh(array) > 0).all(-1)


@dataclass(frozen=True)
class Independent(Constraint):
    """Another constraint, at all elements of an event."""

    base: Constraint
    axes: int

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return self.base.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self.base.event_dim + self.axes

    def holds(self, array: Array) -> Any:
        inside = self.base.holds(array)
        return inside.all(tuple(range(-self.axes, 0))) if self.axes else inside

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base!r}, {self.axes})"


dependent = Dependent()
boolean = Boolean()
real = Real()
positive = GreaterThan(0.0)
nonnegative = GreaterThanEq(0.0)
unit_interval = Interval(0.0, 1.0)
nonnegative_integer, positive_integer = IntegerGreaterThan(0), IntegerGreaterThan(1)
simplex, one_hot = Simplex(), OneHot()
lower_cholesky, positive_definite = LowerCholesky(), PositiveDefinite()
real_vector = Independent(real, 1)
greater_than, greater_than_eq, less_than, interval = GreaterThan, GreaterThanEq, LessThan, Interval
integer_interval, multinomial, independent = IntegerInterval, Multinomial, Independent

__all__ = [
    "Constraint", "boolean", "dependent", "greater_than", "greater_than_eq", "independent", "integer_interval",
    "interval", "less_than", "lower_cholesky", "multinomial", "nonnegative", "nonnegative_integer", "one_hot",
    "positive", "positive_definite", "positive_integer", "real", "real_vector", "simplex", "unit_interval",
]  # fmt: skip
