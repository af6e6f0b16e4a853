"""Every class of module against PyTorch: how it prints, what its state holds, and the values it begins with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import kadam
from agreement import verdict
from kadam import nn

MADE = """
Identity(3, a=1)  Linear(2, 3)  Linear(2, 3, bias=False)  Linear(37, 11)  Bilinear(2, 3, 4)
Bilinear(2, 3, 4, bias=False)
Linear(3, 4, dtype=torch.float64)
ReLU()  ReLU(True)  ReLU6()  ReLU6(True)  ELU()  ELU(2., True)  SELU()  SELU(True)  CELU()  CELU(2, True)
GELU()  GELU('tanh')  Sigmoid()  Tanh()  LogSigmoid()  Softplus()  Softplus(2, 10)  Softsign()  Tanhshrink()
Hardtanh()  Hardtanh(-2, 2, True)  Hardtanh(min_value=-3, max_value=1)  Hardsigmoid()  Hardsigmoid(True)
Hardswish()  Hardswish(True)  Hardshrink()  Hardshrink(1)  Softshrink(0.3)  Threshold(0.1, 20)  Threshold(0.1, 20, True)
LeakyReLU()  LeakyReLU(0.2, True)  PReLU()  PReLU(3, 0.1)  RReLU()  RReLU(0.1, 0.3, True)  SiLU()  SiLU(True)
Mish()  Mish(True)  GLU()  GLU(1)  Softmax()  Softmax(1)  Softmin(1)  LogSoftmax(1)  Softmax2d()
MultiheadAttention(4, 2)  MultiheadAttention(16, 4, bias=False)
MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True)
MultiheadAttention(8, 2, 0.1, batch_first=True, add_zero_attn=True)
L1Loss()  L1Loss(reduction='sum')  MSELoss(size_average=False)  MSELoss(reduce=False)  SmoothL1Loss(beta=2)
HuberLoss(delta=2)  CrossEntropyLoss(torch.ones(3))  CrossEntropyLoss(ignore_index=1, label_smoothing=0.1)
BCELoss(weight=torch.ones(2))  BCEWithLogitsLoss(pos_weight=torch.ones(2))  NLLLoss(torch.ones(3))  NLLLoss2d()
PoissonNLLLoss()  GaussianNLLLoss(full=True)  KLDivLoss(log_target=True)  HingeEmbeddingLoss()  MarginRankingLoss(1)
CosineEmbeddingLoss(0.5)  TripletMarginLoss(2, swap=True)  TripletMarginWithDistanceLoss()  SoftMarginLoss()
MultiMarginLoss(weight=torch.ones(2))  MultiLabelMarginLoss()  MultiLabelSoftMarginLoss()
CTCLoss(1, zero_infinity=True)
AdaptiveLogSoftmaxWithLoss(8, 10, [4, 7])  AdaptiveLogSoftmaxWithLoss(16, 12, (4, 7), 2.0, True)
Dropout()  Dropout(0.1)  Dropout1d()  Dropout2d(0.3, True)  Dropout3d()  AlphaDropout(0.2)  FeatureAlphaDropout(0.2)
Flatten()  Flatten(0, 2)  Unflatten(1, (2, 3))  Unflatten(1, [2, 3])
BatchNorm1d(3)  BatchNorm2d(3, momentum=None, affine=False)  BatchNorm3d(3, track_running_stats=False)
BatchNorm1d(3, bias=False)  BatchNorm1d(3, 1e-3, 0.2)  SyncBatchNorm(3)  InstanceNorm1d(3)
InstanceNorm1d(3, affine=True, bias=False)
InstanceNorm2d(3, affine=True, track_running_stats=True)  InstanceNorm3d(3)  LayerNorm(3)
LayerNorm([2, 3], elementwise_affine=False)  LayerNorm(3, bias=False)  GroupNorm(2, 4)  GroupNorm(2, 4, affine=False)
GroupNorm(2, 4, bias=False)  RMSNorm(3)  RMSNorm([2, 3], 1e-3, False)  LocalResponseNorm(2)
Embedding(4, 3)  Embedding(27, 10, padding_idx=3)  Embedding(5, 4, _freeze=True)
Embedding(4, 3, padding_idx=-1, max_norm=1, norm_type=3, scale_grad_by_freq=True, sparse=True)  EmbeddingBag(4, 3)
EmbeddingBag(4, 3, max_norm=1, norm_type=3, scale_grad_by_freq=True, mode='sum', padding_idx=1)
EmbeddingBag(4, 3, include_last_offset=True)
Embedding.from_pretrained(torch.ones(3, 2))  EmbeddingBag.from_pretrained(torch.ones(3, 2), freeze=False)
Conv1d(2, 3, 3)  Conv2d(3, 8, 5)  Conv2d(2, 4, (3, 1), stride=2, padding=1, dilation=2, groups=2, bias=False)
Conv2d(2, 4, 3, padding='same')  Conv2d(2, 4, 3, padding='valid', padding_mode='reflect')
Conv2d(2, 4, 3, padding=1, padding_mode='circular')  Conv3d(1, 2, 3)  ConvTranspose1d(2, 3, 3)
ConvTranspose2d(4, 6, 3)  ConvTranspose2d(2, 4, 3, 2, 1, 1, 2, False, 2)  ConvTranspose3d(1, 2, (3, 2, 1))
MaxPool1d(2)  MaxPool2d(2, return_indices=True)  MaxPool2d((2, 3), (1, 2), padding=1, dilation=2, ceil_mode=True)
MaxPool3d(3, 1)  AvgPool1d(2)  AvgPool2d(2)  AvgPool2d((2, 1), 3, 1, True, False, 3)  AvgPool3d(2)
AdaptiveAvgPool1d(2)  AdaptiveAvgPool2d((2, None))  AdaptiveAvgPool3d(1)  AdaptiveMaxPool1d(2)
AdaptiveMaxPool2d(2, True)  AdaptiveMaxPool3d(2)  LPPool1d(2, 3)  LPPool2d(2, 3, 2, True)  LPPool3d(1.5, 3)
MaxUnpool1d(2)  MaxUnpool2d(2, 1, 1)  MaxUnpool3d((2, 2, 2))
RNN(2, 3)  RNN(2, 3, 2, nonlinearity='relu', bias=False)  RNN(2, 3, 1, 'tanh', False, True, 0, True)
LSTM(5, 7, num_layers=2, bidirectional=True)
LSTM(2, 3, 2, batch_first=True, dropout=0.2, bidirectional=True, proj_size=2)
LSTM(2, 3, bias=False, proj_size=1)  GRU(input_size=2, hidden_size=3, num_layers=2)  RNNBase('LSTM', 2, 3)
RNNCell(2, 3)  RNNCell(2, 3, bias=False, nonlinearity='relu')  LSTMCell(2, 3)  GRUCell(2, 3, False)
TransformerEncoderLayer(4, 2)  TransformerEncoderLayer(4, 2, 8, bias=False, norm_first=True)
TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)
TransformerDecoderLayer(4, 2, 8, activation='gelu')  TransformerEncoderLayer(4, 2, 8, activation=nn.SiLU())
TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 2, nn.LayerNorm(4))  Transformer(4, 2, 1, 2, 8)
ReflectionPad1d(2)  ReflectionPad2d((1, 2, 0, 1))  ReflectionPad3d(1)  ReplicationPad1d(1)  ReplicationPad2d(2)
ReplicationPad3d(2)  CircularPad1d(1)  CircularPad2d(2)  CircularPad3d(1)  ConstantPad1d(2, 3.5)  ConstantPad2d(2, 3)
ConstantPad3d(1, 0.5)  ZeroPad1d(2)  ZeroPad2d(2)  ZeroPad3d((1, 2, 3, 4, 5, 6))
PixelShuffle(2)  PixelUnshuffle(2)  ChannelShuffle(2)  Upsample(scale_factor=2)
Upsample((2, 3), mode='bilinear', align_corners=True)  Upsample(scale_factor=(2, 3))  UpsamplingNearest2d(2)
UpsamplingBilinear2d(scale_factor=2)  Unfold(2)  Fold(2, (1, 2))  CosineSimilarity()  PairwiseDistance()
DataParallel(nn.Linear(2, 2))  Sequential(nn.Linear(2, 2), nn.ReLU())  ModuleList([nn.Linear(2, 2)] * 3)
ModuleDict({'a': nn.ReLU()})
FractionalMaxPool2d(2, output_ratio=0.5)  FractionalMaxPool3d(2, output_size=3)
LinearCrossEntropyLoss(3, 4, bias=True)
"""
EXPRESSIONS = [one for line in MADE.strip().splitlines() for one in re.split(r"(?<=\))  ", line)]
REFUSED = """
Conv2d(3, 4, 3, groups=2)  Conv2d(4, 3, 3, groups=2)  Conv2d(4, 4, 3, groups=0)
Conv2d(4, 4, 3, stride=2, padding='same')  ConvTranspose2d(4, 4, 3, padding_mode='reflect')
LSTM(2, 3, 0)  LSTM(0, 3)  LSTM(2, 0)  LSTM(2, 3.)  LSTM(2, 3, dropout=2)  LSTM(2, 3, proj_size=3)
LSTM(2, 3, proj_size=-1)
GRU(2, 3, proj_size=1)  RNN(2, 3, proj_size=1)  RNN(2, 3, nonlinearity='x')  RNN(2, 3, bias=1)  RNN(2, 3, batch_first=1)
RNNBase('X', 2, 3)  RNN(2., 3)  RNN(2, 3, 1, False)  GroupNorm(3, 4)  MultiheadAttention(0, 2)
TransformerEncoderLayer(4, 2, activation='x')  Dropout(2)  Dropout(-1)  TripletMarginLoss(0)  MultiMarginLoss(3)
MultiMarginLoss(weight=torch.ones(1, 1))  Unflatten(1, (2, 3.))  AdaptiveLogSoftmaxWithLoss(8, 10, [])
AdaptiveLogSoftmaxWithLoss(8, 10, [4, 3])  EmbeddingBag(3, 2, mode='x')(torch.zeros(1, 1, dtype=torch.int64))
BatchNorm1d(3)(torch.ones(3))  BatchNorm1d(3)(torch.ones(2, 3, 4, 5))  BatchNorm2d(3)(torch.ones(2, 3))
InstanceNorm1d(3)(torch.ones(3))  InstanceNorm2d(3)(torch.ones(2, 3))
InstanceNorm1d(3, affine=True)(torch.ones(2, 4, 4))
InstanceNorm1d(3).load_state_dict({'running_mean': torch.ones(3)})  Softmax2d()(torch.ones(2))
LSTM(2, 3)(torch.ones(2))  LSTM(2, 3)(torch.ones(5, 4, 3))  GRU(2, 3)(torch.ones(0, 4, 2))
LSTM(2, 3)(torch.ones(5, 4, 2), (torch.ones(4, 3), torch.ones(1, 4, 3)))
LSTM(2, 3)(torch.ones(5, 4, 2), (torch.ones(1, 3, 3), torch.ones(1, 4, 3)))
LSTM(2, 3)(torch.ones(5, 4, 2), (torch.ones(1, 4, 3), torch.ones(1, 4, 2)))
LSTM(2, 3)(torch.ones(5, 2), (torch.ones(1, 4, 3), torch.ones(1, 4, 3)))
GRU(2, 3)(torch.ones(5, 4, 2), torch.ones(4, 3))  GRU(2, 3)(torch.ones(5, 4, 2), torch.ones(1, 3, 3))
GRU(2, 3)(torch.ones(5, 2), torch.ones(1, 4, 3))  GRU(2, 3)(torch.ones(2))  RNN(2, 3)(torch.ones(2))
GRU(2, 3)(torch.ones(5, 4, 2, dtype=torch.float64))
LSTMCell(2, 3)(torch.ones(1, 1, 2))  LSTMCell(2, 3)(torch.ones(1, 3))  GRUCell(2, 3)(torch.ones(1, 2), torch.ones(2, 3))
LSTMCell(2, 3)(torch.ones(1, 2), (torch.ones(2, 3), torch.ones(1, 3)))
LSTMCell(2, 3)(torch.ones(1, 2), (torch.ones(1, 1, 3), torch.ones(1, 3)))
GRUCell(2, 3)(torch.ones(1, 2), torch.ones(1, 1, 3))  RNNCell(2, 3)(torch.ones(1, 1, 2))
RNNCell(2, 3, nonlinearity='x')(torch.ones(2))
ConvTranspose2d(1, 1, 3, stride=2)(torch.ones(1, 1, 4, 4), output_size=(9,))
ConvTranspose2d(1, 1, 3, stride=2)(torch.ones(1, 4, 4), output_size=(1, 1, 9, 10))
ConvTranspose2d(1, 1, 3, stride=2)(torch.ones(1, 1, 4, 4), output_size=(12, 12))
Transformer(4, 2, 1, 1, 8)(torch.ones(1, 2, 3), torch.ones(1, 2, 4))
Transformer(4, 2, 1, 1, 8)(torch.ones(1, 3, 4), torch.ones(1, 2, 4))
"""
REFUSALS = [one for line in REFUSED.strip().splitlines() for one in re.split(r"(?<=\))  ", line)]
# What PyTorch checks with `assert`, Kadam refuses with a ValueError.
ASSERTED = [
    "MultiheadAttention(5, 2)", "Embedding(3, 2, padding_idx=3)", "Embedding(3, 2, padding_idx=-4)",
    "Embedding(3, 2, _weight=torch.ones(2, 2))", "Embedding.from_pretrained(torch.ones(3))", "Hardtanh(1, 0)",
]  # fmt: skip
LAZY = {
    "LazyLinear(3)": (2, 4), "LazyLinear(3, bias=False)": (2, 4), "LazyConv1d(3, 2)": (1, 4, 5),
    "LazyConv2d(3, 2, groups=2, padding='same')": (1, 4, 5, 5), "LazyConv3d(3, 2, bias=False)": (1, 2, 3, 3, 3),
    "LazyConvTranspose1d(3, 2)": (1, 4, 5), "LazyConvTranspose2d(4, 2, groups=2)": (1, 4, 5, 5),
    "LazyConvTranspose3d(3, 2)": (1, 2, 3, 3, 3), "LazyBatchNorm1d()": (2, 3),
    "LazyBatchNorm2d(affine=False)": (2, 3, 4, 4),
    "LazyBatchNorm3d(bias=False)": (2, 3, 2, 2, 2), "LazyInstanceNorm1d()": (2, 3, 4),
    "LazyInstanceNorm2d(track_running_stats=False)": (2, 3, 4, 4), "LazyInstanceNorm3d()": (2, 3, 2, 2, 2),
}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")  # type: ignore[no-any-return]


def make(library: Any, expression: str) -> Any:
    """The value of an expression such as `Linear(2, 3)` over a library's `nn`, drawn from seed 7."""
    library.manual_seed(7)
    return eval(expression, {"torch": library, "nn": library.nn, **vars(library.nn)})


def settings(module: Any, other: Any) -> dict[str, Any]:
    """The public attributes that are no members and that the other module has too."""
    members = {*module._parameters, *module._buffers, *module._modules, "training", "activation", "options"}
    return {name: value for name, value in vars(module).items() if name[0] != "_" and name not in members}


def shapes(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: (tuple(value.shape), str(value.dtype)) for name, value in state.items()}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_module_looks_as_in_pytorch(torch: Any, expression: str) -> None:
    expected, found = make(torch, expression), make(kadam, expression)
    assert repr(found) == repr(expected)
    assert shapes(found.state_dict()) == shapes(expected.state_dict())
    assert found.state_dict()._metadata == expected.state_dict()._metadata
    assert [name for name, _ in found.named_parameters()] == [name for name, _ in expected.named_parameters()]
    assert [one.requires_grad for one in found.parameters()] == [one.requires_grad for one in expected.parameters()]
    theirs = settings(expected, found)
    not_kept = {
        "activation_relu_or_gelu",
        "bias_k",
        "bias_v",
        "transposed",
        "use_nested_tensor",
        "enable_nested_tensor",
        "mask_check",
        "dim",
        "output_device",
        "src_device_obj",
    }
    ours = settings(found, expected)
    assert {name: ours.get(name, "missing") for name in theirs if name not in not_kept} == {
        name: value for name, value in theirs.items() if name not in not_kept
    }


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_module_begins_with_the_values_of_pytorch(torch: Any, expression: str) -> None:
    expected = make(torch, expression).state_dict()
    found = make(kadam, expression).state_dict()
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].numpy().tolist() == value.numpy().tolist(), name


@pytest.mark.parametrize("expression", REFUSALS)
def test_errors_are_those_of_pytorch(torch: Any, expression: str) -> None:
    with pytest.raises(Exception, match=r".") as expected:
        make(torch, expression)
    with pytest.raises(type(expected.value)) as found:
        make(kadam, expression)
    assert verdict(found.value).split("\n")[0] == verdict(expected.value).split("\n")[0]


@pytest.mark.parametrize("expression", ASSERTED)
def test_what_pytorch_asserts_is_a_value_error_too(torch: Any, expression: str) -> None:
    with pytest.raises(AssertionError):
        make(torch, expression)
    with pytest.raises(AssertionError) as found:
        make(kadam, expression)
    assert isinstance(found.value, ValueError)


@pytest.mark.parametrize(("expression", "shape"), LAZY.items())
def test_lazy_modules(torch: Any, expression: str, shape: tuple[int, ...]) -> None:
    if "groups" in expression:
        expression = expression.replace("(3,", "(4,")
    results = []
    for library in (torch, kadam):
        module = make(library, expression)
        lazy = [type(one).__name__ for one in module.state_dict().values()]
        copied, loaded = make(library, expression), make(library, expression)
        library.manual_seed(3)
        output = module(library.ones(*shape))
        state = module.state_dict()
        copied.load_state_dict(loaded.state_dict())
        loaded.load_state_dict(state)
        results.append((
            lazy, type(module).__name__, repr(module), tuple(output.shape), shapes(state),
            {name: value.tolist() for name, value in state.items() if "running" not in name},
        ))  # fmt: skip
    assert results[1] == results[0]
    assert tuple(loaded(kadam.ones(*shape)).shape) == tuple(output.shape)
    assert type(loaded) is type(module)
    assert repr(loaded) == repr(module)


@pytest.mark.parametrize("options", [{"padding": "x"}, {"padding_mode": "x"}])
def test_unknown_paddings(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'x'"):
        nn.Conv2d(4, 4, 3, **options)  # type: ignore[arg-type]


def test_a_convolution_by_standardised_weights(torch: Any) -> None:
    results = []
    for m in (kadam, torch):

        class Standardised(m.nn.Conv2d):  # type: ignore[misc, name-defined]
            def forward(self, x: Any) -> Any:
                return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)

        m.manual_seed(0)
        layer = Standardised(2, 3, 3, padding=1, padding_mode="reflect")
        results.append(layer(m.arange(32.0).view(1, 2, 4, 4)).detach().numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-5)


def test_names_of_parts_are_pytorchs(torch: Any) -> None:
    texts = []
    for m in (kadam, torch):
        found = m.nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3])(m.ones(2, 4), m.tensor([1, 7]))
        layer = m.nn.utils.parametrizations.orthogonal(m.nn.Linear(3, 3))
        texts.append((type(found).__name__, repr(layer), m.ones(2).get_device(), m.ones(2).is_cpu))
    assert texts[0] == texts[1]


def test_every_class_is_looked_at() -> None:
    names = {name for name in nn.modules.__all__ if isinstance(getattr(nn, name), type)}
    seen = {re.split(r"[.(]", one)[0] for one in [*EXPRESSIONS, *LAZY]}
    assert names - seen == {"LinearCrossEntropyOptions", "Module", "ParameterList", "ParameterDict", "RNNCellBase"}


def test_no_class_of_pytorch_is_forgotten(torch: Any) -> None:
    theirs = {name for name, found in vars(torch.nn).items() if isinstance(found, type)}
    missing = theirs - set(nn.__all__)
    assert missing <= {"Container", "CrossMapLRN2d"}
