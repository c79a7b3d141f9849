"""Homes for what a run writes besides its own folder, each an optional package."""
