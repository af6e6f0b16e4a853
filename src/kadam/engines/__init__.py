"""Engines: `compile(graph)` gives a function from the feeds to the outputs."""
