"""What libraries built on PyTorch ask for beside tensors: names, modules, nests, futures, operations of their own."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
import sys
import threading
import typing
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import kadam
from kadam import distributed, futures, fx, library, torch_imports
from kadam.distributed import device_mesh, fsdp, tensor
from kadam.errors import UnsupportedError
from kadam.utils import _pytree
from kadam.vision import models, ops
from kadam.vision.transforms import v2

Pair = namedtuple("Pair", "first second")
NESTS = (3, [1], (), Pair(1, [2]), OrderedDict(b=1, a=2), {"b": [1, (2, None)], "a": 3}, {1, 2})


def test_what_kadam_makes_none_of_is_named_and_refused():
    weight = kadam.ones(2)
    for kind in (tensor.DTensor, fsdp.FullyShardedDataParallel, fx.GraphModule, device_mesh.DeviceMesh):
        assert not isinstance(weight, kind)
        with pytest.raises(UnsupportedError, match=kind.__name__):
            kind()
    with pytest.raises(UnsupportedError, match="init_device_mesh"):
        device_mesh.init_device_mesh("cpu", (1,))
    assert fx.wrap(len) is len
    assert tensor.Shard(1).is_shard(1)
    assert not tensor.Replicate().is_shard()
    assert distributed.Backend("GLOO") == distributed.Backend.GLOO
    assert isinstance(distributed.ReduceOp.SUM, distributed.ReduceOp.RedOpType)


def test_small_floats_have_limits_and_no_tensors():
    torch = pytest.importorskip("torch")
    for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e8m0fnu"):
        ours, theirs = kadam.finfo(getattr(kadam, name)), torch.finfo(getattr(torch, name))
        for limit in ("bits", "dtype", "eps", "max", "min", "tiny", "resolution"):
            assert getattr(ours, limit) == getattr(theirs, limit), (name, limit)
    with pytest.raises(UnsupportedError, match="float8_e5m2"):
        kadam.zeros(2, dtype=kadam.float8_e5m2)


def test_types_are_no_dataclasses():
    for value in (kadam.float32, kadam.finfo(kadam.float32), kadam.iinfo(kadam.int8)):
        assert not dataclasses.is_dataclass(value)
    assert kadam.finfo(kadam.float32) == kadam.finfo(kadam.float32)


@pytest.mark.parametrize("nest", NESTS, ids=str)
def test_nests_come_apart_as_pytorchs_do(nest):
    theirs = pytest.importorskip("torch.utils._pytree")
    leaves, spec = _pytree.tree_flatten(nest)
    assert leaves == theirs.tree_flatten(nest)[0]
    assert spec.num_leaves == theirs.tree_flatten(nest)[1].num_leaves
    assert _pytree.tree_unflatten(leaves, spec) == nest
    assert _pytree.tree_map(lambda a, b: (a, b), nest, nest) == theirs.tree_map(lambda a, b: (a, b), nest, nest)
    assert _pytree.tree_map_only(int, str, nest) == theirs.tree_map_only(int, str, nest)


def test_nests_that_differ_are_refused():
    with pytest.raises(ValueError, match="1 leaves for a nest of 2"):
        _pytree.tree_unflatten([1], _pytree.tree_structure([1, 2]))
    for other in ([3], (3, 4), 3):
        with pytest.raises(ValueError, match="tree_map"):
            _pytree.tree_map(lambda a, b: a, [1, 2], other)
    with pytest.raises(ValueError, match="keys"):
        _pytree.tree_map(lambda a, b: a, {"a": 1}, {"b": 1})


def test_registered_containers_come_apart():
    class Box:
        def __init__(self, inside):
            self.inside = inside

    _pytree.register_pytree_node(Box, lambda box: ([box.inside], None), lambda parts, _: Box(*parts))
    assert _pytree.tree_map(lambda leaf: leaf + 1, [Box(1)])[0].inside == 2
    with pytest.raises(ValueError, match="registered"):
        _pytree.register_pytree_node(Box, lambda box: ([], None), lambda parts, _: Box(*parts))


def test_futures_are_told_once_and_waited_for():
    told: futures.Future[int] = futures.Future()
    doubled = told.then(lambda one: one.value() * 2)
    with pytest.raises(RuntimeError):
        told.value()
    teller = threading.Thread(target=told.set_result, args=(3,))
    teller.start()
    assert doubled.wait() == 6
    teller.join()
    with pytest.raises(RuntimeError):
        told.set_result(4)
    failed: futures.Future[int] = futures.Future()
    after = failed.then(lambda one: one.value())
    failed.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        failed.wait()
    with pytest.raises(RuntimeError, match="no"):
        after.wait()
    assert [one.wait() for one in futures.collect_all([told, doubled]).wait()] == [3, 6]
    assert futures.collect_all([]).wait() == []


def _cube(torch, library):
    name = "kadam_tests::cube"

    @library.custom_op(name, mutates_args=(), schema="(Tensor x, float scale=1.0) -> Tensor")
    def cube(x, scale=1.0):
        return x**3 * scale

    def keep(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.scale = inputs[1]

    def backward(ctx, gradient):
        return gradient * 3 * ctx.saved_tensors[0] ** 2 * ctx.scale, None

    library.register_autograd(name, backward, setup_context=keep)
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    result = torch.ops.kadam_tests.cube(x, scale=2.0)
    result.sum().backward()
    return result.tolist(), x.grad.tolist(), cube(x).tolist()


def test_operations_of_a_programs_own():
    assert _cube(kadam, library) == ([2.0, -16.0], [6.0, 24.0], [1.0, -8.0])
    torch = pytest.importorskip("torch")
    assert _cube(kadam, library) == _cube(torch, torch.library)


def test_an_operation_without_a_derivative_says_so():
    def twice(x: kadam.Tensor) -> kadam.Tensor:
        return x * 2

    double = library.custom_op("kadam_tests::double", twice, mutates_args=(), schema="(Tensor x) -> Tensor")
    result = double(kadam.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="register_autograd"):
        result.sum().backward()
    with pytest.raises(ValueError, match="no library"):
        library.custom_op("double", lambda x: x, mutates_args=())


def _made(torch, name, function, takes, gives="Tensor", **options):
    """An operation of a function annotated with types of this `torch`."""
    forms = {"Tensor": torch.Tensor, "list": list[torch.Tensor], "Sequence": typing.Sequence[torch.Tensor],
             "optional": torch.Tensor | None, "int": int}  # fmt: skip
    function.__annotations__ = {one: forms[kind] for one, kind in takes.items()} | {"return": forms[gives]}
    return torch.library.custom_op(f"kadam_tests::{name}", function, mutates_args=(), **options)


@pytest.mark.parametrize("kind", ["list", "Sequence"])
def test_lists_of_tensors_have_gradients(kind):
    def run(torch):
        def combine(xs, k):
            return xs[0] * k + xs[1]

        needed = []

        def backward(ctx, gradient):
            needed.append(ctx.needs_input_grad)
            return [gradient * ctx.k, gradient], None

        made = _made(torch, f"combine_{kind}", combine, {"xs": kind, "k": "int"})
        made.register_autograd(backward, setup_context=lambda ctx, inputs, output: setattr(ctx, "k", inputs[1]))
        a, b = (torch.ones(2, requires_grad=True) for _ in range(2))
        made([a, b], 3).sum().backward()
        return a.grad.tolist(), b.grad.tolist(), [list(one) for one in needed]

    found = run(kadam)
    assert found[:2] == ([3.0, 3.0], [1.0, 1.0])
    assert found == run(pytest.importorskip("torch"))


def test_arguments_by_name_and_results_in_lists():
    def run(torch):
        def scale(x, *, k):
            return x * k

        def both(x):
            return [x * 2, x * 3]

        named = _made(torch, "named", scale, {"x": "Tensor", "k": "int"})

        def keep(ctx, inputs, keyword_only_inputs, output):
            ctx.k = keyword_only_inputs["k"]

        named.register_autograd(lambda ctx, gradient: gradient * ctx.k, setup_context=keep)
        several = _made(torch, "several", both, {"x": "Tensor"}, "list")
        several.register_autograd(lambda ctx, gradients: gradients[0] * 2 + gradients[1] * 3)
        x = torch.ones(2, requires_grad=True)
        (named(x, k=5).sum() + sum(one.sum() for one in several(x))).backward()
        return x.grad.tolist()

    assert run(kadam) == run(pytest.importorskip("torch")) == [10.0, 10.0]


def test_what_an_operation_of_ones_own_does_not_take():
    def refusals(torch):
        def same(x):
            return x

        def shape(x):
            return x.view(-1)

        def twice(x):
            return x * 2

        found = []
        same_, shape_, twice_ = (_made(torch, f"own_{f.__name__}", f, {"x": "Tensor"}) for f in (same, shape, twice))
        elsewhere = _made(torch, "elsewhere", lambda x: x * 2, {"x": "Tensor"}, device_types="cuda")
        one = torch.ones(2)
        attempts = [
            lambda: same_(one), lambda: shape_(one), lambda: twice_("a"), lambda: twice_(one, one), lambda: twice_(),
            lambda: elsewhere(one),
            lambda: torch.library.custom_op("kadam_tests::plain", lambda x: x * 2, mutates_args=()),
            lambda: torch.library.custom_op("kadam_tests::other", twice, mutates_args={"y"}),
            lambda: torch.library.custom_op("kadam_tests::word", twice, mutates_args="x"),
            lambda: torch.library.register_fake("kadam_tests::nowhere", twice),
        ]  # fmt: skip
        for attempt in attempts:
            with pytest.raises((RuntimeError, ValueError)) as raised:
                attempt()
            found.append(next(kind for kind in (NotImplementedError, RuntimeError, ValueError, Exception)
                              if isinstance(raised.value, kind)))  # fmt: skip
        return found

    assert refusals(kadam) == refusals(pytest.importorskip("torch"))


def test_a_schema_is_held_to():
    with pytest.raises(UnsupportedError, match="schema"):
        library.custom_op("kadam_tests::held", lambda x: x * 2, mutates_args=(), schema="(Tensor x, int k=2) -> Tensor")
    summed = library.custom_op(
        "kadam_tests::summed", lambda xs, k=1: sum(xs) * k, mutates_args=(), schema="(Tensor[] xs, int k=1) -> Tensor"
    )
    assert summed([kadam.ones(1), kadam.ones(1)], k=3).tolist() == [6.0]
    with pytest.raises(RuntimeError, match="Tensor"):
        summed([1, 2])
    change = library.custom_op(
        "kadam_tests::change", lambda x: x.add_(1) and None, mutates_args={"x"}, schema="(Tensor(a!) x) -> ()"
    )
    with pytest.raises(UnsupportedError, match="mutates_args"):
        change(kadam.ones(1, requires_grad=True))


def _whole_numbers_in_tensors(torch):
    x, two, zero = torch.arange(12.0).reshape(3, 4), torch.tensor(2), torch.tensor(0)
    results = [
        *x.topk(two), *torch.kthvalue(x, two), x.sum(zero), x.softmax(zero), x.tril(two), *x.split(two), *x.chunk(two),
        torch.nn.functional.pad(x, (two, 0)), x.cumsum(two - 1), x.argmax(zero), *x.sort(zero),
        torch.nn.functional.max_pool2d(x[None, None], two),
    ]  # fmt: skip
    return [one.tolist() for one in results]


def test_a_number_may_come_in_a_tensor():
    torch = pytest.importorskip("torch")
    assert _whole_numbers_in_tensors(kadam) == _whole_numbers_in_tensors(torch)


def test_an_optimizer_around_another_has_no_hooks_of_its_own():
    class Around(kadam.optim.Optimizer):
        def __init__(self, inner):  # as accelerate's, which is a name for another and no optimizer by itself
            self.inner = inner

        def step(self):
            self.inner.step()

    weight = kadam.ones(2, requires_grad=True)
    weight.sum().backward()
    Around(kadam.optim.SGD([weight], lr=0.5)).step()
    assert weight.tolist() == [0.5, 0.5]


def test_inside_a_program_libraries_find_their_way():
    with torch_imports.installed():
        import torch

        assert importlib.metadata.version("torch") == torch.__version__
        assert "torch._dynamo.eval_frame" not in sys.modules or torch._dynamo.eval_frame is not None
        for path in ("torch._dynamo.exc", "torch.distributed.tensor.placement_types", "torch.utils._pytree"):
            __import__(path)

        class Net(torch.nn.Module):
            size: int

        assert typing.get_type_hints(Net)["size"] is int
        assert torch.serialization.MAP_LOCATION is not None
        assert torch._C._nn._parse_to("cpu", torch.float64)[:2] == (torch.device("cpu"), torch.float64)


def test_boxes():
    boxes = kadam.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1.9], [1, 1, 3, 3]])
    np.testing.assert_allclose(ops.box_iou(boxes, boxes[:1]).tolist(), [[1.0], [0.95], [1 / 7]], rtol=1e-6)
    assert ops.nms(boxes, kadam.tensor([0.1, 0.9, 0.5]), 0.5).tolist() == [1, 2]
    assert ops.batched_nms(boxes, kadam.tensor([0.1, 0.9, 0.5]), kadam.tensor([0, 1, 0]), 0.5).tolist() == [1, 2, 0]
    for form in ("xywh", "cxcywh"):
        there = ops.box_convert(boxes, "xyxy", form)
        np.testing.assert_allclose(ops.box_convert(there, form, "xyxy").tolist(), boxes.tolist())
    assert ops.box_convert(boxes[2:], "xyxy", "cxcywh").tolist() == [[2.0, 2.0, 2.0, 2.0]]
    assert ops.clip_boxes_to_image(boxes, (2, 1)).tolist()[2] == [1.0, 1.0, 1.0, 2.0]


def test_layers_for_images():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    frozen, norm = ops.FrozenBatchNorm2d(3), torch.nn.BatchNorm2d(3).eval()
    state = {name: kadam.rand(3) + 0.5 for name in ("weight", "bias", "running_mean", "running_var")}
    frozen.load_state_dict(state)
    norm.load_state_dict({name: torch.tensor(value.numpy()) for name, value in state.items()}, strict=False)
    np.testing.assert_allclose(
        frozen(kadam.tensor(x)).numpy(), norm(torch.tensor(x)).detach().numpy(), rtol=2e-5, atol=1e-6
    )
    assert not list(frozen.parameters())
    dropped = ops.StochasticDepth(0.5, "row")(kadam.ones(64, 2))
    assert {tuple(row) for row in dropped.tolist()} == {(0.0, 0.0), (2.0, 2.0)}
    loss = ops.sigmoid_focal_loss(kadam.tensor([0.0]), kadam.tensor([1.0]))
    np.testing.assert_allclose(loss.tolist(), [0.25 * 0.25 * np.log(2)], rtol=1e-6)
    image = v2.Compose([v2.ToImage(), v2.ToDtype(kadam.float32, scale=True)])
    assert image(kadam.full((3, 2, 2), 255, dtype=kadam.uint8)).max().item() == 1.0
    with pytest.raises(UnsupportedError, match="weights"):
        models.resnet18(weights=models.ResNet18_Weights.DEFAULT)


def test_only_scripted_modules_are_script_modules():
    def kinds(torch):
        plain, scripted = torch.nn.Linear(2, 3), torch.jit.script(torch.nn.Linear(2, 3))

        class Own(torch.jit.ScriptModule):
            pass

        return [isinstance(one, torch.jit.ScriptModule) for one in (plain, scripted, Own(), 3)] + [
            isinstance(one, Own) for one in (plain, scripted)
        ]

    assert kinds(kadam) == [False, True, True, False, False, False]
    assert kinds(kadam) == kinds(pytest.importorskip("torch"))


def test_tied_weights_have_one_value():
    def outcome(torch):
        class Tied(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
                self.b.weight = self.a.weight

            def forward(self, x):
                return self.b(self.a(x))

        with pytest.raises(ValueError, match="tied"):
            torch.func.functional_call(
                Tied(), {"a.weight": torch.zeros(2, 2), "b.weight": torch.ones(2, 2)}, torch.ones(1, 2)
            )
        same = torch.zeros(2, 2)
        torch.func.functional_call(Tied(), {"a.weight": same, "b.weight": same}, torch.ones(1, 2))
        return torch.nn.BatchNorm2d(3, device="meta").num_batches_tracked.device.type

    assert outcome(kadam) == outcome(pytest.importorskip("torch")) == "meta"


def test_compile_refuses_what_pytorchs_does():
    def refused(torch):
        found = []
        for options in ({"backend": "nowhere"}, {"mode": "bogus"}, {"mode": "default", "options": {"a": 1}}):
            with pytest.raises(RuntimeError):
                torch.compile(lambda x: x, **options)
            found.append(options)
        for options in ({}, {"backend": "eager", "mode": "bogus"}, {"mode": "reduce-overhead"}, {"backend": min}):
            torch.compile(lambda x: x, **options)
        return found

    assert refused(kadam) == refused(pytest.importorskip("torch"))


def test_a_compiled_module_is_one_around_the_users_own():
    def seen(torch):
        class Own(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.width = torch.nn.Linear(2, 1), 2

            def forward(self, x):
                return self.fc(x)

        torch.manual_seed(0)
        own = Own()
        compiled = torch.compile(own, backend="eager")
        compiled.width = 5
        compiled.eval()
        found = [repr(compiled), list(compiled.state_dict()), own.width, own.training, compiled.training]
        found += [type(compiled).__name__, compiled.fc is own.fc, compiled._orig_mod is own, "fc" in dir(compiled)]
        optimizer = torch.optim.SGD(compiled.parameters(), lr=0.1)
        for _ in range(3):
            loss = compiled(torch.ones(4, 2)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        twin = copy.deepcopy(compiled)
        twin.load_state_dict(compiled.state_dict())
        with pytest.raises(RuntimeError):
            own.load_state_dict(compiled.state_dict())
        with pytest.raises(AttributeError):
            compiled.missing  # noqa: B018
        with pytest.raises(TypeError):
            len(compiled)
        del compiled.fc
        found += [round(loss.item(), 5), twin.fc.weight.equal(own.fc.weight) if hasattr(own, "fc") else None]
        return [*found, len(torch.compile(torch.nn.Sequential(torch.nn.ReLU()), backend="eager"))]

    assert seen(kadam) == seen(pytest.importorskip("torch"))


def test_parameters_lie_in_the_layout_that_is_asked_for():
    def strides(torch):
        model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
        found = [model.to(memory_format=torch.channels_last)[0].weight.stride()]
        model(torch.ones(1, 2, 4, 4)).sum().backward()
        model.to(torch.float64, memory_format=torch.channels_last)
        return found, [one.stride() for one in model.parameters()], [one.dtype.itemsize for one in model.parameters()]

    assert strides(kadam) == strides(pytest.importorskip("torch"))


def test_a_tensor_larger_than_memory_is_an_error_of_pytorchs_type():
    for make in (kadam.ones, kadam.zeros, kadam.empty, kadam.rand, kadam.randn):
        with pytest.raises(RuntimeError):
            make(10**14)


def test_old_names_of_mixed_precision_are_told():
    def told(torch):
        found = []
        for name in ("GradScaler", "autocast"):
            with pytest.warns(FutureWarning) as warned:
                getattr(torch.cuda.amp, name)()
            found += [str(one.message) for one in warned if one.category is FutureWarning]
        return found

    assert told(kadam) == told(pytest.importorskip("torch"))
