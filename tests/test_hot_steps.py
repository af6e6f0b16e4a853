"""Steps that the trail knows: loops that run long enough to be hot must give what they give in PyTorch."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
import weakref

import numpy as np
import pytest

import kadam
from kadam.engines.delivery import delivered
from kadam.engines.reference import compile as compile_reference
from kadam.optim.count import Hand
from kadam.recording import step, tiers
from kadam.recording.step import state

STEPS = 9


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def net(t, *sizes, seed=0):
    """A network with the same parameters in both systems."""
    layers = []
    for index, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
        linear = t.nn.Linear(a, b)
        with t.no_grad():
            linear.weight.copy_(t.tensor(data(b, a, seed=seed + index) * 0.5))
            linear.bias.copy_(t.tensor(data(b, seed=seed + 10 + index) * 0.5))
        layers += [linear, t.nn.Tanh()]
    return t.nn.Sequential(*layers[:-1])


def batch(t, step=0):
    return t.tensor(data(6, 3, seed=100 + step)), t.tensor(data(6, 2, seed=200 + step))


def numbers(*tensors):
    return [np.asarray(one.detach().numpy(), np.float64).ravel().tolist() for one in tensors]


def adam(t, model):
    return t.optim.Adam(model.parameters(), lr=0.05)


def sgd(t, model):
    return t.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)


def one_step(t, model, opt, step=0):
    x, y = batch(t, step)
    pred = model(x)
    loss = ((pred - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    return pred, loss


def keeps_now_and_then(t):
    """What lives on differs from step to step: predictions, losses, gradients."""
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    kept, losses, grads = [], [], []
    for i in range(2 * STEPS):
        pred, loss = one_step(t, model, opt, i)
        if i % 2:
            kept.append(pred)
        if i % 3 == 0:
            losses.append(loss)
        if i % 4 == 1:
            grads.append(model[0].weight.grad)
            model[0].weight.grad = None
    return numbers(*kept, *losses, *grads, *model.parameters())


def keeps_gradients_alive(t):
    model = net(t, 3, 4, 2)
    opt = sgd(t, model)
    seen = []
    for i in range(STEPS):
        one_step(t, model, opt, i)
        seen.append([param.grad for param in model.parameters()])
    return numbers(*[grad for grads in seen for grad in grads])


def accumulates(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    for i in range(STEPS * 3):
        x, y = batch(t, i)
        (((model(x) - y) ** 2).mean() / 3).backward()
        if i % 3 == 2:
            opt.step()
            opt.zero_grad()
    return numbers(*model.parameters())


def accumulates_in_shared_gradients(t):
    model = net(t, 3, 3, 2)
    g = t.zeros(3, 3)
    model[0].weight.grad = g
    other = t.nn.Parameter(t.tensor(data(3, 3, seed=5)))
    other.grad = g
    for i in range(STEPS):
        x, _ = batch(t, i)
        (model[0](x) + x @ other).sum().backward()
    return numbers(g, model[0].bias.grad)


def zero_filled(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    grads = None
    for i in range(STEPS):
        x, y = batch(t, i)
        opt.zero_grad(set_to_none=False)
        ((model(x) - y) ** 2).mean().backward()
        grads = grads or [param.grad for param in model.parameters()]
        opt.step()
    same = [param.grad is grad for param, grad in zip(model.parameters(), grads, strict=True)]
    return [same, *numbers(*grads, *model.parameters())]


def two_models_one_optimizer(t):
    first, second = net(t, 3, 4, 2), net(t, 3, 5, 2, seed=3)
    opt = t.optim.Adam([*first.parameters(), *second.parameters()], lr=0.05)
    for i in range(2 * STEPS):
        one_step(t, (first, second)[i % 2] if i % 5 else first, opt, i)
    return numbers(*first.parameters(), *second.parameters())


def two_optimizers_one_model(t):
    model = net(t, 3, 4, 2)
    one, two = t.optim.SGD(model[0].parameters(), lr=0.1), t.optim.Adam(model.parameters(), lr=0.01)
    for i in range(STEPS):
        x, y = batch(t, i)
        model.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        one.step()
        two.step()
    return numbers(*model.parameters())


def swaps_data(t):
    model = net(t, 3, 4, 2)
    opt = sgd(t, model)
    for i in range(STEPS):
        one_step(t, model, opt, i)
        if i % 3 == 1:
            model[0].weight.data = t.tensor(data(4, 3, seed=50 + i))
        if i % 3 == 2:
            model[0].bias.data.mul_(0.5)
    return numbers(*model.parameters())


def pending_update_then_new_memory(t):
    model = net(t, 3, 4, 2)
    opt, lent = sgd(t, model), t.tensor(data(4, 3, seed=7))
    for i in range(STEPS):
        one_step(t, model, opt, i)
        old = model[0].weight.detach()
        model[0].weight.data = lent
        if i % 2:
            lent = old.clone()
    return numbers(*model.parameters(), lent)


def loads_between(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    kept, sums = None, []
    for i in range(2 * STEPS):
        one_step(t, model, opt, i)
        if i == 4:
            kept = copy.deepcopy(model.state_dict()), copy.deepcopy(opt.state_dict())
        if i in (7, 12):
            model.load_state_dict(kept[0])
            opt.load_state_dict(kept[1])
        sums.append(float(model[0].weight.detach().sum()))
    return [sums, *numbers(*model.parameters())]


def copies_mid_training(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    for i in range(STEPS):
        one_step(t, model, opt, i)
    twin, opt_twin = copy.deepcopy((model, opt))
    for i in range(STEPS):
        one_step(t, model, opt, i)
        if i % 2:
            one_step(t, twin, opt_twin, i + 30)
    return numbers(*model.parameters(), *twin.parameters())


def fails_inside(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    for i in range(2 * STEPS):
        x, y = batch(t, i)
        opt.zero_grad()
        try:
            pred = model(x)
            if i % 3 == 1:
                raise KeyError(i)
            if i % 3 == 2:
                pred = pred @ t.zeros(7, 7)
            ((pred - y) ** 2).mean().backward()
        except (KeyError, RuntimeError):
            pass
        opt.step()
    return numbers(*model.parameters())


def reads_in_between(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    seen = []
    for i in range(STEPS):
        x, y = batch(t, i)
        loss = ((model(x) - y) ** 2).mean()
        if i % 2:
            seen.append(loss.item())
        opt.zero_grad()
        loss.backward()
        if i % 3 == 0:
            seen.append(float(model[0].bias.grad.sum()))
        opt.step()
        if i % 4 == 0:
            seen.append(float(opt.state[model[0].bias]["exp_avg"].sum()))
            seen.append(float(opt.state[model[0].bias]["step"]))
    return [seen, *numbers(*model.parameters())]


def clips(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    norms = []
    for i in range(STEPS):
        x, y = batch(t, i)
        opt.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        grad = model[0].weight.grad
        norms.append(t.nn.utils.clip_grad_norm_(model.parameters(), 0.1))
        assert model[0].weight.grad is grad
        opt.step()
    return numbers(*norms, *model.parameters())


def frozen_now_and_then(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    for i in range(2 * STEPS):
        model[0].requires_grad_(i % 4 < 2)
        one_step(t, model, opt, i)
    return numbers(*model.parameters())


def backward_again(t):
    model = net(t, 3, 4, 2)
    opt = sgd(t, model)
    kinds = []
    for i in range(STEPS):
        _, loss = one_step(t, model, opt, i)
        if i % 3 == 2:
            try:
                loss.backward()
            except RuntimeError as error:
                kinds.append("second time" in str(error))
    return [kinds, *numbers(*model.parameters())]


def old_loss_and_changed_memory(t):
    model = net(t, 3, 4, 2)
    opt = sgd(t, model)
    kinds = []
    for i in range(STEPS):
        x, y = batch(t, i)
        loss = ((model(x) - y) ** 2).mean()
        opt.zero_grad()
        loss.backward(retain_graph=True)
        opt.step()
        try:
            loss.backward()
            kinds.append("ran")
        except RuntimeError as error:
            kinds.append("modified by an inplace operation" in str(error))
    return [kinds, *numbers(*model.parameters())]


def moves_by_hand(t):
    w, b = t.tensor(data(3, 2), requires_grad=True), t.zeros(2, requires_grad=True)
    velocity = t.zeros(3, 2)
    for i in range(STEPS):
        x, y = batch(t, i)
        ((x @ w + b - y) ** 2).mean().backward()
        with t.no_grad():
            velocity.mul_(0.9).add_(w.grad)
            w -= 0.1 * velocity
            b -= 0.1 * b.grad
            w.grad.zero_()
            b.grad = None
    return numbers(w, b, velocity, w.grad)


def views_of_parameters(t):
    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    seen = []
    for i in range(STEPS):
        row = model[0].weight[0] if i % 2 else model[0].weight.detach()[0]
        one_step(t, model, opt, i)
        seen.append(float(row.sum()))
    return [seen, *numbers(*model.parameters())]


def listens(t):
    model = net(t, 3, 4, 2)
    opt = sgd(t, model)
    heard = []
    model[2].bias.register_hook(lambda grad: heard.append(float(grad.sum())))
    model[0].bias.register_hook(lambda grad: grad * 2)
    for i in range(STEPS):
        one_step(t, model, opt, i)
    return [heard, *numbers(*model.parameters())]


def in_a_generator(t):
    def steps(model, opt):
        for i in range(STEPS):
            with t.no_grad():
                before = model[0].bias.sum()
            yield before, one_step(t, model, opt, i)[1]

    model = net(t, 3, 4, 2)
    opt = adam(t, model)
    seen = [float(before) + float(loss) for before, loss in steps(model, opt)]
    return [seen, *numbers(*model.parameters())]


LOOPS = [
    keeps_now_and_then, keeps_gradients_alive, accumulates, accumulates_in_shared_gradients, zero_filled,
    two_models_one_optimizer, two_optimizers_one_model, swaps_data, pending_update_then_new_memory, loads_between,
    copies_mid_training, fails_inside, reads_in_between, clips, frozen_now_and_then, backward_again,
    old_loss_and_changed_memory, moves_by_hand, views_of_parameters, listens, in_a_generator,
]  # fmt: skip


def close(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_as_in_pytorch(loop):
    torch = pytest.importorskip("torch")
    close(loop(kadam), loop(torch))


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_the_same_whatever_else_the_trail_knows(loop, monkeypatch):
    monkeypatch.setattr(tiers, "NATIVE_AFTER", -1)
    first = loop(kadam)
    assert loop(kadam) == first


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_an_engine_is_asked_to_keep_the_contract(loop, monkeypatch):
    """A second tier that checks what it is fed with, and spoils what it may."""

    promoted = []

    def strict(program):
        graph, over, program.graph = program.graph, program.over, None
        run = delivered(compile_reference(graph), over)
        assert len(over) <= len(graph.outputs)

        def checked(feeds):
            for node, feed in zip(graph.inputs, feeds, strict=True):
                assert isinstance(feed, np.ndarray) or (type(feed) is float and str(node.type) == "f64[]")
                if isinstance(feed, np.ndarray):
                    assert (feed.shape, feed.dtype) == (node.shape, node.dtype.numpy)
            places = [place for place in over if place is not None]
            assert len(places) == len(set(places))
            for place in places:
                others = [feed for index, feed in enumerate(feeds) if index != place and isinstance(feed, np.ndarray)]
                assert feeds[place].flags.carray
                assert not any(np.may_share_memory(feeds[place], other) for other in others)
            return run(feeds)

        program.run = checked
        promoted.append(program)

    step.forget_paths()
    monkeypatch.setattr(tiers, "NATIVE_AFTER", -1)
    expected = loop(kadam)
    step.forget_paths()
    monkeypatch.setattr(tiers, "NATIVE_AFTER", 0)
    monkeypatch.setattr(tiers, "promote", strict)
    assert loop(kadam) == expected
    step.forget_paths()
    assert promoted


def test_threads_train_at_the_same_time(monkeypatch):
    monkeypatch.setattr(tiers, "NATIVE_AFTER", -1)

    def train(results, seed):
        model = net(kadam, 3, 4, 2, seed=seed)
        opt = adam(kadam, model)
        for i in range(20):
            one_step(kadam, model, opt, i)
        results[seed] = numbers(*model.parameters())

    alone, together = {}, {}
    for seed in range(3):
        train(alone, seed)
    threads = [threading.Thread(target=train, args=(together, seed)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def trained(steps=5):
    model = net(kadam, 3, 4, 2)
    opt = adam(kadam, model)
    for i in range(steps):
        one_step(kadam, model, opt, i)
    return model, opt


class TestCounts:
    def test_they_are_tensors_for_whoever_looks(self):
        model, opt = trained()
        count = opt.state[model[0].bias]["step"]
        assert (isinstance(count, kadam.Tensor), count.dtype, count.shape) == (True, kadam.float32, ())
        assert repr(count) == "tensor(5.)"
        assert type(count) is kadam.Tensor
        assert [float(remembered["step"]) for remembered in opt.state.values()] == [5.0] * 4

    def test_they_go_on_in_the_user_s_hands(self):
        model, opt = trained()
        held = opt.state[model[0].bias]["step"]
        assert held.item() == 5
        one_step(kadam, model, opt)
        one_step(kadam, model, opt)
        assert held.item() == 7
        assert held is opt.state[model[0].bias]["step"]
        memory = held.numpy()
        one_step(kadam, model, opt)
        assert memory == 8

    def test_one_may_be_set(self):
        model, opt = trained()
        opt.state[model[0].bias]["step"].fill_(100)
        opt.state[model[2].bias]["step"].data = kadam.tensor(50.0)
        one_step(kadam, model, opt)
        one_step(kadam, model, opt)
        counts = [float(opt.state[param]["step"]) for param in model.parameters()]
        assert counts == [7, 102, 7, 52]

    @pytest.mark.parametrize("way", ["deepcopy", "pickle", "save"])
    def test_they_are_copied_by_value(self, way):
        model, opt = trained()
        saved = opt.state_dict()
        if way == "deepcopy":
            found = copy.deepcopy(saved)
        elif way == "pickle":
            found = pickle.loads(pickle.dumps(saved))
        else:
            file = io.BytesIO()
            kadam.save(saved, file)
            file.seek(0)
            found = kadam.load(file)
        one_step(kadam, model, opt)
        assert [float(remembered["step"]) for remembered in found["state"].values()] == [5.0] * 4

    def test_parameters_that_miss_steps(self):
        model, opt = trained()
        for i in range(3):
            x, _ = batch(kadam, i)
            opt.zero_grad()
            model[0](x).sum().backward()
            opt.step()
        one_step(kadam, model, opt)
        assert [float(opt.state[param]["step"]) for param in model.parameters()] == [9, 9, 6, 6]

    def test_no_memory_while_nobody_looks(self):
        _, opt = trained()
        assert all(type(remembered["step"]) is Hand for remembered in opt.state.values())
        assert kadam.stack([remembered["step"] for remembered in opt.state.values()]).tolist() == [5.0] * 4

    def test_shared_between_optimizers(self):
        model, opt = trained()
        other = kadam.optim.Adam(list(model.parameters())[:2], lr=0.1)
        part = opt.state_dict()
        part = {"state": {0: part["state"][0], 1: part["state"][1]},
                "param_groups": [{**part["param_groups"][0], "params": [0, 1]}]}  # fmt: skip
        other.load_state_dict(part)
        other.step()
        # as in PyTorch, the loaded counts are the very tensors that were saved
        assert [float(opt.state[param]["step"]) for param in model.parameters()] == [6, 6, 5, 5]


def test_memory_stays_flat():
    model = net(kadam, 3, 4, 2)
    opt = adam(kadam, model)
    for i in range(30):
        one_step(kadam, model, opt, i % 2)
    gc.collect()
    before = len(gc.get_objects())
    for i in range(300):
        one_step(kadam, model, opt, i % 2)
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_nothing_keeps_a_prediction():
    model = net(kadam, 3, 4, 2)
    opt = adam(kadam, model)
    for i in range(5):
        pred, loss = one_step(kadam, model, opt, i)
    seen = weakref.ref(pred)
    del pred, loss
    one_step(kadam, model, opt)
    one_step(kadam, model, opt)
    gc.collect()
    assert seen() is None


def test_a_graph_kept_while_gradients_made_with_it_change():
    """What is saved for a later pass must not be taken for state that the recording has updated."""
    torch = pytest.importorskip("torch")

    def loop(t):
        model = net(t, 3, 4, 2)
        for i in range(STEPS):
            for j in range(2):
                x, y = batch(t, 2 * i + j)
                loss = ((model(x) - y) ** 2).mean()
                loss.backward(retain_graph=True)
            loss.item()
            t.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            loss.backward()
        return numbers(*[param.grad for param in model.parameters()])

    close(loop(kadam), loop(torch))


def test_a_step_that_begins_with_what_the_optimizer_leaves_alone_is_the_same_path_each_time() -> None:
    """A part that has gradients but is not the optimizer's, and no value that is read: the trail must not grow."""

    body, head = kadam.nn.Linear(4, 4), kadam.nn.Linear(4, 1)
    optimizer = kadam.optim.SGD(head.parameters(), lr=0.01)
    x = kadam.randn(8, 4)

    def steps(count: int) -> int:
        for _ in range(count):
            loss = (head(body(x)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return sum(1 for root in state.roots.values() for _ in root.below())

    assert steps(20) == steps(40)
