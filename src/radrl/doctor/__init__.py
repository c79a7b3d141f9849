"""What a run needs, what of it is missing and how to get it: said before anything starts."""
