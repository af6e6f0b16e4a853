"""Batch and instance normalisation that take the number of channels from their first input."""

from __future__ import annotations

from typing import Any

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.nn.modules.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d, _NormBase
from kadam.nn.modules.instancenorm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from kadam.nn.modules.lazy import LazyModuleMixin
from kadam.nn.parameter import UninitializedBuffer, UninitializedParameter
from kadam.ops.creation import tensor
from kadam.tensor import Tensor


class _LazyNormalization(LazyModuleMixin, _NormBase):
    """A normalisation that takes the number of channels from its first input.

    Args:
        eps: added to the variance.
        momentum: the share of a new batch in the running statistics.
        affine: whether weight and bias are learned.
        track_running_stats: whether running statistics are kept.
        device: the CPU.
        dtype: of the parameters and statistics.
        bias: whether, when affine, there is a bias.
    """

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=dtypes.int64, device=device)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the number of channels from the first input."""
        lazy = self.has_uninitialized_params()
        self.num_features = input.shape[1]
        for member in (self.weight, self.bias, self.running_mean, self.running_var):
            if isinstance(member, UninitializedParameter | UninitializedBuffer):
                member.materialize((self.num_features,))
        if lazy:
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNormalization, BatchNorm1d):
    """A `BatchNorm1d` that takes the number of channels from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormalization, BatchNorm2d):
    """A `BatchNorm2d` that takes the number of channels from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormalization, BatchNorm3d):
    """A `BatchNorm3d` that takes the number of channels from its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNormalization, InstanceNorm1d):
    """An `InstanceNorm1d` that takes the number of channels from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNormalization, InstanceNorm2d):
    """An `InstanceNorm2d` that takes the number of channels from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNormalization, InstanceNorm3d):
    """An `InstanceNorm3d` that takes the number of channels from its first input."""

    cls_to_become = InstanceNorm3d
