"""What signal processing needs beside `torch.fft`. As `torch.signal`."""

from kadam import missing
from kadam.signal import windows

__all__ = ["windows"]

missing.install(__name__)
