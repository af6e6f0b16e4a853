"""Functions from all numbers to a region. As `torch.distributions.constraint_registry`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.matrix_transforms import (
    CorrCholeskyTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
)
from kadam.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    SigmoidTransform,
    Transform,
    identity_transform,
)
from kadam.distributions.vector_transforms import (
    CatTransform,
    IndependentTransform,
    SoftmaxTransform,
    StackTransform,
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
    if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


def _above(region: Any) -> Transform:
    return ComposeTransform([ExpTransform(), AffineTransform(region.lower_bound, 1)])


def _of_events(registry: ConstraintRegistry) -> Factory:
    return lambda region: IndependentTransform(registry(region.base_constraint), region.reinterpreted_batch_ndims)


def _of_pieces(registry: ConstraintRegistry) -> Factory:
    return lambda region: CatTransform([registry(one) for one in region.cseq], region.dim, region.lengths)


def _of_slices(registry: ConstraintRegistry) -> Factory:
    return lambda region: StackTransform([registry(one) for one in region.cseq], region.dim)


for _registry in (biject_to, transform_to):
    _registry.register(constraints.real, lambda region: identity_transform)
    _registry.register(constraints.greater_than, _above)
    _registry.register(constraints.greater_than_eq, _above)
    _registry.register(
        constraints.less_than,
        lambda region: ComposeTransform([ExpTransform(), AffineTransform(region.upper_bound, -1)]),
    )
    _registry.register(constraints.interval, _to_interval)
    _registry.register(constraints.half_open_interval, _to_interval)
    _registry.register(constraints.corr_cholesky, lambda region: CorrCholeskyTransform())
    _registry.register(constraints.independent, _of_events(_registry))
    _registry.register(constraints.cat, _of_pieces(_registry))
    _registry.register(constraints.stack, _of_slices(_registry))
biject_to.register(constraints.simplex, lambda region: StickBreakingTransform())
transform_to.register(constraints.simplex, lambda region: SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda region: LowerCholeskyTransform())
for _positive in (constraints.positive_semidefinite, constraints.positive_definite):
    transform_to.register(_positive, lambda region: PositiveDefiniteTransform())

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]
