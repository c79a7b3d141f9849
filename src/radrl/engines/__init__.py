"""Roles that hold weights: the actor, its reference, and the sampler."""
