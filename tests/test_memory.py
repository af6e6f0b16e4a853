"""Tensors and their memory: in-place forms of views, strides with gradients, storages, element by element in Python."""

from __future__ import annotations

import gc
import weakref

import pytest

import kadam
from kadam import nn
from kadam.errors import GradientError
from kadam.optim import SGD, Adam

torch = pytest.importorskip("torch")
BOTH = pytest.mark.parametrize("program", [
    lambda m, y: y.unsqueeze_(0).mul_(3),
    lambda m, y: y.t_(),
    lambda m, y: y.transpose_(0, 1).add_(1),
    lambda m, y: y.unsqueeze_(-1).squeeze_(),
    lambda m, y: y.as_strided_((2, 2), (1, 2), 1),
    lambda m, y: y.as_strided_((3, 3), (1, 1)),  # places that repeat
    lambda m, y: (y * 1).swapaxes_(0, 1).neg_(),
])  # fmt: skip


@pytest.mark.parametrize("is_read", [False, True])
@BOTH
def test_in_place_forms_of_views_have_gradients(program, is_read):
    found = []
    for m in (torch, kadam):
        x = m.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
        y = x * 2
        if is_read:
            y.tolist()  # the recording ends here
        seen = program(m, y)
        (seen * seen).sum().backward()
        found.append((seen.tolist(), tuple(seen.shape), seen.stride(), x.grad.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("is_read", [False, True])
def test_views_stay_views_of_what_changed_its_shape(is_read):
    found = []
    for m in (torch, kadam):
        x = m.ones(2, 3, requires_grad=True)
        y = x * 2
        row = y[0]
        if is_read:
            row.tolist()
        y.t_()
        row.mul_(3)
        y[0, 1] = 7
        (row.sum() + y.sum()).backward()
        found.append((row.tolist(), y.tolist(), x.grad.tolist()))
    assert found[0] == found[1]


def test_a_changed_value_that_a_derivative_reads_is_noticed_behind_the_new_shape():
    for m in (torch, kadam):
        x = m.ones(3, requires_grad=True)
        y = x.exp()
        y.tolist()
        y.unsqueeze_(0)
        y.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_leaves_keep_their_shape_unless_gradients_are_off():
    for m in (torch, kadam):
        x = m.ones(2, 3, requires_grad=True)
        with pytest.raises(RuntimeError, match="leaf Variable"):
            x.t_()
        with m.no_grad():
            x.t_()
        assert (x.is_leaf, x.requires_grad, tuple(x.shape)) == (True, True, (3, 2))
        with pytest.raises(IndexError):
            (x * 1).unsqueeze_(5)


def test_a_loop_with_in_place_views_is_one_path():
    losses = []
    for m in (torch, kadam):
        layer, target = m.nn.Linear(3, 1), m.ones(4)
        with m.no_grad():
            layer.weight.fill_(0.5)
            layer.bias.fill_(-0.5)
        optimizer = m.optim.SGD(layer.parameters(), lr=0.05)
        found = []
        for _ in range(12):
            optimizer.zero_grad()
            loss = ((layer(m.ones(4, 3)).squeeze_(1) - target) ** 2).mean()
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        losses.append(found)
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)


def test_strides_over_a_part_that_requires_grad():
    found = []
    for m in (torch, kadam):
        part = m.arange(20.0)[5:15].requires_grad_()
        seen = part.as_strided((2, 3), (1, 2))
        (seen * seen).sum().backward()
        found.append((seen.tolist(), part.grad.tolist()))
    assert found[0] == found[1]


def test_storages_are_the_memory_that_views_share():
    found = []
    for m in (torch, kadam):
        x = m.arange(6.0).reshape(2, 3)
        row = x[1]
        assert x.untyped_storage().data_ptr() == row.untyped_storage().data_ptr() == row.storage().data_ptr()
        x.storage()[4] = 9
        sizes = row.untyped_storage().nbytes(), len(row.storage()), row.storage().size()
        moved = m.zeros(1).set_(x.storage(), 1, (2, 2), (3, 1))
        shared = m.zeros(2).set_(row)
        shared[0] = -1
        found.append((sizes, row.storage().tolist(), list(row.untyped_storage())[:8], moved.tolist(), x.tolist(),
                      moved.stride(), moved.storage_offset(), shared.is_set_to(row), str(m.tensor([1]).storage()),
                      m.zeros(2).set_().tolist()))  # fmt: skip
    assert found[0] == found[1]


def test_python_functions_of_elements():
    found = []
    for m in (torch, kadam):
        ones = m.ones(4)
        found.append((
            m.arange(4).apply_(lambda v: v * v + 1).tolist(),
            m.arange(4.0).map_(ones, lambda a, b: a + 2 * b).tolist(),
            m.arange(4.0).map2_(ones, ones, lambda a, b, c: a + 2 * b * c).tolist(),
        ))  # fmt: skip
        with pytest.raises(RuntimeError, match="requires grad"):
            m.ones(2, requires_grad=True).apply_(abs)
    assert found[0] == found[1]


def test_what_is_known_of_memory():
    found = []
    for m in (torch, kadam):
        x = m.arange(6.0).reshape(2, 3)
        found.append((
            x.dim_order(), x.t().dim_order(), x.new(2, 3).shape, x.new([1, 2]).tolist(), x.long().new([3.0]).tolist(),
            x.is_conj(), x.is_neg(), x.is_shared(), m.is_signed(x), m.get_device(x), m.detach(x).tolist(),
            m.from_dlpack(x).tolist(), isinstance(x.layout, m.layout), x.layout == m.strided, repr(x.layout),
            isinstance(m.channels_last, m.memory_format), type(x.as_subclass(type("S", (m.Tensor,), {}))).__name__,
        ))  # fmt: skip
    assert found[0] == found[1]


@pytest.mark.parametrize(("name", "call"), [
    ("avg_pool2d", lambda F, x, out: F.avg_pool2d(x, 2, out=out)),
    ("gelu", lambda F, x, out: F.gelu(x, out=out)),
    ("hardshrink", lambda F, x, out: F.hardshrink(x, out=out)),
    ("softplus", lambda F, x, out: F.softplus(x, out=out)),
    ("softshrink", lambda F, x, out: F.softshrink(x, out=out)),
    ("logsigmoid", lambda F, x, out: F.logsigmoid(x, out=out)),
    ("linear", lambda F, x, out: F.linear(x, x[0, :3], out=out)),
])  # fmt: skip
def test_functions_of_layers_write_into_given_memory(name, call):
    found = []
    for m in (torch, kadam):
        x, out = m.arange(16.0).reshape(1, 4, 4) - 7, m.empty(0)
        assert call(m.nn.functional, x, out) is out
        found.append(out)
    torch.testing.assert_close(torch.tensor(found[1].tolist()), found[0])


def test_numbers_that_are_none_are_refused():
    for m in (torch, kadam):
        with pytest.raises(RuntimeError):
            m.zeros(3).narrow(0, m.tensor([1, 2]), 1)
        with pytest.raises(RuntimeError, match="negative"):
            m.cov(m.ones(2, 2), fweights=m.tensor([-1, 2]))
    with pytest.raises(RuntimeError, match="64 dims"):
        kadam.zeros([1] * 65)


OUTSIDE = {
    "steps": lambda m: m.arange(6.0).as_strided((4,), (2,)),
    "behind a view": lambda m: m.arange(6.0)[2:].as_strided((6,), (1,)),
    "integers": lambda m: m.arange(6).as_strided((8,), (1,)),
    "far": lambda m: m.arange(6.0).as_strided((200_000_000,), (100,)).sum(),
    "set_": lambda m: m.zeros(3).set_(m.arange(6.0).untyped_storage(), 4, (3,), (1,)),
}


@pytest.mark.parametrize("kind", OUTSIDE)
def test_views_by_strides_stay_within_memory(kind):
    torch = pytest.importorskip("torch")
    for module in (torch, kadam):
        with pytest.raises(RuntimeError, match="out of bounds for storage"):
            OUTSIDE[kind](module)


def test_nothing_is_assigned_from_too_many_values():
    torch = pytest.importorskip("torch")
    for m in (torch, kadam):
        x = m.ones(4)
        for index in (x > 9, m.tensor([], dtype=m.long)):
            with pytest.raises(RuntimeError, match="shape mismatch"):
                x[index] = m.zeros(3)
            x[index] = m.zeros(1)
        assert x.tolist() == [1, 1, 1, 1]


# --- orders of axes in memory ----------------------------------------------------------------------------------------


def _formats(torch):
    x = torch.arange(120.0).reshape(2, 3, 4, 5)
    last = x.to(memory_format=torch.channels_last)
    made = [
        last, x.contiguous(memory_format=torch.channels_last), last.contiguous(), last.permute(0, 2, 3, 1),
        x.clone(memory_format=torch.channels_last), torch.empty(2, 3, 4, 5, memory_format=torch.channels_last),
        x[:1].to(memory_format=torch.channels_last), x[:, :1].contiguous(memory_format=torch.channels_last),
        last.to(memory_format=torch.contiguous_format),
        x.reshape(2, 3, 2, 2, 5).to(memory_format=torch.channels_last_3d),
    ]  # fmt: skip
    return x, made


def test_a_tensor_lies_in_the_format_that_is_asked_for():
    torch = pytest.importorskip("torch")
    (x, own), (_, theirs) = _formats(kadam), _formats(torch)
    for one, other in zip(own, theirs, strict=True):
        assert one.stride() == other.stride()
        for name in ("contiguous_format", "channels_last", "channels_last_3d"):
            order = {"memory_format": getattr(kadam, name)}, {"memory_format": getattr(torch, name)}
            assert one.is_contiguous(**order[0]) == other.is_contiguous(**order[1])
    assert kadam.equal(own[0], x)
    assert own[0].to(memory_format=kadam.channels_last) is own[0]
    with pytest.raises(RuntimeError, match="required rank 4 tensor"):
        kadam.ones(2).to(memory_format=kadam.channels_last)


def test_gradients_flow_through_a_format():
    x = kadam.ones(1, 2, 2, 2, requires_grad=True)
    (x.to(memory_format=kadam.channels_last) * kadam.arange(8.0).reshape(1, 2, 2, 2)).sum().backward()
    assert x.grad.flatten().tolist() == list(range(8))
    layer = kadam.nn.Conv2d(2, 3, 1).to(memory_format=kadam.channels_last)
    assert kadam.equal(layer(x.contiguous(memory_format=kadam.channels_last)), layer(x))


def test_what_an_optimizer_updates_is_moved_to_a_cache_line_once_and_views_and_numpy_still_see_it():
    def at(tensor):
        return tensor.data_ptr() % 64

    free = nn.Linear(64, 64)
    seen = nn.Linear(64, 64)
    views = [seen.weight.detach(), seen.weight.data.view(-1), kadam.from_numpy(seen.weight.detach().numpy())]
    layers = [free, seen]
    optimizer = Adam([param for layer in layers for param in layer.parameters()], lr=0.1)
    places = set()
    for _ in range(4):
        optimizer.zero_grad()
        seen(free(kadam.ones(4, 64))).sum().backward()
        optimizer.step()
        places.add(free.weight.data_ptr())
    assert at(free.weight) == at(optimizer.state[free.weight]["exp_avg"]) == 0
    assert len(places) == 1
    for view in views:
        assert kadam.equal(view.view(64, 64), seen.weight)


def test_a_loss_that_is_kept_across_the_move_has_the_gradient_of_the_values_it_was_made_of():
    weight = nn.Parameter(kadam.full((64, 64), 0.5))
    loss = weight.detach().sum() + (weight * weight).sum()
    assert loss.item() == 64 * 64 * 0.75
    weight.grad = kadam.ones(64, 64)
    SGD([weight], lr=0.1).step()
    with pytest.raises(GradientError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("read_early", [False, True])
def test_a_step_leaves_nothing_to_the_garbage_collector(read_early):
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = SGD(net.parameters(), lr=0.1)
    batches, losses = [], []
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            x = kadam.ones(4, 8)
            batches.append(weakref.ref(x))
            loss = net(x).sum()
            if read_early:
                losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        del x, loss
        net[0].weight.sum().item()  # the last step is over
        assert [one() for one in batches] == [None] * 5
    finally:
        gc.enable()


@pytest.mark.parametrize("read_early", [False, True])
def test_a_state_that_is_carried_on_without_gradients_keeps_no_earlier_step(read_early):
    layer = nn.Linear(4, 4)
    state, states, losses = kadam.zeros(2, 4), [], []
    for _ in range(5):
        state = kadam.tanh(layer(state.detach()))
        states.append(weakref.ref(state))
        loss = state.sum()
        if read_early:
            loss.item()
        loss.backward()
        losses.append(loss.detach())
        with kadam.no_grad():
            for param in layer.parameters():
                param -= 0.1 * param.grad
    del loss
    losses[-1].item()
    layer.weight.sum().item()
    gc.collect()
    assert [one() for one in states[:-1]] == [None] * 4


def test_data_that_nothing_reads_any_more_leaves_what_a_second_pass_needs():
    weight, data = kadam.ones(3, requires_grad=True), kadam.ones(3)
    product, total = (weight * data).sum(), (weight + data).sum()
    assert product.item() == 3
    product.backward()
    total.backward()
    total.backward()
    assert weight.grad.tolist() == [3, 3, 3]
    with pytest.raises(GradientError, match="a second time"):
        product.backward()


@pytest.mark.parametrize("change", [lambda p: p.data.mul_(0.5), lambda p: p.data.__setitem__(0, 5.0)])
@pytest.mark.parametrize("see", [lambda p: p.t(), lambda p: p[1], lambda p: p.chunk(2)[1]], ids=["t", "row", "chunk"])
def test_a_view_keeps_its_derivative_when_its_base_is_changed_by_way_of_data(see, change):
    found = []
    for m in (torch, kadam):
        param = m.nn.Parameter(m.arange(12.0).view(3, 4))
        view, hooked = see(param), see(param)
        change(param)
        hooked.register_hook(lambda ct: ct * 2)
        (view * view + hooked).sum().backward()
        found.append((view.is_leaf, view.grad_fn is None, view.tolist(), param.grad.tolist()))
    assert found[0] == found[1]


def test_a_view_is_no_leaf_once_its_base_has_a_derivative():
    found = []
    for m in (torch, kadam):
        base = m.zeros(3, 4)
        view, cut_off = base.t(), base.detach()
        before = view.is_leaf
        base.add_(m.ones(3, 4, requires_grad=True))
        with m.no_grad():
            inside = view.is_leaf, view.requires_grad
        found.append((before, inside, view.is_leaf, view.requires_grad, cut_off.is_leaf, view._version))
    assert found[0] == found[1] == (True, (False, True), False, True, True, 1)


def test_entering_a_mode_again_leaves_nothing_to_the_garbage_collector():
    def left(times):
        gc.collect()
        gc.disable()
        try:
            for _ in range(times):
                with kadam.inference_mode():
                    assert kadam.ones(2).sum().item() == 2
            return gc.collect()
        finally:
            gc.enable()

    left(40)  # by then the step is compiled
    assert left(40) == left(4)
