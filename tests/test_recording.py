"""The recording: one look-up for a known call, cuts where values are read, bounded memory, PyTorch's rules."""

from __future__ import annotations

import gc
import threading
import tracemalloc

import numpy as np
import pytest

import kadam
from kadam.engines import reference
from kadam.recording import attempts, calls, place, step
from kadam.recording.step import state


@pytest.fixture(autouse=True)
def fresh_trail():
    """Each test starts on an empty trail, so that counts of first sights mean something."""
    step.cut(state.rec)
    step.forget_paths()
    yield
    step.cut(state.rec)


@pytest.fixture
def sights(monkeypatch):
    """How many calls were seen for the first time, and how many programs were made."""
    counts = {"calls": 0, "programs": 0, "nodes": 0}
    extend, compile = calls.extend, reference.compile

    def counted_extend(*args):
        counts["calls"] += 1
        return extend(*args)

    def counted_compile(graph):
        counts["programs"] += 1
        counts["nodes"] += len(graph)
        return compile(graph)

    monkeypatch.setattr(calls, "extend", counted_extend)
    monkeypatch.setattr(reference, "compile", counted_compile)
    return counts


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def train_step(w, x, lr):
    loss = ((x @ w) ** 2).mean()
    loss.backward()
    with kadam.no_grad():
        w -= lr * w.grad
        w.grad = None
    return loss


def test_a_known_path_makes_no_graph_again(sights):
    w = kadam.tensor(data(3, 2), requires_grad=True)
    for epoch in range(20):
        loss = train_step(w, kadam.tensor(data(4, 3, seed=epoch)), 0.9**epoch)
        loss.item()
    assert sights["calls"] <= 12  # the first step's, and no other's: neither the data nor the rate is in the key
    assert sights["programs"] == 1


def test_numbers_are_inputs_of_the_run(sights):
    x = kadam.tensor(data(3))
    results = [(x * (k + 0.5) + k).tolist() for k in range(5)]
    assert results[3] == pytest.approx((data(3) * 3.5 + 3).tolist())
    assert sights["calls"] == 2  # one product, one sum


def test_slicing_of_known_values_is_not_recorded(sights):
    x = kadam.tensor(data(50, 3))
    for start in range(0, 50, 5):
        batch = x[start : start + 5]
        assert batch.tolist() == x.numpy()[start : start + 5].tolist()
    assert sights["calls"] == 0
    assert len(state.rec.created) == 0


def test_reading_the_loss_before_backward_computes_the_forward_pass_once(monkeypatch):
    runs = []
    from kadam.primitives.trigonometry import Tanh

    original = Tanh.reference
    monkeypatch.setattr(Tanh, "reference", lambda self, x: (runs.append(1), original(self, x))[1])
    w = kadam.tensor(data(3, 2), requires_grad=True)
    loss = kadam.tanh(kadam.tensor(data(4, 3)) @ w).sum()
    value = loss.item()
    loss.backward()
    gradient = w.grad.numpy().copy()
    assert len(runs) == 1
    x = data(4, 3)
    t = np.tanh(x @ data(3, 2))
    assert value == pytest.approx(t.sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, x.T @ (1 - t * t), rtol=1e-5, atol=1e-6)


def test_a_backward_pass_through_several_cuts():
    w = kadam.tensor([2.0], requires_grad=True)
    a = w * w
    a.item()
    b = a * w
    b.item()
    c = b * b
    c.backward()
    assert w.grad.item() == pytest.approx(6 * 2.0**5)


def test_what_python_holds_is_computed_and_the_rest_is_not():
    x = kadam.tensor(data(3))
    held = x * 2.0
    dropped = held * 3.0
    also = dropped + 1.0
    del dropped
    assert also.sum().item() == pytest.approx((data(3) * 6 + 1).sum(), rel=1e-5)
    assert held._array is not None


def test_memory_does_not_grow_over_many_steps():
    w = kadam.tensor(data(3, 2), requires_grad=True)
    x = kadam.tensor(data(4, 3))
    gc.collect()
    gc.disable()  # nothing may depend on the cycle collector
    tracemalloc.start()
    try:
        for _ in range(2000):  # until NumPy's and Python's free lists are full
            train_step(w, x, 0.01)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(2000):
            train_step(w, x, 0.01)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 5_000  # bytes


def test_shapes_that_change_at_every_step_leave_the_trail_bounded(monkeypatch):
    monkeypatch.setattr(step, "TRAIL_BOUND", 200)
    w = kadam.tensor(data(1, 2), requires_grad=True)
    for length in range(1, 600):
        train_step(w, kadam.ones(length, 1), 1e-4).item()
    assert sum(1 for _ in state.roots[True].below()) < 200 + 256 * 14  # it is looked at every 256 recordings


def test_a_very_long_recording_is_cut(monkeypatch):
    monkeypatch.setattr(calls, "LONGEST", 50)
    x = kadam.tensor([1.0])
    for _ in range(500):
        x = x + 1.0
    assert x.item() == 501.0


# --- memory, views, in-place -----------------------------------------------------------------------------------------


def test_a_view_sees_changes_of_its_base_and_the_base_those_of_the_view():
    base = kadam.tensor(data(3, 4)) * 1.0
    row, column = base[1], base[:, 2]
    base += 1.0
    column *= 10.0
    row.zero_()
    expected = data(3, 4) + 1
    expected[:, 2] *= 10
    expected[1] = 0
    np.testing.assert_allclose(base.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(row.numpy(), expected[1])
    np.testing.assert_allclose(column.numpy(), expected[:, 2], rtol=1e-6)


def test_numpy_memory_is_shared_both_ways_and_a_recording_takes_the_values_of_the_call():
    array = np.zeros(3, np.float32)
    tensor = kadam.from_numpy(array)
    result = tensor + 1.0
    array[0] = 7.0
    assert result.tolist() == [1.0, 1.0, 1.0]
    assert tensor.tolist() == [7.0, 0.0, 0.0]
    tensor.add_(1.0)
    tensor.sum().item()
    assert array.tolist() == [8.0, 1.0, 1.0]


def test_counting_at_single_places_is_not_recorded(sights):
    counts = kadam.zeros(3, 3)
    for truth, guess in [(0, 1), (2, 2), (0, 1)]:
        counts[truth][guess] += 1
        counts[guess, truth] -= 0.5
    assert sights["calls"] == 0
    np.testing.assert_array_equal(counts.numpy(), [[0, 2, 0], [-1, 0, 0], [0, 0, 0.5]])
    whole = kadam.zeros(2, dtype=kadam.uint8)
    whole[0] -= 1
    whole[1] += 300
    assert whole.tolist() == [255, 44]


def test_counting_waits_for_what_read_the_memory_before():
    x = kadam.ones(3)
    doubled = x * 2
    x[0] += 5
    np.testing.assert_array_equal(doubled.numpy(), [2, 2, 2])
    np.testing.assert_array_equal(x.numpy(), [6, 1, 1])


def test_swapping_two_tensors_in_place_within_one_recording():
    a, b = kadam.tensor([1.0, 2.0]), kadam.tensor([3.0, 4.0])
    old = a.clone()
    a.copy_(b * 1.0)
    b.copy_(old)
    assert (a.tolist(), b.tolist()) == ([3.0, 4.0], [1.0, 2.0])


def test_a_change_by_another_owner_of_the_memory_is_seen():
    a = kadam.tensor([1.0, 2.0])
    p = kadam.nn.Parameter(a)
    with kadam.no_grad():
        a.mul_(2.0)
        assert (p + 0.0).tolist() == [2.0, 4.0]
        p.mul_(2.0)
        assert (a + 0.0).tolist() == [4.0, 8.0]


def test_gradients_flow_through_in_place_changes():
    w = kadam.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = w * w
    x[1] = 0.0
    x += w
    x.sum().backward()
    assert w.grad.tolist() == [3.0, 1.0, 7.0]


def test_a_saved_value_changed_in_place_is_an_error():
    w = kadam.tensor([1.0, 2.0], requires_grad=True)
    y = w.exp()
    y += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_value_that_no_derivative_reads_may_be_changed_in_place():
    w = kadam.tensor([1.0, 2.0], requires_grad=True)
    y = w + 1.0
    y *= 2.0
    y.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_a_parameter_changed_after_the_forward_pass_is_an_error_across_a_cut_too():
    w = kadam.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.item()
    with kadam.no_grad():
        w.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_in_place_on_a_leaf_that_requires_grad_is_refused():
    w = kadam.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        w += 1.0
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        w[0] = 1.0


def test_data_is_not_tracked():
    w = kadam.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * 3.0).sum()
    w.data.mul_(2.0)
    loss.backward()
    assert w.tolist() == [2.0, 4.0]
    assert w.grad.tolist() == [3.0, 3.0]


# --- gradients -------------------------------------------------------------------------------------------------------


def test_gradients_accumulate():
    w = kadam.tensor([2.0], requires_grad=True)
    for _ in range(3):
        (w * w).sum().backward()
    assert w.grad.item() == 12.0


def test_a_second_backward_needs_retain_graph():
    w = kadam.tensor([2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert w.grad.item() == 8.0
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_second_backward_is_refused_after_a_cut_too():
    w = kadam.tensor([2.0], requires_grad=True)
    loss = (w * w).sum()
    loss.item()
    loss.backward()
    assert w.grad.item() == 4.0
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_derivatives_of_derivatives():
    x = kadam.tensor([0.5, 1.5], dtype=kadam.float64, requires_grad=True)
    y = (x**4).sum()
    (first,) = kadam.autograd.grad(y, x, create_graph=True)
    (second,) = kadam.autograd.grad(first.sum(), x, create_graph=True)
    second.sum().item()  # a cut between the second and the third
    (third,) = kadam.autograd.grad(second.sum(), x)
    np.testing.assert_allclose(third.numpy(), 24 * np.array([0.5, 1.5]))


def test_hooks_of_leaves_and_others_see_and_change_gradients():
    seen = []
    w = kadam.tensor([1.0, 2.0], requires_grad=True)
    middle = w * 3.0
    w.register_hook(lambda g: seen.append(g.tolist()))
    handle = middle.register_hook(lambda g: g * 10.0)
    middle.retain_grad()
    (middle * middle).sum().backward()
    assert seen == [[180.0, 360.0]]
    assert middle.grad.tolist() == [60.0, 120.0]
    handle.remove()
    w.grad = None
    (middle.detach() * 0 + w).sum().backward()
    assert w.grad.tolist() == [1.0, 1.0]


def test_a_retained_gradient_accumulates():
    y = kadam.ones(2, requires_grad=True) * 2.0
    y.retain_grad()
    total = y.sum()
    total.backward(retain_graph=True)
    total.backward()
    assert y.grad.tolist() == [2.0, 2.0]


def test_a_retained_gradient_that_is_asked_for_is_added_once():
    x = kadam.ones(2, requires_grad=True)
    y = x * 2.0
    y.retain_grad()
    y.sum().backward(inputs=[x, y])
    assert (x.grad.tolist(), y.grad.tolist()) == ([2.0, 2.0], [1.0, 1.0])


def test_a_hook_after_accumulation_returns_nothing():
    w = kadam.ones(2, requires_grad=True)
    handle = w.register_post_accumulate_grad_hook(lambda leaf: leaf.grad)
    with pytest.raises(RuntimeError, match="should return None"):
        (w * 3.0).sum().backward()
    handle.remove()
    w.grad = None
    seen = []
    w.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf.grad.tolist()))
    (w * 3.0).sum().backward()
    assert seen == [[3.0, 3.0]]


def test_gradients_hold_their_own_memory():
    class Both(kadam.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, ct):
            return ct, ct

    a, b = kadam.ones(2, requires_grad=True), kadam.ones(2, requires_grad=True)
    Both.apply(a, b).sum().backward()
    a.grad.mul_(3.0)
    assert (a.grad.tolist(), b.grad.tolist()) == ([3.0, 3.0], [1.0, 1.0])

    seen = []
    w = kadam.ones(2, requires_grad=True)
    w.register_hook(seen.append)
    w.sum().backward()
    w.sum().backward()
    assert (seen[0].tolist(), w.grad.tolist()) == ([1.0, 1.0], [2.0, 2.0])


def test_a_leaf_that_is_a_view_stays_a_leaf_when_it_is_updated():
    row = kadam.ones(2, 3)[0].requires_grad_()
    for _ in range(3):
        (row * row).sum().backward()
        with kadam.no_grad():
            row -= 0.25 * row.grad
            row.grad = None
    assert row.is_leaf
    assert row.requires_grad
    assert row.tolist() == [0.125] * 3


def test_a_view_of_a_parameter_that_was_read_sees_its_own_update():
    w = kadam.ones(4, requires_grad=True)
    with kadam.no_grad():
        half = w.chunk(2)[1]
        before = half * 1.0
        half.mul_(3.0)
        after = half + 0.0
    assert (before.tolist(), after.tolist(), w.tolist()) == ([1.0, 1.0], [3.0, 3.0], [1.0, 1.0, 3.0, 3.0])


def test_no_grad_and_its_forms():
    w = kadam.tensor([1.0], requires_grad=True)
    with kadam.no_grad():
        assert not (w * 2.0).requires_grad
        with kadam.enable_grad():
            assert (w * 2.0).requires_grad
    assert (w * 2.0).requires_grad

    @kadam.no_grad()
    def frozen():
        return w * 2.0

    assert not frozen().requires_grad
    with kadam.set_grad_enabled(False):
        assert not (w * 2.0).requires_grad
    with kadam.inference_mode():
        assert not (w * 2.0).requires_grad


def test_detach_and_requires_grad():
    w = kadam.tensor([1.0], requires_grad=True)
    d = (w * 2.0).detach()
    assert not d.requires_grad
    d.requires_grad_()
    (d * w).sum().backward()
    assert (d.grad.item(), w.grad.item()) == (1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf variables"):
        (w * 2.0).requires_grad_(False)
    with pytest.raises(RuntimeError, match="floating point"):
        kadam.tensor([1]).requires_grad_()


def test_what_has_no_gradient_says_so():
    with pytest.raises(RuntimeError, match="does not require grad"):
        kadam.tensor([1.0]).sum().backward()
    w = kadam.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (w * 2.0).backward()


def test_a_custom_function_with_hand_written_derivative():
    class Cube(kadam.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, ct):
            (x,) = ctx.saved_tensors
            return ct * 3.0 * x * x

    x = kadam.tensor([1.0, 2.0], dtype=kadam.float64, requires_grad=True)
    y = Cube.apply(x * 1.0)
    y.sum().item()
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]
    assert kadam.autograd.gradcheck(Cube.apply, (x,))
    assert kadam.autograd.gradgradcheck(Cube.apply, (x,))


def _through_functions_that_write(torch) -> list[object]:
    """What comes of functions that change their argument in place: gradients, versions, and what is refused."""

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, ct):
            return ct * 2

    class SavedThenChanged(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            own = x.clone()
            ctx.save_for_backward(own)
            own.mul_(5)
            return x * 5

        @staticmethod
        def backward(ctx, ct):
            return ct * ctx.saved_tensors[0]

    seen: list[object] = []
    for read_first in (False, True, False):
        a = torch.tensor([1.0, 2.0], requires_grad=True)
        b = a * 3.0
        if read_first:
            seen.append(b.tolist())
        c = Doubled.apply(b)
        d = Doubled.apply(c)
        (d * d).sum().backward()
        seen += [c is b, d is b, b._version, b.tolist(), a.grad.tolist()]
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    b = a * 3.0
    Doubled.apply(b[:1])
    (b * b).sum().backward()
    seen += [b.tolist(), a.grad.tolist()]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Doubled.apply(a)
    SavedThenChanged.apply(a).sum().backward()
    return [*seen, a.grad.tolist()]


def test_a_custom_function_that_changes_its_argument_in_place():
    seen = _through_functions_that_write(kadam)
    assert seen[:5] == [True, True, 4, [12.0, 24.0], [288.0, 576.0]]  # d = 12 a


def test_a_custom_function_that_writes_does_as_in_pytorch():
    torch = pytest.importorskip("torch")
    assert _through_functions_that_write(kadam) == _through_functions_that_write(torch)


def _through_functions_that_save_results(torch) -> list[object]:
    """Second derivatives through what `forward` saved of its results, and what `backward` is given for the others."""
    seen: list[object] = []

    class Squashed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, reads):
            y, best = torch.sigmoid(x), x.argmax()
            ctx.mark_non_differentiable(best)
            ctx.save_for_backward(y)
            ctx.reads = reads
            return y, best, "a name"

        @staticmethod
        def backward(ctx, ct, of_best, of_name):
            if ctx.reads:
                ct.sum().item()
            (y,) = ctx.saved_tensors
            seen.append((of_best.tolist(), of_best.dtype == torch.int64, of_name))
            return ct * y * (1 - y), None

    for reads in (False, True):
        for between in (False, True):
            x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
            y, best, name = Squashed.apply(x, reads)
            if between:
                seen.append((best.item(), name))
            (slope,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
            (bend,) = torch.autograd.grad(slope.sum(), x)
            seen += [[round(value, 12) for value in one.tolist()] for one in (slope, bend)]
    return seen


def test_a_result_that_a_custom_function_saved_has_its_derivative():
    seen = _through_functions_that_save_results(kadam)
    s = 1 / (1 + np.exp(-np.array([0.5, -1.0, 2.0])))
    np.testing.assert_allclose(seen[2], 2 * s * s * (1 - s))
    np.testing.assert_allclose(seen[3], s * (1 - s) * (4 * s - 6 * s * s))


def test_a_custom_function_gets_what_pytorch_gives_it():
    torch = pytest.importorskip("torch")
    assert _through_functions_that_save_results(kadam) == _through_functions_that_save_results(torch)


def test_a_history_that_began_as_the_present_recording_keeps_its_own_values():
    w, v = (kadam.ones(3, requires_grad=True) for _ in range(2))
    first = (w * 2).sum()
    first.item()
    second = (v * 3).sum()  # the same calls: the same nodes of the trail
    (first + second).backward()
    assert w.grad.tolist() == [2.0] * 3
    assert v.grad.tolist() == [3.0] * 3


def test_memory_filled_over_several_recordings_passes_gradients_to_each():
    w = kadam.ones(3, requires_grad=True)
    rows = kadam.zeros(3, 3)
    for row in range(3):
        rows[row] = w * row
        rows.sum().item()
    rows.sum().backward()
    assert w.grad.tolist() == [3.0] * 3


def test_a_product_in_place_after_a_cut_reads_the_value_before_it():
    w = kadam.tensor([2.0], requires_grad=True)
    x = w * 3
    x.item()
    x.mul_(w)
    x.item()
    x.sum().backward()
    assert w.grad.tolist() == [12.0]


def test_a_view_made_before_a_cut_has_the_gradient_of_its_old_value():
    w = kadam.ones(2, requires_grad=True)
    whole = w * 1
    rows = [whole[0], whole[1]]
    rows[1].item()
    old = rows[1] * 2
    whole.mul_(5)
    (old + rows[1]).backward()
    assert w.grad.tolist() == [0.0, 7.0]


def test_an_operand_of_an_earlier_recording_changed_in_place_cannot_be_read_by_derivatives():
    w = kadam.ones(3, requires_grad=True)
    x = w * 2
    x.sum().item()
    loss = (x * w).sum()
    x.add_(1)
    loss.item()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_function_that_reads_its_gradient_leaves_the_values_below_it():
    class Look(kadam.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, ct):
            ct.sum().item()
            return ct

    x = kadam.tensor([1.0, 2.0], requires_grad=True)
    Look.apply(Look.apply(x * 2).exp()).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([2.0, 4.0]), rtol=1e-6)


def test_an_operand_changed_in_a_later_recording_has_the_gradient_of_its_old_value():
    w = kadam.ones(3, requires_grad=True)
    x = w * kadam.tensor([1.0, 2.0, 3.0])
    total = kadam.zeros_like(x)
    for least in range(3):
        chosen = x > least + 0.5
        if chosen.any():
            total[chosen] += x[chosen] * (total[chosen] + 1)
    total.sum().backward()
    # an element chosen n times is the sum of x (1 + x) ** k for k < n, whose derivative by w is x times that by x
    assert w.grad.tolist() == [1.0, 2.0 * (1 + 5.0), 3.0 * (1 + 7.0 + 40.0)]


# --- errors and threads ----------------------------------------------------------------------------------------------


def test_a_failed_call_leaves_the_recording_as_it_was():
    w = kadam.tensor(data(3, 2), requires_grad=True)
    loss = (w * 2.0).sum()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        w @ w
    loss.backward()
    np.testing.assert_allclose(w.grad.numpy(), np.full((3, 2), 2.0))


def test_an_error_in_the_data_names_the_line_and_keeps_what_came_before(monkeypatch):
    monkeypatch.setattr(attempts, "in_attempt", lambda: False)  # pytest itself runs tests in a `try`
    table = kadam.tensor(data(3, 2), requires_grad=True)
    good = kadam.tensor([1.0]) + 1.0
    bad = table[kadam.tensor([1, 5])]
    with pytest.raises(
        IndexError, match=r"index 5 is out of bounds for dimension 0 with size 3.*\n.*test_recording.py"
    ):
        bad.sum().item()
    assert good.item() == 2.0
    with pytest.raises(RuntimeError, match="no value"):
        bad.tolist()


def test_threads_record_for_themselves():
    results = {}

    def work(name):
        x = kadam.tensor([float(name)])
        for _ in range(50):
            x = x + 1.0
        results[name] = x.item()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {name: name + 50.0 for name in range(4)}


def test_a_tensor_of_another_threads_recording_is_computed_for_its_reader():
    pending = kadam.tensor([1.0]) + 1.0
    found = []
    thread = threading.Thread(target=lambda: found.append((pending * 2.0).item()))
    thread.start()
    thread.join()
    assert found == [4.0]
    assert (pending + 1.0).item() == 3.0


def test_numbers_among_themselves_keep_their_precision() -> None:
    layer = kadam.nn.BatchNorm1d(4, momentum=0.1).double()
    values = np.random.default_rng(0).standard_normal((5, 4))
    layer(kadam.tensor(values))
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * values.var(0, ddof=1), rtol=1e-15)


def test_a_module_is_named_by_where_it_stands_now():
    inner = kadam.nn.Linear(1, 1)
    outer = kadam.nn.Sequential(kadam.nn.ModuleDict({"deep": inner}))
    assert place._name_in(outer, inner) == "0.deep"
    del outer[0]
    assert place._name_in(outer, inner) == "Linear"
    outer.add_module("last", inner)
    assert place._name_in(outer, inner) == "last"
    assert place._name_in(outer, outer) == "Sequential"
