"""The report of a run: one HTML file that opens from disk, with results, curves and a browser of rollouts."""

from radrl.report.build import build_report

__all__ = ["build_report"]
