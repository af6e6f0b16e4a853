"""Programs whose shapes or structure keep changing: what they compile, what they record, and that they are right."""

from __future__ import annotations

import pytest

import kadam
from kadam.engines.native.stats import counters
from kadam.recording import counts, step, tiers
from kadam.recording.step import state


@pytest.fixture
def compiled(monkeypatch):
    """The graphs that the native engine is asked for, from a trail of its own; they go on on the reference engine."""
    graphs = []
    monkeypatch.setattr(tiers, "NATIVE_AFTER", 2)
    monkeypatch.setattr(tiers.native, "compile", lambda graph, over, run: graphs.append(graph) or run)
    monkeypatch.setattr(tiers.native, "compile_own", lambda: None)
    step.forget_paths()
    yield graphs
    step.forget_paths()
    counts.carry({})


def losses(sizes):
    weight = kadam.ones(3, requires_grad=True)
    for size in sizes:
        (kadam.ones(size, 3) * weight).sum().backward()
        weight.grad.tolist()
        weight.grad = None


def test_shapes_that_keep_changing_are_compiled_less_and_less(compiled):
    losses(1 + index % 200 for index in range(200 * 5))
    assert 0 < len(compiled) <= 4 * tiers.CROWD


def test_programs_that_pay_leave_no_patience_to_others(compiled):
    for size in range(1, 13):
        losses([size] * (tiers.SETTLED + 3))
    assert len(compiled) == 12


def test_large_programs_are_compiled_all_the_same(compiled):
    losses(100_000 + index % 12 for index in range(12 * 3))
    assert len(compiled) == 12


def test_patience_goes_on_in_the_next_process(compiled):
    sizes = [1 + index % 10 for index in range(200)]

    def grown(start, stop):
        found = []
        for index in range(start, stop):
            before = len(compiled)
            losses([sizes[index]])
            found += [index] * (len(compiled) - before)
        return found

    whole = grown(0, 200)
    step.forget_paths()
    first = grown(0, 45)
    carried = counts.taken(state.roots.values())
    step.forget_paths()
    counts.carry(carried)
    then = grown(45, 200)
    assert first == whole[: len(first)]
    assert len(first) < len(whole)
    later = whole[len(first) :]
    assert set(later) <= set(then)
    assert all(index < 55 for index in set(then) - set(later))  # what ran natively does so from its next run on


def test_memory_that_a_loop_fills_is_one_path_for_any_number_of_turns():
    def filled(turns):
        rewards, values, last = kadam.arange(turns) * 1.0, kadam.ones(turns), 0
        rewards.tolist()
        out = kadam.zeros(turns)
        for t in reversed(range(turns)):
            out[t] = last = rewards[t] + 0.5 * values[t] + 0.25 * last
        return out.tolist()

    def expected(turns):
        out, last = [0.0] * turns, 0.0
        for t in reversed(range(turns)):
            out[t] = last = t + 0.5 + 0.25 * last
        return out

    for turns in (3, 4):
        assert filled(turns) == pytest.approx(expected(turns))
    known = sum(1 for root in state.roots.values() for _ in root.below())
    for turns in (5, 9, 30):
        assert filled(turns) == pytest.approx(expected(turns))
    grown = sum(1 for root in state.roots.values() for _ in root.below()) - known
    assert grown < 3 * 10  # what makes the tensors, not what fills them


def test_a_filled_part_that_gradients_go_through_stays_recorded():
    x = kadam.ones(3, requires_grad=True)
    out = kadam.zeros(3)
    for t in range(3):
        out[t] = x[t] * (t + 1)
    out.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("chained", [False, True])
def test_a_pass_through_many_recordings_is_as_in_pytorch(chained):
    torch = pytest.importorskip("torch")

    def train(t):
        weight = t.full((2, 2), 0.3, requires_grad=True)
        found = []
        for length in (3, 20, 45, 37):
            h, terms = t.ones(1, 2), []
            for i in range(length):
                h = t.tanh((h if chained else t.ones(1, 2) * (0.1 * i)) @ weight)
                terms.append((h * h).sum())
                found.append(terms[-1].item())  # ends the recording
            t.stack(terms).mean().backward()
            found += weight.grad.reshape(-1).tolist()
        return found

    assert train(kadam) == pytest.approx(train(torch), rel=1e-4, abs=1e-6)


def test_a_call_seen_elsewhere_emits_the_same_graph():
    def graph(before):
        x, y = kadam.ones(4, 3), kadam.full((4, 3), 2.0)
        for _ in range(before):
            x = x * 1.5
        return (kadam.softmax(x * y, 1) @ y.t() + (x * x).sum()).tolist()

    first = [graph(before) for before in range(3)]
    step.forget_paths()
    assert [graph(before) for before in range(3)] == first


@pytest.mark.parametrize(("size", "compiled"), [(1024, 1), (16, 0)])
def test_what_runs_longer_than_compiling_takes_is_compiled_before_its_first_run(size: int, compiled: int) -> None:
    a = kadam.ones(size, size)
    before = counters.programs
    assert ((a @ a) * 0.5).sum().item() == size**3 / 2
    assert counters.programs - before == compiled
