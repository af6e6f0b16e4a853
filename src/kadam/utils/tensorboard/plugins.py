"""What TensorBoard's plugins show: settings beside what came of them, curves of precision, layouts, points in space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kadam.ops.require import ArgumentError
from kadam.serialization.protobuf import message
from kadam.utils.tensorboard.summaries import Array, array_of

_TEXT, _NUMBER = 1, 3  # the kinds of settings; truth values are numbers to PyTorch
_DONE = 1
_FLOATS, _STRINGS = 1, 7  # TensorFlow's element types
_MOST_THRESHOLDS = 127
_LEAST = 1e-7  # instead of no example at all


def _of_plugin(tag: str, plugin: str, content: bytes, tensor: bytes | None = None) -> bytes:
    return message((1, tag), (8, tensor), (9, message((1, message((1, plugin), (2, content))))))


def settings(
    given: Mapping[str, Any], metrics: Iterable[str], choices: Mapping[str, Sequence[Any]] | None = None
) -> list[bytes]:
    """The settings of a run, and the names of what came of it: what they are, the run's own, and that it is over.

    Args:
        given: names and values; None is left out.
        metrics: names of scalars.
        choices: for names of settings, all values that they can have.

    Raises:
        ArgumentError: a value is neither number, text nor truth value.
    """
    shown = {name: value for name, value in given.items() if value is not None}
    kinds = [_kind_of(name, value, (choices or {}).get(name)) for name, value in shown.items()]
    names = [(5, message((1, message((2, name))))) for name in metrics]
    experiment = message(*[(4, one) for one in kinds], *names)
    run = message(*[(1, message((1, name), (2, _value(name, value)))) for name, value in shown.items()])
    end = message((1, _DONE))
    parts = {"experiment": (2, experiment), "session_start_info": (3, run), "session_end_info": (4, end)}
    return [_of_plugin(f"_hparams_/{name}", "hparams", message(part)) for name, part in parts.items()]


def _kind_of(name: str, value: Any, choices: Sequence[Any] | None) -> bytes:
    kind = _TEXT if isinstance(value, str) else _NUMBER
    listed = None if choices is None else message(*[(1, _value(name, one)) for one in choices])
    return message((1, name), (4, kind), (5, listed))


def _value(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        return message((3, value))
    array = array_of(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise ArgumentError(
            f"add_hparams: value should be one of int, float, str, bool, or torch.Tensor, and {name!r} is a "
            f"{type(value).__name__}. Fix: str(value)."
        )
    return message((2, float(array.reshape(()))))


def precision_recall(tag: str, labels: Any, predictions: Any, thresholds: int, weights: Any) -> bytes:
    """Precision and recall at evenly spaced thresholds.

    Args:
        labels: which examples are true.
        predictions: the probability of that, for each.
        weights: of the examples, or one for all.
    """
    count = min(thresholds, _MOST_THRESHOLDS)
    truth = array_of(labels).astype(np.float64).reshape(-1)
    weight = np.broadcast_to(1.0 if weights is None else array_of(weights).reshape(-1), truth.shape)
    bucket = np.floor(array_of(predictions).reshape(-1) * (count - 1)).astype(np.int64)

    def at_least(share: Array) -> Array:
        """For each threshold the weight of the examples at or above it."""
        per_bucket: Array = np.bincount(bucket.clip(0, count - 1), share * weight, count)
        return per_bucket[::-1].cumsum()[::-1]

    hits, alarms = at_least(truth), at_least(1 - truth)
    rows = [hits, alarms, alarms[0] - alarms, hits[0] - hits]
    rows += [hits / np.maximum(_LEAST, hits + alarms), hits / np.maximum(_LEAST, hits[0])]
    return curve(tag, rows, count)


def curve(tag: str, rows: Sequence[Any], thresholds: int) -> bytes:
    """A curve given by its true and false positives, true and false negatives, precision and recall."""
    table = np.stack([array_of(row).reshape(-1) for row in rows])
    sizes = [(2, message((1, size))) for size in table.shape]
    tensor = message((1, _FLOATS), (2, message(*sizes)), (5, table.astype("<f4").tobytes()))
    return _of_plugin(tag, "pr_curves", message((2, min(thresholds, _MOST_THRESHOLDS))), tensor)


def charts(layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> bytes:
    """Which scalars are shown in one chart.

    Args:
        layout: category -> title of a chart -> "Multiline" and tags, or "Margin" and the tags of value, lower, upper.
    """
    categories = []
    for category, listed in layout.items():
        drawn = [(2, _chart(title, kind, tags)) for title, (kind, tags) in listed.items()]
        categories.append((2, message((1, category), *drawn)))
    tensor = message((1, _STRINGS), (2, b""), (8, message(*categories)))
    return _of_plugin("custom_scalars__config__", "custom_scalars", b"", tensor)


def _chart(title: str, kind: str, tags: Sequence[str]) -> bytes:
    if kind != "Margin":
        return message((1, title), (2, message(*[(1, tag) for tag in tags])))
    if len(tags) != 3:
        raise ArgumentError(
            f"add_custom_scalars: 'Margin' takes three tags, not {len(tags)}. Fix: ['value', 'lower', 'upper']."
        )
    series = message(*enumerate(tags, 1))
    return message((1, title), (3, message((1, series))))


def table_of(rows: Iterable[Iterable[Any]]) -> str:
    """Rows of text, as the projector reads them."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def tiled(pictures: Any) -> Array:
    """Pictures f32[n, channels, height, width] in a square of equal numbers of rows and columns, from the top left."""
    shown = array_of(pictures)
    count, channels, height, width = shown.shape
    side = int(np.ceil(np.sqrt(count)))
    square = np.zeros((side * side, channels, height, width), np.float32)
    square[:count] = shown.astype(np.float32) / (255 if shown.dtype == np.uint8 else 1)
    rows = square.reshape(side, side, channels, height, width).transpose(2, 0, 3, 1, 4)
    pixels = (rows.reshape(channels, side * height, side * width).transpose(1, 2, 0) * 255).clip(0, 255)
    return np.repeat(pixels, 3, axis=2).astype(np.uint8) if channels == 1 else pixels[..., :3].astype(np.uint8)
