"""Modules as `torch.compile` wraps them in PyTorch; Kadam's gives the module itself."""

from kadam._dynamo import OptimizedModule

__all__ = ["OptimizedModule"]
