"""What modules compute, and their gradients, against PyTorch with the same weights, inputs and seed."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import pytest

import kadam
from kadam import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

# Expression -> its arguments: (kind, *shape) for arrays, anything else as it is. Kinds: f normal, u uniform in (0, 1),
# l log-probabilities, which take part in the gradient; t uniform targets, s signs, m masks, iN integers below N. The
# gradient of CTC by the log-probabilities themselves is PyTorch's own, so they take no part in it (log).
LAYERS: dict[str, tuple[Any, ...]] = {
    "Identity()": (("f", 2, 3),),
    "Linear(3, 4)": (("f", 2, 5, 3),),
    "Linear(3, 4, bias=False)": (("f", 3),),
    "Bilinear(2, 3, 4)": (("f", 5, 2), ("f", 5, 3)),
    "Flatten()": (("f", 2, 3, 4),),
    "Unflatten(1, (2, 3))": (("f", 2, 6),),
    "Conv1d(2, 4, 3, stride=2, padding=1)": (("f", 2, 2, 7),),
    "Conv1d(2, 4, 4, padding='same', padding_mode='circular')": (("f", 2, 2, 7),),
    "Conv2d(4, 6, 3, dilation=2, groups=2, padding=(1, 2))": (("f", 2, 4, 6, 7),),
    "Conv2d(2, 3, 3, padding=1, padding_mode='reflect')": (("f", 2, 5, 6),),
    "Conv2d(2, 3, (3, 2), padding='same', padding_mode='replicate', bias=False)": (("f", 1, 2, 5, 6),),
    "Conv3d(1, 2, 2)": (("f", 1, 1, 3, 4, 3),),
    "ConvTranspose1d(2, 3, 3, stride=2)": (("f", 2, 2, 5),),
    "ConvTranspose2d(4, 4, 3, 2, 1, 1, groups=2, dilation=2)": (("f", 1, 4, 4, 4),),
    "ConvTranspose3d(1, 2, 2)": (("f", 1, 1, 2, 3, 2),),
    "MaxPool1d(2)": (("f", 2, 3, 7),),
    "MaxPool2d((2, 3), (1, 2), padding=1, ceil_mode=True)": (("f", 2, 3, 6, 7),),
    "MaxPool2d(2, return_indices=True)": (("f", 1, 2, 4, 4),),
    "MaxPool3d(2)": (("f", 1, 2, 4, 4, 4),),
    "AvgPool1d(2, padding=1)": (("f", 2, 3, 7),),
    "AvgPool2d((2, 1), 2, (1, 0), True, False)": (("f", 2, 3, 6, 7),),
    "AvgPool3d(2, divisor_override=3)": (("f", 1, 2, 4, 4, 4),),
    "AdaptiveAvgPool1d(3)": (("f", 2, 3, 7),),
    "AdaptiveAvgPool2d((2, None))": (("f", 2, 3, 5, 4),),
    "AdaptiveAvgPool3d(2)": (("f", 1, 2, 4, 5, 4),),
    "AdaptiveMaxPool1d(3)": (("f", 2, 3, 7),),
    "AdaptiveMaxPool2d(2, True)": (("f", 2, 3, 5, 4),),
    "AdaptiveMaxPool3d(2)": (("f", 1, 2, 4, 5, 4),),
    "LPPool1d(2, 3)": (("u", 2, 3, 7),),
    "LPPool2d(3, 2, 1)": (("u", 2, 3, 4, 4),),
    "LPPool3d(2, 2)": (("u", 1, 2, 4, 4, 4),),
    "BatchNorm1d(3)": (("f", 6, 3),),
    "BatchNorm1d(3, momentum=None)": (("f", 6, 3, 4),),
    "BatchNorm2d(3, affine=False)": (("f", 4, 3, 2, 2),),
    "BatchNorm3d(3, track_running_stats=False)": (("f", 2, 3, 2, 2, 2),),
    "BatchNorm1d(3, bias=False)": (("f", 6, 3),),
    "SyncBatchNorm(3)": (("f", 6, 3),),
    "InstanceNorm1d(3, affine=True, track_running_stats=True)": (("f", 2, 3, 5),),
    "InstanceNorm2d(3)": (("f", 3, 4, 4),),
    "InstanceNorm3d(3, affine=True)": (("f", 2, 3, 2, 3, 2),),
    "LayerNorm(3)": (("f", 2, 4, 3),),
    "LayerNorm([4, 3], elementwise_affine=False)": (("f", 2, 4, 3),),
    "GroupNorm(2, 4)": (("f", 2, 4, 3),),
    "RMSNorm(3)": (("f", 2, 4, 3),),
    "LocalResponseNorm(3)": (("f", 2, 5, 3, 3),),
    "Dropout(0.3)": (("f", 4, 5),),
    "Dropout1d(0.3)": (("f", 4, 5, 2),),
    "Dropout2d(0.3)": (("f", 2, 5, 3, 3),),
    "Dropout3d(0.3)": (("f", 2, 5, 2, 2, 2),),
    "AlphaDropout(0.3)": (("f", 4, 5),),
    "FeatureAlphaDropout(0.3)": (("f", 4, 5, 3),),
    "Embedding(7, 3, padding_idx=1)": (("i7", 4, 2),),
    "Embedding(7, 3, scale_grad_by_freq=True)": (("i7", 4, 2),),
    "Embedding(7, 3, max_norm=1.0)": (("i7", 4, 2),),
    "EmbeddingBag(7, 3)": (("i7", 4, 2),),
    "EmbeddingBag(7, 3, mode='sum', padding_idx=2)": (("i7", 4, 2),),
    "EmbeddingBag(7, 3, mode='max')": (("i7", 6), np.array([0, 2, 5])),
    "ReflectionPad1d(2)": (("f", 2, 3, 4),),
    "ReflectionPad2d((1, 2, 0, 1))": (("f", 2, 3, 4, 4),),
    "ReplicationPad2d(2)": (("f", 1, 2, 3, 3),),
    "CircularPad2d((1, 2, 1, 0))": (("f", 1, 2, 3, 3),),
    "ConstantPad1d(2, 3.5)": (("f", 2, 3, 4),),
    "ZeroPad2d((1, 0, 2, 1))": (("f", 1, 2, 3, 3),),
    "PixelShuffle(2)": (("f", 1, 8, 2, 3),),
    "PixelUnshuffle(2)": (("f", 1, 2, 4, 6),),
    "ChannelShuffle(2)": (("f", 1, 6, 2, 2),),
    "Upsample(scale_factor=2)": (("f", 1, 2, 3, 3),),
    "Upsample((5, 7), mode='bilinear', align_corners=True)": (("f", 1, 2, 3, 3),),
    "Upsample(scale_factor=(2, 3), mode='bicubic')": (("f", 1, 2, 3, 3),),
    "UpsamplingNearest2d(5)": (("f", 1, 2, 3, 3),),
    "UpsamplingBilinear2d(scale_factor=2)": (("f", 1, 2, 3, 3),),
    "Unfold((2, 3), padding=1, stride=2)": (("f", 2, 3, 5, 6),),
    "Fold((4, 5), (2, 3))": (("f", 2, 12, 9),),
    "CosineSimilarity()": (("f", 4, 3), ("f", 4, 3)),
    "PairwiseDistance(keepdim=True)": (("f", 4, 3), ("f", 4, 3)),
    "Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2))": (("f", 5, 3),),
    "MultiheadAttention(4, 2)": (("f", 3, 2, 4), ("f", 5, 2, 4), ("f", 5, 2, 4)),
    "MultiheadAttention(4, 2, batch_first=True, add_bias_kv=True)": (
        ("f", 2, 3, 4),
        ("f", 2, 5, 4),
        ("f", 2, 5, 4),
        ("m", 2, 5),
    ),
    "MultiheadAttention(4, 2, kdim=3, vdim=5, add_zero_attn=True)": (("f", 3, 4), ("f", 5, 3), ("f", 5, 5)),
    "MultiheadAttention(4, 2, bias=False, dropout=0.2)": (("f", 3, 2, 4), ("f", 3, 2, 4), ("f", 3, 2, 4), None, False),
    "TransformerEncoderLayer(4, 2, 6, dropout=0.0)": (("f", 3, 2, 4),),
    "TransformerEncoderLayer(4, 2, 6, norm_first=True, batch_first=True, activation='gelu')": (
        ("f", 2, 3, 4),
        ("m", 3, 3),
    ),
    "TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6), 2, nn.LayerNorm(4))": (("f", 3, 2, 4), ("m", 3, 3)),
    "TransformerDecoderLayer(4, 2, 6)": (("f", 3, 2, 4), ("f", 5, 2, 4), ("m", 3, 3)),
    "TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 6, 0.0, norm_first=True), 2)": (
        ("f", 3, 2, 4),
        ("f", 5, 2, 4),
    ),
    "Transformer(4, 2, 1, 1, 6, batch_first=True)": (("f", 2, 3, 4), ("f", 2, 5, 4)),
    "AdaptiveLogSoftmaxWithLoss(8, 10, [4, 7])": (("f", 6, 8), ("i10", 6)),
    "RNN(2, 3)": (("f", 5, 4, 2),),
    "RNN(2, 3, 2, nonlinearity='relu', bias=False, batch_first=True)": (("f", 4, 5, 2), ("f", 2, 4, 3)),
    "RNN(2, 3, bidirectional=True)": (("f", 5, 2),),
    "LSTM(2, 3)": (("f", 5, 4, 2), (("f", 1, 4, 3), ("f", 1, 4, 3))),
    "LSTM(2, 3, 2, bidirectional=True, batch_first=True)": (("f", 4, 5, 2),),
    "LSTM(2, 4, 2, proj_size=3, bidirectional=True)": (("f", 5, 4, 2),),
    "LSTM(2, 3, 2, dropout=0.4)": (("f", 5, 4, 2),),
    "GRU(2, 3, 2, bidirectional=True)": (("f", 5, 4, 2), ("f", 4, 4, 3)),
    "GRU(2, 3, bias=False)": (("f", 5, 2), ("f", 1, 3)),
    "RNNCell(2, 3)": (("f", 4, 2), ("f", 4, 3)),
    "RNNCell(2, 3, False, 'relu')": (("f", 2),),
    "LSTMCell(2, 3)": (("f", 4, 2), (("f", 4, 3), ("f", 4, 3))),
    "LSTMCell(2, 3, bias=False)": (("f", 2),),
    "GRUCell(2, 3)": (("f", 4, 2),),
}
ACTIVATIONS = [
    "ReLU()", "ReLU6()", "ELU(0.5)", "SELU()", "CELU(2.0)", "GELU()", "GELU('tanh')", "Sigmoid()", "Tanh()",
    "LogSigmoid()", "Softplus(2.0,1.0)", "Softsign()", "Tanhshrink()", "Hardtanh(-0.5,0.5)", "Hardsigmoid()",
    "Hardswish()", "Hardshrink()", "Softshrink(0.3)", "Threshold(0.1,20.0)", "LeakyReLU(0.2)", "PReLU()", "PReLU(4)",
    "RReLU()", "SiLU()", "Mish()", "GLU()", "Softmax(1)", "Softmin(1)", "LogSoftmax(1)", "Softmax2d()", "ReLU(True)",
    "Dropout(0.5,True)",
]  # fmt: skip
ELEMENTS = (("f", 5, 3), ("f", 5, 3))
LOSSES: dict[str, tuple[Any, ...]] = {
    "L1Loss()": ELEMENTS,
    "MSELoss()": ELEMENTS,
    "SmoothL1Loss(beta=0.5)": ELEMENTS,
    "HuberLoss(delta=0.5)": ELEMENTS,
    "BCELoss()": (("u", 5, 3), ("t", 5, 3)),
    "BCELoss(torch.tensor([0.5, 1.0, 2.0]))": (("u", 5, 3), ("t", 5, 3)),
    "BCEWithLogitsLoss(pos_weight=torch.tensor([0.5, 1.0, 2.0]))": (("f", 5, 3), ("t", 5, 3)),
    "CrossEntropyLoss()": (("f", 5, 3), ("i3", 5)),
    "CrossEntropyLoss(torch.tensor([0.5, 1.0, 2.0]), ignore_index=1, label_smoothing=0.1)": (
        ("f", 2, 3, 4),
        ("i3", 2, 4),
    ),
    "CrossEntropyLoss(label_smoothing=0.2)": (("f", 5, 3), ("t", 5, 3)),
    "NLLLoss(torch.tensor([0.5, 1.0, 2.0]), ignore_index=0)": (("l", 5, 3), ("i3", 5)),
    "PoissonNLLLoss(full=True)": (("f", 5, 3), ("t", 5, 3)),
    "PoissonNLLLoss(log_input=False)": (("u", 5, 3), ("t", 5, 3)),
    "GaussianNLLLoss(full=True)": (("f", 5, 3), ("f", 5, 3), ("u", 5, 3)),
    "KLDivLoss()": (("l", 5, 3), ("u", 5, 3)),
    "KLDivLoss(reduction='batchmean', log_target=True)": (("l", 5, 3), ("l", 5, 3)),
    "SoftMarginLoss()": (("f", 5, 3), ("s", 5, 3)),
    "MultiLabelMarginLoss()": (("f", 2, 4), np.array([[3, 0, -1, 1], [0, 1, 2, -1]])),
    "MultiLabelSoftMarginLoss()": (("f", 5, 3), ("t", 5, 3)),
    "MultiMarginLoss(p=2, margin=0.5)": (("f", 5, 3), ("i3", 5)),
    "HingeEmbeddingLoss(0.5)": (("u", 5), ("s", 5)),
    "MarginRankingLoss(0.2)": (("f", 5), ("f", 5), ("s", 5)),
    "CosineEmbeddingLoss(0.1)": (("f", 5, 3), ("f", 5, 3), ("s", 5)),
    "TripletMarginLoss(swap=True)": (("f", 5, 3), ("f", 5, 3), ("f", 5, 3)),
    "TripletMarginWithDistanceLoss(margin=2.0)": (("f", 5, 3), ("f", 5, 3), ("f", 5, 3)),
    "CTCLoss()": (("log", 6, 2, 4), np.array([[1, 2, 3], [2, 1, 1]]), np.array([6, 5]), np.array([3, 2])),
}


class Drawn(NamedTuple):
    """An argument: its values, and whether it takes part in the gradient."""

    values: np.ndarray[Any, Any]
    requires_grad: bool


def array(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Values of a kind: see `LAYERS`."""
    values = rng.normal(size=shape)
    if kind[0] == "i":
        return rng.integers(0, int(kind[1:]), size=shape)
    found = {
        "f": values,
        "u": rng.uniform(0.05, 0.95, size=shape),
        "t": rng.uniform(0.05, 0.95, size=shape),
        "s": np.sign(values),
        "l": values - np.log(np.exp(values).sum(-1, keepdims=True)),
        "log": values - np.log(np.exp(values).sum(-1, keepdims=True)),
        "m": np.triu(np.ones(shape), 2) > 0,
    }[kind]
    return found if kind == "m" else found.astype(np.float32)


def arrays(rng: np.random.Generator, argument: Any) -> Any:
    if isinstance(argument, tuple):
        if isinstance(argument[0], str):
            return Drawn(array(rng, argument[0], argument[1:]), requires_grad=argument[0] in ("f", "u", "l"))
        return tuple(arrays(rng, one) for one in argument)
    return argument


def tensors(library: Any, argument: Any) -> Any:
    """The arrays as tensors of a library."""
    if isinstance(argument, Drawn):
        return library.tensor(argument.values, requires_grad=argument.requires_grad)
    if isinstance(argument, tuple):
        return tuple(tensors(library, one) for one in argument)
    return library.tensor(argument) if isinstance(argument, np.ndarray) else argument


def flat(value: Any) -> list[Any]:
    """The tensors in nested tuples, in order."""
    if isinstance(value, tuple | list):
        return [found for one in value for found in flat(one)]
    return [value] if hasattr(value, "detach") else []


def make(library: Any, expression: str) -> Any:
    return eval(expression, {"torch": library, "nn": library.nn, **vars(library.nn)})


def run(library: Any, module: Any, arguments: Any) -> list[np.ndarray[Any, Any]]:
    """Outputs, gradients of the arguments and of the parameters, and the state after two calls."""
    given = tensors(library, arguments)
    library.manual_seed(11)
    first = flat(module(*given))
    outputs = flat(module(*given))
    total = sum(
        ((one * library.cos(one.detach() + at)).sum() for at, one in enumerate(outputs) if one.requires_grad),
        start=library.zeros(()),
    )
    if total.requires_grad:
        total.backward()
    gradients = [one.grad for one in (*flat(given), *module.parameters())]
    kept = [*first, *outputs, *[one for one in gradients if one is not None], *module.state_dict().values()]
    missing = np.array([one is None for one in gradients])
    return [missing, *[one.detach().numpy() for one in kept]]


def compare(expression: str, arguments: Any, training: bool = True) -> None:
    drawn = arrays(np.random.default_rng(3), arguments)
    torch.manual_seed(7)
    reference, module = make(torch, expression), make(kadam, expression)
    module.load_state_dict({name: kadam.tensor(value.numpy()) for name, value in reference.state_dict().items()})
    expected = run(torch, reference.train(training), drawn)
    found = run(kadam, module.train(training), drawn)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)
        assert one.dtype == other.dtype


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("expression", LAYERS)
def test_layers(expression: str, training: bool) -> None:
    compare(expression, LAYERS[expression], training)


@pytest.mark.parametrize("expression", ACTIVATIONS)
def test_activations(expression: str) -> None:
    arguments = (("f", 2, 4, 3, 6),)
    if expression.endswith("True)"):
        expression = f"Sequential(nn.Linear(6, 6), nn.{expression})"
    compare(expression, arguments)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("expression", LOSSES)
def test_losses(expression: str, reduction: str) -> None:
    if "reduction" not in expression:
        separator = "" if expression.endswith("()") else ", "
        expression = f"{expression[:-1]}{separator}reduction='{reduction}')"
    compare(expression, LOSSES[expression] if expression in LOSSES else LOSSES[_without_reduction(expression)])


def _without_reduction(expression: str) -> str:
    return expression[: expression.rindex("reduction")].rstrip(", ") + ")"


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_maxima_go_back_where_they_were(axes: int) -> None:
    values = np.random.default_rng(0).normal(size=(2, 3, *[4] * axes)).astype(np.float32)
    results = []
    for library in (torch, kadam):
        pool = getattr(library.nn, f"MaxPool{axes}d")(2, return_indices=True)
        unpool = getattr(library.nn, f"MaxUnpool{axes}d")(2)
        results.append(unpool(*pool(library.tensor(values))).numpy())
    np.testing.assert_array_equal(results[1], results[0])


def test_the_size_of_a_transposed_convolution_is_chosen() -> None:
    module = nn.ConvTranspose2d(1, 1, 3, stride=2)
    assert module(kadam.ones(1, 1, 4, 4), output_size=(9, 10)).shape == (1, 1, 9, 10)
    assert module(kadam.ones(1, 1, 4, 4), output_size=(1, 1, 10, 9)).shape == (1, 1, 10, 9)
    assert module(kadam.ones(1, 4, 4), output_size=(1, 9, 10)).shape == (1, 9, 10)


@pytest.mark.parametrize("order", ["sorted", "any"])
@pytest.mark.parametrize(
    "expression",
    ["RNN(2, 3)", "GRU(2, 3, 2, bidirectional=True)", "LSTM(2, 3, 2, bidirectional=True)", "LSTM(2, 4, proj_size=3)"],
)
@pytest.mark.parametrize("given_state", [False, True])
def test_packed_sequences(expression: str, order: str, given_state: bool) -> None:
    rng = np.random.default_rng(5)
    lengths = [5, 3, 3, 1] if order == "sorted" else [3, 5, 1, 3]
    sequences = [rng.normal(size=(length, 2)).astype(np.float32) for length in lengths]
    torch.manual_seed(7)
    reference, module = make(torch, expression), make(kadam, expression)
    module.load_state_dict({name: kadam.tensor(value.numpy()) for name, value in reference.state_dict().items()})
    rows, cells = 2 if expression.startswith("GRU") or "2, bi" in expression else 1, "LSTM" in expression
    rows *= 2 if "bidirectional" in expression else 1
    states = [rng.normal(size=(rows, 4, size)).astype(np.float32) for size in (3, 4 if "proj" in expression else 3)]
    results = []
    for library, network in ((torch, reference), (kadam, module)):
        given = [library.tensor(one, requires_grad=True) for one in sequences]
        packed = library.nn.utils.rnn.pack_sequence(given, enforce_sorted=order == "sorted")
        state = [library.tensor(one) for one in states]
        hx = (tuple(state) if cells else state[0]) if given_state else None
        output, last = network(packed, hx)
        padded, sizes = library.nn.utils.rnn.pad_packed_sequence(output)
        total = sum((one * library.cos(one.detach())).sum() for one in flat((padded, last)))
        total.backward()
        found = [padded, *flat(last), sizes, *[one.grad for one in given], *[one.grad for one in network.parameters()]]
        results.append([one.detach().numpy() for one in found])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_the_classes_of_the_adaptive_softmax() -> None:
    torch.manual_seed(7)
    reference = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 10, [4, 7])
    module = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [4, 7])
    module.load_state_dict({name: kadam.tensor(value.numpy()) for name, value in reference.state_dict().items()})
    values = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    expected, found = reference.predict(torch.tensor(values)), module.predict(kadam.tensor(values))
    assert found.tolist() == expected.tolist()
    np.testing.assert_allclose(
        module.log_prob(kadam.tensor(values)).detach().numpy(),
        reference.log_prob(torch.tensor(values)).detach().numpy(),
        rtol=1e-5,
    )


def test_masks_of_the_future() -> None:
    expected = torch.nn.Transformer.generate_square_subsequent_mask(4)
    found = nn.Transformer.generate_square_subsequent_mask(4)
    assert found.tolist() == expected.tolist()
    assert str(found.dtype) == str(expected.dtype)


PADDED = [[False, False, False, True], [False, False, True, True]]


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize(
    ("options", "padding"),
    [
        ("batch_first=True", PADDED),
        ("batch_first=True", [[True, False, False, False], [False, False, True, True]]),
        ("batch_first=True, activation='gelu'", PADDED),
        ("batch_first=True, norm_first=True", PADDED),
        ("batch_first=True, activation=torch.tanh", PADDED),
        ("batch_first=True, bias=False", PADDED),
        ("batch_first=False", [[False, True], [False, False], [True, False], [False, False]]),
    ],
)
def test_padding_in_evaluation(options: str, padding: list[list[bool]], grad: bool) -> None:
    expression = f"TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, {options}), 2, nn.LayerNorm(4))"
    torch.manual_seed(7)
    reference, module = make(torch, expression).eval(), make(kadam, expression).eval()
    module.load_state_dict({name: kadam.tensor(value.numpy()) for name, value in reference.state_dict().items()})
    values = np.random.default_rng(0).normal(size=(2, 4, 4)).astype(np.float32)
    results = []
    for library, network in ((torch, reference), (kadam, module)):
        with library.set_grad_enabled(grad):
            output = network(library.tensor(values), src_key_padding_mask=library.tensor(padding))
        results.append(output.detach().numpy())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_a_model_trains_after_a_copy() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1))
    copied = copy.deepcopy(model)
    x = kadam.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
    copied(x).sum().backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad is not None for parameter in copied.parameters())
    assert [model[1].num_batches_tracked.item(), copied[1].num_batches_tracked.item()] == [0, 1]


def test_an_embedding_keeps_its_padding_row() -> None:
    table = nn.Embedding(5, 2, padding_idx=1)
    assert table.weight[1].tolist() == [0.0, 0.0]
    table(kadam.tensor([0, 1, 1])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad[1].tolist() == [0.0, 0.0]


def test_sync_batch_norm_takes_the_place_of_batch_norm() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    weight = model[1].weight
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert isinstance(converted[1], nn.SyncBatchNorm)  # type: ignore[index]
    assert converted[1].weight is weight  # type: ignore[index]
