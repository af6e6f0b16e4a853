"""Timing of a statement.

Kadam computes what is held or read, when it is read. So the value of an expression is held, and after each run what is
recorded is computed: what is timed is what PyTorch would have computed.
"""

from __future__ import annotations

import ast
import textwrap
import timeit
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from kadam.errors import UnsupportedError
from kadam.recording.step import cut, state
from kadam.settings import get_num_threads, set_num_threads
from kadam.utils.benchmark.measurement import Measurement, TaskSpec

_KEPT = "_value_of_the_statement"
_SETTLING = 10  # runs after which what runs is compiled
_BLOCKS = 20  # measurements that a time of blocks is divided into, at least


class Language(Enum):
    """Of statements; Kadam times Python."""

    PYTHON = 0
    CPP = 1


class Timer:
    """Times a statement. As `torch.utils.benchmark.Timer`.

    Args:
        stmt, setup: Python; the preparation runs before each measurement and is not timed.
        global_setup: for C++ only.
        timer: a clock, in seconds.
        globals: the names that the statement sees.
        label, sub_label, description, env: what tables say of it.
        num_threads: how many threads a step may use meanwhile.
        language: "py".

    Raises:
        UnsupportedError: the language is another.
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timeit.default_timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Language | str = Language.PYTHON,
    ) -> None:
        if language not in (Language.PYTHON, "py", "python"):
            raise UnsupportedError(f"benchmark.Timer: language={language!r} is not supported. Fix: time Python.")
        stmt, setup = textwrap.dedent(stmt).strip(), textwrap.dedent(setup).strip()
        self._task_spec = TaskSpec(stmt, setup, global_setup, label, sub_label, description, env, num_threads)
        self._run = _compiled(stmt, setup, timer, globals)

    def _timed(self, number: int) -> float:
        before = get_num_threads()
        set_num_threads(self._task_spec.num_threads)
        try:
            return float(self._run(number))
        finally:
            set_num_threads(before)

    def timeit(self, number: int = 1000000) -> Measurement:
        """One measurement of `number` runs, after some that are not timed."""
        self._timed(max(number // 100, _SETTLING))
        return Measurement(number, [self._timed(number)], self._task_spec)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Measurements of as many runs each as make a clock precise, for at least `min_run_time` seconds."""
        number = self._block(min_run_time)
        times: list[float] = []
        while sum(times) < min_run_time:
            times.append(self._timed(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:
        """Measurements until they scatter by less than `threshold` of the median, or `max_run_time` is over."""
        number = self._block(min_run_time)
        found = Measurement(number, [], self._task_spec)
        while sum(found.raw_times) < max_run_time:
            found.raw_times.append(self._timed(number))
            if callback is not None:
                callback(number, found.raw_times[-1])
            if sum(found.raw_times) >= min_run_time and found.meets_confidence(threshold):
                break
        return found

    def autorange(self, callback: Callable[[int, float], Any] | None = None) -> Measurement:
        """As `blocked_autorange`."""
        return self.blocked_autorange(callback)

    def collect_callgrind(self, *args: Any, **kwargs: Any) -> Any:
        """Not supported.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "benchmark.Timer.collect_callgrind: instructions are not counted. Fix: blocked_autorange()."
        )

    def _block(self, min_run_time: float) -> int:
        number = 1
        self._timed(_SETTLING)
        while (taken := self._timed(number)) < min_run_time / _BLOCKS:
            number = max(2 * number, int(number * min(min_run_time / _BLOCKS / max(taken, 1e-9), 10)))
        return number


def _compiled(
    stmt: str, setup: str, timer: Callable[[], float], names: Mapping[str, Any] | None
) -> Callable[[int], float]:
    """A function that prepares, runs the statement that many times and says how long the runs took."""
    body = ast.parse(stmt).body
    if body and isinstance(body[-1], ast.Expr):
        body[-1] = ast.Assign([ast.Name(_KEPT, ast.Store())], body[-1].value)
    module = ast.parse(
        "def run(_number):\n"
        "    _computed()\n"
        "    _begin = _clock()\n"
        "    for _ in range(_number):\n"
        "        _computed()\n"
        "    return _clock() - _begin\n"
    )
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body[:0] = ast.parse(setup).body
    loop = function.body[-2]
    assert isinstance(loop, ast.For)
    loop.body[:0] = body
    space = {**(names or {}), "_clock": timer, "_computed": _computed}
    exec(compile(ast.fix_missing_locations(module), "<timed statement>", "exec"), space)
    run: Callable[[int], float] = space["run"]
    return run


def _computed() -> None:
    """Compute what is recorded and held."""
    if state.rec is not None:
        cut(state.rec)


__all__ = ["Language", "Timer"]
