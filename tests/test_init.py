"""First values of parameters: PyTorch's draws, bounds, errors and warnings; and what the ways of drawing promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import kadam
from same_draws import Call, check_same, torch_with_the_same_numbers, values


@pytest.fixture(scope="module")
def torch() -> Any:
    return torch_with_the_same_numbers()


# --- without PyTorch --------------------------------------------------------------------------------------------------


def test_gains() -> None:
    gain = kadam.nn.init.calculate_gain
    assert gain("linear") == gain("conv2d") == gain("sigmoid") == 1
    assert gain("tanh") == 5 / 3
    assert gain("relu") == math.sqrt(2)
    assert gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    assert gain("selu") == 0.75
    with pytest.raises(ValueError, match="not a valid number"):
        gain("leaky_relu", True)
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        gain("softplus")


def test_a_parameter_is_filled_outside_of_autograd() -> None:
    weight = kadam.zeros(4, 5, requires_grad=True)
    for fill in ("uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "kaiming_normal_", "orthogonal_", "ones_"):
        assert getattr(kadam.nn.init, fill)(weight) is weight
        assert weight.is_leaf
        assert weight.requires_grad
        assert min(abs(value) for row in weight.tolist() for value in row) > 0


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (8, 2), (4, 3, 3, 3)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    matrix = values(kadam.nn.init.orthogonal_(kadam.empty(shape), gain=2.0)).reshape(shape[0], -1)
    product = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (0.0, 0.02, -0.04, 0.04), (0.0, 1.0, 2.0, 3.0)]
)
def test_truncated_numbers_are_in_the_bounds(mean: float, std: float, a: float, b: float) -> None:
    kadam.manual_seed(0)
    drawn = values(kadam.nn.init.trunc_normal_(kadam.empty(40_000), mean, std, a, b))
    assert drawn.min() >= np.float32(a)
    assert drawn.max() <= np.float32(b)

    def density(x: float) -> float:
        return math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)

    def share(x: float) -> float:
        return 0.5 * (1 + math.erf(x / math.sqrt(2)))

    low, high = (a - mean) / std, (b - mean) / std
    expected = mean + std * (density(low) - density(high)) / (share(high) - share(low))
    assert abs(drawn.mean() - expected) < 4 * std / math.sqrt(len(drawn))


def test_sparse_columns() -> None:
    drawn = values(kadam.nn.init.sparse_(kadam.empty(10, 6), sparsity=0.25))
    assert ((drawn == 0).sum(0) == 3).all()


def test_dirac_kernels_pass_their_input() -> None:
    kernel = values(kadam.nn.init.dirac_(kadam.empty(4, 2, 3, 3), groups=2))
    expected = np.zeros((4, 2, 3, 3))
    expected[[0, 1, 2, 3], [0, 1, 0, 1], 1, 1] = 1
    np.testing.assert_array_equal(kernel, expected)


# --- against PyTorch --------------------------------------------------------------------------------------------------

FILLS: dict[str, Call] = {
    "uniform_": lambda t: t.nn.init.uniform_(t.empty(7, 9), -0.3, 0.7),
    "normal_": lambda t: t.nn.init.normal_(t.empty(7, 9), 0.3, 0.02),
    "constant_": lambda t: t.nn.init.constant_(t.empty(3, 4), 0.3),
    "ones_": lambda t: t.nn.init.ones_(t.empty(3)),
    "zeros_": lambda t: t.nn.init.zeros_(t.ones(3)),
    "eye_": lambda t: t.nn.init.eye_(t.empty(3, 5, requires_grad=True)),
    "eye_ of a vector": lambda t: t.nn.init.eye_(t.empty(3)),
    "dirac_ 3D": lambda t: t.nn.init.dirac_(t.empty(4, 6, 3)),
    "dirac_ 4D in groups": lambda t: t.nn.init.dirac_(t.empty(6, 2, 3, 4), groups=2),
    "dirac_ 5D": lambda t: t.nn.init.dirac_(t.empty(4, 2, 3, 3, 3)),
    "dirac_ of a matrix": lambda t: t.nn.init.dirac_(t.empty(4, 2)),
    "dirac_ in uneven groups": lambda t: t.nn.init.dirac_(t.empty(4, 2, 3), groups=3),
    "xavier_uniform_": lambda t: t.nn.init.xavier_uniform_(t.empty(7, 9), gain=1.7),
    "xavier_uniform_ of a kernel": lambda t: t.nn.init.xavier_uniform_(t.empty(7, 3, 5, 5)),
    "xavier_uniform_ of a vector": lambda t: t.nn.init.xavier_uniform_(t.empty(7)),
    "xavier_normal_": lambda t: t.nn.init.xavier_normal_(t.empty(7, 9), gain=1.7),
    "kaiming_uniform_": lambda t: t.nn.init.kaiming_uniform_(t.empty(7, 9), a=math.sqrt(5)),
    "kaiming_uniform_ out": lambda t: t.nn.init.kaiming_uniform_(t.empty(7, 9, 3), mode="fan_out", nonlinearity="relu"),
    "kaiming_normal_": lambda t: t.nn.init.kaiming_normal_(t.empty(7, 9), nonlinearity="tanh"),
    "kaiming_normal_ of a mode": lambda t: t.nn.init.kaiming_normal_(t.empty(7, 9), mode="fan_mid"),
    "kaiming_normal_ of nothing": lambda t: t.nn.init.kaiming_normal_(t.empty(0, 9)),
    "kaiming_uniform_ of nothing": lambda t: t.nn.init.kaiming_uniform_(t.empty(0, 9)),
    "trunc_normal_": lambda t: t.nn.init.trunc_normal_(t.empty(40, 50)),
    "trunc_normal_ of few": lambda t: t.nn.init.trunc_normal_(t.empty(5)),
    "trunc_normal_ scaled": lambda t: t.nn.init.trunc_normal_(t.empty(40, 50), std=0.02, a=-0.03, b=0.01),
    "trunc_normal_ double": lambda t: t.nn.init.trunc_normal_(t.empty(40, 50, dtype=t.float64), 1.0, 2.0, -2.0, 3.0),
    "trunc_normal_ half": lambda t: t.nn.init.trunc_normal_(t.empty(400, dtype=t.bfloat16), 0.0, 1.0, -1.0, 1.0),
    "trunc_normal_ of the tail": lambda t: t.nn.init.trunc_normal_(t.empty(40, 50), 0.0, 1.0, 1.5, 4.0),
    "trunc_normal_ of the far tail": lambda t: t.nn.init.trunc_normal_(t.empty(400), 0.0, 1.0, 3.0, 4.0),
    "sparse_": lambda t: t.nn.init.sparse_(t.empty(10, 6), sparsity=0.25, std=0.1),
    "sparse_ of a vector": lambda t: t.nn.init.sparse_(t.empty(10), sparsity=0.25),
    "orthogonal_ of a vector": lambda t: t.nn.init.orthogonal_(t.empty(10)),
    "orthogonal_ of nothing": lambda t: t.nn.init.orthogonal_(t.empty(0, 10)),
    "orthogonal_ half": lambda t: t.nn.init.orthogonal_(t.empty(4, 4, dtype=t.float16)),
    "of a transposed matrix": lambda t: t.nn.init.kaiming_uniform_(t.empty(7, 9).T, nonlinearity="relu"),
    "normal of a transposed matrix": lambda t: t.nn.init.normal_(t.empty(7, 9).T),
    "truncated, of a transposed matrix": lambda t: t.nn.init.trunc_normal_(t.empty(7, 9).T),
    "the old name": lambda t: t.nn.init.xavier_uniform(t.empty(7, 9)),
}


@pytest.mark.parametrize("name", FILLS)
def test_fills(torch: Any, name: str) -> None:
    check_same(torch, FILLS[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (8, 2), (4, 3, 3, 3), (1, 6), (6, 1)])
def test_orthogonal_as_pytorch_decomposes(torch: Any, shape: tuple[int, ...], dtype: str) -> None:
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    check_same(torch, lambda t: t.nn.init.orthogonal_(t.empty(shape, dtype=getattr(t, dtype)), 1.5), tolerance)


def test_generators_of_their_own(torch: Any) -> None:
    for name in ("uniform_", "normal_", "trunc_normal_", "xavier_normal_", "kaiming_uniform_", "sparse_"):
        arguments = {"sparsity": 0.3} if name == "sparse_" else {}
        check_same(
            torch,
            lambda t, name=name, arguments=arguments: getattr(t.nn.init, name)(
                t.empty(7, 9), **arguments, generator=t.Generator().manual_seed(3)
            ),
        )


# --- what modules start from ------------------------------------------------------------------------------------------

MODULES: dict[str, Call] = {
    "Linear": lambda nn: nn.Linear(37, 11),
    "Linear without bias": lambda nn: nn.Linear(3, 4, bias=False),
    "Bilinear": lambda nn: nn.Bilinear(3, 4, 5),
    "Conv1d": lambda nn: nn.Conv1d(4, 6, 3, groups=2),
    "Conv2d": lambda nn: nn.Conv2d(3, 8, 5),
    "Conv3d": lambda nn: nn.Conv3d(2, 3, (1, 2, 3)),
    "ConvTranspose2d": lambda nn: nn.ConvTranspose2d(4, 6, 3),
    "Embedding": lambda nn: nn.Embedding(27, 10, padding_idx=3),
    "EmbeddingBag": lambda nn: nn.EmbeddingBag(27, 10),
    "RNN": lambda nn: nn.RNN(5, 7, num_layers=2, bidirectional=True),
    "GRU": lambda nn: nn.GRU(5, 7, num_layers=2, bidirectional=True),
    "LSTM": lambda nn: nn.LSTM(5, 7, num_layers=2, bidirectional=True),
    "LSTMCell": lambda nn: nn.LSTMCell(5, 7),
    "MultiheadAttention": lambda nn: nn.MultiheadAttention(16, 4),
    "MultiheadAttention of other sizes": lambda nn: nn.MultiheadAttention(16, 4, kdim=6, vdim=10, add_bias_kv=True),
    "TransformerEncoderLayer": lambda nn: nn.TransformerEncoderLayer(16, 4, 32),
    "Transformer": lambda nn: nn.Transformer(8, 2, 1, 1, 16),
    "BatchNorm2d": lambda nn: nn.BatchNorm2d(4),
    "Sequential": lambda nn: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)),
}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", MODULES)
def test_modules_start_from_the_same_parameters(torch: Any, name: str) -> None:
    torch.manual_seed(11)
    kadam.manual_seed(11)
    expected, module = MODULES[name](torch.nn), MODULES[name](kadam.nn)
    theirs, ours = dict(expected.named_parameters()), dict(module.named_parameters())
    assert list(ours) == list(theirs)
    for key, parameter in ours.items():
        np.testing.assert_array_equal(values(parameter), values(theirs[key]), err_msg=key)
    assert kadam.rand(1).item() == torch.rand(1).item()
