"""The network for tables: a few small networks side by side, trained as one, each beside a linear model of its own.

All members see the same batch, so their layers are batched products, and an ensemble costs little more than one network
on small data. Each member leaves out one part of the rows (its fold) when it learns: what it says of those rows is an
honest estimate, and decides when to stop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kadam.nn import functional as F
from kadam.nn.init import normal_, uniform_
from kadam.nn.modules.module import Module
from kadam.nn.modules.parameter_containers import ParameterList
from kadam.nn.parameter import Parameter
from kadam.ops.combine import cat
from kadam.ops.creation import arange, empty, tensor, zeros
from kadam.recording.operation import operation
from kadam.tensor import Tensor

HELD_OUT = -2  # the fold of rows that no member learns from
EVERYONES = -1  # the fold of rows that all members learn from
GAIN = 10.0  # times as fast as other weights, the scales of inputs are learned


@dataclass(frozen=True)
class Shape:
    """The sizes of a network for tables.

    Attributes:
        numbers: columns of numbers.
        categories: how many values each column of categories has.
        outputs: classes, or values.
        members, hidden, layers: networks side by side, their width and depth.
        embedding: numbers that stand for a category.
        bins: pieces that the range of a number is cut into; 0: it goes in as it is.
    """

    numbers: int
    categories: tuple[int, ...]
    outputs: int
    members: int = 8
    hidden: int = 128
    layers: int = 2
    embedding: int = 8
    bins: int = 0


class TableNet(Module):
    """f32[rows, numbers], i64[rows, categories] -> f32[members, rows, outputs].

    What it computes, and its loss, are one operation each: on small tables, calls would take longer than computing.

    Source: batched ensembles after Gorishniy et al. 2024, https://arxiv.org/abs/2410.24210; pieces of a range after
    Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556; wide and deep after Cheng et al. 2016,
    https://arxiv.org/abs/1606.07792; scales that are learned fast, so that columns that tell nothing are soon left
    aside, after Holzmüller et al. 2024, https://arxiv.org/abs/2407.04491.
    """

    edges: Tensor
    widths: Tensor
    starts: Tensor
    ids: Tensor

    def __init__(self, shape: Shape, edges: Tensor | None = None) -> None:
        super().__init__()
        self.shape = shape
        members, hidden = shape.members, shape.hidden
        flat = shape.numbers + len(shape.categories) * shape.embedding
        wide = flat + shape.numbers * shape.bins
        if shape.categories:
            starts = [sum(shape.categories[:index]) for index in range(len(shape.categories))]
            self.register_buffer("starts", tensor(starts))
            self.table = Parameter(normal_(empty(sum(shape.categories), shape.embedding), std=0.3))
        if shape.bins:
            given = zeros(shape.numbers, shape.bins + 1) if edges is None else edges
            self.register_buffer("edges", given[:, :-1].clone())
            self.register_buffer("widths", (given[:, 1:] - given[:, :-1]).clamp(min=1e-6))
        sizes = [wide] + [hidden] * shape.layers
        pairs = list(zip(sizes, sizes[1:], strict=False))
        self.weights = ParameterList([Parameter(_scaled(members, inputs, outputs)) for inputs, outputs in pairs])
        self.biases = ParameterList([Parameter(_shifts(members, inputs, outputs)) for inputs, outputs in pairs])
        if shape.numbers:
            self.scales = Parameter(zeros(members, shape.numbers * (1 + shape.bins), 1))
        self.out_weight = Parameter(_scaled(members, hidden, shape.outputs) * 0.1)
        self.out_bias = Parameter(zeros(members, 1, shape.outputs))
        self.line = Parameter(zeros(members, wide, shape.outputs))
        self.register_buffer("ids", arange(members), persistent=False)

    def forward(self, numbers: Tensor, codes: Tensor | None = None, kept: Sequence[Tensor] = ()) -> Tensor:
        pieces = [self.edges, self.widths] if self.shape.bins else []
        looked_up = [] if codes is None else [codes, self.starts, self.table]
        scales = [self.scales] if self.shape.numbers else []
        return member_outputs(
            numbers, pieces, looked_up, scales, list(self.weights), list(self.biases), list(kept),
            [self.line, self.out_weight, self.out_bias],
        )  # fmt: skip


@operation
def member_outputs(
    numbers: Tensor,
    pieces: Sequence[Tensor],
    looked_up: Sequence[Tensor],
    scales: Sequence[Tensor],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    kept: Sequence[Tensor],
    last: Sequence[Tensor],
) -> Tensor:
    """f32[members, rows, outputs]: what the members say, each its line and its layers.

    Args:
        numbers: f32[rows, numbers].
        pieces: where the pieces of each number's range begin, and how wide they are; or nothing.
        looked_up: codes, where the rows of each column of categories begin in the table, the table; or nothing.
        scales: f32[members, inputs, 1], by how much more or less than 1 each number counts in the first layer; or
            nothing, where there are none. (Vectors of categories are learned as they are.)
        weights, biases: of the layers.
        kept: f32[members, 1, hidden] of each layer, 0 for units that a step leaves out, for a whole batch (dropping
            single numbers would take a hundred times the draws); or nothing.
        last: the line's weights; weights and bias of the last layer.
    """
    parts = [numbers]
    if pieces:
        edges, widths = pieces
        parts.append(((numbers.unsqueeze(-1) - edges) / widths).clamp(0.0, 1.0).flatten(1))
    if looked_up:
        codes, starts, table = looked_up
        parts.append(F.embedding(codes + starts, table).flatten(1))
    inputs = parts[0] if len(parts) == 1 else cat(parts, 1)
    line, out_weight, out_bias = last
    hidden = inputs
    scaled = [_scaled_inputs(weights[0], scales[0]) if scales else weights[0], *weights[1:]]
    for layer, (weight, bias) in enumerate(zip(scaled, biases, strict=True)):
        hidden = F.relu(hidden.matmul(weight) + bias)
        if kept:
            hidden = hidden * kept[layer]
    deep: Tensor = hidden.matmul(out_weight) + out_bias
    return deep + inputs.matmul(line)


@operation
def table_loss(
    outputs: Tensor, target: Tensor, fold: Tensor, ids: Tensor, weights: Sequence[Tensor], learning: bool
) -> Tensor:
    """The mean loss: learning, over the rows that each member learns from; else over those held out from it.

    Args:
        outputs: f32[members, rows, outputs].
        target: i64[rows] classes, f32[rows] values, or f32[rows, outputs] of them.
        fold: i64[rows], by whom each row is held out: a member's number, HELD_OUT or EVERYONES.
        ids: i64[members], the numbers of the members.
        weights: f32[rows], how much rows count; or nothing.
        learning: which of the two.
    """
    members, rows, _ = outputs.shape
    if target.is_floating_point():
        several = target.ndim == 2
        losses = (outputs - target).square().mean(-1) if several else (outputs.squeeze(-1) - target).square()
    else:
        chosen = target.view(1, rows, 1).expand(members, rows, 1)
        losses = -F.log_softmax(outputs, -1).gather(-1, chosen).squeeze(-1)
    if weights:
        losses = losses * weights[0]
    folds = fold.unsqueeze(0)
    learned = ((folds != ids.unsqueeze(1)) & (folds != HELD_OUT)).float()
    held = 1.0 - learned
    total: Tensor = (losses * (learned if learning else held)).sum()
    return total / (rows if learning else held.sum().clamp(min=1.0))


def _scaled_inputs(weight: Tensor, scales: Tensor) -> Tensor:
    """The first layer's weights, those of numbers times their scales."""
    count = scales.shape[1]
    of_numbers = weight[:, :count] * (1.0 + GAIN * scales)
    return of_numbers if count == weight.shape[1] else cat([of_numbers, weight[:, count:]], 1)


def _scaled(members: int, inputs: int, outputs: int) -> Tensor:
    return normal_(empty(members, inputs, outputs), std=math.sqrt(2.0 / max(inputs, 1)))


def _shifts(members: int, inputs: int, outputs: int) -> Tensor:
    bound = 1.0 / math.sqrt(max(inputs, 1))
    return uniform_(empty(members, 1, outputs), -bound, bound)
