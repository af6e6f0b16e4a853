"""Inference mode: which tensors are inference tensors, and what is refused with them, as PyTorch does."""

from __future__ import annotations

import copy

import pytest

import kadam

torch = pytest.importorskip("torch")


def outcome(m, call, given):
    """What a call says on Kadam or PyTorch: flags and values of a tensor, or what its error is known by."""
    try:
        found = call(m, given)
    except RuntimeError as error:
        said = str(error)
        known = ("Inplace update to inference", "Inference tensors", "Setting requires_grad=True", "A view was created")
        return next(words for words in known if words in said)
    if isinstance(found, m.Tensor):
        return found.is_inference(), found.requires_grad, found.tolist()
    return found


def made(m):
    """A tensor, one that requires grad, and what comes of them in inference mode."""
    n, w = m.tensor([1.0, 2.0]), m.tensor([3.0, 4.0], requires_grad=True)
    with m.inference_mode():
        return n, w, m.tensor([5.0, 6.0]), n[:1], w[:1]


BOTH = pytest.mark.parametrize("again", [False, True], ids=["first", "known"])
INSIDE = [
    lambda m, g: m.ones(2),
    lambda m, g: m.ones(2) * 2,
    lambda m, g: g[0].detach(),
    lambda m, g: g[0][1:],
    lambda m, g: g[0].view(2, 1).t(),
    lambda m, g: g[1][1:],
    lambda m, g: g[0].clone(),
    lambda m, g: g[0].add_(1),
    lambda m, g: g[1].add_(1),
    lambda m, g: g[1] * 2,
    lambda m, g: g[0].contiguous(),
    lambda m, g: g[0].double(),
    lambda m, g: m.ones(2, requires_grad=True),
    lambda m, g: m.ones(2).requires_grad_(),
    lambda m, g: m.nn.Parameter(m.ones(2)),
    lambda m, g: m.cat([g[0], g[1]]),
    lambda m, g: g[0][m.tensor([0, 0])],
    lambda m, g: g[0].unbind()[0],
    lambda m, g: copy.deepcopy(g[0]),
    lambda m, g: m.add(g[0], 1, out=m.ones(1, 2)[0]),
    lambda m, g: g[0].resize_(3).fill_(1),
    lambda m, g: m.ones(2)._version,
    lambda m, g: g[0].mul_(2)._version,
    lambda m, g: (m.is_grad_enabled(), m.is_inference_mode_enabled()),
    lambda m, g: m.func.grad(lambda x: (x * x * g[2]).sum())(g[2]).tolist(),
]
OUTSIDE = [
    lambda m, g: g[2] + 1,
    lambda m, g: g[2] * g[0],
    lambda m, g: g[2] * g[1],
    lambda m, g: g[2] + g[1],
    lambda m, g: g[1] / g[2],
    lambda m, g: m.nn.functional.mse_loss(g[1] * 1, g[2]),
    lambda m, g: m.where(g[2] > 5, g[1], g[2]),
    lambda m, g: g[2][:1],
    lambda m, g: g[2].detach(),
    lambda m, g: g[2].clone(),
    lambda m, g: g[2].clone() * g[1],
    lambda m, g: copy.deepcopy(g[2]),
    lambda m, g: g[2].add_(1),
    lambda m, g: g[2][:1].zero_(),
    lambda m, g: g[2].detach().add_(1),
    lambda m, g: g[2].__setitem__(0, 1.0),
    lambda m, g: g[2].__setitem__(m.tensor([0]), 1.0),
    lambda m, g: g[2].unsqueeze_(0),
    lambda m, g: g[2].resize_(3),
    lambda m, g: g[2].normal_(),
    lambda m, g: m.add(g[0], 1, out=g[2]),
    lambda m, g: g[2]._version,
    lambda m, g: g[2].requires_grad_(),
    lambda m, g: g[2].requires_grad_(False),
    lambda m, g: m.nn.Parameter(g[2]),
    lambda m, g: m.nn.Parameter(g[2], requires_grad=False),
    lambda m, g: g[0].add_(g[2]),
    lambda m, g: g[3].add_(1),
    lambda m, g: g[4].add_(1),
    lambda m, g: g[3].add_(g[1][:1]),
    lambda m, g: g[2].contiguous(),
]


@BOTH
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
def test_tensors_and_refusals_are_pytorchs(inside, again):
    for index, call in enumerate(INSIDE if inside else OUTSIDE):
        found = []
        for m in (torch, kadam):
            for _ in range(3 if again else 1):
                given = made(m)
                with m.inference_mode(inside):
                    said = outcome(m, call, given)
            found.append(said)
        assert found[0] == found[1], index


def test_inference_mode_nests_with_itself_and_with_grad_modes():
    found = []
    for m in (torch, kadam):
        said = []

        def note(m=m, said=said):
            leaf = m.ones(1, requires_grad=True)
            said.append((m.is_inference_mode_enabled(), m.is_grad_enabled(), leaf.is_inference()))
            said.append((leaf * 2).requires_grad)

        with m.inference_mode():
            note()
            with m.enable_grad():
                note()
                with m.inference_mode(False):
                    note()
                note()
            with m.no_grad():
                note()
        with m.no_grad():
            with m.inference_mode(mode=False):
                note()
            with m.inference_mode():
                m.set_grad_enabled(True)
                note()
            note()
        note()
        found.append(said)
    assert found[0] == found[1]


def test_it_decorates_functions_with_and_without_brackets_methods_and_generators():
    found = []
    for m in (torch, kadam):

        @m.inference_mode
        def plain(m=m):
            return m.ones(1).is_inference()

        @m.inference_mode()
        def called(m=m):
            return m.ones(1).is_inference()

        @m.inference_mode(False)
        def normal(m=m):
            return m.ones(1).is_inference(), m.is_grad_enabled()

        @m.inference_mode()
        def steps(m=m):
            got = yield m.is_inference_mode_enabled()
            yield got, m.ones(1).is_inference()

        with m.inference_mode():
            within = normal()
        generator = steps()
        told = [next(generator), m.is_inference_mode_enabled(), generator.send(3), m.is_grad_enabled()]
        found.append((plain(), called(), normal(), within, told))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_parameters_and_state_made_in_inference_mode_cannot_be_stepped_outside(name):
    for m in (torch, kadam):
        for options in ({}, {"momentum": 0.9} if name == "SGD" else {}):
            with m.inference_mode():
                layer = m.nn.Linear(2, 1)
            layer.weight.grad = m.ones(1, 2)
            with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
                getattr(m.optim, name)(layer.parameters(), lr=0.1, **options).step()
        layer = m.nn.Linear(2, 1, bias=False)
        optimizer = m.optim.Adam(layer.parameters(), lr=0.1)
        layer.weight.grad = m.ones(1, 2)
        with m.inference_mode():
            optimizer.step()  # its moments are inference tensors from now on
        with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
            optimizer.step()


def test_a_model_is_evaluated_inside_and_trained_outside():
    found = []
    for m in (torch, kadam):
        m.manual_seed(0)
        model = m.nn.Sequential(m.nn.Linear(3, 4), m.nn.BatchNorm1d(4), m.nn.ReLU(), m.nn.Linear(4, 1))
        optimizer = m.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x, said = m.randn(8, 3), []
        for _ in range(6):
            model.train()
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            model.eval()
            with m.inference_mode():
                answers = model(x)
                said += [answers.is_inference(), round(answers.sum().item(), 4), round(loss.item(), 4)]
        found.append((said, model[0].weight.is_inference(), model[1].running_mean.is_inference()))
    assert found[0] == found[1]


def test_what_a_function_of_the_users_saves_is_no_inference_tensor():
    for m in (torch, kadam):

        class Product(m.autograd.Function):
            @staticmethod
            def forward(ctx, x, y):
                ctx.save_for_backward(x, y)
                return x * y

            @staticmethod
            def backward(ctx, ct):
                x, y = ctx.saved_tensors
                return ct * y, ct * x

        _, w, inferred, _, _ = made(m)
        with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
            Product.apply(w, inferred)
        with m.inference_mode():
            assert Product.apply(w, inferred).is_inference()


# --- views that were made where no gradients are recorded, and versions -----------------------------------------------


def test_a_view_made_in_no_grad_requires_grad_as_its_base_does():
    found = []
    for m in (torch, kadam):
        w = m.tensor([[1.0, 2.0]], requires_grad=True)
        with m.no_grad():
            seen = w[0]
            said = [seen.requires_grad, repr(seen), seen.numpy().tolist(), w.detach()[0].requires_grad]
            said += [seen.is_leaf]
            seen.mul_(2)
        said += [repr(seen), w.data[0].requires_grad, w.tolist()]
        found.append(said)
    assert found[0] == found[1]


@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_a_view_made_apart_is_not_changed_where_gradients_flow(mode):
    for m in (torch, kadam):
        n, y = m.ones(3), m.ones(3, requires_grad=True) * 2
        with getattr(m, mode)():
            of_n, of_y = n[:2], y[:2]
        for change in (lambda of_y=of_y: of_y.add_(1), lambda of_n=of_n, y=y: of_n.add_(y[:2])):
            with pytest.raises(RuntimeError, match=f"A view was created in {mode.replace('_mode', '')}"):
                change()
        of_n.add_(1)
        with m.no_grad():
            of_y.add_(1)
        assert n.tolist() == [2, 2, 1]
        assert y.tolist() == [3, 3, 2]
        with pytest.raises(RuntimeError, match="multiple views"):
            (y * 1).unbind()[0].add_(1)


def test_versions_count_what_pytorch_counts():
    def said(m):
        a, versions = m.zeros(2, 3), []

        def note(change):
            change()
            versions.append(a._version)

        def add_to_column():
            a[:, 2] += 1

        def multiply_row():
            a[0] *= 2

        note(add_to_column)
        note(lambda: a[:, 2].add_(1))
        note(multiply_row)
        note(lambda: a.__setitem__(0, 1.0))
        note(a.t_)
        note(lambda: a.unsqueeze_(0))
        note(lambda: a.data.add_(1))
        note(lambda: a.detach().add_(1))
        note(lambda: a.resize_(4))
        versions += [a.data.add_(1)._version, m.nn.Parameter(a, requires_grad=False)._version]
        return versions

    assert said(torch) == said(kadam)


def test_a_view_is_not_detached_in_place_and_a_tensor_is_not_its_own_gradient():
    for m in (torch, kadam):
        y = m.ones(3, requires_grad=True) * 2
        with pytest.raises(RuntimeError, match="Can't detach views in-place"):
            y[:1].detach_()
        with pytest.raises(RuntimeError, match="can't assign Variable as its own grad"):
            y.grad = y
