"""How plain Python becomes a graph at no cost. Read `step.py` first."""
