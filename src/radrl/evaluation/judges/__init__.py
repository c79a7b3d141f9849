"""A second opinion on whether answers are right, beside the strict rule that `accuracy` goes by.

The strict rule needs no judge. A judge reads what the strict reader cannot, is sometimes wrong itself, and is therefore
never reported without how far it agrees with that rule.
"""
