"""Regions of lower precision: each operator gives the element type that PyTorch's gives."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("expecttest") is None:
    pytest.skip("PyTorch's sample inputs need `make torch`", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from conformance import modules, operators
from conformance.counterpart import Translation, function

import kadam
from kadam.recording import precision

# Half precision of no elements at all; of what PyTorch alone can; of what its decompositions round on the way.
_APART = (
    "chalf", "linalg.det", "linalg.ldl_factor", "linalg.ldl_factor_ex", "linalg.ldl_solve", "linalg.lu_solve",
    "linalg.solve_ex", "linalg.solve_triangular", "masked.logaddexp", "masked.prod", "matrix_exp", "native_layer_norm",
    "nn.functional.linear_cross_entropy.chunked", "nn.functional.linear_cross_entropy.chunked_none",
    "_softmax_backward_data", "sparse.sampled_addmm", "to_sparse",
)  # fmt: skip
_NAMES = [name for name in operators.names("op") if name not in _APART]
_SLICES = [_NAMES[start::20] for start in range(20)]
_SAMPLES = 1


def _types(m: Any, lower: Any, call: Callable[[], Any]) -> Any:
    """The element types of a call's results in a region, or None if it is refused."""
    try:
        with warnings.catch_warnings(), m.autocast("cpu", dtype=lower), m.no_grad():
            warnings.simplefilter("ignore")
            return [str(one.dtype) for one in operators.leaves(call(), m.Tensor)]
    except Exception:
        return None


def _of_kinds(sample: Any, lower: Any) -> Iterator[tuple[str, Any]]:
    """A sample with operands of single precision, of the lower one, and of both in turn."""
    for kind, lowered in (("single", ()), ("lower", (0, 1)), ("mixed", (1,)), ("mixed, the other way", (0,))):
        numbers = itertools.count()

        def cast(value: Any, lowered: Any = lowered, numbers: Any = numbers) -> Any:
            if isinstance(value, torch.Tensor) and value.dtype is torch.float32:
                value = value.detach()
                return value.to(lower) if next(numbers) % 2 in lowered else value
            return value

        yield kind, sample.transform(cast)


def _differences(name: str, lower: str) -> Iterator[str]:
    entry = operators.ENTRIES[name]
    own = function(entry.op)
    torch.manual_seed(20)
    for sample in itertools.islice(entry.sample_inputs("cpu", torch.float32, requires_grad=False), _SAMPLES):
        for kind, given in _of_kinds(sample, getattr(torch, lower)):
            parts = [given.input, given.args, given.kwargs]
            expected = _types(
                torch, getattr(torch, lower), lambda parts=parts: entry.op(parts[0], *parts[1], **parts[2])
            )
            if expected is None:
                continue
            input, args, kwargs = Translation()(parts)
            call = lambda input=input, args=args, kwargs=kwargs: own(input, *args, **kwargs)  # noqa: E731
            found = _types(kadam, getattr(kadam, lower), call)
            if found != expected:
                yield f"{name}, operands {kind}: {found}, PyTorch {expected}"


@pytest.mark.parametrize("names", _SLICES, ids=lambda names: names[0])
def test_operators_give_pytorchs_types(names: list[str]) -> None:
    assert [line for name in names for line in _differences(name, "bfloat16")] == []


@pytest.mark.parametrize("name", ["nn.functional.linear", "mv", "cat", "fft.rfft", "trace"])
def test_the_other_type_is_a_type_like_any(name: str) -> None:
    assert list(_differences(name, "float16")) == []


def _narrowed(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype is torch.float32:
        return value.detach().bfloat16()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_narrowed, value))
    return {name: _narrowed(one) for name, one in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("narrow", [False, True], ids=["single", "lower"])
def test_modules_give_pytorchs_types(narrow: bool) -> None:
    wrong = []
    for name, entry in modules.ENTRIES.items():
        for sample in itertools.islice(modules._samples(entry.module_inputs_func, entry, True), _SAMPLES):
            built = sample.constructor_input.args, sample.constructor_input.kwargs
            given = sample.forward_input.args, sample.forward_input.kwargs
            args, kwargs = _narrowed(given) if narrow else given
            translate = Translation()
            own = function(entry.module_cls)(*translate(built[0]), **translate(built[1]))
            module = entry.module_cls(*built[0], **built[1])
            own_args, own_kwargs = translate(args), translate(kwargs)
            expected = _types(torch, torch.bfloat16, lambda: module(*args, **kwargs))  # noqa: B023
            found = _types(kadam, kadam.bfloat16, lambda: own(*own_args, **own_kwargs))  # noqa: B023
            if expected not in (None, found):
                wrong.append(f"{name}: {found}, PyTorch {expected}")
    assert wrong == []


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("i,i", ((4,), (4,))), ("i,i", ((1,), (1,))), ("i,j->ij", ((3,), (4,))), ("ij,j->ij", ((3, 4), (4,))),
        ("ij,ij->i", ((3, 4), (3, 4))), ("ij,j->i", ((3, 1), (1,))), ("ij,jk->ik", ((3, 1), (5, 4))),
        ("ij,k->ik", ((3, 2), (4,))), ("i,i,i->i", ((3,), (3,), (3,))), ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 5))),
    ],
)  # fmt: skip
def test_einsum_is_lowered_where_it_is_a_product_of_matrices(equation: str, shapes: Any) -> None:
    kinds = []
    for m in (torch, kadam):
        with m.autocast("cpu", dtype=m.bfloat16):
            kinds.append(str(m.einsum(equation, *[m.ones(shape) for shape in shapes]).dtype))
    assert kinds[0] == kinds[1]


def test_names_without_underscore_are_pytorchs() -> None:
    known = {
        name.removeprefix("aten::").partition(".")[0]
        for name in torch._C._dispatch_get_all_op_names()
        if torch._C._dispatch_has_kernel_for_dispatch_key(name, "AutocastCPU")
    }
    ours = {name for name in precision.POLICIES if not name.startswith("_")}
    alike = {  # names of Kadam for what has another name in PyTorch
        "linalg_lu_solve": "lu_solve", "conv_transpose2d": "conv_transpose2d", "convolution": "_convolution",
        "transposed_convolution": "_convolution", "householder_product": "linalg_householder_product",
        "eig": "linalg_eig", "eigh": "linalg_eigh", "eigvalsh": "linalg_eigvalsh",
    }  # fmt: skip
    assert {alike.get(name, name) for name in ours} <= known


def test_gradients_of_a_lowered_product_are_those_of_its_operands() -> None:
    slopes = []
    for m in (torch, kadam):
        a, b = m.linspace(-1, 1, 12).reshape(3, 4), m.linspace(0.1, 2, 4)
        a.requires_grad_()
        b.requires_grad_()
        with m.autocast("cpu", dtype=m.bfloat16):
            loss = m.matmul(a, b).float().pow(2).sum()
        loss.backward()
        slopes.append([a.grad.tolist(), b.grad.tolist(), str(a.grad.dtype)])
    assert slopes[0] == slopes[1]
