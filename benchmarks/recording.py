"""What a recorded call costs, and where the time goes.

    python benchmarks/recording.py

Times are the best of several runs of many calls, in microseconds a call; nothing is computed inside the timed part.
With PyTorch installed, the whole lesson loop is timed side by side, alternating.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import kadam
from kadam import nn
from kadam.recording.step import cut, state

CALLS, ROUNDS = 500, 15


def cost_us(call: Callable[[], object]) -> float:
    """The cost of one call, in microseconds: the best of some rounds, each ended by a cut that is not timed."""
    best = float("inf")
    for _ in range(ROUNDS):
        cut(state.rec)
        held = None
        started = time.perf_counter()
        for _ in range(CALLS):
            held = call()
        best = min(best, time.perf_counter() - started)
        del held
        state.rec.roll_back()
        forget()
    return best / CALLS * 1e6


def forget() -> None:
    """Drop the recording unrun."""
    rec = state.rec
    rec.here, rec.created, rec.feeds = state.roots[state.grad], [], []


def loop(torch: object, steps: int) -> float:
    """The lesson's training loop: microseconds a step."""
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    criterion = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]])
    started = time.perf_counter()
    for _ in range(steps):
        outputs = model(x)
        loss = criterion(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
    return (time.perf_counter() - started) / steps * 1e6


def parts_us(steps: int) -> dict[str, float]:
    """What the calls of a step of the lesson's loop take: the median of many steps, in microseconds, without the clock.

    The last one, which reads the loss, cuts the recording and runs the step's program.
    """
    kadam.manual_seed(0)
    model, criterion = nn.Linear(1, 1), nn.MSELoss()
    optimizer = kadam.optim.SGD(model.parameters(), lr=0.01)
    x, y = kadam.tensor([[1.0], [2.0]]), kadam.tensor([[2.0], [4.0]])
    clock = time.perf_counter
    marks = []
    for _ in range(steps):
        began = clock()
        outputs = model(x)
        called = clock()
        loss = criterion(outputs, y)
        judged = clock()
        optimizer.zero_grad()
        cleared = clock()
        loss.backward()
        swept = clock()
        optimizer.step()
        updated = clock()
        loss.item()
        marks.append((began, called, judged, cleared, swept, updated, clock()))
    reading = statistics.median(-clock() + clock() for _ in range(steps))
    names = [
        "model(x)",
        "criterion(outputs, y)",
        "zero_grad()",
        "backward()",
        "optimizer.step()",
        "item(): cut, engine",
    ]
    spans = zip(*[[later - earlier for earlier, later in itertools.pairwise(one)] for one in marks], strict=True)
    return {name: (statistics.median(span) - reading) * 1e6 for name, span in zip(names, spans, strict=True)}


def main() -> None:
    """Print the table."""
    x, linear, relu = kadam.randn(4, 8), nn.Linear(8, 8), nn.ReLU()
    weight = linear.weight
    stack = nn.Sequential(linear, relu)
    empty = type("Empty", (nn.Module,), {"forward": lambda self, x: x})()
    rows = [
        ("empty module", lambda: empty(x)),
        ("x + x (operation)", lambda: x + x),
        ("x * 0.5 (a number is an input)", lambda: x * 0.5),
        ("F.linear(x, weight, bias)", lambda: nn.functional.linear(x, weight, linear.bias)),
        ("nn.Linear", lambda: linear(x)),
        ("nn.ReLU", lambda: relu(x)),
        ("nn.Sequential(Linear, ReLU)", lambda: stack(x)),
        ("x.view(2, 16) of known values", lambda: x.view(2, 16)),
        ("x[1:3] of known values", lambda: x[1:3]),
    ]
    print(f"{'a hot call of':34} microseconds")
    for name, call in rows:
        print(f"{name:34} {cost_us(call):6.2f}")
    times = {"kadam": [], "torch": []}
    try:
        import torch
    except ImportError:
        torch = None
    for _ in range(5):
        times["kadam"].append(loop(kadam, 2000))
        if torch is not None:
            times["torch"].append(loop(torch, 2000))
    print("\nlesson loop, Linear(1, 1), SGD: microseconds a step")
    for name, found in times.items():
        if found:
            print(f"{name:34} {min(found):6.1f}")
    for name, took in parts_us(2000).items():
        print(f"{'  kadam: ' + name:34} {took:6.1f}")


if __name__ == "__main__":
    main()
