"""Trains once for every point of a grid and compares the runs: `radrl sweep`."""
