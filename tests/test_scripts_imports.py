"""Small names that scripts import from PyTorch's inner modules, against PyTorch."""

import importlib

import pytest

import kadam
from kadam.nn.attention import SDPBackend, sdpa_kernel

ARGUMENTS = [3, (1, 2), [1, 2, 3], "ab"]


@pytest.mark.parametrize("name", ["_single", "_pair", "_triple", "_quadruple"])
def test_tuples_of_sizes(name):
    ours = getattr(importlib.import_module("kadam.nn.modules.utils"), name)
    assert ours(5) == (5,) * ["_single", "_pair", "_triple", "_quadruple"].index(name) + (5,)
    theirs = getattr(pytest.importorskip("torch.nn.modules.utils"), name)
    assert [ours(argument) for argument in ARGUMENTS] == [theirs(argument) for argument in ARGUMENTS]


@pytest.mark.parametrize("lib", ["kadam", "torch"])
def test_a_prefix_is_taken_off(lib):
    nn = pytest.importorskip(f"{lib}.nn")
    model = nn.DataParallel(nn.Sequential(nn.Linear(1, 1), nn.ReLU()))
    state = model.state_dict()
    importlib.import_module(f"{lib}.nn.modules.utils").consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == ["0.weight", "0.bias"]
    assert set(state._metadata) == {"", "0", "1"}
    model.module.load_state_dict(state)


def test_kernels_of_attention_mean_the_same():
    theirs = pytest.importorskip("torch.nn.attention").SDPBackend.__members__
    assert {name: int(kernel) for name, kernel in theirs.items()} == {one.name: int(one) for one in SDPBackend}
    inputs = [kadam.randn(1, 2, 3) for _ in range(3)]
    expected = kadam.nn.functional.scaled_dot_product_attention(*inputs)
    for choice in (SDPBackend.MATH, [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
        with sdpa_kernel(choice):
            assert kadam.equal(kadam.nn.functional.scaled_dot_product_attention(*inputs), expected)
    with pytest.raises(AssertionError, match="SDPBackend"), sdpa_kernel("math"):
        pass


@pytest.mark.parametrize("lib", ["kadam", "torch"])
@pytest.mark.filterwarnings("ignore")
def test_legacy_constructors(lib):
    torch = pytest.importorskip(lib)
    for kind in ["Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"]:
        made = getattr(torch, f"{kind}Tensor")([1, 0])
        assert made.type() == f"torch.{kind}Tensor"
        assert made.tolist() == [1, 0]
        assert isinstance(made, getattr(torch, f"{kind}Tensor"))
        assert getattr(torch, f"{kind}Tensor")(2, 3).shape == (2, 3)
    try:
        torch.set_default_tensor_type("torch.DoubleTensor")
        assert torch.zeros(1).dtype is torch.float64
    finally:
        torch.set_default_tensor_type(torch.FloatTensor)
    assert torch.zeros(1).dtype is torch.float32
    for wrong in ("torch.LongTensor", "torch.cuda.FloatTensor"):
        with pytest.raises(TypeError):
            torch.set_default_tensor_type(wrong)
