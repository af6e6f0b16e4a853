"""Models as ONNX files. As `torch.onnx`."""

from kadam import missing
from kadam.onnx.export import export

__all__ = ["export"]

missing.install(__name__)
