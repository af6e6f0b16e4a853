"""How views step through memory, and which shapes memory in another order can be seen with: as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import kadam

VIEWS = {
    "transpose": lambda m, x: x.transpose(0, 2),
    "mT": lambda m, x: x.mT,
    "permute": lambda m, x: x.permute(2, 0, 1),
    "swapaxes": lambda m, x: x.swapaxes(0, 1),
    "movedim": lambda m, x: x.movedim(0, 2),
    "expand": lambda m, x: x[:1].expand(5, 3, 4),
    "broadcast_to": lambda m, x: m.broadcast_to(x[:, :1], (2, 3, 4)),
    "unfold": lambda m, x: x.unfold(2, 2, 1),
    "as_strided": lambda m, x: x.as_strided((2, 2), (1, 2), 3),
    "chunk": lambda m, x: x.chunk(2, 1),
    "split": lambda m, x: x.mT.split(3, 1),
    "unbind": lambda m, x: x.mT.unbind(2),
    "select": lambda m, x: x[:, 1],
    "narrow": lambda m, x: x.narrow(2, 1, 2),
    "step": lambda m, x: x[:, :, ::2],
    "diagonal": lambda m, x: x.diagonal(0, 1, 2),
    "squeeze": lambda m, x: x[:1].squeeze(),
    "unsqueeze": lambda m, x: x.mT.unsqueeze(1),
    "detach": lambda m, x: x.mT.detach(),
    "view_as_real": lambda m, x: m.view_as_real(m.complex(x, x)).mT,
    "heads": lambda m, x: x.view(2, 3, 2, 2).permute(2, 0, 1, 3).unbind(0),
    "view of a view": lambda m, x: x.transpose(0, 1).view(3, 2, 2, 2),
    "flatten": lambda m, x: (x.flatten(1), x[:, :, ::2].flatten()),
    "ravel": lambda m, x: (x.ravel(), x[:, :, ::2].ravel()),
    "indices": lambda m, x: (x[:, m.tensor([0, 2])], x[:, :, m.tensor([1, 0])]),
}


def _flat(found):
    return list(found) if isinstance(found, list | tuple) else [found]


@pytest.mark.parametrize("name", VIEWS)
def test_views_step_through_memory_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        parts = _flat(VIEWS[name](m, m.arange(24.0).reshape(2, 3, 4)))
        found.append([
            (tuple(one.shape), one.stride(), one.storage_offset(), one.is_contiguous(), one.tolist()) for one in parts
        ])  # fmt: skip
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "see",
    [
        lambda x: x.mT.view(24),
        lambda x: x.transpose(0, 1).view(6, 4),
        lambda x: x[:, :, ::2].view(6, 2),
        lambda x: x[:, 1:].view(2, 8),
        lambda x: x.permute(2, 0, 1).view(4, 6),
        lambda x: x[:, :, ::2].view(3, 4),
    ],
)
def test_shapes_with_which_memory_cannot_be_seen(see):
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        try:
            found.append(see(m.arange(24.0).reshape(2, 3, 4)).tolist())
        except RuntimeError:
            found.append("refused")
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "see",
    [
        lambda x: x.view(6),
        lambda x: x.reshape(6),
        lambda x: x.flatten(),
        lambda x: x.view(3, 2, 1),
        lambda x: x.view(1, 3, 2),
        lambda x: x.ravel(),
        lambda x: x.unflatten(0, (3, 1)),
        lambda x: x.t().view(6),
    ],
)
def test_changes_through_views_of_numpys_memory(see):
    """NumPy's memory may lie in another order; what cannot see it is a copy, or refused."""
    torch = pytest.importorskip("torch")
    found = []
    for m in (kadam, torch):
        given = m.from_numpy(np.arange(6.0).reshape(2, 3).T)
        try:
            view = see(given)
            view.add_(1)
            found.append((given.tolist(), view.tolist()))
        except RuntimeError:
            found.append("refused")
    assert found[0] == found[1]


def test_changes_through_a_view_of_what_indices_picked():
    picked = kadam.arange(24.0).reshape(2, 3, 4)[:, kadam.tensor([0, 2])]
    picked.tolist()
    flat = picked.view(16)
    flat.add_(1)
    assert flat.tolist() == picked.flatten().tolist() == [*range(1, 5), *range(9, 17), *range(21, 25)]
