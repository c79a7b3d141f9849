"""Our graph in the forms of others: ReXKG's (as CheX-Phi4MM's `gt_kg.json` holds it) and RadGraph's.

Both mark near-single words: in "small right pleural effusion" they have "small", "right", "pleural" and "effusion",
where we have one finding, its place and its severity. So mentions are taken apart first (`_take_apart`), by the same
rule for both: sides and zones qualify the noun of a place, and a place within a finding's name is where it is located.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from radrl.graph.lexicon import cues
from radrl.graph.lexicon.anatomy import PLACES
from radrl.graph.lexicon.words import fold, fold_word
from radrl.graph.types import Certainty, Entity, EntityType, KnowledgeGraph, RelationName

_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_TOKEN = re.compile(r"[^\W_]+|[^\s\w]|_+")
_ZONE_WORDS = frozenset({"upper", "mid", "middle", "lower", "superior", "inferior"})
_SMALL_WORDS = frozenset({"of", "the", "in", "a", "an", "within", "under", "beneath", "and"})
_NORMAL = frozenset({"normal", "quiet", "expanded"})

_Kind = Literal["finding", "device", "procedure", "place", "direction", "concept", "size"]
"""A direction is a side or a zone word: "left", "upper"."""
_NOWHERE = -1
_FINDING_KINDS = ("finding", "device", "procedure")
_KINDS: dict[EntityType, _Kind] = {
    EntityType.DISORDER: "finding",
    EntityType.DEVICE: "device",
    EntityType.PROCEDURE: "procedure",
    EntityType.ANATOMY: "place",
    EntityType.CONCEPT: "concept",
    EntityType.SIZE: "size",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One word, or a few that stand for one thing, of a mention.

    Example: "pleural" of "pleural effusion" is `_Part(text="pleural", start=0, end=7, kind="place",
             certainty="present")`
    """

    text: str
    start: int
    """Code points into the text; `_NOWHERE` where the graph was not read from a text."""
    end: int
    kind: _Kind
    certainty: Certainty


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    head: _Part
    relation: RelationName
    tail: _Part


def to_rexkg(graph: KnowledgeGraph) -> dict[str, Any]:
    """`{"entities": {text: type}, "relations": [{source_entity, target_entity, type}]}`, words in lower case.

    ReXKG has no uncertainty, so what is uncertain here is present there; and it keys entities by their text, so of two
    mentions of a word the later one stays. Sides and zones are concepts that modify their place. Words of normality are
    concepts too: in "lungs are clear", "clear" modifies "lungs".

    >>> to_rexkg(extract("No left pleural effusion."))["entities"]
    {'left': 'concept', 'pleural': 'anatomy', 'effusion': 'disorder_notpresent'}
    """
    parts, links = _take_apart(graph)
    relations = dict.fromkeys(
        (
            link.head.text.lower(),
            "modify" if link.head.kind in ("concept", "direction") else link.relation,
            link.tail.text.lower(),
        )
        for link in map(_rexkg_link, links)
    )
    return {
        "entities": {part.text.lower(): _rexkg_type(part) for part in parts},
        "relations": [
            {"source_entity": source, "target_entity": target, "type": name} for source, name, target in relations
        ],
    }


def _rexkg_link(link: _Link) -> _Link:
    """A finding is not located at "left": there "left" modifies the finding."""
    if link.relation == "located_at" and link.tail.kind == "direction":
        return _Link(head=link.tail, relation="modify", tail=link.head)
    return link


def _rexkg_type(part: _Part) -> str:
    polarity = "notpresent" if part.certainty == "absent" else "present"
    match part.kind:
        case "finding":
            return f"disorder_{polarity}"
        case "device":
            return f"devices_{polarity}"
        case "procedure":
            return "procedures"
        case "place":
            return "anatomy"
        case "size":
            return "size"
        case _:
            return "concept"


def to_radgraph(graph: KnowledgeGraph, text: str) -> dict[str, Any]:
    """RadGraph 1.0's record of a text: `{"text", "entities": {id: {tokens, label, start_ix, end_ix, relations}}}`.

    `text` is the tokens joined by blanks; `start_ix` and `end_ix` are the first and last of them. Labels are `OBS-DP`,
    `OBS-U`, `OBS-DA` and `ANAT-DP` (Jain et al. 2021, arXiv 2106.14463); devices, procedures, sizes and qualifiers are
    observations, the latter as certain as what they qualify. Entities without offsets are left out.
    """
    tokens = list(_TOKEN.finditer(text))
    words = [token.group() for token in tokens]
    first = {token.start(): number for number, token in enumerate(tokens)}
    last = {token.end(): number for number, token in enumerate(tokens)}
    parts, links = _take_apart(graph)
    ids = {
        part: str(number)
        for number, part in enumerate((p for p in parts if p.start in first and p.end in last), start=1)
    }
    modified = {link.head: link.tail for link in links if link.relation == "modify"}
    entities: dict[str, dict[str, Any]] = {}
    for part, number in ids.items():
        start, end = first[part.start], last[part.end]
        entities[number] = {
            "tokens": " ".join(words[start : end + 1]),
            "label": _radgraph_label(part, modified.get(part)),
            "start_ix": start,
            "end_ix": end,
            "relations": [[link.relation, ids[link.tail]] for link in links if link.head is part and link.tail in ids],
        }
    return {"text": " ".join(words), "entities": entities}


def _radgraph_label(part: _Part, modified: _Part | None) -> str:
    if part.kind in ("place", "direction"):
        return "ANAT-DP"
    certainty = modified.certainty if modified is not None and modified.kind in _FINDING_KINDS else part.certainty
    return {"present": "OBS-DP", "uncertain": "OBS-U", "absent": "OBS-DA"}[certainty]


def _take_apart(graph: KnowledgeGraph) -> tuple[list[_Part], list[_Link]]:
    """Parts of all mentions in order of position, and the links within and between mentions."""
    shared: dict[_Part, _Part] = {}
    apart = {entity.id: [shared.setdefault(part, part) for part in _parts(entity)] for entity in graph.entities}
    links = [link for own in apart.values() for link in _inner_links(own)]
    for relation in graph.relations:
        head, tail = _main(apart[relation.head]), _main(apart[relation.tail])
        places = [part for part in apart[relation.head] if part.kind == "place"]
        if relation.relation == "located_at" and tail.kind == "direction" and places:
            # "Right pleural effusion": the side is that of the place within the name.
            links.append(_Link(head=tail, relation="modify", tail=places[0]))
        else:
            links.append(_Link(head=head, relation=relation.relation, tail=tail))
    return sorted(shared, key=lambda part: (part.start, part.end)), list(dict.fromkeys(links))


def _main(parts: Sequence[_Part]) -> _Part:
    """What the mention is about: the finding, or else the noun of the place."""
    return min(parts, key=lambda part: (part.kind == "direction", part.kind == "place", part.start))


def _inner_links(parts: Sequence[_Part]) -> Iterator[_Link]:
    main = _main(parts)
    places = [part for part in parts if part.kind == "place"]
    for part in parts:
        if part.kind == "direction" and part is not main:
            yield _Link(head=part, relation="modify", tail=places[0] if places else main)
        elif part.kind == "place" and part is not main:
            yield _Link(head=main, relation="located_at", tail=part)


def _parts(entity: Entity) -> list[_Part]:
    """A mention's parts; only names of findings and of places are taken apart."""
    kind = _KINDS[entity.type]
    if kind == "finding" and _is_normality(entity.text):
        kind = "concept"
    words = list(_WORD.finditer(entity.text)) if kind in ("finding", "place") else []
    kinds: list[_Kind | None] = [_word_kind(word.group(), kind) for word in words]
    if kind not in kinds:
        # Nothing is left to be located or qualified: a name of places ("heart border") or sides ("left") stays whole.
        whole: _Kind = "direction" if kinds and kind == "place" else kind
        return [_part(entity, 0, len(entity.text), whole)]
    runs: list[tuple[_Kind | None, int, int]] = []
    for word, own in zip(words, kinds, strict=True):
        if runs and own == runs[-1][0] != "direction":
            runs[-1] = (own, runs[-1][1], word.end())
        else:
            runs.append((own, word.start(), word.end()))
    return [_part(entity, start, end, own) for own, start, end in runs if own is not None]


def _is_normality(text: str) -> bool:
    return not _NORMAL.isdisjoint(cues.predicates().get(fold(text), ()))


def _word_kind(word: str, kind: _Kind) -> _Kind | None:
    """Kind of one word of a finding's or a place's name; None for "of" and the like."""
    folded = fold(word)
    if folded in _SMALL_WORDS:
        return None
    known = PLACES.get(folded) or PLACES.get(fold_word(word))
    if folded in _ZONE_WORDS or (known is not None and not known.name and known.sides):
        return "direction"
    return "place" if known is not None else kind


def _part(entity: Entity, start: int, end: int, kind: _Kind) -> _Part:
    certainty: Certainty = entity.certainty if kind in _FINDING_KINDS else "present"
    text = entity.text[start:end]
    if entity.start is None:
        return _Part(text=text, start=_NOWHERE, end=_NOWHERE, kind=kind, certainty=certainty)
    return _Part(text=text, start=entity.start + start, end=entity.start + end, kind=kind, certainty=certainty)
