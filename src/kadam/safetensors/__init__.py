"""Tensors in files that hold nothing else. Stands in for the package `safetensors`, whose own needs PyTorch."""

from kadam.safetensors.format import SafetensorError
from kadam.safetensors.reading import safe_open

__version__ = "0.8.0+kadam0.1.0"

__all__ = ["SafetensorError", "safe_open"]
