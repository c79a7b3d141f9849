"""Trained models as folders that other tools open."""
