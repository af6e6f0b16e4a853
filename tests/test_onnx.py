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
    with pytest.raises(NotImplementedError, match="any size"):
        kadam.onnx.export(nn.ReLU(), kadam.ones(2), tmp_path / "model.onnx", dynamic_axes={"x": {0: "batch"}})
