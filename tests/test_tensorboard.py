"""What the plugins of TensorBoard read: the files' messages, field by field."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kadam
from kadam.utils.tensorboard import SummaryWriter

Fields = dict[int, list[Any]]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Fields:
    """The fields of a message by number: whole numbers, floats, and bytes for all else."""
    found: Fields = {}
    at = 0
    while at < len(data):
        head, at = _varint(data, at)
        value: Any
        if head & 7 == 0:
            value, at = _varint(data, at)
        elif head & 7 == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            kind, size = ("<d", 8) if head & 7 == 1 else ("<f", 4)
            value, at = struct.unpack(kind, data[at : at + size])[0], at + size
        found.setdefault(head >> 3, []).append(value)
    return found


def _values(folder: Path) -> dict[str, Fields]:
    """Each value of the file of events in a folder: tag -> its fields."""
    (file,) = folder.glob("events*")
    content, values = file.read_bytes(), {}
    while content:
        length = int.from_bytes(content[:8], "little")
        for summary in _fields(content[12 : 12 + length]).get(5, []):
            fields = _fields(_fields(summary)[1][0])
            values[fields[1][0].decode()] = fields
        content = content[16 + length :]
    return values


def _content(value: Fields) -> Fields:
    """What a value says to its plugin."""
    return _fields(_fields(_fields(value[9][0])[1][0])[2][0])


def test_settings_and_what_came_of_them(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        chosen = {"lr": 0.1, "opt": "adam", "amp": True, "seed": None, "size": kadam.tensor(3)}
        writer.add_hparams(chosen, {"loss": 0.5}, {"opt": ["adam", "sgd"]}, run_name="first", global_step=2)
        with pytest.raises(ValueError, match="'layers' is a list"):
            writer.add_hparams({"layers": [1, 2]}, {})
        with pytest.raises(TypeError, match="should be dictionary"):
            writer.add_hparams([("lr", 0.1)], {})  # type: ignore[arg-type]
    values = _values(tmp_path / "first")
    parts = [f"_hparams_/{one}" for one in ("experiment", "session_start_info", "session_end_info")]
    assert list(values) == [*parts, "loss"]
    experiment = _fields(_content(values[parts[0]])[2][0])
    kinds = {_fields(one)[1][0]: _fields(one)[4][0] for one in experiment[4]}
    assert kinds == {b"lr": 3, b"opt": 1, b"amp": 3, b"size": 3}  # 3 is DATA_TYPE_FLOAT64, 1 DATA_TYPE_STRING
    run = _fields(_content(values[parts[1]])[3][0])
    given = {_fields(one)[1][0]: next(iter(_fields(_fields(one)[2][0]).values()))[0] for one in run[1]}
    assert given == {b"lr": 0.1, b"opt": b"adam", b"amp": 1.0, b"size": 3.0}
    assert values["loss"][2] == [0.5]


def test_a_curve_of_precision(tmp_path: Path) -> None:
    truth, chance = np.array([0, 1, 1, 0, 1]), np.array([0.1, 0.9, 0.4, 0.6, 1.0])
    with SummaryWriter(tmp_path) as writer:
        writer.add_pr_curve("pr", kadam.tensor(truth), kadam.tensor(chance), num_thresholds=5)
    table = np.frombuffer(_fields(_values(tmp_path)["pr"][8][0])[5][0], "<f4").reshape(6, 5)
    for place, threshold in enumerate([0, 0.25, 0.5, 0.75, 1]):
        above = np.floor(chance * 4) / 4 >= threshold
        hits, alarms = int((above * truth).sum()), int((above * (1 - truth)).sum())
        assert table[:4, place].tolist() == [hits, alarms, 2 - alarms, 3 - hits]
        assert table[4:, place].tolist() == pytest.approx([hits / (hits + alarms), hits / 3])


def test_points_for_the_projector(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        points = kadam.tensor([[1.0, 2.0], [3.0, 4.5]])
        writer.add_embedding(points, ["a", "b"], kadam.rand(2, 1, 3, 4), global_step=7, tag="x/y")
        with pytest.raises(ValueError, match="metadata has 1 entries"):
            writer.add_embedding(points, ["a"])
    folder = tmp_path / "00007" / "x%2fy"
    assert (folder / "tensors.tsv").read_text() == "1.0\t2.0\n3.0\t4.5\n"
    assert (folder / "metadata.tsv").read_text() == "a\nb\n"
    assert (folder / "sprite.png").read_bytes()[:4] == b"\x89PNG"
    assert 'tensor_path: "00007/x%2fy/tensors.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()


def test_charts_of_several_scalars(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_custom_scalars({"loss": {"both": ["Multiline", ["train", "valid"]]}})
    layout = _fields(_fields(_values(tmp_path)["custom_scalars__config__"][8][0])[8][0])
    category = _fields(layout[2][0])
    chart = _fields(category[2][0])
    assert (category[1], chart[1], _fields(chart[2][0])[1]) == ([b"loss"], [b"both"], [b"train", b"valid"])
