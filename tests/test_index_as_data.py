"""Indexing by integer tensors without axes: the index is data, the result a view. Expected values from PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kadam
from kadam.recording.step import state
from kadam.recording.trail import TrailNode

reference = pytest.importorskip("torch")


def _both(program: Callable[[Any], Any]) -> None:
    """Hold what a program gives under Kadam against what it gives under PyTorch."""
    expected, got = program(reference), program(kadam)
    assert len(expected) == len(got)
    for one, other in zip(expected, got, strict=True):
        if isinstance(one, str | bool | int | tuple):
            assert one == other
        else:
            np.testing.assert_allclose(other.detach().numpy(), one.detach().numpy(), rtol=1e-6, atol=1e-6)


def _leaf(torch: Any, *shape: int) -> Any:
    return torch.arange(float(np.prod(shape))).reshape(shape).add(0.5).requires_grad_()


INDICES: dict[str, Callable[[Any], Any]] = {
    "one": lambda torch: torch.tensor(2),
    "negative": lambda torch: torch.tensor(-1),
    "int32": lambda torch: torch.tensor(1, dtype=torch.int32),
    "numpy": lambda torch: np.int64(1),
    "two": lambda torch: (torch.tensor(1), torch.tensor(-2)),
    "all": lambda torch: (torch.tensor(1), torch.tensor(0), torch.tensor(3)),
    "with_number": lambda torch: (0, torch.tensor(2)),
    "after_slice": lambda torch: (slice(1, None), torch.tensor(2)),
    "before_slice": lambda torch: (torch.tensor(1), slice(0, 2)),
    "around_slice": lambda torch: (torch.tensor(1), slice(None), torch.tensor(3)),
    "dots": lambda torch: (..., torch.tensor(3)),
    "new_axis": lambda torch: (None, torch.tensor(1), None, torch.tensor(0)),
    "with_array": lambda torch: (torch.tensor(1), torch.tensor([2, 0])),
    "with_mask": lambda torch: (torch.tensor(1), torch.tensor([True, False, True])),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("leaf", [True, False], ids=["leaf", "pending"])
def test_values_gradients_and_layout_are_those_of_pytorch(name: str, leaf: bool) -> None:
    def program(torch: Any) -> list[Any]:
        x = _leaf(torch, 3, 3, 4)
        base = x if leaf else x * x
        part = base[INDICES[name](torch)]
        strides = [step for step, size in zip(part.stride(), part.shape, strict=True) if size > 1]
        shown = [tuple(part.shape), tuple(strides), part.storage_offset(), part._base is not None]
        (part * part).sum().backward()
        return [*shown, part, x.grad]

    _both(program)


@pytest.mark.parametrize("name", INDICES)
def test_assigning_to_a_pending_tensor(name: str) -> None:
    def program(torch: Any) -> list[Any]:
        x, v = _leaf(torch, 3, 3, 4), _leaf(torch)
        y = x * 2
        y[INDICES[name](torch)] = v * 3
        (y * y).sum().backward()
        return [y, x.grad, v.grad]

    _both(program)


@pytest.mark.parametrize("name", INDICES)
def test_adding_to_a_part_of_a_pending_tensor(name: str) -> None:
    def program(torch: Any) -> list[Any]:
        x, v = _leaf(torch, 3, 3, 4), _leaf(torch)
        y = x * 2
        y[INDICES[name](torch)] += v * 3
        (y * y).sum().backward()
        return [y, x.grad, v.grad]

    _both(program)


def _change_of_part(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    part.mul_(3)
    return [part]


def _change_of_base(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    y.mul_(3)
    return [part]


def _change_of_base_after_use(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    before = part + 1
    y.add_(3)
    return [before, part * part]


def _change_through_a_view_of_the_part(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    part[1:].mul_(2)
    part[torch.tensor(0)].add_(1)
    return [part, part.view(2, 2)]


def _change_of_a_sibling(torch: Any, y: Any) -> list[Any]:
    part, same = y[torch.tensor(1)], y[1]
    same.mul_(2)
    return [part, same]


def _change_without_grad(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    with torch.no_grad():
        part.add_(2)
    return [part]


def _change_of_detached(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    part.detach().add_(2)
    return [part]


def _change_of_index(torch: Any, y: Any) -> list[Any]:
    i = torch.tensor(0)
    first = y[i]
    i += 1
    return [first, y[i], first * y[i]]


def _change_after_a_read(torch: Any, y: Any) -> list[Any]:
    part = y[torch.tensor(1)]
    part.sum().item()
    part.add_(1)
    y[torch.tensor(2)].mul_(2)
    return [part, y[2]]


def _pending_index(torch: Any, y: Any) -> list[Any]:
    return [y[y.sum(1).argmax()], y[(y[:, 0] * 0).long().sum() + 1]]


CHANGES = [
    _change_of_part, _change_of_base, _change_of_base_after_use, _change_through_a_view_of_the_part,
    _change_of_a_sibling, _change_without_grad, _change_of_detached, _change_of_index, _change_after_a_read,
    _pending_index,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__[1:])
@pytest.mark.parametrize("grad", [True, False], ids=["grad", "no_grad"])
@pytest.mark.parametrize("chained", [False, True], ids=["root", "of_view"])
def test_the_result_is_a_view(change: Any, grad: bool, chained: bool) -> None:
    def program(torch: Any) -> list[Any]:
        x = _leaf(torch, 3, 4)
        whole = x.exp().log() + 2 if grad else x.detach() + 2
        parts = change(torch, whole.view(3, 4) if chained else whole)
        if grad:
            (sum(part.sin().sum() for part in parts) + whole.cos().sum()).backward()
        return [*parts, whole, *([x.grad] if grad else [])]

    _both(program)


def test_a_part_that_a_derivative_reads_may_not_be_changed() -> None:
    def program(torch: Any) -> list[Any]:
        x = _leaf(torch, 3, 4)
        y = x * 2
        squared = y[torch.tensor(1)] ** 2
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            squared.sum().backward()
        return []

    _both(program)


def test_a_part_of_a_parameter_shows_what_the_optimizer_makes_of_it() -> None:
    def program(torch: Any) -> list[Any]:
        w = _leaf(torch, 3, 4)
        optimizer = torch.optim.SGD([w], lr=0.1)
        shown = []
        for step in range(4):
            row = w[torch.tensor(step % 3)]
            optimizer.zero_grad()
            (row * row).sum().backward()
            optimizer.step()
            shown.append(row.clone())
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            row.add_(1)
        return [*shown, w]

    _both(program)


def test_a_part_is_seen_by_numpy() -> None:
    def program(torch: Any) -> list[Any]:
        y = torch.arange(12.0).reshape(3, 4) + 1
        y = y * 2
        y[torch.tensor(1)].numpy()[:] = 7
        return [y]

    _both(program)


@pytest.mark.parametrize("index", [3, -4])
def test_a_place_beyond_its_axis(index: int) -> None:
    for torch in (reference, kadam):
        y = _leaf(torch, 3, 4) * 2
        with pytest.raises(IndexError, match=f"index {index} is out of bounds for dimension 0 with size 3"):
            y[torch.tensor(index)]
        with pytest.raises(IndexError, match=f"index {index} is out of bounds for dimension 0 with size 3"):
            y[torch.tensor(index)] = 1.0


def test_second_derivatives() -> None:
    def program(torch: Any) -> list[Any]:
        x = _leaf(torch, 3, 4)
        part = (x**3)[torch.tensor(1)]
        (first,) = torch.autograd.grad(part.sum(), x, create_graph=True)
        first[torch.tensor(1)].sum().backward()
        return [first, x.grad]

    _both(program)


def test_the_name_of_the_derivative() -> None:
    assert type((_leaf(kadam, 3, 4) * 2)[kadam.tensor(1)].grad_fn).__name__ == "SelectBackward0"


def _calls_recorded(node: TrailNode) -> int:
    return sum(1 + _calls_recorded(child) for child in node.values())


@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_the_place_is_no_part_of_the_path(write: bool) -> None:
    x = _leaf(kadam, 8, 2)

    def step(place: int) -> None:
        y = x * 2
        if write:
            y[kadam.tensor(place)] += 1
            y[kadam.tensor(place), kadam.tensor(1)] = 2
        loss = y[kadam.tensor(place)].sum() + y[kadam.tensor(place), kadam.tensor(1)]
        loss.backward()
        x.grad = None
        loss.item()

    step(0)
    step(1)
    known = _calls_recorded(state.roots[True])
    for place in range(2, 8):
        step(place)
    assert _calls_recorded(state.roots[True]) == known


def test_rows_of_memory_that_data_choose_are_added_to() -> None:
    def program(torch: Any) -> list[Any]:
        rows = torch.arange(24.0).reshape(2, 3, 4)
        places = torch.tensor([[3, 0, 3], [1, 1, 4]])
        totals = torch.zeros(5, 4)
        for k in range(2):
            scaled = rows * 0.5
            for j in range(3):
                totals[places[k, j]] += scaled[k, j]
                totals[places[k, j], places[k, 0] % 4] -= 1
        same = totals[places[0, 0]]
        totals[places[0, 0]] = same
        return [totals, same]

    _both(program)


def test_a_policy_that_samples_its_actions() -> None:
    def program(torch: Any) -> list[Any]:
        w = _leaf(torch, 3, 4)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for episode in range(4):
            chosen = []
            for step in range(3):
                log_probs = torch.log_softmax(torch.ones(3) * (step + 1) @ w, 0)
                action = torch.tensor((7 * episode + 5 * step) % 4)
                action.item()
                chosen.append(log_probs[action])
            optimizer.zero_grad()
            for reward, each in enumerate(chosen, 1):
                (-each * reward).backward()
            optimizer.step()
        return [w, *chosen]

    _both(program)


@pytest.mark.parametrize("kind", ["data", "number"])
def test_a_view_that_has_looked_at_its_base_again_sees_later_changes(kind: str) -> None:
    def program(torch: Any) -> list[Any]:
        def at(place: int) -> Any:
            return torch.tensor(place) if kind == "data" else place

        x = _leaf(torch, 3, 2)
        y = x * 1.5
        part = y[at(1)]
        with torch.no_grad():
            part.add_(0.1)
        y[:, at(0)] += part.sum() * 0.1
        part.sum().item()
        y[at(0)] = 0.5
        part[1] = 0.25
        (part.sin().sum() + y.sin().sum()).backward()
        return [part, y, x.grad]

    _both(program)


def test_all_of_a_tensor_overwritten_through_a_view_still_requires_grad() -> None:
    def program(torch: Any) -> list[Any]:
        x = _leaf(torch, 3, 2)
        y = x * 1.5
        y[:] = 0.5
        y.sin().sum().backward()
        return [y, x.grad]

    _both(program)


def test_a_tensor_may_bound_a_slice_of_what_is_not_computed_yet():
    values = kadam.arange(12.0).view(4, 3).requires_grad_()
    computed = values * 2
    for bound in (3, 1):
        at = kadam.tensor([bound, 9])[0]
        assert computed[:at].tolist() == (values * 2)[:bound].tolist()
        assert computed[at:, 1].tolist() == (values * 2)[bound:, 1].tolist()
    computed[: kadam.tensor(2)].sum().backward()
    assert values.grad.sum(1).tolist() == [6.0, 6.0, 0.0, 0.0]
