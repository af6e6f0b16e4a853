"""Results that are told later. As `torch.futures`."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from kadam import missing

Result = TypeVar("Result")


class Future(Generic[Result]):
    """A result that another thread may wait for, and functions that are called once it is told."""

    def __init__(self, *, devices: Sequence[Any] | None = None) -> None:
        self._told: concurrent.futures.Future[Result] = concurrent.futures.Future()

    def done(self) -> bool:
        """Whether the result, or the error in its place, is told."""
        return self._told.done()

    def wait(self) -> Result:
        """The result, as soon as it is told; the error, if that was told in its place."""
        return self._told.result()

    def value(self) -> Result:
        """The result, which must be told already.

        Raises:
            RuntimeError: it is not.
        """
        if not self.done():
            raise RuntimeError("Future.value: the result is not told yet. Fix: call wait(), or set_result() before.")
        return self._told.result()

    def set_result(self, result: Result) -> None:
        """Tell the result.

        Raises:
            RuntimeError: one is told already.
        """
        self._refuse_second("set_result")
        self._told.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Tell an error in place of a result: who waits gets it raised.

        Raises:
            AssertionError: it is no exception.
        """
        if not isinstance(result, Exception):
            raise AssertionError(f"Future.set_exception: {result!r} is no exception. Fix: give an Exception.")
        self._refuse_second("set_exception")
        self._told.set_exception(result)

    def add_done_callback(self, callback: Callable[[Future[Result]], Any]) -> None:
        """Call a function with this future once the result is told, or now if it is."""
        self._told.add_done_callback(lambda told: callback(self))

    def then(self, callback: Callable[[Future[Result]], Any]) -> Future[Any]:
        """The future of what a function makes of this one once its result is told."""
        following: Future[Any] = Future()

        def go_on(first: Future[Result]) -> None:
            try:
                following.set_result(callback(first))
            except Exception as error:
                following.set_exception(
                    RuntimeError(f"Future.then: the function failed: {type(error).__name__}: {error}")
                )

        self.add_done_callback(go_on)
        return following

    def _refuse_second(self, method: str) -> None:
        if self.done():
            raise RuntimeError(f"Future.{method}: a result is told already. Fix: make a new Future.")


def collect_all(futures: Sequence[Future[Any]]) -> Future[list[Future[Any]]]:
    """The future of the list of all futures, told once all of them are."""
    collected: Future[list[Future[Any]]] = Future()
    waiting = list(futures)

    def one_less(told: Future[Any]) -> None:
        waiting.remove(told)
        if not waiting:
            collected.set_result(list(futures))

    for future in futures:
        future.add_done_callback(one_less)
    if not futures:
        collected.set_result([])
    return collected


def wait_all(futures: Sequence[Future[Any]]) -> list[Any]:
    """The results of all futures."""
    return [future.wait() for future in futures]


__all__ = ["Future", "collect_all", "wait_all"]

missing.install(__name__)
