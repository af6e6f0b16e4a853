"""What the tests of layers over space, steps and tables call, and with what: programs of `m` and arrays."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from functional_cases import calls

rng = np.random.default_rng(7)
SIZES = (7, 6, 8)
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
Case = tuple[Any, ...]


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return rng.standard_normal(shape)


def volume(axes: int, channels: int = 3) -> np.ndarray[Any, Any]:
    return normal(2, channels, *SIZES[:axes])


# ---- Convolution

FIRST: dict[str, Case] = {}
SECOND: dict[str, Case] = {}
for axes, stride, padding, dilation in product((1, 2, 3), (1, 2), (0, 1, "same"), (1, 2)):
    if padding == "same" and stride == 2:
        continue
    groups = 1 if dilation == 2 else 2
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    weight = normal(4, 4 // groups, *(3, 2, 3)[:axes])
    cases = SECOND if axes < 3 and dilation == 1 else FIRST
    cases[f"conv{axes}d {options}"] = calls(f"conv{axes}d", **options), volume(axes, 4), weight, normal(4)
    if padding != "same":
        options["output_padding"] = stride - 1
        weight = normal(4, 4 // groups, *(3, 2, 3)[:axes])
        name = f"conv_transpose{axes}d"
        cases[f"{name} {options}"] = calls(name, **options), volume(axes, 4), weight, normal(4)
for axes in (1, 2, 3):
    weight = normal(4, 3, *(2,) * axes)
    FIRST[f"conv{axes}d without batch and bias"] = calls(f"conv{axes}d"), volume(axes)[0], weight
    FIRST[f"conv_transpose{axes}d without batch"] = calls(f"conv_transpose{axes}d"), normal(4, *SIZES[:axes]), weight
FIRST["conv2d per axis"] = (
    calls("conv2d", stride=(2, 1), padding=(0, 2), dilation=[1, 2]), volume(2), normal(2, 3, 2, 3)
)  # fmt: skip

# ---- Pooling

for axes, stride, padding, ceil_mode in product((1, 2, 3), (None, 2), (0, 1), (False, True)):
    name, x = f"pool{axes}d {stride} {padding} {ceil_mode}", volume(axes)
    maximum = calls(f"max_pool{axes}d", 3, stride, padding, 1, ceil_mode, return_indices=True)
    (SECOND if axes < 3 else FIRST)[f"max_{name}"] = maximum, x
    for include in (True, False):
        (SECOND if axes < 3 else FIRST)[f"avg_{name} {include}"] = (
            calls(f"avg_pool{axes}d", 3, stride, padding, ceil_mode, include), x
        )  # fmt: skip
for axes, windows in product((1, 2, 3), (1, 2, 5, 9)):
    name = f"pool{axes}d {windows}"
    SECOND[f"adaptive_avg_{name}"] = calls(f"adaptive_avg_pool{axes}d", windows), volume(axes)
    SECOND[f"adaptive_max_{name}"] = calls(f"adaptive_max_pool{axes}d", windows, return_indices=True), volume(axes)
for axes in (1, 2, 3):
    x = volume(axes)
    FIRST[f"max_pool{axes}d without batch, dilated"] = calls(f"max_pool{axes}d", 2, 1, 1, 2), x[0]
    FIRST[f"avg_pool{axes}d without batch"] = calls(f"avg_pool{axes}d", 2), x[0]
    FIRST[f"lp_pool{axes}d"] = calls(f"lp_pool{axes}d", 3.0, 2, ceil_mode=True), np.abs(x)
    FIRST[f"adaptive_avg_pool{axes}d of nothing"] = calls(f"adaptive_avg_pool{axes}d", 1), x[0]
FIRST["avg_pool2d by another divisor"] = calls("avg_pool2d", 2, divisor_override=3), volume(2)
FIRST["adaptive_avg_pool2d of one axis"] = calls("adaptive_avg_pool2d", (None, 4)), volume(2)
FIRST["max_pool2d of nan"] = (
    calls("max_pool2d", 2, 1, return_indices=True), np.where(rng.random((1, 2, 5, 5)) < 0.1, np.nan, normal(1, 2, 5, 5))
)  # fmt: skip


def unpooled(axes: int, **options: Any) -> Any:
    def program(m: Any, x: Any) -> Any:
        values, places = getattr(m.nn.functional, f"max_pool{axes}d")(x, 2, return_indices=True)
        return getattr(m.nn.functional, f"max_unpool{axes}d")(values, places, 2, **options)

    return program


FIRST["max_unpool1d"] = unpooled(1), normal(2, 3, 8)
FIRST["max_unpool2d of a size"] = unpooled(2, output_size=(7, 6)), volume(2)
FIRST["max_unpool3d without batch"] = unpooled(3), normal(2, 4, 6, 8)

# ---- Tables

TABLE, INDICES = normal(6, 3), np.array([[1, 2, 2], [0, 4, 1], [5, 5, 5]])
ROW, OFFSETS = INDICES.ravel(), np.array([0, 2, 2, 6])
SECOND["embedding"] = calls("embedding"), INDICES, TABLE
FIRST["embedding with padding"] = calls("embedding", padding_idx=-1), INDICES, TABLE
FIRST["embedding by frequency"] = calls("embedding", scale_grad_by_freq=True), INDICES.astype(np.int32), TABLE
FIRST["one_hot"] = calls("one_hot"), INDICES
FIRST["one_hot of more classes"] = calls("one_hot", 9), INDICES
for mode, padding in product(("sum", "mean", "max"), (None, 5)):
    options = {"mode": mode, "padding_idx": padding}
    FIRST[f"embedding_bag {options}"] = calls("embedding_bag", **options), INDICES, TABLE
    FIRST[f"embedding_bag of offsets {options}"] = calls("embedding_bag", **options), ROW, TABLE, OFFSETS
FIRST["embedding_bag to the last offset"] = (
    calls("embedding_bag", include_last_offset=True), ROW, TABLE, np.array([0, 2, 9])
)  # fmt: skip
FIRST["embedding_bag weighted"] = (
    lambda m, i, w, p: m.nn.functional.embedding_bag(i, w, mode="sum", per_sample_weights=p), INDICES, TABLE,
    normal(3, 3),
)  # fmt: skip

# ---- Recurrence


def cell(kind: str) -> Any:
    def program(m: Any, x: Any, h: Any, c: Any, *weights: Any) -> Any:
        if m.__name__ == "torch":
            return getattr(m, f"{kind}_cell")(x, (h, c) if kind == "lstm" else h, *weights)
        return m.nn.functional.rnn_cell(kind.upper(), x, h, c if kind == "lstm" else None, *weights)

    return program


for kind, gates in GATES.items():
    SECOND[f"{kind} cell"] = (
        cell(kind), normal(2, 3), normal(2, 4), normal(2, 4), normal(gates * 4, 3), normal(gates * 4, 4),
        normal(gates * 4), normal(gates * 4),
    )  # fmt: skip

# ---- Attention

Q, K, V = normal(2, 4, 5, 8), normal(2, 4, 6, 8), normal(2, 4, 6, 3)
SEEN = rng.random((5, 6)) > 0.5
SEEN[0] = False
attend = calls("scaled_dot_product_attention")
FIRST["attention"] = attend, Q, K, V
FIRST["attention with a mask"] = attend, Q, K, V, SEEN
FIRST["attention with a bias"] = attend, Q, K, V, normal(4, 5, 6)
FIRST["attention to the past"] = calls("scaled_dot_product_attention", is_causal=True, scale=0.3), Q, K, V
FIRST["attention without batch"] = attend, Q[0, 0], K[0, 0], V[0, 0]
FIRST["attention of shared heads"] = calls("scaled_dot_product_attention", enable_gqa=True), Q, K[:, :2], V[:, :2]
DRAWN: dict[str, Case] = {
    "attention dropped": (calls("scaled_dot_product_attention", dropout_p=0.4), Q, K, V),
    "fractional_max_pool2d": (calls("fractional_max_pool2d", 2, output_size=(3, 4), return_indices=True), volume(2)),
    "fractional_max_pool3d": (calls("fractional_max_pool3d", (2, 1, 2), output_ratio=0.6), volume(3)),
}


def heads(masks: str, options: dict[str, Any], call: dict[str, Any], batched: bool = True) -> Any:
    """Attention of several heads from [steps, batch, 8] to the same, or to another sequence."""

    def program(m: Any, query: Any, *source: Any) -> Any:
        layer = m.nn.MultiheadAttention(8, 2, dtype=query.dtype, **options)
        key, value = source or (query, query)
        steps, samples = key.shape[0], query.shape[1]
        seen = m.arange(query.shape[0])[:, None] >= m.arange(steps)
        given = dict(call)
        if "attn" in masks:
            given["attn_mask"] = ~seen
        if "causal" in masks:
            given |= {"attn_mask": ~seen, "is_causal": True}
        if "bias" in masks:
            given["attn_mask"] = seen.to(query.dtype).expand(samples * 2, -1, -1) * 2
        if "padding" in masks:
            given["key_padding_mask"] = m.arange(steps).expand(samples, -1) > steps - 2
        output, weights = layer(*(one if batched else one[:, 0] for one in (query, key, value)), **given)
        return output if weights is None else (output, weights)

    return program


for masks, weights in product(("", "attn", "causal", "bias", "padding", "padding attn"), (True, False)):
    for options in ({}, {"add_bias_kv": True, "add_zero_attn": True}, {"bias": False, "dropout": 0.3}):
        DRAWN[f"heads {masks} {weights} {options}"] = heads(masks, options, {"need_weights": weights}), normal(4, 3, 8)
DRAWN["heads of other sizes"] = (
    heads("attn", {"kdim": 6, "vdim": 5}, {"average_attn_weights": False}), normal(4, 3, 8), normal(5, 3, 6),
    normal(5, 3, 5),
)  # fmt: skip
DRAWN["heads without batch"] = heads("attn", {}, {}, False), normal(4, 1, 8)

# ---- Padding and resampling

for axes, mode in product((1, 2, 3), ("constant", "reflect", "replicate", "circular")):
    for sides in ((1, 2), (3, 0), (-1, 2)):
        FIRST[f"pad {axes} {mode} {sides}"] = calls("pad", sides * axes, mode), volume(axes)
SECOND["pad"] = calls("pad", (1, 2), "reflect"), volume(1)
FIRST["pad with a number"] = calls("pad", (1, -2), value=3.5), normal(3, 4)
for mode, corners in (
    ("nearest", None), ("nearest-exact", None), ("area", None), ("linear", False), ("linear", True), ("bicubic", False),
    ("bicubic", True),
):  # fmt: skip
    for axes in (2,) if mode == "bicubic" else (1, 2, 3):
        name = ("linear", "bilinear", "trilinear")[axes - 1] if mode == "linear" else mode
        for target in ({"size": 9}, {"size": 3}, {"scale_factor": 2}, {"scale_factor": 0.6}):
            if mode == "nearest" and "scale_factor" in target and axes == 3:
                continue  # PyTorch's derivative does not go back to where its value came from
            options = {"mode": name, "align_corners": corners, **target}
            FIRST[f"interpolate {axes} {options}"] = calls("interpolate", **options), volume(axes)
for mode in ("bilinear", "bicubic"):
    smooth = calls("interpolate", size=(4, 9), mode=mode, antialias=True)
    FIRST[f"interpolate {mode} smoothly"] = smooth, volume(2)
SECOND["pixel_shuffle"] = calls("pixel_shuffle", 2), normal(2, 8, 2, 3)
SECOND["pixel_unshuffle"] = calls("pixel_unshuffle", 2), normal(8, 4, 6)
SECOND["channel_shuffle"] = calls("channel_shuffle", 2), normal(2, 6, 4)
WINDOWS = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": (2, 1)}
SECOND["unfold"] = calls("unfold", **WINDOWS), volume(2)
SECOND["fold"] = calls("fold", SIZES[:2], **WINDOWS), normal(2, 12, 16)
GRID = normal(2, 4, 3, 2)
for padding, corners in product(("zeros", "border", "reflection"), (False, True)):
    for mode in ("bilinear", "bicubic"):
        sample = calls("grid_sample", mode, padding, corners)
        FIRST[f"grid_sample {mode} {padding} {corners}"] = sample, volume(2), GRID
    nearest = calls("grid_sample", "nearest", padding, corners)
    FIRST[f"grid_sample nearest {padding} {corners}"] = lambda m, x, g, f=nearest: f(m, x, g.detach()), volume(2), GRID
FIRST["grid_sample of a volume"] = calls("grid_sample", align_corners=False), volume(3), normal(2, 4, 3, 2, 3)
for corners in (False, True):
    FIRST[f"affine_grid {corners}"] = calls("affine_grid", (2, 1, 4, 5), corners), normal(2, 2, 3)
    FIRST[f"affine_grid of volumes {corners}"] = calls("affine_grid", (2, 1, 4, 5, 3), corners), normal(2, 3, 4)

# ---- What is refused

IMAGE = volume(2)
REFUSED: dict[str, Case] = {
    "conv2d channels": (calls("conv2d"), IMAGE, normal(4, 2, 3, 3)),
    "conv2d rank": (calls("conv2d"), normal(4, 4), normal(4, 2, 3, 3)),
    "conv2d types": (calls("conv2d"), IMAGE, normal(4, 3, 3, 3).astype(np.float32)),
    "conv2d bias": (calls("conv2d"), IMAGE, normal(4, 3, 3, 3), normal(3)),
    "conv2d kernel": (calls("conv2d"), IMAGE, normal(4, 3, 9, 9)),
    "conv2d same": (calls("conv2d", padding="same", stride=2), IMAGE, normal(4, 3, 3, 3)),
    "conv2d stride": (calls("conv2d", stride=0), IMAGE, normal(4, 3, 3, 3)),
    "conv_transpose2d channels": (calls("conv_transpose2d"), IMAGE, normal(4, 3, 3, 3)),
    "conv_transpose2d output_padding": (calls("conv_transpose2d", output_padding=1), IMAGE, normal(3, 4, 3, 3)),
    "max_pool2d padding": (calls("max_pool2d", 2, padding=2), IMAGE),
    "max_pool2d window": (calls("max_pool2d", 9), IMAGE),
    "avg_pool2d divisor": (calls("avg_pool2d", 2, divisor_override=0), IMAGE),
    "adaptive_avg_pool2d whole numbers": (calls("adaptive_avg_pool2d", 2), np.ones((1, 1, 4, 4), np.int64)),
    "max_unpool2d size": (unpooled(2, output_size=(90, 90)), IMAGE),
    "embedding index": (lambda m, i, w: m.nn.functional.embedding(i, w).sum().item(), np.array([7]), TABLE),
    "embedding type": (calls("embedding"), np.array([1.0]), TABLE),
    "embedding padding": (calls("embedding", padding_idx=9), INDICES, TABLE),
    "embedding_bag without offsets": (calls("embedding_bag"), ROW, TABLE),
    "embedding_bag offsets": (calls("embedding_bag"), ROW, TABLE, OFFSETS + 1),
    "embedding_bag mode": (calls("embedding_bag", mode="last"), INDICES, TABLE),
    "one_hot negative": (calls("one_hot"), -INDICES),
    "one_hot large": (calls("one_hot", 2), INDICES),
    "one_hot type": (calls("one_hot"), TABLE),
    "attention mask": (attend, Q, K, V, np.ones((5, 6), np.int64)),
    "attention heads": (calls("scaled_dot_product_attention", enable_gqa=True), Q, K[:, :3], V[:, :3]),
    "attention probability": (calls("scaled_dot_product_attention", dropout_p=1.5), Q, K, V),
    "pad numbers": (calls("pad", (1,)), IMAGE),
    "pad mode": (calls("pad", (1, 1), "mirror"), IMAGE),
    "pad reflect": (calls("pad", (9, 0, 0, 0), "reflect"), IMAGE),
    "interpolate nothing": (calls("interpolate"), IMAGE),
    "interpolate both": (calls("interpolate", 4, 2), IMAGE),
    "interpolate mode": (calls("interpolate", 4, mode="linear"), IMAGE),
    "interpolate size": (calls("interpolate", 0), IMAGE),
    "pixel_shuffle": (calls("pixel_shuffle", 2), IMAGE),
    "fold": (calls("fold", (4, 4), 2), normal(1, 12, 5)),
    "grid_sample mode": (calls("grid_sample", "area"), IMAGE, GRID),
}
