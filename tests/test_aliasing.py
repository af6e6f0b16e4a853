"""Memory seen by several, values read in the middle, user's code in the backward pass: as PyTorch has them."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import pytest

import kadam
from kadam.recording.step import state


def leaf(*values):
    return kadam.tensor(list(values), requires_grad=True)


# --- memory that several see ------------------------------------------------------------------------------------------


def test_a_saved_value_that_lies_in_a_leafs_memory_is_kept():
    w = leaf(1.0, 2.0)
    flipped = w.flip(0)
    loss = (flipped * flipped).sum()
    loss.item()
    with kadam.no_grad():
        w.add_(1.0)
    w.tolist()
    loss.backward()
    assert w.grad.tolist() == [2.0, 4.0]


def test_a_saved_value_that_equals_a_held_one_is_kept():
    w = leaf(0.0)
    held, saved = w.exp(), w.exp()
    loss = (saved * saved).sum()
    del saved
    loss.item()
    held.add_(5.0)
    held.tolist()
    loss.backward()
    assert w.grad.tolist() == [2.0]


def test_an_alias_of_a_leaf_is_changed_more_than_once():
    w = leaf(1.0, 2.0)
    alias = w.detach()
    alias += 1
    alias += 1
    assert (alias * 2).tolist() == [6.0, 8.0]
    assert w.tolist() == [3.0, 4.0]


def test_what_is_seen_through_data_is_not_counted_either():
    w = leaf(1.0, 1.0)
    y = w * 2
    z = y * y
    y.data.detach().mul_(3)  # the derivative of z reads y, as it is now
    y.data[:1].detach().mul_(2)
    assert y._version == 0
    z.sum().backward()
    assert w.grad.tolist() == [48.0, 24.0]


def test_what_numpy_or_another_tensor_sees_is_written_at_once():
    array = np.zeros(2, np.float32)
    kadam.from_numpy(array).add_(1.0)
    assert array.tolist() == [1.0, 1.0]
    w, buffer = leaf(1.0, 2.0), kadam.tensor([5.0, 6.0])
    w.data = buffer
    seen = w.detach().numpy()
    (w * w).sum().backward()
    kadam.optim.SGD([w], lr=1.0).step()
    assert seen.tolist() == buffer.tolist() == [-5.0, -6.0]


def test_numpy_changes_memory_after_a_call_has_read_it():
    x = kadam.tensor([1.0, 2.0])
    y = x + 1
    x.numpy()[0] = 9.0
    assert y.tolist() == [2.0, 3.0]


def test_a_leaf_that_sees_another_tensors_memory_stays_a_leaf():
    x = kadam.tensor([1.0, 2.0])
    w = x.detach().requires_grad_()
    x.add_(1.0)
    with kadam.no_grad():
        w.add_(1.0)
    assert w.requires_grad
    (w * w).sum().backward()
    assert w.grad.tolist() == [6.0, 8.0]
    assert x.tolist() == [3.0, 4.0]


def test_a_view_has_the_derivative_of_its_bases_present_value():
    w = leaf(1.0, 2.0)
    x = w * 1
    view = x[:1]
    (view * 1).sum().item()
    x.mul_(3.0)
    x.sum().item()
    (view * 2).sum().backward()
    assert w.grad.tolist() == [6.0, 0.0]


def test_a_view_requires_grad_from_when_its_base_does():
    w, x = leaf(1.0, 2.0), kadam.ones(2)
    view = x[:1]
    x.mul_(w)
    assert view.requires_grad
    x.sum().item()
    (view * 2).sum().backward()
    assert w.grad.tolist() == [2.0, 0.0]


def test_a_change_through_detach_gives_its_base_no_derivative():
    w, x = leaf(1.0, 2.0), kadam.ones(2)
    y = x.detach()
    y.mul_(w)
    assert (x.requires_grad, y.requires_grad) == (False, True)
    y.sum().item()
    y.sum().backward()
    assert w.grad.tolist() == [1.0, 1.0]


def test_a_copy_is_another_place_of_the_graph():
    w, seen = leaf(0.0, 0.0), []
    y, x = w.exp(), kadam.zeros(2)
    x.copy_(y)
    x.register_hook(lambda ct: seen.append(ct.tolist()))
    assert [g.tolist() for g in kadam.autograd.grad((x * 3).sum() + y.sum(), [x, y], retain_graph=True)] == [
        [3.0, 3.0],
        [4.0, 4.0],
    ]
    x.add_(1.0)  # not y's memory
    (x.sum() + y.sum()).backward()
    assert seen == [[3.0, 3.0], [1.0, 1.0]]
    assert w.grad.tolist() == [2.0, 2.0]


def test_an_in_place_product_may_read_what_it_overwrites():
    w = leaf(1.0, 2.0)
    x = w * 1
    x[:1].mul_(w[1:])
    x.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_a_call_on_a_view_is_not_mistaken_for_one_that_met_another_tensor_first():
    for first in (True, False, True, False):
        x = kadam.tensor([1.0, 2.0]) * 1
        view = x[:1]
        x.add_(1.0)
        a, b = kadam.tensor([5.0]), kadam.tensor([7.0])
        assert ((a * view) if first else (view * 2) * b + a).tolist() == ([10.0] if first else [33.0])


# --- gradients in memory of their own ---------------------------------------------------------------------------------


def test_a_gradient_is_nobody_elses_memory():
    class Sum(kadam.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            return a + b

        @staticmethod
        def backward(ctx, ct):
            return ct, ct

    a, b, seen, ct = leaf(1.0), leaf(1.0), [], kadam.tensor([3.0])
    a.register_hook(seen.append)
    Sum.apply(a, b).backward(ct)
    Sum.apply(a, b).backward(ct)
    b.backward(ct)
    assert (a.grad.item(), b.grad.item(), ct.item()) == (6.0, 9.0, 3.0)
    assert [one.item() for one in seen] == [3.0, 3.0]


# --- the user's code in the backward pass -----------------------------------------------------------------------------


def test_a_hook_that_reads_its_gradient_does_not_lose_the_pass():
    w, seen = leaf(1.0, 2.0), []
    a = w * w
    b = a * w
    b.register_hook(lambda ct: seen.append(ct.tolist()))
    a.register_hook(lambda ct: (seen.append(ct.tolist()), ct * 2)[1])
    a.retain_grad()
    (b * a).sum().backward()
    assert seen == [[1.0, 4.0], [2.0, 16.0]]
    assert a.grad.tolist() == [4.0, 32.0]
    assert w.grad.tolist() == [9.0, 144.0]


def test_a_pass_may_come_to_a_node_twice_but_a_second_pass_may_not():
    w = leaf(1.0, 2.0)
    y = w * w
    x = y * 1
    x.register_hook(lambda ct: None)
    loss = x.sum() + y.sum()
    loss.backward()
    assert w.grad.tolist() == [4.0, 8.0]
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_cotangent_that_the_step_has_updated():
    u, w = leaf(1.0, 2.0), leaf(1.0, 2.0)
    y = u * u * 2
    with kadam.no_grad():
        w.add_(1.0)
    assert kadam.autograd.grad(y, u, w)[0].tolist() == [8.0, 24.0]


# --- threads and generators -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trained", [True, False])
def test_a_change_that_another_thread_recorded_is_seen(trained):
    w = kadam.tensor([1.0, 2.0], requires_grad=trained)

    def change():
        with kadam.no_grad():
            w.add_(1.0)

    for _ in range(2):
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
    assert (w * 2).tolist() == [6.0, 8.0]


def test_a_mode_is_entered_after_another_thread_has_read():
    pending = kadam.tensor([1.0]) + 1
    thread = threading.Thread(target=pending.tolist)
    thread.start()
    thread.join()
    with kadam.no_grad():
        assert (pending * 2).tolist() == [4.0]
    assert kadam.is_grad_enabled()


def test_a_wrapped_generator_gets_what_is_thrown_into_it():
    closed = []

    @kadam.no_grad()
    def numbers():
        try:
            yield 1
        except ValueError:
            yield 2
        finally:
            closed.append(kadam.is_grad_enabled())

    running = numbers()
    assert next(running) == 1
    assert running.throw(ValueError()) == 2
    running.close()
    assert closed == [False]
    assert kadam.is_grad_enabled()


def test_a_sweep_begins_where_the_recording_has_become_too_long(monkeypatch):
    from kadam.recording import calls, step

    for longest in range(8, 20):
        monkeypatch.setattr(calls, "LONGEST", longest)
        monkeypatch.setattr(step, "LONGEST", longest)
        for root in step.state.roots.values():
            root.clear()
        step.start()
        w = leaf(1.0, 2.0)
        x = w * w
        x[:1].mul_(w[1:])
        x.register_hook(lambda ct: ct * 2)
        (x * x).sum().backward()
        with kadam.no_grad():
            w[:1] -= w.grad[1:]
        assert w.grad.tolist() == [32.0, 72.0]
        assert w.tolist() == [-71.0, 2.0]


def test_numpy_writes_between_two_calls_of_a_recording() -> None:
    given = kadam.ones(3)
    before = given * 2
    array = given.numpy()
    array *= 5
    after = given * 2
    assert (before.tolist(), after.tolist()) == ([2.0] * 3, [10.0] * 3)


def test_an_optimizer_with_groups_takes_one_recording() -> None:
    params = [kadam.nn.Parameter(kadam.ones(2)) for _ in range(3)]
    optimizer = kadam.optim.AdamW([{"params": params[:1]}, {"params": params[1:]}])
    sum((one * one).sum() for one in params).backward()
    rec = state.rec
    optimizer.step()
    assert state.rec is rec


def test_an_optimizer_holds_no_gradients_after_its_step() -> None:
    param = kadam.nn.Parameter(kadam.ones(2))
    optimizer = kadam.optim.Adam([param])
    for _ in range(3):
        (param * param).sum().backward()
        optimizer.step()
        gradient = weakref.ref(param.grad)
        optimizer.zero_grad()
        param.tolist()
        assert gradient() is None


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0, 3), (3, 0)])
def test_a_tensor_without_elements_has_the_strides_of_its_shape(shape):
    expected = tuple(int(np.prod([max(size, 1) for size in shape[axis + 1 :]])) for axis in range(len(shape)))
    held, computed = kadam.zeros(shape), kadam.zeros(shape) + 1
    assert held.stride() == computed.stride() == held.clone().stride() == expected
    assert pytest.importorskip("torch").zeros(shape).stride() == expected


def test_a_printed_view_tells_of_its_bases_present_derivative():
    w = leaf(2.0, 3.0)
    base = kadam.zeros(2)
    view = base[:1]
    base.add_(w)
    assert repr(view) == "tensor([2.], grad_fn=<AsStridedBackward0>)"  # as PyTorch prints it
