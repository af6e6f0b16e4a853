"""Losses of predictions against targets, reduced over the batch."""

from __future__ import annotations

from typing import Any

from kadam.errors import OperandError
from kadam.nn import functional as F
from kadam.nn.modules.reduction import _Loss, _WeightedLoss
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


class L1Loss(_Loss):
    """|x - y|. Shapes: input and target f32[...]."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """(x - y)^2. Shapes: input and target f32[...]."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """(x - y)^2 / (2 beta) where |x - y| < beta, else |x - y| - beta / 2.

    Args:
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
        beta: where the parabola meets the line.

    Source: Girshick, "Fast R-CNN", 2015.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """(x - y)^2 / 2 where |x - y| < delta, else delta (|x - y| - delta / 2).

    Args:
        reduction: `mean`, `sum` or `none`.
        delta: where the parabola meets the line.

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        if not isinstance(delta, int | float):
            raise OperandError(f"HuberLoss: delta must be a float or int, got: {type(delta)}. Fix: delta=1.0.")
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class BCELoss(_WeightedLoss):
    """-(y log p + (1 - y) log(1 - p)). Shapes: probabilities and target f32[...]."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """`BCELoss` of sigmoid(x), computed without leaving the logarithm.

    Args:
        weight: of each element, stretched to the batch.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
        pos_weight: of the positive targets, one for each class.
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class NLLLoss(_WeightedLoss):
    """-log p of the target class.

    Shapes: log-probabilities f32[batch, classes, ...], target i64[batch, ...].

    Args:
        weight: of each class.
        size_average: deprecated, see `reduction`.
        ignore_index: a target that counts for nothing.
        reduce: deprecated, see `reduction`.
        reduction: `mean` (over the weights of the targets), `sum` or `none`.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class NLLLoss2d(NLLLoss):
    """An older name of `NLLLoss`."""


class CrossEntropyLoss(NLLLoss):
    """-log softmax(x) of the target class, or averaged over target probabilities.

    Shapes: logits f32[batch, classes, ...], target i64[batch, ...] or f32 as the logits.

    Args:
        weight: of each class.
        size_average: deprecated, see `reduction`.
        ignore_index: a target that counts for nothing.
        reduce: deprecated, see `reduction`.
        reduction: `mean` (over the weights of the targets), `sum` or `none`.
        label_smoothing: the share of the target that is spread evenly over all classes.

    Raises:
        ValueError: `label_smoothing` is outside [0, 1], at the first call.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class PoissonNLLLoss(_Loss):
    """exp(x) - y x, or with `log_input=False` x - y log(x + eps).

    Args:
        log_input: whether the input is the logarithm of the rate.
        full: whether Stirling's approximation of log(y!) is added.
        size_average: deprecated, see `reduction`.
        eps: keeps the logarithm finite.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """(log v + (x - y)^2 / v) / 2 for a predicted mean x and variance v.

    Args:
        full: whether log(2 pi) / 2 is added.
        eps: the least variance.
        reduction: `mean`, `sum` or `none`.

    Source: Nix, Weigend, "Estimating the mean and variance of the target probability distribution", 1994.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class KLDivLoss(_Loss):
    """y (log y - x): the divergence of exp(x) from y, pointwise.

    Args:
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `batchmean` (the mathematical divergence), `sum` or `none`.
        log_target: whether the target is given as its logarithm.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class SoftMarginLoss(_Loss):
    """log(1 + exp(-y x)), for targets y of 1 or -1."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Sum over target classes j and others i of max(0, 1 - (x_j - x_i)), by the number of classes.

    Shapes: input f32[batch, classes], target i64[batch, classes], filled up with -1.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The mean over classes of `BCEWithLogitsLoss`. Shapes: input and target f32[batch, classes]."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Sum over the classes i other than the target j of max(0, margin - x_j + x_i)^p, by the number of classes.

    Args:
        p: 1 or 2.
        margin: by how much the target class should lead.
        weight: of each class.
        size_average: deprecated, see `reduction`.
        reduce: deprecated, see `reduction`.
        reduction: `mean`, `sum` or `none`.

    Raises:
        ValueError: `p` is neither 1 nor 2, or `weight` is no vector.
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ArgumentError("MultiMarginLoss: only p == 1 and p == 2 supported. Fix: p=1 or p=2.")
        if weight is not None and weight.dim() != 1:
            raise ArgumentError(
                f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.dim()}D instead. Fix: "
                "weight.flatten(), one weight per class."
            )
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class CTCLoss(_Loss):
    """-log of the summed probability of all alignments of a target sequence with the input steps.

    Args:
        blank: the class that stands for no label.
        reduction: `mean` (each loss by its target's length), `sum` or `none`.
        zero_infinity: whether impossible targets cost 0 and not infinity.

    Source: Graves et al., "Connectionist temporal classification", 2006.
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
