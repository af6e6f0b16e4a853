"""Normalisation of channels by the statistics of each instance of a batch."""

from __future__ import annotations

from typing import Any

from kadam.dtypes import dtype
from kadam.nn import functional as F
from kadam.nn.modules.batchnorm import _NormBase
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class _InstanceNorm(_NormBase):
    """(x - mean) / sqrt(var + eps) weight + bias, with the mean and variance of each channel of each instance.

    Args:
        num_features: the number of channels, axis 1 (axis 0 without a batch).
        eps: added to the variance.
        momentum: the share of a new batch in the running statistics.
        affine: whether weight and bias are learned.
        track_running_stats: whether running statistics are kept, and used in evaluation mode.
        device: the CPU.
        dtype: of the parameters and statistics.
        bias: whether, when affine, there is a bias.

    Raises:
        ValueError: the input has another number of axes or, when affine, of channels.

    Source: Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        unbatched = input.dim() == self.ranks[0]
        channels = input.size(0 if unbatched else 1)
        if self.affine and channels != self.num_features:
            raise ArgumentError(
                f"{type(self).__name__}: expected input's size at dim={0 if unbatched else 1} to match num_features "
                f"({self.num_features}), but got: {channels}. Fix: the layer needs num_features={channels}."
            )
        normalized = F.instance_norm(
            input.unsqueeze(0) if unbatched else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return normalized.squeeze(0) if unbatched else normalized

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        if local_metadata.get("version") is None and not self.track_running_stats:
            found = [name for name in ("running_mean", "running_var") if prefix + name in state_dict]
            if found:
                name = type(self).__name__
                keys = " and ".join(f'"{prefix}{one}"' for one in found)
                error_msgs.append(
                    f"Unexpected running stats buffer(s) {keys} for {name} with track_running_stats=False. If "
                    f"state_dict is a checkpoint saved before 0.4.0, this may be expected because {name} does not "
                    "track running stats by default since 0.4.0. Please remove these keys from state_dict. If the "
                    f"running stats are actually needed, instead set track_running_stats=True in {name} to enable "
                    f"them. See the documentation of {name} for details."
                )
                for one in found:
                    del state_dict[prefix + one]
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation. Shapes: f32[batch, channels, length], or without batch."""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation. Shapes: f32[batch, channels, height, width], or without batch."""

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation. Shapes: f32[batch, channels, depth, height, width], or without batch."""

    ranks = (4, 5)
