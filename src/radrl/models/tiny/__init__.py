"""Small models of the real classes, from nothing: for the demo, for tests, and to try a recipe on a laptop."""

from radrl.models.tiny.build import build_tiny
from radrl.models.tiny.tokenizer import TRACE_TOKENS

__all__ = ["TRACE_TOKENS", "build_tiny"]
