"""Models as ONNX files: what onnxruntime computes of them is what Kadam computes."""

from __future__ import annotations

import numpy as np
import pytest

import kadam
from kadam import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.Embedding(11, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, words):
        return self.last(self.layer(self.rows(words)).mean(1))


MODELS = {
    "perceptron": lambda: (
        nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Softmax(-1)),
        kadam.randn(2, 3, 4),
    ),
    "convolutions": lambda: (
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.GELU(), nn.MaxPool2d(2), nn.AvgPool2d(2, 1),
            nn.Flatten(),
        ),
        kadam.randn(2, 1, 8, 8),
    ),
    "transposed": lambda: (nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1), kadam.randn(2, 3, 4, 4)),
    "padded": lambda: (
        nn.Sequential(nn.ReflectionPad2d(1), nn.ZeroPad2d(1), nn.GroupNorm(2, 4), nn.Upsample(scale_factor=2)),
        kadam.randn(1, 4, 3, 3),
    ),
    "recurrent": lambda: (nn.GRU(3, 4, batch_first=True), kadam.randn(2, 5, 3)),
    "attention": lambda: (Classifier(), kadam.randint(0, 11, (2, 5))),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_what_another_program_computes(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    kadam.manual_seed(0)
    model, x = MODELS[name]()
    model.eval()
    path = tmp_path / "model.onnx"
    kadam.onnx.export(model, (x,), path, input_names=["x"])
    computed = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    expected = model(x)
    for one, other in zip(computed, expected if isinstance(expected, tuple) else [expected], strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_file_names_inputs_parameters_and_operators(tmp_path):
    path = tmp_path / "model.onnx"
    layer = nn.Linear(3, 2)
    kadam.onnx.export(layer, kadam.ones(1, 3), path, input_names=["pixels"], output_names=["classes"])
    content = path.read_bytes()
    for part in (b"pixels", b"classes", b"weight", b"bias", b"Einsum", layer.weight.detach().numpy().tobytes()):
        assert part in content


def test_what_has_no_graph_is_refused(tmp_path):
    def decides(x):
        return x if x.sum() > 0 else -x

    with pytest.raises(NotImplementedError, match="reads values"):
        kadam.onnx.export(decides, kadam.ones(2), tmp_path / "model.onnx")
    with pytest.raises(NotImplementedError, match="no operator for Lgamma"):
        kadam.onnx.export(kadam.lgamma, kadam.ones(2), tmp_path / "model.onnx")
    with pytest.raises(NotImplementedError, match="dynamic_axes"):
        kadam.onnx.export(nn.ReLU(), kadam.ones(2), tmp_path / "model.onnx", dynamic_shapes=({0: "batch"},))


class Generator(nn.Module):
    """A causal transformer, whose positions and mask are made from the size of its input."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(11, 8), nn.Embedding(16, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, words):
        length = words.shape[1]
        mask = kadam.ones(length, length).triu(1).bool()
        return self.layer(self.words(words) + self.places(kadam.arange(length)), mask)


class Pooled(nn.Module):
    def forward(self, x):
        return x.mean(1), x.std(1), x.softmax(1), x.reshape(-1, x.shape[2])


class Summed(nn.Module):
    def forward(self, first, second):
        return first.sum(1), first[:, :, None] * second[:, None]


# name: (model, example, axes of any size, inputs of other sizes)
ANY_SIZE = {
    "perceptron": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3)), [(4, 6)], {"x": {0: "batch"}},
        [[(7, 6)], [(1, 6)]],
    ),
    "one example": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), [(1, 3, 4)], {"x": [0]}, [[(5, 3, 4)]]),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        ),
        [(2, 1, 8, 8)], {"x": {0: "batch"}, "y": {0: "batch"}}, [[(5, 1, 8, 8)]],
    ),
    "pictures": (
        lambda: nn.Sequential(
            nn.Unflatten(1, (4, 2, 2)), nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.BatchNorm2d(3), nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2), nn.Tanh(),
        ),
        [(2, 16)], {"x": {0: "batch"}}, [[(6, 16)]],
    ),
    "recurrent": (
        lambda: nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), [(2, 5, 3)], {"x": {0: "b"}}, [[(6, 5, 3)]],
    ),
    "mean over time": (lambda: Pooled(), [(2, 5, 3)], {"x": {0: "b", 1: "t"}}, [[(3, 9, 3)]]),
    "groups": (lambda: nn.GroupNorm(2, 4), [(2, 4, 5)], {"x": {0: "b", 2: "t"}}, [[(3, 4, 8)]]),
    "attention": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [(2, 5, 8)], {"x": {0: "b", 1: "t"}},
        [[(4, 9, 8)], [(1, 3, 8)]],
    ),
    "two inputs": (Summed, [(2, 3), (2, 4)], {"x": {0: "b"}, "z": {0: "b", 1: "n"}}, [[(5, 3), (5, 7)]]),
}  # fmt: skip


def agree(path, model, given):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    computed = session.run(None, {name: one.numpy() for name, one in zip(names, given, strict=True)})
    expected = list(flat(model(*given)))
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-5)
    return session


def flat(found):
    if isinstance(found, tuple):
        for one in found:
            yield from flat(one)
    else:
        yield found


@pytest.mark.parametrize("name", ANY_SIZE)
def test_axes_of_any_size(name, tmp_path):
    make, shapes, axes, others = ANY_SIZE[name]
    kadam.manual_seed(0)
    model, path = make().eval(), tmp_path / "model.onnx"
    given = tuple(kadam.randn(*shape) for shape in shapes)
    kadam.onnx.export(model, given, path, input_names=["x", "z"], output_names=["y"], dynamic_axes=axes)
    for one in (shapes, *others):
        session = agree(path, model, [kadam.randn(*shape) for shape in one])
    for one in session.get_inputs():
        named = axes.get(one.name, {})
        expected = named if isinstance(named, dict) else {0: "x_dynamic_axes_1"}
        assert {axis: size for axis, size in enumerate(one.shape) if isinstance(size, str)} == expected


def test_positions_and_masks_made_from_sizes(tmp_path):
    model, path = Generator().eval(), tmp_path / "model.onnx"
    axes = {"x": {0: "batch", 1: "length"}}
    kadam.onnx.export(model, kadam.randint(0, 11, (2, 5)), path, input_names=["x"], dynamic_axes=axes)
    for shape in ((2, 5), (3, 9), (1, 2)):
        agree(path, model, [kadam.randint(0, 11, shape)])
    whole = kadam.randint(0, 11, (2, 16))  # the model takes no more
    kadam.onnx.export(model, whole, path, input_names=["x"], dynamic_axes=axes)
    agree(path, model, [whole[:, :7]])


def test_the_sizes_that_vary_stand_in_the_file_by_name(tmp_path):
    path, axes = tmp_path / "model.onnx", {"pixels": {0: "how_many"}}
    kadam.onnx.export(nn.Linear(3, 2), kadam.ones(1, 3), path, input_names=["pixels"], dynamic_axes=axes)
    content = path.read_bytes()
    assert content.count(b"how_many") >= 2  # of the input, of the result, and where it is measured


def test_what_varies_with_a_size_by_more_than_numbers_is_refused(tmp_path):
    axes = {"x": {1: "time"}}
    with pytest.raises(NotImplementedError, match="other operations run"):
        kadam.onnx.export(
            nn.GRU(3, 4, batch_first=True), kadam.ones(2, 5, 3), tmp_path / "m", input_names=["x"], dynamic_axes=axes
        )


@pytest.mark.parametrize(("given", "share"), [(4, 2), (5, 3), (12, 2), (30, 7)])
def test_a_share_of_a_size_is_refused(given, share, tmp_path):
    with pytest.raises(NotImplementedError, match="no polynomial"):
        kadam.onnx.export(
            lambda x: x[:, : x.shape[1] // share],
            kadam.ones(2, given),
            tmp_path / "m",
            input_names=["x"],
            dynamic_axes={"x": {1: "time"}},
        )


OPERATIONS = {
    "topk": lambda x: x.topk(2), "sort": lambda x: x.sort(1, descending=True), "argsort": lambda x: x.argsort(1),
    "remainder": lambda x: x % 0.7, "whole remainder": lambda x: x.argmax(1) % 3 - (-x.argmax(1)) % 3,
    "scatter": lambda x: x.scatter(1, x.argmax(1, keepdim=True), 7.0), "any": lambda x: (x > 0.5).any(1).float(),
    "one hot": lambda x: nn.functional.one_hot(x.argmax(1), 6), "all": lambda x: (x > -1).all(0).float(),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name, tmp_path):
    kadam.manual_seed(0)
    path, function = tmp_path / "model.onnx", OPERATIONS[name]
    kadam.onnx.export(function, kadam.randn(4, 6), path, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    for shape in ((4, 6), (7, 6)):
        agree(path, lambda x: tuple(function(x)) if name in ("topk", "sort") else function(x), [kadam.randn(*shape)])
