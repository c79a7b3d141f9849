"""Putting questions to a model, whatever it is reached through, and keeping what it says."""
