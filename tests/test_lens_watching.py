"""While steps are watched modules are called as always: hooks of the program are called, errors name their module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kadam as torch
from kadam import lens, nn
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.loop import StaleGradients
from kadam.lens.step import Step


def trained(model: nn.Module, steps: int = 2) -> lens.Watched:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.ones(2, 3), torch.zeros(2, 1)
    with lens.watch(steps=lambda index: True) as seen:
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    return seen


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def paths(step: Step) -> list[tuple[str, str, int]]:
    return [(call.path, call.kind, call.depth) for call in step.calls]


def test_hooks_of_the_program_are_called_and_change_what_they_say() -> None:
    plain, hooked, met = model(), model(), []
    hooked[1].register_forward_hook(lambda module, args, output: met.append(type(module).__name__) or 2 * output)
    before, after = trained(plain), trained(hooked)
    assert met == ["Tanh", "Tanh"]
    assert paths(before.steps[1]) == paths(after.steps[1])
    assert before.records[0].loss != after.records[0].loss


def test_hooks_of_all_modules_are_called_too() -> None:
    met: list[str] = []
    handle = nn.modules.module.register_module_forward_hook(lambda module, args, output: met.append(str(type(module))))
    try:
        seen = trained(model(), 1)
    finally:
        handle.remove()
    assert len(met) == 4
    assert len(seen.steps[0].calls) == 4


def test_nothing_is_left_behind() -> None:
    before = nn.Module._call_with_hooks
    one = model()
    trained(one)
    assert nn.Module._call_with_hooks is before
    np.testing.assert_array_equal(one(torch.ones(1, 3)).shape, (1, 1))


def test_a_failing_inner_module_is_named() -> None:
    class Wrong(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("wrong")

    failing = nn.Sequential(nn.Linear(3, 4), nn.Sequential(Wrong()))
    with pytest.raises(ValueError, match="wrong"), lens.watch(steps=()) as seen:
        failing(torch.ones(2, 3))
    assert seen is not None
    assert seen.partial is not None
    assert seen.partial.fault is not None
    assert seen.partial.fault.scope == "1.0"


def test_gradients_are_only_compared_where_there_is_something_to_compare() -> None:
    room, seen = StaleGradients(), trained(model(), 3)
    for record in seen.records:
        room.see(record, Links(seen.steps[record.index]))
    assert room.looked == 2
    assert not room.stale
    assert not any("values" in vars(used) for _, used in room.last.values())


@pytest.mark.parametrize("given", [nn.Linear(2, 1), nn.ModuleDict({"a": nn.Linear(2, 1)}), "all", 3])
def test_what_names_no_steps_is_refused_at_once(given: object) -> None:
    with pytest.raises(TypeError, match=r"takes none\. Fix: `with kadam\.lens\.watch\(\) as seen:`"):
        lens.watch(given)  # type: ignore[arg-type]


def test_a_program_of_pytorch_s_own_is_told_that_nothing_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "plain.py").write_text(
        "import torch\nfrom kadam import lens\nwith lens.watch() as seen:\n    torch.ones(1)\nprint(seen.records)\n"
    )
    ran = subprocess.run([sys.executable, "plain.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "plain.py:3: UserWarning: kadam.lens.watch saw no training step" in ran.stderr
    assert ran.stdout == "[]\n"
