"""The words of the language: each primitive stands complete in one place."""

from kadam.primitives import (
    analysis,
    bits,
    broadcast,
    compare,
    complex,
    elementwise,
    move,
    operators,
    reduce,
    rounding,
    scan,
    sources,
    special,
    trigonometry,
)

__all__ = [
    "analysis",
    "bits",
    "broadcast",
    "compare",
    "complex",
    "elementwise",
    "move",
    "operators",
    "reduce",
    "rounding",
    "scan",
    "sources",
    "special",
    "trigonometry",
]
