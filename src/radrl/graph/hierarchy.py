"""Broader names: a granuloma is a lung lesion, which is a lung opacity; the left upper zone is part of the left lung.

The tree of findings is CheXpert's (Irvin et al. 2019, figure 1) with the lexicon's own kinds below it. Pneumonia is
under consolidation there, although it has no shadow of its own.
"""

from collections.abc import Iterator

from radrl.graph.lexicon.findings import LUNG_ZONES, term


def parents(name: str) -> tuple[str, ...]:
    """Directly broader canonical names; none for an unknown name or one at the top.

    >>> parents("granuloma"), parents("left upper zone")
    (('lung lesion',), ('left lung',))
    """
    known = term(name)
    if known is not None:
        return known.parents
    if name in LUNG_ZONES:
        return ("lung",)
    side, _, place = name.partition(" ")
    return (f"{side} lung",) if place in LUNG_ZONES else ()


def ancestors(name: str) -> tuple[str, ...]:
    """Every broader name, the nearest first.

    >>> ancestors("granuloma")
    ('lung lesion', 'lung opacity')
    """
    return tuple(dict.fromkeys(_climb(name)))


def is_kind_of(name: str, broader: str) -> bool:
    """Whether a name is the broader one or falls under it: an endotracheal tube is a support device."""
    return name == broader or broader in ancestors(name)


def _climb(name: str) -> Iterator[str]:
    level = parents(name)
    while level:
        yield from level
        level = tuple(dict.fromkeys(parent for child in level for parent in parents(child)))
