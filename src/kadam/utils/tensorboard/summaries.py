"""What TensorBoard shows, as the messages that it reads (`tensorboard/compat/proto/summary.proto`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from kadam.ops.require import ArgumentError
from kadam.recording.tensor import Recorded, read
from kadam.serialization.protobuf import Single, message, packed
from kadam.vision.utils import png

Array = np.ndarray[Any, np.dtype[Any]]
_STRINGS = 7  # TensorFlow's element type of text


def array_of(value: Any) -> Array:
    """The values of a tensor, an array, a list or a number."""
    return read(value) if isinstance(value, Recorded) else np.asarray(value)


def scalar(tag: str, value: Any) -> bytes:
    """A number.

    Raises:
        ArgumentError: there are more or fewer.
    """
    array = array_of(value)
    if array.size != 1:
        raise ArgumentError(f"add_scalar: scalar should be 0D, got shape {array.shape}. Fix: reduce it, as by .mean().")
    return message((1, tag), (2, Single(array.reshape(()).item())))


def histogram(tag: str, values: Any, bins: Any) -> bytes:
    """How often values fall between limits.

    Raises:
        ArgumentError: there are no values.
    """
    array = array_of(values).astype(np.float64).reshape(-1)
    if not array.size:
        raise ArgumentError("add_histogram: The input has no element. Fix: leave it out.")
    edges = _growing_limits() if bins == "tensorflow" else np.histogram_bin_edges(array, bins=bins)
    counts, limits = np.histogram(array, bins=edges)
    seen = np.nonzero(counts)[0]
    first, last = int(seen[0]), int(seen[-1]) + 1
    counts = np.concatenate([[0], counts[first:last]])
    content = message(
        (1, float(array.min())),
        (2, float(array.max())),
        (3, float(array.size)),
        (4, float(array.sum())),
        (5, float(array.dot(array))),
        (6, packed(map(float, limits[first : last + 1]))),
        (7, packed(map(float, counts))),
    )
    return message((1, tag), (5, content))


def _growing_limits() -> Array:
    """Limits that grow by a tenth each, on both sides of zero."""
    positive = 1e-12 * 1.1 ** np.arange(774)
    return np.concatenate([-positive[::-1], [0.0], positive])


def image(tag: str, values: Any, dataformats: str) -> bytes:
    """A picture: whole numbers from 0 to 255, or floating point from 0 to 1.

    Args:
        dataformats: what the axes are, of "CHW", "HWC", "HW", "NCHW" or "NHWC"; N pictures stand side by side.
    """
    array, axes = array_of(values), dataformats.upper()
    if array.ndim != len(axes):
        raise ArgumentError(
            f"add_image: size of input tensor and input format are different: {array.shape} and {dataformats!r}. Fix: "
            f"give dataformats with {array.ndim} letters, such as 'HWC'."
        )
    if "C" not in axes:
        array, axes = array[..., None], axes + "C"
    if "N" in axes:
        array = np.concatenate(np.moveaxis(array, axes.index("N"), 0), axis=axes.replace("N", "").index("W"))
        axes = axes.replace("N", "")
    pixels = array.transpose([axes.index(axis) for axis in "HWC"])
    if pixels.dtype != np.uint8:
        pixels = (pixels.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
    pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    height, width, _ = pixels.shape
    return message((1, tag), (4, message((1, height), (2, width), (3, 3), (4, png(pixels)))))


def text(tag: str, content: str) -> bytes:
    """A text, in which Markdown is shown."""
    plugin = message((1, message((1, "text"))))
    shape = message((2, message((1, 1))))
    tensor = message((1, _STRINGS), (2, shape), (8, content))
    return message((1, f"{tag}/text_summary"), (9, plugin), (8, tensor))
