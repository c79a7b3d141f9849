"""Blinded rating of a model's reasoning by readers: sheets and films out, ratings with agreement back in."""
