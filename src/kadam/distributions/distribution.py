"""What all distributions have in common: shapes, validation, PyTorch's methods."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from kadam import dtypes
from kadam.distributions.constraints import Constraint, Dependent
from kadam.errors import KadamError
from kadam.ops.creation import tensor as new_tensor
from kadam.ops.query import broadcast_tensors
from kadam.recording.modes import grad_mode
from kadam.recording.spec import Size
from kadam.recording.tensor import Recorded, read
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class ParameterError(KadamError, ValueError):
    """Parameters of which there is no distribution, or a value that a distribution does not have."""


class Distribution:
    """A probability distribution, or a batch of them.

    A draw has the shape `sample_shape + batch_shape + event_shape`.

    Attributes:
        arg_constraints: what each parameter must satisfy.
        has_rsample: whether gradients flow from draws to parameters.
        has_enumerate_support: whether all values can be listed.
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    has_rsample: bool = False
    has_enumerate_support: bool = False
    _validate_args = True
    _event_axes: ClassVar[dict[str, int]] = {}  # parameter -> how many axes at its end belong to one event

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check their parameters and values unless told otherwise."""
        Distribution._validate_args = bool(value)

    def __init__(
        self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @property
    def batch_shape(self) -> Size:
        """The shape over which the parameters are batched."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw from one distribution."""
        return self._event_shape

    @property
    def support(self) -> Constraint:
        """The values that the distribution has."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """A most probable value."""
        raise NotImplementedError(
            f"{type(self)} does not implement mode. Fix: use .mean, or the argmax of log_prob over candidates."
        )

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw values from which gradients flow to the parameters."""
        raise NotImplementedError

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw values."""
        with grad_mode(False):
            return self.rsample(sample_shape)

    def sample_n(self, n: int) -> Tensor:
        """Draw `n` values. Deprecated in PyTorch: `sample((n,))`."""
        warnings.warn("sample_n will be deprecated. Use .sample((n,)) instead", UserWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value up to `value`."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The value up to which the probability is `value`."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """The exponential of the entropy."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first axis."""
        raise NotImplementedError

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """This distribution, repeated over a larger batch."""
        batch = tuple(batch_shape)
        new = object.__new__(type(self)) if _instance is None else _instance
        for name, value in vars(self).items():
            if name in self._event_axes:
                events = tuple(value.shape[len(value.shape) - self._event_axes[name] :])
                value = value.expand(batch + events)
            setattr(new, name, value)
        new._batch_shape = Size(batch)
        return new

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """What `expand` of a class of the user's begins with: a new object, without a call of `__init__`."""
        if _instance is None and type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ method must also "
                "define a custom .expand() method. Fix: define expand(self, batch_shape, _instance=None)."
            )
        return object.__new__(type(self)) if _instance is None else _instance

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            lazy = isinstance(getattr(type(self), name, None), cached_property) and name not in vars(self)
            if isinstance(constraint, Dependent) or lazy:
                continue
            value = getattr(self, name, None)
            if isinstance(value, Recorded) and not constraint.holds(read(value)).all():
                raise ParameterError(
                    f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of distribution {self!r} to "
                    f"satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                    ". Fix: transform the parameter (softplus, exp, softmax), or pass validate_args=False."
                )

    def _validate_sample(self, value: Any) -> None:
        """Raise where the distribution does not have a value.

        Raises:
            ParameterError: outside the support, of another shape, or no tensor.
        """
        if not isinstance(value, Recorded):
            raise ParameterError(
                f"{type(self).__name__}: The value argument to log_prob must be a Tensor. Fix: torch.tensor(value)."
            )
        expected = self._extended_shape()
        try:
            broadcast(tuple(value.shape), tuple(expected))
        except KadamError:
            raise ParameterError(
                f"{type(self).__name__}: Value is not broadcastable with batch_shape+event_shape: {value.shape} vs "
                f"{expected}. Fix: reshape the value, or expand() the distribution."
            ) from None
        if not self.support.holds(read(value)).all():
            raise ParameterError(
                f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
                ". Fix: take values inside the support, or make the distribution with validate_args=False."
            )

    def __repr__(self) -> str:
        parts = []
        for name in self.arg_constraints:
            value = vars(self).get(name)
            if isinstance(value, Recorded):
                parts.append(f"{name}: {value if value.numel() == 1 else value.shape}")  # type: ignore[attr-defined]
        return f"{type(self).__name__}({', '.join(parts)})"


def together(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape."""
    known = next((value for value in values if isinstance(value, Recorded)), None)
    kind = dtypes.default_float() if known is None else known.dtype
    tensors = [value if isinstance(value, Recorded) else new_tensor(value, dtype=kind) for value in values]
    return tuple(broadcast_tensors(*tensors))


def one_of(name: str, first: Any, second: Any) -> None:
    """Raise unless exactly one of two descriptions is given.

    Raises:
        ParameterError: none or both are.
    """
    if (first is None) == (second is None):
        raise ParameterError(f"Either {name} must be specified, but not both. Fix: give exactly one of the two.")


def tiny(kind: Any) -> float:
    """The smallest normal number of an element type."""
    return float(dtypes.finfo(kind).tiny)


def eps(kind: Any) -> float:
    """The distance from 1 to the next number of an element type."""
    return float(dtypes.finfo(kind).eps)


__all__ = ["Distribution", "ParameterError", "eps", "one_of", "tiny", "together"]
