"""What a step is: types, primitives, nodes, graphs, their text and their verifier."""
