"""What programs and libraries of PyTorch's years do and newer ones do not: older orders of arguments, lists as indices,
lists of tensors updated at once, modules whose members are asked for by a method of their own."""

from __future__ import annotations

import sys
import types

import pytest

import kadam
from kadam import autograd, nn, torch_imports
from kadam.errors import UnsupportedError

OLDER = (
    "x.clone().add_(0.5, y)", "x.add(2, y)", "m.add(x, 0.5, y)", "x.sub(3, y)", "x.clone().sub_(0.5, y)",
    "x.clone().addcmul_(0.5, y, z)", "m.addcmul(x, 2, y, z)", "x.clone().addcdiv_(-0.5, y, z)", "x.add(1, 2)",
    "m.addmm(0.5, a, 2, b, c)", "m.addmm(0.5, a, b, c)", "a.addmm(0.5, 2, b, c)", "a.clone().addmm_(0.5, b, c)",
    "x.addmv(0.5, 2, a, y)", "m.addmv(0.5, x, a, y)", "m.addr(0.5, a, 2, x, y)", "a.clone().addr_(0.5, x, y)",
    "d.baddbmm(0.5, 2, d, e)", "m.baddbmm(0.5, d, d, e)", "m.addbmm(0.5, a, d, e)", "a.addbmm(0.5, 2, d, e)",
    "m.add(x, 0.5, y, out=m.empty(3))", "m.addmm(0.5, a, 2, b, c, out=m.empty(3, 3))",
)  # fmt: skip
REFUSED = ("x.add(y, 2)", "x.addcmul(y, z, 2)", "m.add(x, y, z)", "m.addmm(a, b, c, 0.5)", "m.add(x, 2, y, alpha=3)")


def _names(m):
    draw = m.Generator().manual_seed(0)
    vectors = [m.rand(3, generator=draw) + 0.5 for _ in range(3)]
    matrices = [m.rand(3, 3, generator=draw) for _ in range(3)]
    batches = [m.rand(2, 3, 3, generator=draw) for _ in range(2)]
    return {"m": m, **dict(zip("xyzabcde", [*vectors, *matrices, *batches], strict=True))}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", OLDER)
def test_older_orders_of_arguments(call):
    torch = pytest.importorskip("torch")
    ours, theirs = (eval(call, _names(m)) for m in (kadam, torch))
    assert ours.flatten().tolist() == pytest.approx(theirs.flatten().tolist(), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", REFUSED)
def test_orders_that_there_never_were(call):
    torch = pytest.importorskip("torch")
    for m in (kadam, torch):
        with pytest.raises(TypeError):
            eval(call, _names(m))


def test_an_older_optimizer_steps_with_changing_numbers():
    state, grad = kadam.zeros(3), kadam.ones(3)
    for step in range(1, 8):
        state.mul_(0.9).add_(0.1 * step, grad)
    expected = 0.0
    for step in range(1, 8):
        expected = 0.9 * expected + 0.1 * step
    assert state.tolist() == pytest.approx([expected] * 3)


LISTS = (
    [[0, 1], [1, 2]], [[0, 1]], [slice(0, 2), [1, 2]], [[True, False, True, False], [0, 1]], [[0, 1], 2], [None, 0],
    [..., 0], [range(3), range(3)], [(0, 1), (1, 2)], [0, 1], [[[0, 1], [1, 2]]], [[0, 1]] * 32,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("index", LISTS, ids=lambda one: str(one)[:40])
def test_lists_of_sequences_are_indices_for_axes(index):
    torch = pytest.importorskip("torch")
    results = []
    for m in (kadam, torch):
        x = m.arange(16.0).reshape(4, 4)
        seen = x[index].tolist()
        x[index] = -1
        results.append((seen, x.tolist()))
    assert results[0] == results[1]


def test_a_list_of_sequences_is_told():
    with pytest.warns(UserWarning, match="one index for each axis"):
        assert kadam.arange(4.0).reshape(2, 2)[[[0, 1], [1, 0]]].tolist() == [1, 2]


def test_a_number_has_no_elements():
    with pytest.raises(IndexError, match="0-dim"):
        kadam.tensor(1.0)[0]
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        assert "a" in kadam.ones(2)
    assert 1 in kadam.ones(2)


FOREACH = {
    "add": ("b,", "2.0,", "[1, 2],", "m.tensor(3.0),"), "sub": ("b,", "[1, 2],"), "mul": ("b,", "2.0,", "[1, 2],"),
    "div": ("b,", "m.tensor(2.0),"), "maximum": ("b,", "1.5,", "[1, 2],"), "minimum": ("b,", "1.5,"),
    "pow": ("b,", "2,"),
    "clamp_max": ("1.5,", "[1, 2],"), "addcmul": ("b, b", "b, b, 2.0", "b, b, [1, 2]", "b, b, m.tensor([1.0, 2.0])"),
    "addcdiv": ("b, b, -0.5",), "lerp": ("b, 0.3", "b, b"), "sqrt": ("",), "neg": ("",), "reciprocal": ("",),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREACH)
def test_lists_of_tensors_at_once(name):
    torch = pytest.importorskip("torch")
    for arguments in FOREACH[name]:
        results = []
        for m in (kadam, torch):
            a, b = ([m.tensor([0.5, 2.0]), m.tensor([1.0, 3.0, 4.0])] for _ in range(2))
            given = eval(f"({arguments})", {"m": m, "b": b}) if arguments else ()
            out = getattr(m, f"_foreach_{name}")(a, *given)
            same = getattr(m, f"_foreach_{name}_")(a, *given) is a
            results.append(([one.tolist() for one in out], type(out), same, [one.tolist() for one in a]))
        ours, theirs = results
        assert ours[1:3] == theirs[1:3] == (tuple, True)
        for mine, other in zip(ours[0] + ours[3], theirs[0] + theirs[3], strict=True):
            assert mine == pytest.approx(other, rel=1e-6), arguments


def test_lists_that_do_not_fit():
    with pytest.raises(RuntimeError, match="same number"):
        kadam._foreach_add([kadam.ones(2)], [1, 2])
    with pytest.raises(RuntimeError, match="at least one"):
        kadam._foreach_mul_([], 2)
    assert [one.item() for one in kadam._foreach_norm([kadam.ones(4), 2 * kadam.ones(1)])] == [2, 2]
    assert [one.tolist() for one in kadam._foreach_pow(2.0, [kadam.arange(3.0)])] == [[1, 2, 4]]


def test_members_are_asked_for_by_a_modules_own_method():
    asked = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.weight = nn.Parameter(kadam.ones(2))
            self.register_buffer("mean", kadam.zeros(2))
            self.plain = 3

        def __getattr__(self, name):
            asked.append(name)
            return super().__getattr__(name)

        def forward(self, x):
            return self.layer(x * self.weight + self.mean) * self.plain

    class Heir(Watched):
        pass

    for kind in (Watched, Heir):
        module = kind()
        asked.clear()
        module(kadam.ones(1, 2))
        assert sorted(asked) == ["layer", "mean", "weight"]
        assert [name for name, _ in module.named_parameters()] == ["weight", "layer.weight", "layer.bias"]
        with pytest.raises(AttributeError):
            _ = module.absent


def test_parameters_come_from_generators():
    module = nn.BatchNorm1d(2)
    for found in (module.parameters(), module.named_parameters(), module.buffers(), module.named_buffers()):
        assert isinstance(found, types.GeneratorType)
        assert len(list(found)) in (2, 3)


class _Integral(autograd.Function):
    """Takes derivatives of a function of its own within `backward`."""

    @staticmethod
    def forward(ctx, function, at, weight):
        ctx.function = function
        ctx.save_for_backward(at, weight)
        return function(at)

    @staticmethod
    @autograd.function.once_differentiable
    def backward(ctx, ct):
        at, weight = ctx.saved_tensors
        with kadam.enable_grad():
            area = ctx.function(at)
        return None, None, autograd.grad(area, weight, ct, retain_graph=True)[0]


def test_a_pass_within_a_pass_leaves_what_the_outer_one_has_swept():
    leaf = kadam.tensor([2.0, 3.0], requires_grad=True)
    for _ in range(5):
        leaf.grad = None
        weight = leaf * 1.0
        at = kadam.tensor([5.0, 7.0])
        area = _Integral.apply(lambda one, weight=weight: one * weight, at, weight)
        ((at * weight).square().sum() + area.sum()).backward()
        assert leaf.grad.tolist() == [2 * 25 * 2 + 5, 2 * 49 * 3 + 7]


def test_vmap_sweeps_a_graph_for_each_example():
    x = kadam.tensor([1.0, 2.0], requires_grad=True)
    y = x**2

    def pulled(ct):
        return autograd.grad(y, x, ct)[0]

    assert kadam.vmap(pulled)(kadam.eye(2)).tolist() == [[2, 0], [0, 4]]
    with pytest.raises(RuntimeError, match="second time"):
        pulled(kadam.ones(2))


def test_errors_do_not_print_the_tensors_that_are_keys():
    x = kadam.ones(2, requires_grad=True)
    known = {x**2: 1, x * 3: 2}
    total = sum(key.sum() for key in known)
    total.backward()
    with pytest.raises(RuntimeError, match="second time"):
        total.backward()
    assert len(known) == 2


def test_classes_derived_from_tensor():
    class Named(kadam.Tensor):
        @staticmethod
        def __new__(cls, data, name):
            return super().__new__(cls, data)

        def __init__(self, data, name):
            self.name = name

    class Plain(kadam.Tensor):
        __torch_function__ = kadam._C._disabled_torch_function_impl

    named = Named([1.0, 2.0], "x")
    assert (type(named), named.name, named.tolist()) == (Named, "x", [1, 2])
    assert type(Plain([1.0]) + 1) is kadam.Tensor

    class Asking(kadam.Tensor):  # libraries define such classes whether or not anybody uses them
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return function(*args)

    for make in (lambda: Asking([1.0]), lambda: kadam.ones(1).as_subclass(Asking)):
        with pytest.raises(UnsupportedError, match="never be called"):
            make()


def test_names_that_libraries_import():
    with torch_imports.installed():
        import torch
        import torch.distributed._tensor.experimental
        import torch.distributed.nn.functional
        import torch.fx.experimental.proxy_tensor
        import torch.fx.node
        import torch.utils.data._utils.collate
        from torch._subclasses.fake_tensor import is_fake
        from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
        from torch.autograd.function import FunctionCtx
        from torch.distributions.utils import _standard_normal, _sum_rightmost
        from torch.nn.common_types import _size_2_t
        from torch.utils._foreach_utils import _group_tensors_by_device_and_dtype
        from torch.utils.checkpoint import get_device_states

        assert torch.__name__ == "torch"
        assert torch.torch is torch
        assert "USE_CUDA=OFF" in torch.__config__.show()
        assert _size_2_t == int | tuple[int, int]
        assert get_device_states(torch.ones(1)) == ([], [])
        assert not is_fake(torch.ones(1))
        assert FunctionCtx.__name__ == "FunctionCtx"
        assert _sum_rightmost(torch.ones(2, 3, 4), 2).tolist() == [12, 12]
        assert _standard_normal((2, 3), torch.float64, None).dtype is torch.float64
        flat = _flatten_dense_tensors([torch.ones(2, 2), torch.zeros(3)])
        assert [one.shape for one in _unflatten_dense_tensors(flat, [torch.ones(2, 2), torch.zeros(3)])] == [
            (2, 2),
            (3,),
        ]
        a, b = torch.ones(1), torch.ones(1, dtype=torch.float64)
        groups = _group_tensors_by_device_and_dtype([[a, b, a], [b, a, None]], with_indices=True)
        assert groups[(a.device, torch.float32)] == ([[a, a], [b, None]], [0, 2])
    assert kadam.__name__ == "kadam"
    assert "torch" not in sys.modules or sys.modules["torch"] is not kadam


def test_collective_operations_that_gradients_flow_through():
    from kadam import distributed
    from kadam.distributed.nn import functional

    distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:29511", rank=0, world_size=1)
    try:
        x = kadam.ones(2, requires_grad=True)
        (
            functional.all_reduce(x).sum() + functional.all_gather(x)[0].sum() + functional.broadcast(x, 0).sum()
        ).backward()
        assert x.grad.tolist() == [3, 3]
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}], ids=str)
def test_recurrent_outputs_name_their_derivative(kind, options):
    torch = pytest.importorskip("torch")
    names = []
    for m in (kadam, torch):
        output, _ = getattr(m.nn, kind)(3, 4, **options)(m.ones(5, 2, 3))
        names.append(type(output.grad_fn).__name__)
    assert names[0] == names[1]


def test_split_has_other_names_as_a_method():
    x = kadam.arange(6)
    assert [one.tolist() for one in x.split(split_size=[1, 5])] == [[0], [1, 2, 3, 4, 5]]
    assert len(kadam.split(x, split_size_or_sections=2)) == len(x.split(split_size=2)) == 3
    with pytest.raises(TypeError):
        x.split(split_size_or_sections=2)


@pytest.mark.parametrize("alpha", [0.5, True, 1j, 2])
@pytest.mark.parametrize("name", ["add", "sub", "rsub"])
def test_alpha_fits_the_operands(name, alpha):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        for record in ("int64", "float32"):
            x = m.ones(2, dtype=getattr(m, record))
            try:
                found.append((m is kadam, getattr(m, name)(x, x, alpha=alpha).tolist()))
            except RuntimeError:
                found.append((m is kadam, "RuntimeError"))
    assert [one for ours, one in found if ours] == [one for ours, one in found if not ours]
