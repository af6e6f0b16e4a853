"""Capturing: steps joined from recordings, with parameters, gradients and events, against what the program has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kadam as torch
from kadam import lens, nn
from kadam.ir.graph import Phase
from kadam.lens.explain import explain
from kadam.lens.step import StepRecord
from kadam.recording.step import state


def make(seed: int = 0) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    return model, torch.randn(5, 3), torch.randn(5, 1)


def train(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, reads: str = "after"
) -> list[dict[str, object]]:
    """Train, and note what each step's gradients and parameters were."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    for _ in range(steps):
        before = {name: one.detach().clone() for name, one in model.named_parameters()}
        loss = nn.functional.mse_loss(model(x), y)
        if reads == "before":
            loss.item()
        optimizer.zero_grad()
        loss.backward()
        grads = {name: one.grad.clone() for name, one in model.named_parameters()}
        optimizer.step()
        after = {name: one.detach().clone() for name, one in model.named_parameters()}
        seen.append({"loss": loss.item(), "before": before, "grads": grads, "after": after})
    return seen


@pytest.mark.parametrize("reads", ["after", "before"])
def test_a_step_has_the_programs_own_numbers(reads: str) -> None:
    model, x, y = make()
    with lens.watch(steps=lambda index: True) as seen:
        own = train(model, x, y, 5, reads)
    assert sorted(seen.steps) == [0, 1, 2, 3, 4]
    for index, noted in enumerate(own):
        step = seen.steps[index]
        assert step.loss is not None
        assert float(step.value(step.loss)) == pytest.approx(noted["loss"], rel=1e-6)
        assert [one.name for one in step.parameters] == ["0.weight", "0.bias", "2.weight", "2.bias"]
        for one in step.parameters:
            assert one.grad is not None
            assert one.next is not None
            np.testing.assert_allclose(step.value(one.value), noted["before"][one.name].numpy())
            np.testing.assert_allclose(step.value(one.grad), noted["grads"][one.name].numpy(), rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(step.value(one.next), noted["after"][one.name].numpy(), rtol=1e-6)
            assert step.graph.updates[one.value] is one.next


def test_recordings_that_were_cut_in_between_are_one_graph() -> None:
    model, x, y = make()
    with lens.watch(steps={1}) as seen:
        train(model, x, y, 3, "before")
    graph = seen.steps[1].graph
    phases = {phase: sum(node.phase is phase for node in graph.nodes) for phase in Phase}
    assert all(phases.values())
    for node in graph.nodes:
        assert graph.nodes[node.id] is node
        assert all(source.id < node.id for source in node.inputs)
        if node.origin is not None:
            assert graph.nodes[node.origin].phase in (Phase.FORWARD, Phase.LOSS)
    own = [one for one in graph.inputs if one.shape in ((4, 3), (1, 4))]
    assert len(own) == 2  # a weight that forward and backward were both fed with is one input


def test_what_the_program_did_is_told_in_order() -> None:
    model, x, y = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with lens.watch(steps=()) as seen:
        for _ in range(2):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            model(x)
    kinds = [event.kind for event in seen.records[1].events]
    order = ["zero_grad", "forward", "backward", "optimizer_step"]
    assert [kind for kind in kinds if kind in order] == order
    assert "scheduler_step" in [event.kind for record in seen.records for event in record.events] + [
        event.kind for event in seen.after
    ]
    later = [event for event in seen.after if event.kind in ("eval", "grad_mode", "forward")]
    assert [event.kind for event in later] == ["eval", "grad_mode", "forward", "grad_mode"]
    assert later[2].fact("training") is False
    assert later[2].fact("grad") is False
    assert all(event.source is not None and event.source.file.endswith("test_lens_capture.py") for event in later)


def test_gradients_that_nobody_used_end_a_step_when_they_are_forgotten() -> None:
    model, x, y = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch(steps=lambda index: True) as seen:
        for _ in range(3):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            loss.item()
    assert len(seen.records) == 3
    assert all(not any(event.kind == "optimizer_step" for event in record.events) for record in seen.records)
    assert all(one.next is None and one.grad is not None for one in seen.steps[0].parameters)


def test_gradient_accumulation_is_one_step() -> None:
    model, x, y = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with lens.watch(steps={0}) as seen:
        for _ in range(2):
            optimizer.zero_grad()
            for _ in range(3):
                nn.functional.mse_loss(model(x), y).backward()
            optimizer.step()
    assert len(seen.records) == 2
    assert len(seen.steps[0].roots) == 3
    one = seen.steps[0].parameter("2.bias")
    assert one.grad is not None
    reference, _, _ = make()
    (nn.functional.mse_loss(reference(x), y) * 3).backward()
    expected = dict(reference.named_parameters())["2.bias"].grad
    np.testing.assert_allclose(seen.steps[0].value(one.grad), expected.numpy(), rtol=1e-5)


def test_summaries_are_those_of_the_tensors() -> None:
    model, x, y = make()
    with lens.watch(steps=()) as seen:
        own = train(model, x, y, 6)
    for record, noted in zip(seen.records, own, strict=True):
        assert record.loss == pytest.approx(noted["loss"], rel=1e-5)
        for name, grad in noted["grads"].items():
            summary = record.gradients[name]
            assert summary.norm == pytest.approx(float(np.linalg.norm(grad.numpy())), rel=1e-4)
            assert summary.largest == pytest.approx(float(np.abs(grad.numpy()).max()), rel=1e-5)
            assert summary.mean == pytest.approx(float(grad.numpy().mean()), rel=1e-3, abs=1e-7)
            moved = noted["after"][name].numpy() - noted["before"][name].numpy()
            assert record.updates[name].norm == pytest.approx(float(np.linalg.norm(moved)), rel=1e-3)
            assert record.weights[name].norm == pytest.approx(
                float(np.linalg.norm(noted["before"][name].numpy())), rel=1e-5
            )
        assert record.finite
        assert set(record.activations) == {"1", "2"}  # that of "0" goes into the ReLU alone
        assert 0 <= record.activations["1"].zeros < 1  # what a ReLU has cut off


def test_watching_changes_no_number_and_leaves_nothing_behind() -> None:
    model, x, y = make()
    own = [step["loss"] for step in train(model, x, y, 6)]
    model, x, y = make()
    with lens.watch(steps={1, 3}):
        watched = [step["loss"] for step in train(model, x, y, 6)]
    np.testing.assert_allclose(watched, own, rtol=1e-6)
    assert state.watcher is None
    assert not hasattr(torch.Tensor.backward, "__wrapped__")
    assert torch.Tensor.item.__qualname__ == "Tensor.item"


def test_what_is_not_finite_shows_in_the_record() -> None:
    x = torch.zeros(3, requires_grad=True)
    with lens.watch(steps=()) as seen:
        (x.log() * 0).sum().backward()
        with torch.no_grad():
            x -= 0.1 * x.grad
        x.sum().item()
    assert not seen.records[0].finite


def test_a_step_that_is_wanted_only_once_it_is_over() -> None:
    model, x, y = make()

    def low(record: StepRecord) -> bool:
        return record.index == 2

    with lens.watch(steps=(), keep=low) as seen:
        train(model, x, y, 4)
    assert sorted(seen.steps) == [2]


def test_many_steps_are_spread_evenly() -> None:
    model, x, y = make()
    with lens.watch() as seen:
        train(model, x, y, 100)
    kept = sorted(seen.steps)
    assert 8 <= len(kept) <= 16
    assert kept[0] == 0
    assert kept[-1] >= 88
    assert len({b - a for a, b in zip(kept, kept[1:], strict=False)}) == 1


def test_a_script_is_captured_unmodified(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\n"
        "w = torch.tensor([1.0, 2.0], requires_grad=True)\n"
        "for step in range(4):\n"
        "    loss = ((w * torch.tensor([3.0, 1.0])).sum() - 1) ** 2\n"
        "    loss.backward()\n"
        "    with torch.no_grad():\n"
        "        w -= 0.01 * w.grad\n"
        "        w.grad.zero_()\n"
        "    print(step, loss.item())\n"
    )
    program = (
        "import sys\nfrom kadam import lens\n"
        f"seen = lens.capture({str(script)!r}, steps={{0}})\n"
        "one = seen.steps[0].parameter('w')\n"
        "value = seen.steps[0].value\n"
        "print(seen.code, len(seen.records), value(one.grad).tolist(), value(one.next).tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *printed, last = done.stdout.splitlines()
    assert [line.split()[0] for line in printed] == ["0", "1", "2", "3"]
    # (3 + 2 - 1)^2: the slope is 2 (5 - 1) (3, 1) = (24, 8)
    assert last == "0 4 [24.0, 8.0] [0.7599999904632568, 1.9199999570846558]"


def test_a_failing_script_leaves_what_was_recorded(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(
        "import torch\nfrom torch import nn\n"
        "model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(7, 2))\n"
        "out = model(torch.randn(3, 4))\n"
    )
    program = (
        f"from kadam import lens\nseen = lens.capture({str(script)!r})\n"
        "fault = seen.partial.fault\n"
        "print(seen.code, fault.source.line, fault.scope, len(seen.partial.graph) > 4)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 4 2 True"


def test_a_program_that_is_watched_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import torch\nassert 'kadam' in torch.__file__\nprint(torch.ones(2).sum().item())\n")
    before = dict(sys.modules), sys.argv[:], sys.path[:], sys.meta_path[:], torch.Tensor.__module__
    lens.capture(str(program))
    torches = {name for name in sys.modules if name.partition(".")[0] == "torch"}
    assert torches == {name for name in before[0] if name.partition(".")[0] == "torch"}
    assert (sys.argv, sys.path, sys.meta_path, torch.Tensor.__module__) == before[1:]


def test_steps_that_take_closures_are_told_apart() -> None:
    model, x, y = make()
    optimizer = torch.optim.Adam(model.parameters())

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    with lens.watch() as seen:
        for _ in range(5):
            optimizer.step(closure)
    assert len(seen.records) == 5
    assert all(step.optimizers[0].stepped for step in seen.steps.values())
    for step in seen.steps.values():
        assert all(one.grad is not None and one.next is not None for one in step.parameters)


def test_the_gradient_of_looked_up_rows_is_captured_whole() -> None:
    torch.manual_seed(0)
    table, head = nn.Embedding(5, 2, sparse=True), nn.Linear(2, 1)
    optimizers = torch.optim.SGD(table.parameters(), lr=0.1), torch.optim.SGD(head.parameters(), lr=0.1)
    rows = torch.tensor([1, 3, 1])
    seen: list[lens.Step] = []
    wanted = []
    with lens.watch(steps=(0, 1), on_step=lambda record, step: seen.append(step) if step else None):
        for _ in range(2):
            loss = head(table(rows)).sum()
            for one in optimizers:
                one.zero_grad()
            grad = np.zeros((5, 2), np.float32)
            np.add.at(grad, [1, 3, 1], head.weight.detach().numpy()[0])
            wanted.append(grad)
            loss.backward()
            for one in optimizers:
                one.step()
            loss.item()
    assert len(seen) == 2
    for step, grad in zip(seen, wanted, strict=True):
        looked_up = next(one for one in step.parameters if one.value.shape == (5, 2))
        assert looked_up.grad is not None
        assert np.allclose(step.value(looked_up.grad), grad)
        reckoning = explain(step, f"{looked_up.name}[1,0]").reckoning
        assert reckoning is not None
        assert reckoning.expected == pytest.approx(grad[1, 0])
