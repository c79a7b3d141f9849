"""radrl: reinforcement learning for vision-language models that reason about chest radiographs.

Research software, not for clinical use.
"""

__version__ = "0.1.0"
