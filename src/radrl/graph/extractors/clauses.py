"""Clauses of a sentence, and what a clause claims of the findings in it.

A cue governs the findings of its own clause. A list ("no effusion, pneumothorax or edema") is one clause; an item that
has its own verb, its own cue or, at the end of a denied list, its own severity ("no effusion, small left pneumothorax")
starts a new one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from radrl.graph.extractors.matching import Item, Role
from radrl.graph.lexicon.cues import PERCEIVED
from radrl.graph.types import Certainty

_HEADS = frozenset({Role.FINDING, Role.PREDICATE})
_OWN_CUES = frozenset({Role.NEGATION, Role.DOUBT, Role.UNCLAIMED})
_DENYING_CUES = frozenset({Role.NEGATION, Role.DOUBT})


@dataclass(slots=True)
class Chunk:
    """Items between two commas, conjunctions or terminators; `lead` is the folded word that opened it."""

    lead: str
    items: list[Item]


@dataclass(frozen=True, slots=True, eq=False)
class Clause:
    """Chunks that share their cues."""

    chunks: tuple[Chunk, ...]

    @property
    def items(self) -> list[Item]:
        """Items of all chunks, in order."""
        return [item for chunk in self.chunks for item in chunk.items]


def is_head(item: Item) -> bool:
    """Whether something can be claimed here: a finding, or a predicate such as "enlarged"."""
    return not _HEADS.isdisjoint(item.roles)


def split_clauses(items: Sequence[Item]) -> Iterator[Clause]:
    """Clauses of a sentence, in order."""
    chunks = _split_chunks(items)
    current: list[Chunk] = []
    for index, chunk in enumerate(chunks):
        if current and _starts_clause(chunk, current, rest=chunks[index + 1 :]):
            yield Clause(tuple(current))
            current = []
        current.append(chunk)
    if current:
        yield Clause(tuple(current))


def _split_chunks(items: Sequence[Item]) -> list[Chunk]:
    """Chunks with at least one item; of ", and" the conjunction is kept, and a terminator outranks both."""
    chunks: list[Chunk] = []
    lead, content = "", list[Item]()
    for item in items:
        separator = _separator(item)
        if separator is None:
            content.append(item)
            continue
        if content:
            chunks.append(Chunk(lead, content))
            lead, content = separator, []
        elif lead != "but":
            lead = separator
        if item.word == "nor":
            content.append(item)
    if content:
        chunks.append(Chunk(lead, content))
    return chunks


def _separator(item: Item) -> str | None:
    """ "," for commas and brackets, "and" or "or" for conjunctions, "but" for every terminator, None for content."""
    if Role.COMMA in item.roles:
        return ","
    if Role.TERMINATOR in item.roles:
        return "but"
    if Role.CONNECTOR in item.roles:
        return "or" if item.word in ("or", "nor", "and or", "/") else "and"
    return None


def _starts_clause(chunk: Chunk, current: list[Chunk], *, rest: Sequence[Chunk]) -> bool:
    if chunk.lead == "but" or not _OWN_CUES.isdisjoint(chunk.items[0].roles):
        return chunk.lead == "but" or _has(current, _HEADS)
    if chunk.lead == "or":
        return False
    if _has(current, _DENYING_CUES) and _asserts_severity(chunk) and not _list_goes_on(rest):
        return True
    if not _has([chunk], {Role.AUXILIARY}):
        return False
    if chunk.lead == "and" and _has(current, {Role.NEGATION}) and _is_plural_perception(chunk):
        return False
    opens_anew = chunk.items[0].word in ("there", "there is", "the")
    return _has(current, {Role.AUXILIARY, Role.NEGATION, Role.PREDICATE}) or (
        _has(current, _HEADS) and (chunk.lead == "," or opens_anew)
    )


def _has(chunks: Sequence[Chunk], roles: frozenset[Role] | set[Role]) -> bool:
    return any(not roles.isdisjoint(item.roles) for chunk in chunks for item in chunk.items)


def _asserts_severity(chunk: Chunk) -> bool:
    first = chunk.items[0]
    return Role.SEVERITY in first.roles or (Role.COURSE in first.roles and first.roles[Role.COURSE] != "new")


def _list_goes_on(rest: Sequence[Chunk]) -> bool:
    """Whether the list that runs here ends in "or": then "no effusion, large mass or edema" denies all three."""
    for chunk in rest:
        if chunk.lead == "but":
            return False
        if chunk.lead == "or":
            return True
    return False


def _is_plural_perception(chunk: Chunk) -> bool:
    """ "... and pneumothorax are seen": the verb is the whole list's."""
    return any(
        item.word == "are" and following.word in PERCEIVED
        for item, following in zip(chunk.items, chunk.items[1:], strict=False)
    )


def certainty_of(clause: Clause, head: Item) -> Certainty | None:
    """What the clause claims of one of its heads; None when it is asked for, supposed or set aside.

    "May not represent" stays uncertain and "no evidence to suggest" absent: the first cue of an adjoining pair decides.
    """
    state: Certainty = "present"
    is_before = True
    previous: Item | None = None
    for chunk in clause.chunks:
        for position, item in enumerate(chunk.items):
            roles = item.roles
            if item is head:
                is_before = False
            elif not roles:
                pass
            elif is_before:
                if Role.UNCLAIMED in roles:
                    return None
                if _looks_forward(chunk, position):
                    state = _after_early_cue(state, item, previous)
            elif not _looks_forward(chunk, position):
                state = _after_late_cue(state, item)
            previous = item
    return _after_alternative(state, clause, head)


def _looks_forward(chunk: Chunk, position: int) -> bool:
    """Whether a cue governs what follows it. A cue of both kinds does when a finding follows in its part of a list."""
    roles = chunk.items[position].roles
    is_early = Role.NEGATION in roles or Role.DOUBT in roles or Role.SUGGESTION in roles
    is_late = Role.LATE_NEGATION in roles or Role.LATE_DOUBT in roles
    if is_early and is_late:
        return any(is_head(item) for item in chunk.items[position + 1 :])
    return is_early


def _after_early_cue(state: Certainty, cue: Item, previous: Item | None) -> Certainty:
    if Role.NEGATION in cue.roles:
        follows_doubt = previous is not None and Role.DOUBT in previous.roles
        return "uncertain" if follows_doubt and state == "uncertain" else "absent"
    if state == "absent":
        return state
    return "uncertain" if Role.DOUBT in cue.roles or cue.roles.get(Role.SUGGESTION) == "uncertain" else state


def _after_late_cue(state: Certainty, cue: Item) -> Certainty:
    if Role.LATE_NEGATION in cue.roles:
        return "absent"
    if Role.LATE_DOUBT in cue.roles and state == "present":
        return "uncertain"
    return state


def _after_alternative(state: Certainty, clause: Clause, head: Item) -> Certainty:
    """ "Atelectasis versus pneumonia" and "atelectasis or pneumonia" leave both open, unless both are denied."""
    if state != "present":
        return state
    if any(Role.ALTERNATIVE in item.roles for item in clause.items):
        return "uncertain"
    return "uncertain" if any(item is head for item in _alternatives(clause)) else state


def _alternatives(clause: Clause) -> Iterator[Item]:
    """Findings on either side of "or", with those before them in the same list ("edema, pneumonia or collapse")."""
    chunks = clause.chunks
    for index in range(1, len(chunks)):
        if chunks[index].lead != "or" or not _findings(chunks[index]):
            continue
        yield _findings(chunks[index])[0]
        earlier = index - 1
        while earlier >= 0 and (named := _findings(chunks[earlier])):
            yield named[-1]
            if chunks[earlier].lead != "," or len(named) > 1:
                break
            earlier -= 1


def _findings(chunk: Chunk) -> list[Item]:
    return [item for item in chunk.items if Role.FINDING in item.roles]
