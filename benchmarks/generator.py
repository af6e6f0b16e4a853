"""How long random numbers take to draw, beside PyTorch in the same process, the two in turn.

python benchmarks/generator.py [millions]

Prints milliseconds and Kadam's time over PyTorch's; fails where `rand` takes more than three times as long.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from kadam.recording.generator import Generator

ROUNDS = 7
LARGEST_RATIO = 3.0  # of `rand`, the draw that everything else is made of

Draw = Callable[[int], object]
_ours = Generator()
CASES: dict[str, tuple[Draw, Draw]] = {
    "rand": (torch.rand, lambda n: _ours.uniform((n,))),
    "rand float64": (lambda n: torch.rand(n, dtype=torch.float64), lambda n: _ours.uniform((n,), dtype=np.float64)),
    "uniform_(-0.1, 0.1)": (lambda n: torch.empty(n).uniform_(-0.1, 0.1), lambda n: _ours.uniform((n,), -0.1, 0.1)),
    "randn": (torch.randn, lambda n: _ours.normal((n,))),
    "normal_(0.5, 0.1)": (lambda n: torch.empty(n).normal_(0.5, 0.1), lambda n: _ours.normal((n,), 0.5, 0.1)),
    "bernoulli_(0.9)": (
        lambda n: torch.empty(n, dtype=torch.bool).bernoulli_(0.9),
        lambda n: _ours.bernoulli((n,), 0.9),
    ),
    "randint(10)": (lambda n: torch.randint(10, (n,)), lambda n: _ours.integers(0, 10, (n,))),
    "exponential_": (lambda n: torch.empty(n).exponential_(), lambda n: _ours.exponential((n,))),
    "randperm": (torch.randperm, _ours.permutation),
}


def elapsed_s(draw: Draw, n: int) -> float:
    """The time of one draw of n numbers, in seconds."""
    start = time.perf_counter()
    draw(n)
    return time.perf_counter() - start


def compare(theirs: Draw, ours: Draw, n: int) -> tuple[float, float]:
    """The median times of PyTorch's draw and of Kadam's, in seconds."""
    rounds = [(elapsed_s(theirs, n), elapsed_s(ours, n)) for _ in range(ROUNDS)]
    return statistics.median(one for one, _ in rounds), statistics.median(other for _, other in rounds)


def main() -> int:
    n = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000
    print(f"{n:,} numbers, PyTorch {torch.__version__}, median of {ROUNDS} rounds")
    ratios = {}
    for name, (theirs, ours) in CASES.items():
        their_s, our_s = compare(theirs, ours, n)
        ratios[name] = our_s / their_s
        print(f"  {name:22} PyTorch {their_s * 1e3:8.1f} ms   Kadam {our_s * 1e3:8.1f} ms   ratio {ratios[name]:5.2f}")
    return int(ratios["rand"] > LARGEST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
