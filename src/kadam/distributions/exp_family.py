"""Families of the form p(x) = exp(t(x) . natural - log_normalizer(natural) + carrier(x))."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam import autograd
from kadam.distributions.distribution import Distribution

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class ExponentialFamily(Distribution):
    """A family whose entropy and divergences follow from its log-normalizer. As in `torch.distributions`.

    A class of the user's defines `_natural_params`, `_log_normalizer` and `_mean_carrier_measure`.

    Source: F. Nielsen, R. Nock, "Entropies and cross-entropies of exponential families" (2010).
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Tensor:
        carrier = self._mean_carrier_measure
        given, normalizer, slopes = self._expanded()
        batch = tuple(self._batch_shape)
        found: Tensor = normalizer - carrier
        for one, slope in zip(given, slopes, strict=True):
            found = found - (one * slope).reshape((*batch, -1)).sum(-1)
        return found

    def _expanded(self) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """The natural parameters, the log-normalizer there, and its derivatives: what t(x) is on average."""
        given = [one.detach().requires_grad_() for one in self._natural_params]
        normalizer = self._log_normalizer(*given)
        slopes = autograd.grad(normalizer.sum(), given, create_graph=True)
        return given, normalizer, [slope for slope in slopes if slope is not None]


__all__ = ["ExponentialFamily"]
