"""What networks for images compute beside torch.nn. As `torchvision.ops`."""

from kadam.vision.ops.boxes import batched_nms, box_area, box_convert, box_iou, clip_boxes_to_image, nms
from kadam.vision.ops.focal import sigmoid_focal_loss
from kadam.vision.ops.misc import FrozenBatchNorm2d
from kadam.vision.ops.stochastic_depth import StochasticDepth, stochastic_depth

__all__ = [
    "FrozenBatchNorm2d", "StochasticDepth", "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image",
    "nms", "sigmoid_focal_loss", "stochastic_depth",
]  # fmt: skip
