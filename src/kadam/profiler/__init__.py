"""How long the parts of a program take that it gives names to. As `torch.profiler`."""

from kadam import missing
from kadam.profiler.averages import Average, Averages
from kadam.profiler.profile import ProfilerAction, ProfilerActivity, profile, record_function, schedule
from kadam.profiler.trace import tensorboard_trace_handler


def kineto_available() -> bool:
    """True: `profile` is there, and needs nothing beside Kadam."""
    return True


__all__ = [
    "Average", "Averages", "ProfilerAction", "ProfilerActivity", "kineto_available", "profile",
    "record_function", "schedule", "tensorboard_trace_handler",
]  # fmt: skip

missing.install(__name__)
