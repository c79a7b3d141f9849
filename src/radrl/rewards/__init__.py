"""Rewards, one idea a file, composed by the rubric. Importing this package registers the built-in ones."""

from radrl.rewards import answer, format, graph_overlap, process  # noqa: A004

__all__ = ["answer", "format", "graph_overlap", "process"]
