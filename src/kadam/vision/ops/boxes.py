"""Boxes around things in images, by their corners x1, y1, x2, y2. As `torchvision.ops.boxes`."""

from __future__ import annotations

import numpy as np

from kadam.namespace import maximum, minimum, stack, tensor
from kadam.ops.require import ArgumentError
from kadam.tensor import Tensor

_FORMATS = ("xyxy", "xywh", "cxcywh")


def box_area(boxes: Tensor) -> Tensor:
    """The areas of boxes: `f32[n, 4] -> f32[n]`."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """What each two boxes share, of what they cover together: `f32[n, 4], f32[m, 4] -> f32[n, m]`."""
    first = maximum(boxes1[:, None, :2], boxes2[:, :2])
    last = minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = (last - first).clamp(min=0)
    shared = sides[:, :, 0] * sides[:, :, 1]
    return shared / (box_area(boxes1)[:, None] + box_area(boxes2) - shared)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes in another format: corners `xyxy`, corner and sides `xywh`, centre and sides `cxcywh`.

    Raises:
        ValueError: there is no such format.
    """
    for name in (in_fmt, out_fmt):
        if name not in _FORMATS:
            raise ArgumentError(f"box_convert: there is no format {name!r}. Fix: one of {', '.join(_FORMATS)}.")
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return stack((a, b, c, d), dim=-1)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The part of each box that lies within an image of `size` height, width."""
    height, width = size
    across, down = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return stack((across, down), dim=boxes.dim()).reshape(boxes.shape)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Which boxes to keep, best first: each hides the worse ones that share more than a threshold with it.

    Shapes:
        boxes f32[n, 4], scores f32[n] -> i64[kept]
    """
    overlaps = box_iou(boxes.detach(), boxes.detach()).numpy()
    hidden = np.zeros(len(overlaps), bool)
    kept = []
    for place in np.argsort(-scores.detach().numpy(), kind="stable"):
        if not hidden[place]:
            kept.append(int(place))
            hidden |= overlaps[place] > iou_threshold
    return tensor(np.array(kept, np.int64))


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` among the boxes of each class on its own; `idxs i64[n]` are their classes."""
    if boxes.numel() == 0:
        return tensor(np.zeros(0, np.int64))
    apart = idxs.to(boxes.dtype) * (boxes.max() + 1)  # no two classes overlap
    return nms(boxes + apart[:, None], scores, iou_threshold)


__all__ = ["batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "nms"]
