"""A loss that looks at what is hard. As `torchvision.ops.focal_loss`."""

from __future__ import annotations

from kadam.nn import functional
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0, reduction: str = "none"
) -> Tensor:
    """Cross entropy of logits and 0 or 1, less for each the surer the right answer is.

    Shapes:
        inputs, targets f32[...] -> f32[...], or a number

    Source: Lin et al. 2017, Focal Loss for Dense Object Detection.
    """
    if not (0.0 <= alpha <= 1.0 or alpha == -1.0):
        raise ArgumentError(f"sigmoid_focal_loss: alpha={alpha}. Fix: between 0 and 1, or -1 for no weights.")
    entropy = functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    sure = inputs.sigmoid()
    right = sure * targets + (1 - sure) * (1 - targets)
    loss = entropy * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"sigmoid_focal_loss: there is no reduction {reduction!r}. Fix: 'none', 'mean' or 'sum'.")
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


__all__ = ["sigmoid_focal_loss"]
