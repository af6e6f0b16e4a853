"""Drawings show what was computed: blocks, shapes, values, gradients; boxes stand apart, and lines lead down."""

from __future__ import annotations

import base64
import json
import random
import re
import struct
import time
import zlib
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest

import kadam as torch
from kadam import lens, nn
from kadam.lens import draw
from kadam.lens.draw import Picture, svg
from kadam.lens.draw.blocks import Block, Role
from kadam.lens.draw.facts import gradients
from kadam.lens.draw.heat import CELL, LEVELS, flat, heat
from kadam.lens.draw.layout import Layout, Line, arrange
from kadam.lens.step import Fault, Step
from kadam.nn import functional as F

SVG = "{http://www.w3.org/2000/svg}"


def one_step(model: nn.Module, x: torch.Tensor, y: torch.Tensor, criterion: nn.Module) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch({0}) as seen:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return seen.steps[0]


def titles(block: Block) -> list[str]:
    return [child.title for child in block.children]


# --- layout ---------------------------------------------------------------------------------------------------------


def random_layout(seed: int) -> tuple[dict[str, tuple[float, float]], list[Line], Layout]:
    chance = random.Random(seed)
    sizes = {f"b{i}": (chance.uniform(40, 200), chance.uniform(20, 90)) for i in range(14)}
    keys = list(sizes)
    lines = [Line(a, b) for a, b in zip(keys, keys[1:], strict=False) if chance.random() < 0.8]
    lines += [Line(*sorted(chance.sample(keys, 2), key=keys.index)) for _ in range(6)]
    lines = list({(line.start, line.end): line for line in lines}.values())
    return sizes, lines, arrange(sizes, lines, 40.0)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_stand_apart_and_lines_lead_down(seed: int) -> None:
    sizes, lines, layout = random_layout(seed)
    boxes = {key: (*layout.places[key], *sizes[key]) for key in sizes}
    for (ax, ay, aw, ah), (bx, by, bw, bh) in combinations(boxes.values(), 2):
        assert ax + aw <= bx + 1e-6 or bx + bw <= ax + 1e-6 or ay + ah <= by + 1e-6 or by + bh <= ay + 1e-6
    for line, route in zip(lines, layout.routes, strict=True):
        heights = [y for _, y in route]
        assert heights == sorted(heights)
        x, y, width, height = boxes[str(line.start)]
        assert x <= route[0][0] <= x + width
        assert route[0][1] == pytest.approx(y + height)
        assert route[-1][1] == pytest.approx(boxes[str(line.end)][1])
    assert all(x >= -1e-6 and x + width <= layout.width + 1e-6 for x, _, width, _ in boxes.values())


def test_a_layout_is_the_same_every_time() -> None:
    assert random_layout(3)[2] == random_layout(3)[2]


def test_a_chain_stands_in_one_column() -> None:
    sizes = dict.fromkeys("abcd", (80.0, 30.0))
    layout = arrange(sizes, [Line("a", "b"), Line("b", "c"), Line("c", "d")], 20.0)
    assert len({x for x, _ in layout.places.values()}) == 1


def test_a_line_past_boxes_keeps_clear_of_them() -> None:
    sizes = dict.fromkeys("abcd", (80.0, 30.0))
    layout = arrange(sizes, [Line("a", "b"), Line("b", "c"), Line("c", "d"), Line("a", "d")], 20.0)
    for key in "bc":
        x, y = layout.places[key]
        for at_x, at_y in layout.routes[3]:
            assert not (x <= at_x <= x + 80 and y <= at_y <= y + 30)


# --- blocks ---------------------------------------------------------------------------------------------------------


def test_a_small_network_is_its_modules_and_its_loss() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    step = one_step(model, torch.ones(4, 2), torch.zeros(4, 1), nn.MSELoss())
    picture = draw.picture_of(step)
    assert titles(picture.root) == ["x", "y", "Linear", "ReLU", "Linear", "MSELoss"]
    roles = [block.role for block in picture.root.children]
    assert roles == [Role.INPUT, Role.INPUT, *[Role.MODULE] * 3, Role.LOSS]
    first = picture.root.children[-4]
    assert first.note == "2 → 3"
    assert sum(one.value.type.elements for one in first.parameters) == 2 * 3 + 3
    assert first.source is not None
    assert first.source.file.endswith("test_draw.py")


class Block12(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(x)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.blocks = nn.ModuleList(Block12() for _ in range(12))
        self.head = nn.Linear(8, 11)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.embed(words)
        for block in self.blocks:
            x = block(x)
        return self.head(x).flatten(0, 1)


class Bottleneck(nn.Module):
    def __init__(self, wide: int, inner: int, change: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(wide, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, 4 * inner, 1, bias=False),
            nn.BatchNorm2d(4 * inner),
        )
        self.way = nn.Conv2d(wide, 4 * inner, 1, bias=False) if change else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.body(x) + self.way(x))


def residual_network() -> nn.Module:
    layers, wide = [nn.Conv2d(3, 4, 3, padding=1)], 4
    for inner, times in ((2, 3), (3, 4), (4, 6), (5, 3)):
        blocks = []
        for index in range(times):
            blocks.append(Bottleneck(wide, inner, index == 0))
            wide = 4 * inner
        layers.append(nn.Sequential(*blocks))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide, 5))


def timed(step: Step) -> tuple[Picture, float]:
    began = time.process_time()
    picture = draw.picture_of(step)
    draw.figure_for_page(picture, "flow")
    return picture, time.process_time() - began


def test_a_transformer_of_twelve_layers_is_one_block_times_twelve() -> None:
    words = torch.arange(10).reshape(2, 5)
    step = one_step(Transformer(), words, words.flatten(), nn.CrossEntropyLoss())
    picture, elapsed_s = timed(step)
    repeats = [block for block in picture.root.below() if block.role is Role.REPEAT]
    assert [len(block.copies) for block in repeats] == [12]
    assert sum(one.value.type.elements for one in repeats[0].parameters) > 0
    assert len(picture.faces[picture.key_of[id(repeats[0])]].bars) == 12
    assert len(picture.view(picture.first).boxes) <= 17
    assert elapsed_s < 2


def test_a_residual_network_of_fifty_layers_stays_readable() -> None:
    step = one_step(residual_network(), torch.ones(2, 3, 8, 8), torch.tensor([0, 1]), nn.CrossEntropyLoss())
    picture, elapsed_s = timed(step)
    copies = [len(block.copies) for block in picture.root.below() if block.role is Role.REPEAT]
    assert [count for count in copies if count > 1][:4] == [2, 3, 5, 2]  # the first of each stage is of another kind
    assert len(picture.view(picture.first).boxes) <= 17
    assert elapsed_s < 2


def test_a_loop_over_a_cell_is_one_block() -> None:
    class Unrolled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.out = nn.GRUCell(3, 4), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state, outs = torch.zeros(2, 4), []
            for index in range(7):
                state = self.cell(x[:, index], state)
                outs.append(self.out(state))
            return torch.stack(outs)

    step = one_step(Unrolled(), torch.ones(2, 7, 3, requires_grad=True), torch.zeros(7, 2, 2), nn.MSELoss())
    picture = draw.picture_of(step)
    (repeat,) = [block for block in picture.root.below() if block.role is Role.REPEAT]
    assert len(repeat.copies) == 7
    assert titles(repeat)[-2:] == ["GRUCell", "Linear"]


def test_what_the_loss_does_not_depend_on_is_left_out() -> None:
    model = nn.Linear(2, 2)
    with lens.watch({0}) as seen:
        out = model(torch.ones(3, 2))
        right = (out.argmax(1) == 0).float().mean()
        out.square().mean().backward()
        right.item()
    picture = draw.picture_of(seen.steps[0])
    assert not any("argmax" in block.title for block in picture.root.below())


# --- what is shown --------------------------------------------------------------------------------------------------


def test_gradients_are_those_of_the_chain_rule() -> None:
    model = nn.Linear(3, 1)
    x, y = torch.randn(5, 3), torch.randn(5, 1)
    step = one_step(model, x, y, nn.MSELoss())
    output = step.calls[0].outputs[0]
    expected = 2 * (step.value(output) - y.numpy()) / 5
    np.testing.assert_allclose(gradients(step)[output.id], expected, rtol=1e-5)


def test_a_heat_map_tells_the_sign_by_colour_and_by_hatching() -> None:
    picture = heat(np.array([[1.0, -1.0, 0.0]]))
    data = base64.b64decode(picture.data.partition(",")[2])
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (3 * CELL, CELL)
    packed = data[data.index(b"IDAT") + 4 :]
    rows = zlib.decompressobj().decompress(packed)
    pixels = np.frombuffer(rows, np.uint8).reshape(height, width + 1)[:, 1:]
    positive, negative, zero = pixels[:, :CELL], pixels[:, CELL : 2 * CELL], pixels[:, 2 * CELL :]
    assert set(positive.flat) == {LEVELS}
    assert len(set(negative.flat)) == 2
    assert negative.min() > LEVELS
    assert set(zero.flat) == {0}


def test_a_heat_map_survives_what_is_no_number() -> None:
    assert heat(np.array([[np.nan, np.inf, 1.0]])).largest == 1.0


def test_filters_stand_side_by_side() -> None:
    assert flat(np.ones((4, 1, 3, 3))).shape == (7, 7)
    assert flat(np.ones((6, 2, 1, 1))).shape == (6, 2)


@pytest.fixture(scope="module")
def picture() -> Picture:
    words = torch.arange(6).reshape(2, 3)
    return draw.picture_of(one_step(Transformer(), words, words.flatten(), nn.CrossEntropyLoss()))


def test_a_figure_is_a_picture_that_needs_nothing_else(picture: Picture) -> None:
    root = ElementTree.fromstring(draw.figure(picture))
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title") is not None
    text = " ".join("".join(one.itertext()) for one in root.iter(f"{SVG}text"))
    assert "Block12 × 12" in text
    assert "test_draw.py" in text
    assert "2 × 3 × 8" in text
    assert not re.search(r'(?:href|src)="(?!data:)', draw.figure(picture))


def test_opened_parts_are_drawn(picture: Picture) -> None:
    shut, everything = picture.view(frozenset({"b0"})), picture.view(picture.everything())
    assert len(everything.boxes) > len(shut.boxes)
    assert len(everything.frames) == len(picture.groups())
    assert draw.figure(picture, "all").count('<g class="box') == len(everything.boxes)
    with pytest.raises(KeyError, match="no block 'nowhere' can be opened"):
        draw.figure(picture, "nowhere")


def test_every_view_finds_its_parts_on_the_page(picture: Picture) -> None:
    drawing, _, data = draw.figure_for_page(picture, "flow").partition('<script type="application/json"')
    ids = set(re.findall(r'id="flow-([^"]+)"', drawing))
    plans = json.loads(data.partition(">")[2].removesuffix("</script>"))
    assert set(plans["views"]) == {"", *picture.groups()}
    for view in plans["views"].values():
        assert set(view["boxes"]) <= ids
        assert {f"f{key}" for key in view["frames"]} <= ids
        assert set(view["edges"]) <= ids
    assert len(ids) == len(re.findall(r'\sid="flow-', drawing))


def test_the_page_and_the_file_show_the_same(picture: Picture) -> None:
    def places(drawing: str) -> dict[str, str]:
        box = r'<g class="box[^"]*" id="flow-(b\d+)" transform="([^"]+)"(?! style="display:none")'
        return dict(re.findall(box, drawing))

    assert places(draw.figure(picture)) == places(draw.figure_for_page(picture, "flow"))


def test_a_fault_is_marked_behind_what_came_before_it() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(5, 1))
    with pytest.raises(RuntimeError), lens.watch({0}) as seen:
        model(torch.ones(2, 4)).sum().backward()
    assert seen.partial is not None
    picture = draw.picture_of(seen.partial)
    assert titles(picture.root)[-3:-1] == ["Linear", "ReLU"]
    fault = picture.root.children[-1]
    assert fault.role is Role.FAULT
    assert "3" in fault.note
    assert "5" in fault.note
    assert fault.path == "2"
    drawing = ElementTree.fromstring(draw.figure(picture))
    assert any("fault" in one.get("class", "") for one in drawing.iter(f"{SVG}g"))


def test_a_route_is_straight_within_ranks_and_bent_between_them() -> None:
    assert svg.path([(5, 0), (5, 10), (5, 30), (5, 40)]) == "M5 0V10V30V40"
    bent = svg.path([(5, 0), (5, 10), (25, 60), (25, 60)])
    assert bent.startswith("M5 0V10V34C5 ")
    assert bent.endswith("25 60")


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.floors = nn.ModuleList(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(5))
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for floor in self.floors:
            x = floor(x)
        return self.head(x[:, :2].reshape(2, 4))


@pytest.fixture(scope="module")
def tower() -> Step:
    torch.manual_seed(0)
    return one_step(Tower(), torch.randn(4, 3), torch.randn(2, 1), nn.MSELoss())


@pytest.mark.parametrize("path", [f"floors.{index}" for index in range(5)])
def test_any_block_of_a_repeat_opens_and_the_others_stay_folded(tower: Step, path: str) -> None:
    opened = draw.opened_at(draw.picture_of(tower), path)
    shown = opened.view(opened.first)
    (key,) = [one for one in shown.frames if opened.blocks[one].path == path]
    inner = opened.blocks[key].children
    assert [child.path for child in inner] == [f"{path}.0", f"{path}.1"]
    assert all(opened.key_of[id(child)] in shown.boxes for child in inner)
    weight = next(one for one in tower.parameters if one.name == f"{path}.0.weight")
    assert weight in inner[0].parameters
    closed = {opened.blocks[one].path for one in shown.boxes if opened.blocks[one].role is Role.REPEAT}
    index = int(path[-1])
    before, after = f"floors.0 … floors.{index - 1}", f"floors.{index + 1} … floors.4"
    assert closed == {one for one, size in ((before, index), (after, 4 - index)) if size > 1}


def test_names_that_a_refusal_lists_are_accepted(tower: Step) -> None:
    with pytest.raises(KeyError, match="no block 'attic' can be opened") as refused:
        draw.opened_at(draw.picture_of(tower), "attic")
    names = refused.value.args[0].partition("one of ")[2].rstrip(".").replace(" or ", " ").split(", ")
    assert "floors.3" in names
    for name in names:
        draw.opened_at(draw.picture_of(tower), name.strip())


def test_slices_and_changes_of_shape_are_called_as_the_program_writes_them(tower: Step) -> None:
    titles = [block.title for block in draw.picture_of(tower).blocks.values()]
    assert "[:, :2], reshape(2, 4)" in titles


def test_a_fault_is_told_without_numbers_of_the_recording() -> None:
    message = "linear: 4x32 and 30x10\n  args[0]    f32[4,32]        %16 forward net.py:12\n  Fix: in_features=32."
    assert Fault("RuntimeError", message, None).told == "linear: 4x32 and 30x10\n  Fix: in_features=32."


def test_data_that_are_seen_in_another_shape_are_no_parameters() -> None:
    model, images = nn.Linear(8, 2), torch.randn(6, 1, 2, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    norm = nn.BatchNorm1d(2)
    with lens.watch({0}) as seen:
        labels = (images[:, 0, :1].mean((1, 2)) > 0).long()
        loss = F.cross_entropy(norm(model(images.view(6, 8))), labels)
        loss.backward()
        optimizer.step()
    step = seen.steps[0]
    members = {step.names[one] for one in step.members}
    assert {"weight", "bias"} <= {name.rpartition(".")[2] for name in members}
    assert not [name for name in members if "images" in name]
    blocks = draw.picture_of(step).blocks.values()
    inputs = {block.title for block in blocks if block.role is Role.INPUT}
    assert {"images.view", "images[:, :, 0]"} <= inputs
    assert not [one.name for block in blocks for one in block.parameters if "images" in one.name]


def test_a_block_that_opens_says_all_that_it_shows() -> None:
    model = nn.Sequential(*[nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(3)], nn.Linear(8, 4))
    step = one_step(model, torch.randn(2, 3, 8), torch.randn(2, 3, 4), nn.MSELoss())
    figure = draw.figure_for_page(draw.picture_of(step), "f")
    buttons = re.findall(r'role="button"[^>]*aria-label="([^"]*)">(.*?)<g', figure)
    assert buttons
    for label, inner in buttons:
        rows = re.findall(r'<text class="(?:title|note|place|flow|flow back)"[^>]*>([^<]*)', inner)
        assert rows
        assert all(row.rstrip(" ▸▾") in label for row in rows)
