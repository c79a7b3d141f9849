"""MIMIC-CXR-VQA's questions: a program, what fills its gaps, and a balance that lets no gap give the answer away."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, cast

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.lean import shuffled
from radrl.phantom.ontology import CATEGORIES, CATEGORY_OF, Ontology, Pair, ontology_of, pairs_of
from radrl.phantom.programs import PROGRAMS, Arguments, Content, Program, View, run, view_of
from radrl.phantom.questions import Question, preamble
from radrl.phantom.scene import Fact
from radrl.phantom.tasks.task import Desk, Found, Task, direct
from radrl.phantom.wording import affirm
from radrl.types import AnswerKind

_DRAWS: Final = 24
"""Fillings tried for a program."""
_EMPTY_SHARE: Final = 0.2
"""Most of the lists that are empty, and of the choices that are none or both."""
_WORDS: Final = {"plane": ("pa", "ap"), "gender": ("m", "f")}
_FEWEST_ANSWERS: Final = 3
"""An object is asked for its contents, and an attribute for its places, only where there may be this many."""


def asker(content: Content) -> Callable[[Desk, Case, np.random.Generator], Task | None]:
    """What asks the questions of one content type, its programs in turn."""
    return partial(_ask, [program for program in PROGRAMS.values() if program.content == content])


def _ask(programs: Sequence[Program], desk: Desk, case: Case, rng: np.random.Generator) -> Task | None:
    key, seen = "mimic program", view_of(case, findings=desk.world.findings)
    for program in sorted(programs, key=lambda p: (desk.lean.tally[key, str(p.number)], rng.random())):
        filled = [_fill(desk, program, seen, rng) for _ in range(_DRAWS if program.has_gaps else 1)]
        answered = [(a, answer) for a in filled if a is not None and (answer := run(program, seen, a)) is not None]
        arguments = _most_due(desk, program, answered, rng)
        if arguments is not None:
            desk.lean.tally[key, str(program.number)] += 1
            question = _question(desk, case, program, arguments)
            return Task(question=question, find=partial(_find, desk, program, arguments))
    return None


def _most_due(
    desk: Desk, program: Program, answered: Sequence[tuple[Arguments, tuple[str, ...]]], rng: np.random.Generator
) -> Arguments | None:
    if not answered:
        return None
    topic = f"mimic {program.number}"
    if program.semantic == "verify":
        topics = [_topic(arguments) for arguments, _ in answered]
        place = desk.lean.due(topic, topics, [answer == ("yes",) for _, answer in answered], rng)
        return None if place is None else answered[place][0]
    if program.content in _WORDS:
        arguments, answer = answered[0]
        if desk.lean.least([(topic, answer[0])], [answer[0]], rng) is None:
            return None
        desk.lean.note_choice(topic, right=answer[0], options=_WORDS[program.content])
        return arguments
    is_rare = [len(answer) != 1 if program.semantic == "choose" else not answer for _, answer in answered]
    plain = [one for one, rare in zip(answered, is_rare, strict=True) if not rare]
    if not plain:
        return answered[0][0] if desk.lean.is_due(topic, is_rare=True, share=_EMPTY_SHARE) else None
    if program.semantic == "query":
        desk.lean.is_due(topic, is_rare=False, share=_EMPTY_SHARE)
        # Of several lists the one that has been given least often: a list that many films share is easy to guess.
        keys = [(topic, ",".join(answer)) for _, answer in plain]
        place = min(range(len(plain)), key=lambda place: (desk.lean.tally[keys[place]], rng.random()))
        desk.lean.tally[keys[place]] += 1
        return plain[place][0]
    return _least_chosen(desk, topic, plain, rng)


def _least_chosen(
    desk: Desk, topic: str, plain: Sequence[tuple[Arguments, tuple[str, ...]]], rng: np.random.Generator
) -> Arguments | None:
    """Of choices with one right option the one whose right option has been right least often."""
    picked = desk.lean.least([(topic, answer[0]) for _, answer in plain], plain, rng)
    if picked is None:
        return None
    arguments, answer = picked
    options = arguments.attributes if len(arguments.attributes) > 1 else arguments.objects
    desk.lean.is_due(topic, is_rare=False, share=_EMPTY_SHARE)
    desk.lean.note_choice(topic, right=answer[0], options=options)
    return arguments


def _fill(desk: Desk, program: Program, seen: View, rng: np.random.Generator) -> Arguments | None:
    """Something to fill the gaps with, half of the time from what is there."""
    known = ontology_of(desk.world.findings)
    objects = _objects(program, known, seen.graph.certain, rng)
    attributes = _attributes(program, known, seen.graph.certain, objects, rng)
    categories = shuffled(known.categories, rng)[: program.num_categories]
    if (len(objects), len(attributes), len(categories)) != program.needs:
        return None
    words = _WORDS.get(program.content, ())
    return Arguments(
        objects=tuple(objects),
        attributes=tuple(attributes),
        categories=tuple(categories),
        word=words[int(rng.integers(2))] if program.takes_word else "",
    )


def _objects(program: Program, known: Ontology, there: frozenset[Pair], rng: np.random.Generator) -> list[str]:
    if not program.num_objects:
        return []
    fewest = _FEWEST_ANSWERS if program.semantic == "query" else 1
    names = [place for place, words in known.contents.items() if len(words) >= fewest]
    shown = {place for place, _ in there}
    return _some(names, [name for name in names if name in shown], program.num_objects, rng)


def _attributes(
    program: Program, known: Ontology, there: frozenset[Pair], objects: Sequence[str], rng: np.random.Generator
) -> list[str]:
    """Attributes that all of the objects may have; for lists of places those that may lie in several."""
    if not program.num_attributes:
        return []
    fewest = _FEWEST_ANSWERS if program.semantic == "query" else 1
    names = [word for word, where in known.places.items() if len(where) >= fewest and where.issuperset(objects)]
    inside = {word for place, word in there if not objects or place in objects}
    return _some(names, [name for name in names if name in inside], program.num_attributes, rng)


def _some(known: Sequence[str], there: Sequence[str], number: int, rng: np.random.Generator) -> list[str]:
    picked: list[str] = []
    while len(picked) < number and len(picked) < len(known):
        pool = there if there and rng.random() < 0.5 else known
        left = [name for name in pool if name not in picked] or [name for name in known if name not in picked]
        picked.append(left[int(rng.integers(len(left)))])
    return picked


def _question(desk: Desk, case: Case, program: Program, a: Arguments) -> Question:
    gaps = {f"o{place}": name for place, name in enumerate(a.objects)}
    gaps |= {f"a{place}": name for place, name in enumerate(a.attributes)}
    gaps |= {f"c{place}": CATEGORIES[name] for place, name in enumerate(a.categories)}
    usual = program.text.format(**gaps, w=a.word)
    text = desk.say(usual, unseen=f"Look closely and answer: {usual[0].lower()}{usual[1:]}")
    is_word = program.content in _WORDS and program.semantic != "verify"
    kind = AnswerKind.YES_NO if program.semantic == "verify" else AnswerKind.CHOICE if is_word else AnswerKind.SET
    return Question(
        kind=f"mimic_{program.content}",
        text=preamble(desk.world, case.study) + text,
        answer_kind=kind,
        options=_WORDS[program.content] if is_word else (),
        columns={
            "semantic_type": program.semantic,
            "content_type": program.content,
            "template": program.text,
            "template_program": f"program_{program.number}",
            "template_arguments": _row_arguments(program, a),
        },
    )


def _row_arguments(program: Program, a: Arguments) -> dict[str, dict[str, str]]:
    words = {"plane": "viewpos", "gender": "gender"}
    named: dict[str, Sequence[str]] = {"object": a.objects, "attribute": a.attributes, "category": a.categories}
    for content, field in words.items():
        named[field] = (a.word,) if a.word and program.content == content else ()
    return {field: {str(place): name for place, name in enumerate(names)} for field, names in named.items()}


def _find(desk: Desk, program: Program, arguments: Arguments, case: Case) -> Found | None:
    answer = run(program, view_of(case, findings=desk.world.findings), arguments)
    if answer is None:
        return None
    meant = [fact for fact in case.visible if _is_meant(fact, program, arguments)]
    thoughts = [affirm(fact, style=desk.world.style) for fact in meant]
    calm = desk.think("Looked at as a whole, this is what the film shows.", short="film seen as whole")
    return direct(answer, thoughts or [calm], boxes=case.boxes_of(*meant))


def _is_meant(fact: Fact, program: Program, a: Arguments) -> bool:
    """Whether the answer looks at the fact."""
    if program.content in ("plane", "gender"):
        return False
    if program.content == "size":
        return fact.name == ("cardiomegaly" if program.number == 47 else "enlarged cardiomediastinum")
    return any(
        (not a.objects or place in a.objects)
        and (not a.attributes or word in a.attributes)
        and (not a.categories or CATEGORY_OF[word] in a.categories)
        for place, word in pairs_of(fact)
    )


def _topic(arguments: Arguments) -> str:
    """What the text says beyond its template."""
    return "|".join((*arguments.objects, *arguments.attributes, *arguments.categories, arguments.word))


CONTENTS: Final = cast("tuple[Content, ...]", tuple(dict.fromkeys(p.content for p in PROGRAMS.values())))
