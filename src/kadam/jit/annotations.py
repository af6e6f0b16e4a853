"""Types that scripts write into annotations. As `torch.jit.annotations`."""

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: UP035, by these names

__all__ = ["Any", "Dict", "List", "Optional", "Tuple", "Union"]
