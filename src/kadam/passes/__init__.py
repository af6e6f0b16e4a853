"""What is done to a graph before an engine gets it. Each pass is a verb: Graph -> Graph, same values, fewer nodes."""

from kadam.ir.graph import Graph
from kadam.passes.join import join
from kadam.passes.prune import prune
from kadam.passes.share import share, tidy

# In the order in which they pay: what is not needed need not be compared; what was joined is shared in turn.
PASSES = (tidy, join, tidy)

__all__ = ["PASSES", "improve", "join", "prune", "share", "tidy"]


def improve(graph: Graph) -> Graph:
    """The graph after all passes; one that has changed nothing needs no tidying up after it."""
    tidied = tidy(graph)
    joined = join(tidied)
    return tidied if joined is tidied else tidy(joined)
