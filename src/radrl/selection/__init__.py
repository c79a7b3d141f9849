"""Chooses the questions to train on: `radrl select`."""
