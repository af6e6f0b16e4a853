"""Functions from all numbers to a region. As `torch.distributions.constraint_registry`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    SigmoidTransform,
    Transform,
    identity_transform,
)
from kadam.distributions.vector_transforms import (
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SoftmaxTransform,
    StickBreakingTransform,
)

Factory = Callable[[Any], Transform]


class ConstraintRegistry:
    """For each kind of region, a function from all numbers to it."""

    def __init__(self) -> None:
        self._registry: dict[type, Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Declare the function to a kind of region; a decorator, if only that is given."""
        if factory is None:
            return lambda found: self.register(constraint, found)
        kind = constraint if isinstance(constraint, type) else type(constraint)
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        """A function to the region.

        Raises:
            NotImplementedError: none is known.
        """
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(
                f"Cannot transform {type(constraint).__name__} constraints. Fix: register a function for it."
            )
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _to_interval(region: Any) -> Transform:
    low, high = region.lower_bound, region.upper_bound
    if (low, high) == (0, 1):
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


def _above(region: Any) -> Transform:
    if isinstance(region.lower_bound, int | float) and region.lower_bound == 0:
        return ExpTransform()
    return ComposeTransform([ExpTransform(), AffineTransform(region.lower_bound, 1)])


def _of_parts(registry: ConstraintRegistry) -> Factory:
    return lambda region: IndependentTransform(registry(region.base), region.axes)


for _registry in (biject_to, transform_to):
    _registry.register(constraints.real, lambda region: identity_transform)
    _registry.register(constraints.greater_than, _above)
    _registry.register(constraints.greater_than_eq, _above)
    _registry.register(
        constraints.less_than,
        lambda region: ComposeTransform([ExpTransform(), AffineTransform(region.upper_bound, -1)]),
    )
    _registry.register(constraints.interval, _to_interval)
    _registry.register(constraints.lower_cholesky, lambda region: LowerCholeskyTransform())
    _registry.register(constraints.positive_definite, lambda region: PositiveDefiniteTransform())
    _registry.register(constraints.independent, _of_parts(_registry))
biject_to.register(constraints.simplex, lambda region: StickBreakingTransform())
transform_to.register(constraints.simplex, lambda region: SoftmaxTransform())

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]
