"""Programs whose steps are new paths, nearly all of them: what they share is known again, and the rest forgotten."""

from __future__ import annotations

import kadam
from kadam import nn
from kadam.nn import functional as F
from kadam.optim import SGD
from kadam.recording import step
from kadam.recording.place import where
from kadam.recording.step import state
from kadam.script import as_guest, run_file


def _forgotten() -> None:
    """No path is known, and the next trim of the trail's own is some 250 recordings away."""
    step.forget_paths()
    state.serial += -state.serial % 256


def _follow(places: int, weight: kadam.Tensor, rate: float = 0.1) -> float:
    """A step whose path is told by the digits of a number."""
    optimizer = SGD([weight], lr=rate)
    value = kadam.ones(3) * weight
    while places:
        value = value.sin() if places % 2 else value.cos()
        places //= 2
    loss = F.mse_loss(value, kadam.zeros(3))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def test_the_trail_keeps_the_paths_walked_last_though_all_begin_alike(monkeypatch):
    _forgotten()
    monkeypatch.setattr(step, "TRAIL_BOUND", 200)
    weight = kadam.full((3,), 0.5, requires_grad=True)
    for places in range(64, 128):
        _follow(places, weight)
    kadam.zeros(1).item()
    root = state.roots[True]
    before, _ = root.size()
    step._trim(root)
    after, _ = root.size()
    assert before > 200
    assert 0 < after <= 101  # with the root
    assert max(node.visited for node in root.below()) > 0
    _follow(100, weight)  # a path that was dropped is recorded anew
    step.forget_paths()


def test_paths_that_were_dropped_can_still_be_gone_back(monkeypatch):
    _forgotten()
    monkeypatch.setattr(step, "TRAIL_BOUND", 60)
    weight = kadam.full((3,), 0.5, requires_grad=True)
    held = (kadam.ones(3) * weight).exp().sum()
    assert held.item() > 0  # cut here: the backward pass goes through its history
    for places in range(64, 128):
        _follow(places, weight.detach().clone().requires_grad_())
    root = state.roots[True]
    step._trim(root)
    assert root.size()[0] <= 31
    held.backward()
    assert kadam.allclose(weight.grad, weight.detach().exp())
    step.forget_paths()


def test_a_recording_under_way_goes_on_where_its_path_was_dropped():
    step.forget_paths()
    weight = kadam.full((3,), 0.5, requires_grad=True)
    _follow(9, weight)
    value = (kadam.ones(3) * weight).exp()
    state.roots[True].keep_latest(0, 0)
    total = value.sum()
    total.backward()
    assert kadam.allclose(weight.grad, value.detach())
    step.forget_paths()


class _Calls(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Identity(), nn.Identity()

    def forward(self, called: nn.Module) -> str:
        return called(self)


class _Scope(nn.Module):
    def forward(self, outer: nn.Module) -> str:
        return where()[0]


def test_modules_that_moved_are_named_by_where_they_stand():
    outer, inner = _Calls(), _Scope()
    outer.second = inner
    assert outer(inner) == outer(inner) == "second"
    outer.first, outer.second = inner, nn.Identity()
    assert outer(inner) == "first"
    outer.first = None
    assert outer(inner) == "_Scope"
    outer.second = nn.Sequential(nn.Identity(), inner)
    assert outer(inner) == "second.1"
    del outer.second
    outer.second = [inner]  # no module any more
    assert outer(inner) == "_Scope"


def test_what_kadam_runs_does_not_stand_in_a_try(tmp_path, capsys):
    path = tmp_path / "program.py"
    path.write_text(
        "from kadam.recording.place import in_attempt\nprint(in_attempt())\n"
        "try:\n    print(in_attempt())\nexcept ValueError:\n    pass\n"
    )
    try:
        with as_guest():
            assert run_file(str(path), []) == 0
    except ValueError:
        raise AssertionError from None
    assert capsys.readouterr().out.split() == ["False", "True"]
