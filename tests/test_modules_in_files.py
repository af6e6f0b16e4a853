"""Whole modules in files: saved by one of Kadam and PyTorch, loaded and run by the other."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

import kadam
from kadam import nn, torch_imports

_STEPS, _ROWS = (3, 4, 6), (4, 6)
MODULES = {
    "LSTM": ((6, 5, 2), {"bidirectional": True}, [_STEPS]),
    "LSTM projected": ((6, 5), {"proj_size": 2, "bias": False}, [_STEPS]),
    "GRU": ((6, 5), {"bias": False}, [_STEPS]),
    "RNN": ((6, 5), {"nonlinearity": "relu"}, [_STEPS]),
    "LSTMCell": ((6, 5), {}, [_ROWS]),
    "MultiheadAttention": ((6, 2), {}, [_STEPS] * 3),
    "TransformerEncoderLayer": ((6, 2, 8), {"activation": "gelu"}, [_STEPS]),
    "TransformerDecoderLayer": ((6, 2, 8), {}, [_STEPS] * 2),
    "Transformer": ((6, 2, 1, 1, 8), {"batch_first": True}, [_STEPS] * 2),
    "BatchNorm1d": ((6,), {}, [_ROWS]),
    "Conv1d": ((4, 2, 3), {"padding": "same"}, [_STEPS]),
}


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


def _carried(module: Any, save: Any, load: Any) -> Any:
    file = io.BytesIO()
    save(module, file)
    file.seek(0)
    return load(file, weights_only=False)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("to_torch", [True, False])
def test_a_module_carried_over_prints_and_computes_the_same(name: str, to_torch: bool) -> None:
    torch = pytest.importorskip("torch")
    arguments, options, shapes = MODULES[name]
    maker, reader = (kadam, torch) if to_torch else (torch, kadam)
    maker.manual_seed(0)
    module = getattr(maker.nn, name.split()[0])(*arguments, **options).eval()
    inputs = [maker.randn(*shape) for shape in shapes]
    carried = _carried(module, maker.save, reader.load)
    again = _carried(carried, reader.save, maker.load)
    want = _first(module(*inputs)).detach()
    got = _first(carried(*[reader.from_numpy(one.numpy()) for one in inputs])).detach()
    assert repr(carried) == repr(module) == repr(again)
    torch.testing.assert_close(torch.from_numpy(got.numpy()), torch.from_numpy(want.numpy()), rtol=1e-5, atol=1e-6)
    assert maker.equal(_first(again(*inputs)), _first(module(*inputs)))


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.ParameterList])
def test_classes_have_pytorchs_home_and_are_pickled_by_it(kind: Any) -> None:
    module = nn.ParameterList([kadam.ones(2)]) if kind is nn.ParameterList else kind(4, 2)
    with torch_imports.installed():
        home = kind.__module__
        found = pickle.loads(pickle.dumps(module))
    torch = pytest.importorskip("torch")
    assert type(found) is kind
    assert home == getattr(torch.nn, kind.__name__).__module__


def test_what_pytorch_derives_from_a_recurrent_network_is_there() -> None:
    torch = pytest.importorskip("torch")
    own, theirs = nn.LSTM(3, 4, 2, bias=False), torch.nn.LSTM(3, 4, 2, bias=False)
    assert own._all_weights == theirs._all_weights
    assert own._flat_weights_names == theirs._flat_weights_names
    assert [one.shape for one in own._flat_weights] == [tuple(one.shape) for one in theirs._flat_weights]
