"""The last layer of a classifier and its loss in one module."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from kadam.dtypes import dtype
from kadam.errors import ShapeError
from kadam.nn import functional as F
from kadam.nn.modules.linear import Linear
from kadam.nn.modules.module import settings
from kadam.nn.modules.reduction import _WeightedLoss
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor

_POLICIES = ("accurate", "balanced", "compact", "auto")


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch divides the work of `LinearCrossEntropyLoss`. Kadam plans its memory itself: without effect.

    Raises:
        ArgumentError: an option has no meaning.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in _POLICIES:
            raise ArgumentError(f"invalid acc_policy: {self.acc_policy!r}. Fix: one of {', '.join(_POLICIES)}.")
        if self.batch_chunk_size is not None and not self.batch_chunk_size > 0:
            raise ArgumentError(
                f"batch_chunk_size must be positive int or None, got {self.batch_chunk_size!r}. Fix: leave it out."
            )
        if self.chunking_method not in (None, "auto"):
            name, _, factor = self.chunking_method.partition(":")
            if name != "aspect_ratio" or (factor and (not factor.isdigit() or int(factor) == 0)):
                raise ArgumentError(
                    f"invalid chunking_method: {self.chunking_method!r}. Fix: auto, aspect_ratio or aspect_ratio:2."
                )


class LinearCrossEntropyLoss(_WeightedLoss):
    """`CrossEntropyLoss` of what a linear layer of its own makes of the input.

    Shapes: input f32[batch, in_features] or f32[in_features], target i64[batch, *out_features] or probabilities.

    Args:
        in_features: size of a vector.
        num_classes: the number of classes.
        out_features: the sizes of further axes of the target, each element of which has a class of its own.
        bias: whether the linear layer has a bias.
        device: the CPU.
        dtype: of the parameters.
        reduction: `mean` (over the weights of the targets), `sum` or `none`.
        weight: of each class.
        ignore_index: a target that counts for nothing.
        label_smoothing: the share of the target that is spread evenly over all classes.
        options: without effect.

    Raises:
        ShapeError: there is not a weight for each class, or `label_smoothing` is outside [0, 1].
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ShapeError(
                f"LinearCrossEntropyLoss: expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}. "
                "Fix: give a weight for each class."
            )
        if not 0.0 <= label_smoothing <= 1.0:
            raise ShapeError(
                f"LinearCrossEntropyLoss: expected label_smoothing to be in range [0, 1], got {label_smoothing}. Fix: "
                "label_smoothing=0.1."
            )
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, prod(out_features, start=num_classes), bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        outputs = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*outputs, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(outputs),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        shown = settings(self, "num_classes", "out_features")
        loss = f"reduction={self.reduction}, {settings(self, 'ignore_index', 'label_smoothing', 'options')}"
        return f"in_features={self.linear.in_features}, {shown}, bias={self.linear.bias is not None}, {loss}"
