"""The native engine seen from outside: what it has compiled so far, and where the time of its programs goes."""

from kadam.engines.native.own import functions
from kadam.engines.native.profile import Profile, profile
from kadam.engines.native.stats import Stats, stats

__all__ = ["Profile", "Stats", "functions", "profile", "stats"]
