"""Ctrl-C and the like while a run is under way: a wish that is noted, and granted between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Wish:
    """Whether someone wants the run to end.

    Attributes:
        signal: the signal that asked for it; None if nobody did.
    """

    signal: signal.Signals | None = None


@contextmanager
def noted() -> Iterator[Wish]:
    """Note Ctrl-C and SIGTERM instead of ending at once; a second one ends at once.

    Only the main thread can; elsewhere signals do what they always do.
    """
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before: dict[signal.Signals, signal._HANDLER] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if wish.signal is not None:
            raise KeyboardInterrupt
        wish.signal = signal.Signals(number)

    for one in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(one) in (signal.default_int_handler, signal.SIG_DFL):  # nobody else listens
            before[one] = signal.signal(one, note)
    try:
        yield wish
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
