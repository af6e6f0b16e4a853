"""Normalisation of channels by the statistics of the batch."""

from __future__ import annotations

from typing import Any, ClassVar

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.nn import functional as F
from kadam.nn import init
from kadam.nn.modules.module import Module, settings
from kadam.nn.parameter import Parameter
from kadam.ops.creation import empty, ones, tensor, zeros
from kadam.ops.require import ArgumentError
from kadam.recording.tensor import add_now
from kadam.tensor import Tensor


class _NormBase(Module):
    """What batch and instance normalisation have in common: affine parameters and running statistics.

    Attributes:
        running_mean: the running mean of each channel, or None.
        running_var: the running (unbiased) variance of each channel, or None.
        num_batches_tracked: the number of training batches so far, or None.
    """

    _version = 2  # 1 had no num_batches_tracked
    ranks: ClassVar[tuple[int, ...]]  # that an input may have
    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._make_parameters(affine, affine and bias, device=device, dtype=dtype)
        self._make_statistics(track_running_stats, device=device, dtype=dtype)
        self.reset_parameters()

    def _make_parameters(self, weight: bool, bias: bool, **factory: Any) -> None:
        for name, wanted in (("weight", weight), ("bias", bias)):
            self.register_parameter(name, Parameter(empty(self.num_features, **factory)) if wanted else None)

    def _make_statistics(self, wanted: bool, **factory: Any) -> None:
        self.register_buffer("running_mean", zeros(self.num_features, **factory) if wanted else None)
        self.register_buffer("running_var", ones(self.num_features, **factory) if wanted else None)
        count = tensor(0, dtype=dtypes.int64, device=factory.get("device")) if wanted else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Forget the batches seen so far."""
        if self.track_running_stats:
            for statistic, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
                if statistic is not None:
                    statistic.fill_(value)

    def reset_parameters(self) -> None:
        """Forget the batches seen so far, and set the weight to 1 and the bias to 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self.ranks:
            expected = " or ".join(f"{rank}D" for rank in self.ranks)
            raise ArgumentError(
                f"{type(self).__name__}: expected {expected} input (got {input.dim()}D input). Fix: reshape to [batch, "
                f"channels, ...], or use the normalisation for {input.dim()}D input."
            )

    def extra_repr(self) -> str:
        shown = settings(self, "eps", "momentum", "affine")
        return f"{self.num_features}, {shown}, bias={self.bias is not None}, {settings(self, 'track_running_stats')}"

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
    ) -> None:
        key = prefix + "num_batches_tracked"
        if local_metadata.get("version", 1) < 2 and self.track_running_stats and key not in state_dict:
            state_dict[key] = tensor(0, dtype=dtypes.int64)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)


class _BatchNorm(_NormBase):
    """(x - mean) / sqrt(var + eps) weight + bias, with the mean and variance of each channel over the batch.

    In evaluation mode the running statistics stand for those of the batch.

    Args:
        num_features: the number of channels, axis 1.
        eps: added to the variance.
        momentum: the share of a new batch in the running statistics; None: all batches count alike.
        affine: whether weight and bias are learned.
        track_running_stats: whether running statistics are kept.
        device: the CPU.
        dtype: of the parameters and statistics.
        bias: whether, when affine, there is a bias.

    Raises:
        ValueError: the input has another number of axes.

    Source: Ioffe, Szegedy, "Batch normalization", 2015.
    """

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        keeps = self.track_running_stats and self.training
        if keeps and self.num_batches_tracked is not None:
            add_now(self.num_batches_tracked, 1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        by_batch = self.training or (self.running_mean is None and self.running_var is None)
        given = keeps or not self.training
        return F.batch_norm(
            input,
            self.running_mean if given else None,
            self.running_var if given else None,
            self.weight,
            self.bias,
            by_batch,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation. Shapes: f32[batch, channels] or f32[batch, channels, length]."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation. Shapes: f32[batch, channels, height, width]."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation. Shapes: f32[batch, channels, depth, height, width]."""

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all processes; in one process, that of its own batch.

    Args:
        num_features: the number of channels, axis 1.
        eps: added to the variance.
        momentum: the share of a new batch in the running statistics; None: all batches count alike.
        affine: whether weight and bias are learned.
        track_running_stats: whether running statistics are kept.
        process_group: the processes.
        device: the CPU.
        dtype: of the parameters and statistics.
        bias: whether, when affine, there is a bias.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ArgumentError(
                f"{type(self).__name__}: expected at least 2D input (got {input.dim()}D input). Fix: unsqueeze(0) "
                "makes a batch of one."
            )

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with every batch normalisation in it replaced by a `SyncBatchNorm` of the same state."""
        converted = module
        if isinstance(module, _BatchNorm):
            options = (module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)
            converted = cls(*options, process_group, bias=module.bias is not None)
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(converted, name, getattr(module, name))
            converted.training = module.training
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted
