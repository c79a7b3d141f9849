"""`radrl lint-reward`: attacks a reward or a rubric with the library of known hacks."""

from radrl.lint.command import lint_from

__all__ = ["lint_from"]
