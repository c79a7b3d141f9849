"""Known ways to be paid without reading the image, as data, and the honest blind answer that they are measured by."""

from radrl.rewards.hacks.library import HACKS, Hack
from radrl.rewards.hacks.majority import Majority

__all__ = ["HACKS", "Hack", "Majority"]
