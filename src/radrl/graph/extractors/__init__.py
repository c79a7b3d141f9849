"""Back ends that read a graph from text; `radrl.graph.extract` picks one by name."""
