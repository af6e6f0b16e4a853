"""The native engine seen from outside: what it has compiled so far."""

from kadam.engines.native.stats import Stats, stats

__all__ = ["Stats", "stats"]
