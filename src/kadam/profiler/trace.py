"""A profile as a file that browsers draw (chrome://tracing, Perfetto)."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from kadam.profiler.averages import Span


def write_trace(path: str, spans: Iterable[Span]) -> None:
    """Write spans in Chrome's trace format."""
    events = [
        {"ph": "X", "cat": "user_annotation", "name": one.name, "pid": os.getpid(), "tid": 0,
         "ts": one.start_us, "dur": one.end_us - one.start_us}
        for one in spans
    ]  # fmt: skip
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"traceEvents": events}, file)


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """What `profile(on_trace_ready=...)` calls to write a file for TensorBoard's trace viewer into a folder."""

    def write(profile: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        profile.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return write
