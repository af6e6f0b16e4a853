"""What is done to a graph before an engine gets it. Each pass is a verb: Graph -> Graph, same values, fewer nodes."""

from kadam.passes.join import join
from kadam.passes.prune import prune
from kadam.passes.share import share

# In the order in which they pay: what is not needed need not be compared; what was joined is shared in turn.
PASSES = (prune, share, join, prune, share)

__all__ = ["PASSES", "join", "prune", "share"]
