"""How long statements take, and tables of it. As `torch.utils.benchmark`."""

from kadam import missing
from kadam.utils.benchmark.compare import Compare
from kadam.utils.benchmark.measurement import Measurement, TaskSpec, select_unit
from kadam.utils.benchmark.timer import Language, Timer

__all__ = ["Compare", "Language", "Measurement", "TaskSpec", "Timer", "select_unit"]

missing.install(__name__)
