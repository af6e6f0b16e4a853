"""Softmax over many classes, most of them rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kadam.dtypes import dtype
from kadam.nn import functional as F
from kadam.nn.modules.container import ModuleList, Sequential
from kadam.nn.modules.linear import Linear
from kadam.nn.modules.module import Module
from kadam.ops.combine import cat
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class _ASMoutput(NamedTuple):
    """The log-probabilities of the targets, f32[batch], and the loss, minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Frequent classes stand in a head; rare ones in clusters, each of them one class of the head.

    Shapes: input f32[batch, in_features], target i64[batch].

    Args:
        in_features: size of a vector.
        n_classes: the number of classes, frequent ones first.
        cutoffs: where each cluster begins.
        div_value: by which the size of the vectors shrinks from cluster to cluster.
        head_bias: whether the head has a bias.
        device: the CPU.
        dtype: of the parameters.

    Raises:
        ValueError: the cutoffs are not increasing numbers between 1 and `n_classes` - 1.

    Source: Grave et al., "Efficient softmax approximation for GPUs", 2016.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: dtype | None = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ArgumentError(
                "AdaptiveLogSoftmaxWithLoss: cutoffs should be a sequence of length larger than 0. Fix: "
                "cutoffs=[n_classes // 10, n_classes // 2]."
            )
        if cutoffs != sorted(set(cutoffs)) or cutoffs[0] <= 0 or cutoffs[-1] > n_classes - 1:
            raise ArgumentError(
                "AdaptiveLogSoftmaxWithLoss: cutoffs should be a sequence of unique, positive integers sorted in an "
                "increasing order, where each value is between 1 and n_classes-1. Fix: cutoffs=sorted(set(cutoffs)), "
                "all from 1 to n_classes - 1."
            )
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **factory)
        self.tail = ModuleList()
        for cluster in range(self.n_clusters):
            hidden = int(in_features // (div_value ** (cluster + 1)))
            size = self.cutoffs[cluster + 1] - self.cutoffs[cluster]
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, bias=False, **factory), Linear(hidden, size, bias=False, **factory)
                )
            )

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        self.head.reset_parameters()
        for network in self.tail:
            for layer in network.children():
                layer.reset_parameters()

    def log_prob(self, input: Tensor) -> Tensor:
        """The log-probabilities of all classes, f32[batch, n_classes]."""
        head = F.log_softmax(self.head(input), dim=-1)
        parts = [head[..., : self.shortlist_size]]
        for cluster, network in enumerate(self.tail):
            entry = self.shortlist_size + cluster
            parts.append(F.log_softmax(network(input), dim=-1) + head[..., entry : entry + 1])
        return cat(parts, -1)

    def forward(self, input: Tensor, target: Tensor) -> _ASMoutput:
        output = self.log_prob(input).gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return _ASMoutput(output, (-output).mean())

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each input, i64[batch]."""
        return self.log_prob(input).argmax(-1)
