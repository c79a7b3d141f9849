"""The ReXKG back end: a span model for entities, a typed-marker model for relations, their training and their files.

`labels`, `sentences` and `annotations` are light; everything else here imports torch.
"""
