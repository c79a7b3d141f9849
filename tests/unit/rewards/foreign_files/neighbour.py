"""What a plugin file imports from beside it."""


def as_number(is_true):
    return 1.0 if is_true else 0.0
