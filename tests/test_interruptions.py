"""The user's code that Python runs in the middle of Kadam's: signal handlers wait, finalisers are answered aside."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kadam
from kadam import nn
from kadam.recording.interruptions import is_amid
from kadam.recording.step import state


def train(steps: int, watch: Callable[[dict[str, Any]], None] = lambda seen: None) -> list[float]:
    """Losses of a run whose tensors `watch` is given as they come."""
    kadam.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = kadam.optim.Adam(model.parameters(), lr=0.01)
    inputs, targets = kadam.randn(32, 4), kadam.randn(32, 1)
    counts, losses = kadam.zeros(3), []
    for step in range(steps):
        optimizer.zero_grad()
        predicted = model(inputs)
        loss = ((predicted - targets) ** 2).mean()
        watch({"model": model, "loss": loss, "predicted": predicted})
        counts[step % 3] += 1.0
        copy = predicted.detach().clone()
        copy[0] = step
        copy.mul_(2)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        assert copy[0].item() == 2 * step
    assert counts.tolist() == [len(range(first, steps, 3)) for first in range(3)]
    return losses


def look(seen: dict[str, Any]) -> tuple[float, float, float]:
    """Read, and compute with, tensors that the interrupted call may be about to use or make."""
    loss, model = seen["loss"], seen["model"]
    weights = sum(one.detach().clone().sum().item() for one in model.parameters())
    assert kadam.allclose(loss * 2.5, kadam.tensor(loss.item() * 2.5))
    return loss.item(), weights, (seen["predicted"] * 3).sum().item()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers")
def test_signal_handlers_may_read_whatever_they_interrupt() -> None:
    expected = train(150)
    seen: dict[str, Any] = {}
    looked = []

    def handler(number: int, frame: Any) -> None:
        assert not is_amid(frame)
        if seen:
            looked.append(look(seen))
        if not over:
            signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.0003 * (len(looked) % 7))

    over = False
    before = signal.signal(signal.SIGALRM, handler)
    try:
        assert signal.getsignal(signal.SIGALRM) is handler
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        losses = train(150, seen.update)
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert signal.signal(signal.SIGALRM, before) is handler
    assert losses == pytest.approx(expected, rel=1e-4)
    assert len(looked) >= 5


def test_a_signal_amid_a_call_arrives_once_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from kadam.recording import calls

    arrived: list[str] = []
    first_sight = calls.extend

    def interrupted(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGUSR1)
        for _ in range(100):  # Python looks for signals here
            len(arrived)
        arrived.append("the call ends")
        return first_sight(*arguments)

    interrupted.__code__ = interrupted.__code__.replace(co_filename=first_sight.__code__.co_filename)
    monkeypatch.setattr(calls, "extend", interrupted)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: arrived.append("the signal"))
    try:
        kadam.ones(3, 5, 7) * 1.2345
        len(arrived)  # Python looks for signals after calls, not after operators
        arrived.append("a later line")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert arrived == ["the call ends", "the signal", "a later line"]


def test_an_exception_from_a_handler_leaves_the_recording_whole() -> None:
    class LateError(Exception):
        pass

    def handler(number: int, frame: Any) -> None:
        raise LateError

    weight = kadam.ones(3, requires_grad=True)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for turn in range(40):
            total = kadam.zeros(3)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.0001 * (turn % 9))
                for step in range(10_000):
                    total = total + weight * step
            except LateError:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert total[0].item() == total[1].item()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    (weight * 2).sum().backward()
    assert weight.grad.tolist() == [2, 2, 2]


@pytest.fixture
def threshold(request: pytest.FixtureRequest) -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(request.param)
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("threshold", [3, 23, 57], indirect=True)
def test_finalisers_may_read_whatever_they_interrupt(threshold: None) -> None:
    seen: dict[str, Any] = {}
    looked: list[tuple[float, float, float]] = []
    failures: list[BaseException] = []

    class Cycle:
        alive = True

        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            try:
                if seen and len(looked) < 300:
                    looked.append(look(seen))
            except BaseException as error:
                failures.append(error)
            if Cycle.alive:
                Cycle()

    Cycle()
    losses = train(40, seen.update)
    Cycle.alive = False
    gc.collect()
    assert not failures, failures[0]
    assert len(looked) > 5
    gc.set_threshold(0)
    assert losses == pytest.approx(train(40), rel=1e-4)


def test_handlers_of_other_threads_and_the_default_ones_are_as_before() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    found: list[Any] = []

    def register() -> None:
        try:
            signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        except ValueError as error:
            found.append(error)

    thread = threading.Thread(target=register)
    thread.start()
    thread.join()
    assert len(found) == 1
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert not is_amid(sys._getframe())


def test_a_collection_while_a_threads_state_is_made_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    before = gc.get_threshold()

    def first_look() -> None:
        gc.set_threshold(1)
        try:
            assert state.grad
        finally:
            gc.set_threshold(*before)

    thread = threading.Thread(target=first_look)
    thread.start()
    thread.join()
    assert not told
