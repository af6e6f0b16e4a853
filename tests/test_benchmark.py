"""`torch.utils.benchmark` and `torch.utils.dlpack`, `torch.amp.custom_fwd`: as PyTorch's, and honest."""

from __future__ import annotations

import re

import numpy as np
import pytest

import kadam
from kadam.utils import benchmark, dlpack


def clock(*ticks):
    rest = iter(ticks)
    return lambda: next(rest)


def test_what_is_timed_is_computed():
    seen, x = [], kadam.ones(400, 400)
    small, large = (
        benchmark.Timer("x @ x", globals={"x": size}).timeit(20).median
        for size in (kadam.ones(2, 2), kadam.ones(700, 700))
    )
    assert large > 5 * small  # a product that nobody reads is computed all the same
    benchmark.Timer("seen.append(y.sum().item())", "y = x + 1", globals={"seen": seen, "x": x}).timeit(3)
    assert seen == [320000.0] * 13  # ten runs that are not timed come first


def test_statements_of_several_lines_see_the_names_they_are_given():
    done = []
    benchmark.Timer(
        """
        for step in range(2):
            done.append(step + start)
        """,
        "start = 5",
        globals={"done": done},
    ).timeit(1)
    assert done == [5, 6] * 11


def test_the_clock_gives_the_times():
    timer = benchmark.Timer(timer=clock(0.0, 1.0, 2.0, 2.5), label="Nothing", sub_label="[1]", num_threads=2)
    found = timer.timeit(10)
    assert (found.times, found.mean, found.median, found.iqr, found.number_per_run) == ([0.05], 0.05, 0.05, 0.0, 10)
    assert repr(found).splitlines()[1:] == ["Nothing: [1]", "  50.00 ms", "  1 measurement, 10 runs , 2 threads"]


def test_many_measurements():
    found = benchmark.Timer("x + 1", globals={"x": kadam.ones(3)}).blocked_autorange(min_run_time=0.3)
    assert sum(found.raw_times) >= 0.3
    assert found.iqr >= 0
    assert re.search(
        r"Median: .*\n  IQR: .* to .*\n  \d+ measurements, \d+ runs per measurement, 1 thread", repr(found)
    )
    quick = benchmark.Timer("x + 1", globals={"x": kadam.ones(3)}).adaptive_autorange(0.9, max_run_time=0.5)
    assert quick.meets_confidence(0.9) or sum(quick.raw_times) >= 0.5


def test_what_is_printed_is_pytorchs():
    theirs = pytest.importorskip("torch.utils.benchmark")
    texts = []
    for m in (benchmark, theirs):
        spec = {"stmt": "x * 2", "setup": "x = 1", "label": "Products", "num_threads": 1}
        times = {("mul", "[1]"): [2e-6, 2.1e-6, 2.2e-6, 2.0e-6], ("mul", "[64]"): [9e-6, 9.1e-6, 9.1e-6, 30e-6],
                 ("bmm", "[1]"): [1e-6, 1.1e-6, 1.2e-6, 1e-6], ("bmm", "[64]"): [45e-6]}  # fmt: skip
        results = [
            m.Measurement(1, raw, m.TaskSpec(**spec, description=name, sub_label=size))
            for (name, size), raw in times.items()
        ]
        table = m.Compare(results)
        texts.append([str(table).rstrip(), *(re.sub("at 0x[0-9a-f]+", "", repr(one)) for one in results)])
    assert [[line.rstrip() for line in text.splitlines()] for text in texts[0]] == [
        [line.rstrip() for line in text.splitlines()] for text in texts[1]
    ]


def test_tables_trim_and_mark():
    rows = [benchmark.Measurement(1, raw, benchmark.TaskSpec("x", "pass", description=name)) for name, raw in
            (("a", [1e-3, 1.4e-3, 0.8e-3, 2e-3]), ("b", [5e-3] * 4))]  # fmt: skip
    table = benchmark.Compare(rows)
    table.trim_significant_figures()
    table.highlight_warnings()
    table.colorize()
    assert "(! " in str(table)
    assert "\033[92m" in str(table)
    with pytest.raises(ValueError, match="Measurement"):
        table.extend_results([1.0])


def test_what_is_not_timed_is_said():
    with pytest.raises(NotImplementedError, match="language"):
        benchmark.Timer("int x;", language="c++")
    with pytest.raises(NotImplementedError, match="callgrind"):
        benchmark.Timer("1").collect_callgrind()


def test_memory_is_shared_with_numpy_both_ways():
    array = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    taken = dlpack.from_dlpack(array)
    array[0, 0] = 7
    assert taken[0, 0].item() == 7
    own = kadam.ones(3)
    np.from_dlpack(own)
    again = dlpack.from_dlpack(dlpack.to_dlpack(own))
    again[1] = 5
    assert own.tolist() == [1, 5, 1]


def test_memory_is_shared_with_pytorch():
    torch = pytest.importorskip("torch")
    own = kadam.arange(4.0)
    theirs = torch.from_dlpack(own)
    theirs[2] = 9
    assert own.tolist() == [0, 1, 9, 3]
    back = dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(theirs))
    assert back.tolist() == [0, 1, 9, 3]


@pytest.mark.parametrize("cast", [None, "float32", "bfloat16"])
def test_functions_in_regions_of_lower_precision(cast):
    torch = pytest.importorskip("torch")

    def seen(m):
        kinds = []

        class Product(m.autograd.Function):
            @staticmethod
            @m.amp.custom_fwd(device_type="cpu", cast_inputs=cast and getattr(m, cast))
            def forward(ctx, a, b):
                ctx.save_for_backward(a, b)
                kinds.append((str(a.dtype), m.is_autocast_enabled("cpu")))
                return a.mm(b)

            @staticmethod
            @m.amp.custom_bwd(device_type="cpu")
            def backward(ctx, slope):
                a, b = ctx.saved_tensors
                kinds.append((str(slope.dtype), m.is_autocast_enabled("cpu")))
                return slope.mm(b.t()).to(a.dtype), a.t().mm(slope).to(b.dtype)

        a, b = (m.ones(2, 2, requires_grad=True) for _ in range(2))
        with m.autocast("cpu", dtype=m.bfloat16):
            found = Product.apply(a, b)
        found.float().sum().backward()
        Product.apply(a, b)
        return kinds, str(found.dtype), a.grad.tolist(), b.grad.tolist()

    assert seen(kadam) == seen(torch)
