"""The phantom world: generated chest radiographs whose every fact is known.

A policy that learns it has learnt our renderer. Nobody should read clinical skill into its scores.
"""
