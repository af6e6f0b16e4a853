"""The version whose conventions are kept, and what this build has. As `torch.version`."""

from __future__ import annotations

__version__ = "2.13.0+kadam0.1.0"
debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version = ""

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]
