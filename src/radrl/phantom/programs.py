"""MIMIC-CXR-VQA's 48 programs, on a scene graph in which some things cannot be told.

A selection knows what is in it for certain and what may be; a truth is yes, no or None for cannot be told. Select, any,
both, either, union, intersect and but-not are all the language there is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from radrl.phantom.case import Case
from radrl.phantom.geometry import cardiothoracic_ratio, upper_mediastinum_ratio
from radrl.phantom.ontology import CATEGORIES, CATEGORY_OF, SceneGraph, graph_of
from radrl.phantom.questions import Subject

Semantic = Literal["verify", "choose", "query"]
Content = Literal["anatomy", "presence", "abnormality", "attribute", "plane", "gender", "size"]
Truth = bool | None
ALL: Final = tuple(CATEGORIES)
"""What a question calls abnormalities."""
_MARGIN: Final = 0.02
"""Ratios nearer than this to a limit cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A set of names of which some may only be possible.

    Example: `Selection(certain=frozenset({"edema"}), possible=frozenset({"edema", "consolidation"}))`
    """

    certain: frozenset[str]
    possible: frozenset[str]
    """All that are certain, and more where something cannot be told."""

    @property
    def is_settled(self) -> bool:
        """Whether the film tells every member."""
        return self.certain == self.possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What fills the gaps of a template.

    Example: `Arguments(objects=("left lung",), attributes=("pneumothorax",))`
    """

    objects: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    word: str = ""
    """The view or the sex that is asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a program looks at.

    Example: `view_of(case, findings=FINDINGS).attributes(of="left lung").certain`
    """

    case: Case
    graph: SceneGraph

    def attributes(
        self, *, of: str | None = None, categories: Sequence[str] = ALL, among: Sequence[str] = ()
    ) -> Selection:
        """Attributes in an object, or anywhere: those of the categories, or those named."""

        def chosen(pairs: frozenset[tuple[str, str]]) -> frozenset[str]:
            there = {name for place, name in pairs if of is None or place == of}
            return frozenset(n for n in there if (n in among if among else CATEGORY_OF[n] in categories))

        return Selection(certain=chosen(self.graph.certain), possible=chosen(self.graph.possible))

    def objects(
        self, *, attribute: str | None = None, categories: Sequence[str] = ALL, among: Sequence[str] = ()
    ) -> Selection:
        """Objects with an attribute, or with any of the categories."""

        def chosen(pairs: frozenset[tuple[str, str]]) -> frozenset[str]:
            is_meant = {n for _, n in pairs if (n == attribute if attribute else CATEGORY_OF[n] in categories)}
            return frozenset(place for place, n in pairs if n in is_meant and (not among or place in among))

        return Selection(certain=chosen(self.graph.certain), possible=chosen(self.graph.possible))


def view_of(case: Case, *, findings: Sequence[str]) -> View:
    """A film with its graph, in a world with these findings."""
    return View(case=case, graph=graph_of(case, findings=findings))


def exists(selection: Selection) -> Truth:
    """Whether anything is in it."""
    return True if selection.certain else None if selection.possible else False


def both(one: Truth, other: Truth) -> Truth:
    """Kleene's and: a no settles it."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def either(one: Truth, other: Truth) -> Truth:
    """Kleene's or: a yes settles it."""
    if one or other:
        return True
    return None if one is None or other is None else False


def union(one: Selection, other: Selection) -> Selection:
    """What is in either."""
    return Selection(certain=one.certain | other.certain, possible=one.possible | other.possible)


def intersect(one: Selection, other: Selection) -> Selection:
    """What is in both."""
    return Selection(certain=one.certain & other.certain, possible=one.possible & other.possible)


def but_not(one: Selection, other: Selection) -> Selection:
    """What is in the first and not in the second."""
    return Selection(certain=one.certain - other.possible, possible=one.possible - other.certain)


Run = Callable[[View, Arguments], Selection | Truth]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One template with what works its answer out.

    Example: `Program(number=2, content="anatomy", semantic="verify", text="Is there {a0} in the {o0}?", run=...)`
    """

    number: int
    content: Content
    semantic: Semantic
    text: str
    """With gaps `{o0}`, `{a0}`, `{c0}` (objects, attributes, categories) and `{w}` (a view or a sex)."""
    run: Run

    num_objects: int
    num_attributes: int
    num_categories: int

    @property
    def needs(self) -> tuple[int, int, int]:
        """How many objects, attributes and categories it takes."""
        return self.num_objects, self.num_attributes, self.num_categories

    @property
    def has_gaps(self) -> bool:
        """Whether its text names anything."""
        return "{" in self.text

    @property
    def takes_word(self) -> bool:
        """Whether it names a view or a sex."""
        return "{w}" in self.text


def run(program: Program, view: View, arguments: Arguments) -> tuple[str, ...] | None:
    """The answer in the data set's form, sorted, or None where the film does not tell it."""
    result = program.run(view, arguments)
    if isinstance(result, Selection):
        return tuple(sorted(result.certain)) if result.is_settled else None
    return None if result is None else ("yes" if result else "no",)


def _in(view: View, a: Arguments, place: int, categories: Sequence[str] = ALL) -> Selection:
    return view.attributes(of=a.objects[place], categories=categories)


def _has(view: View, a: Arguments, place: int, attribute: int) -> Truth:
    return exists(view.attributes(of=a.objects[place], among=a.attributes[attribute : attribute + 1]))


def _shows(view: View, a: Arguments, attribute: int) -> Truth:
    return exists(view.attributes(among=a.attributes[attribute : attribute + 1]))


def _with(view: View, a: Arguments, attribute: int) -> Selection:
    return view.objects(attribute=a.attributes[attribute])


def _plane(view: View) -> str:
    return view.case.study.technique.view.lower()


def _sex(view: View) -> str:
    return view.case.patient.anatomy.sex.lower()


def _word(word: str) -> Selection:
    return Selection(certain=frozenset({word}), possible=frozenset({word}))


def _wide_heart(view: View) -> Truth:
    if not view.case.settles(Subject(name="cardiomegaly")):
        return None
    return _exceeds(cardiothoracic_ratio(view.case.patient, view.case.study), 1 / 2)


def _wide_mediastinum(view: View) -> Truth:
    if not all(f in view.case.visible for f in view.case.study.facts if f.name == "enlarged cardiomediastinum"):
        return None
    return _exceeds(upper_mediastinum_ratio(view.case.patient, view.case.study), 1 / 3)


def _exceeds(ratio: float, limit: float) -> Truth:
    return None if abs(ratio - limit) < _MARGIN else ratio > limit


_BY_NUMBER: Final[Sequence[tuple[Content, Semantic, str, Run]]] = (
    ("anatomy", "verify", "Are there any {c0} in the {o0}?", lambda v, a: exists(_in(v, a, 0, a.categories))),
    ("anatomy", "verify", "Is there {a0} in the {o0}?", lambda v, a: _has(v, a, 0, 0)),
    ("anatomy", "verify", "Is the {o0} abnormal?", lambda v, a: exists(_in(v, a, 0))),
    ("anatomy", "verify", "Are there any {c0} or {c1} in the {o0}?", lambda v, a: exists(_in(v, a, 0, a.categories))),
    ("anatomy", "verify", "Are there both {a0} and {a1} in the {o0}?",
     lambda v, a: both(_has(v, a, 0, 0), _has(v, a, 0, 1))),
    ("anatomy", "verify", "Is there either {a0} or {a1} in the {o0}?",
     lambda v, a: either(_has(v, a, 0, 0), _has(v, a, 0, 1))),
    ("anatomy", "query", "List all {c0} in the {o0}.", lambda v, a: _in(v, a, 0, a.categories)),
    ("anatomy", "query", "List all abnormalities in the {o0}.", lambda v, a: _in(v, a, 0)),
    ("anatomy", "query", "List all {c0} and {c1} in the {o0}.", lambda v, a: _in(v, a, 0, a.categories)),
    ("anatomy", "choose", "Which is in the {o0}, {a0} or {a1}?",
     lambda v, a: v.attributes(of=a.objects[0], among=a.attributes)),
    ("anatomy", "verify", "Is there anything abnormal in either the {o0} or the {o1}?",
     lambda v, a: either(exists(_in(v, a, 0)), exists(_in(v, a, 1)))),
    ("anatomy", "verify", "Are both the {o0} and the {o1} abnormal?",
     lambda v, a: both(exists(_in(v, a, 0)), exists(_in(v, a, 1)))),
    ("anatomy", "query", "List all {c0} in either the {o0} or the {o1}.",
     lambda v, a: union(_in(v, a, 0, a.categories), _in(v, a, 1, a.categories))),
    ("anatomy", "query", "List all {c0} that the {o0} and the {o1} share.",
     lambda v, a: intersect(_in(v, a, 0, a.categories), _in(v, a, 1, a.categories))),
    ("anatomy", "query", "List all {c0} in the {o0} but not in the {o1}.",
     lambda v, a: but_not(_in(v, a, 0, a.categories), _in(v, a, 1, a.categories))),
    ("anatomy", "query", "List all abnormalities in either the {o0} or the {o1}.",
     lambda v, a: union(_in(v, a, 0), _in(v, a, 1))),
    ("anatomy", "query", "List all abnormalities that the {o0} and the {o1} share.",
     lambda v, a: intersect(_in(v, a, 0), _in(v, a, 1))),
    ("anatomy", "query", "List all abnormalities in the {o0} but not in the {o1}.",
     lambda v, a: but_not(_in(v, a, 0), _in(v, a, 1))),
    ("presence", "verify", "Are there any {c0}?", lambda v, a: exists(v.attributes(categories=a.categories))),
    ("presence", "verify", "Are there any abnormalities?", lambda v, _: exists(v.attributes())),
    ("presence", "verify", "Are there any {c0} or {c1}?", lambda v, a: exists(v.attributes(categories=a.categories))),
    ("presence", "verify", "Is there any sign of {a0}?", lambda v, a: _shows(v, a, 0)),
    ("presence", "verify", "Are both {a0} and {a1} seen?", lambda v, a: both(_shows(v, a, 0), _shows(v, a, 1))),
    ("presence", "verify", "Is either {a0} or {a1} seen?", lambda v, a: either(_shows(v, a, 0), _shows(v, a, 1))),
    ("abnormality", "query", "List all {c0} of this film.", lambda v, a: v.attributes(categories=a.categories)),
    ("abnormality", "query", "List all {c0} and {c1} of this film.",
     lambda v, a: v.attributes(categories=a.categories)),
    ("abnormality", "query", "List all abnormalities of this film.", lambda v, _: v.attributes()),
    ("abnormality", "choose", "Which of the two is seen, {a0} or {a1}?", lambda v, a: v.attributes(among=a.attributes)),
    ("attribute", "verify", "Is there {a0} in both the {o0} and the {o1}?",
     lambda v, a: both(_has(v, a, 0, 0), _has(v, a, 1, 0))),
    ("attribute", "verify", "Is there {a0} in either the {o0} or the {o1}?",
     lambda v, a: either(_has(v, a, 0, 0), _has(v, a, 1, 0))),
    ("attribute", "query", "List all places with {a0}.", lambda v, a: _with(v, a, 0)),
    ("attribute", "choose", "Where is {a0}, in the {o0} or in the {o1}?",
     lambda v, a: v.objects(attribute=a.attributes[0], among=a.objects)),
    ("attribute", "choose", "Which is abnormal, the {o0} or the {o1}?", lambda v, a: v.objects(among=a.objects)),
    ("attribute", "query", "List all places with either {a0} or {a1}.",
     lambda v, a: union(_with(v, a, 0), _with(v, a, 1))),
    ("attribute", "query", "List all places with both {a0} and {a1}.",
     lambda v, a: intersect(_with(v, a, 0), _with(v, a, 1))),
    ("attribute", "query", "List all places with {a0} but not {a1}.",
     lambda v, a: but_not(_with(v, a, 0), _with(v, a, 1))),
    ("attribute", "verify", "Are there any {c0} in both the {o0} and the {o1}?",
     lambda v, a: both(exists(_in(v, a, 0, a.categories)), exists(_in(v, a, 1, a.categories)))),
    ("attribute", "verify", "Are there any {c0} in either the {o0} or the {o1}?",
     lambda v, a: either(exists(_in(v, a, 0, a.categories)), exists(_in(v, a, 1, a.categories)))),
    ("attribute", "query", "List all places with {c0}.", lambda v, a: v.objects(categories=a.categories)),
    ("attribute", "query", "List all places with {c0} or {c1}.", lambda v, a: v.objects(categories=a.categories)),
    ("plane", "verify", "Was this film taken {w}?", lambda v, a: _plane(v) == a.word),
    ("plane", "choose", "Was this film taken pa or ap?", lambda v, _: _word(_plane(v))),
    ("plane", "query", "How was this film taken?", lambda v, _: _word(_plane(v))),
    ("gender", "verify", "Is the patient's sex {w}?", lambda v, a: _sex(v) == a.word),
    ("gender", "choose", "Is the patient's sex m or f?", lambda v, _: _word(_sex(v))),
    ("gender", "query", "What is the patient's sex?", lambda v, _: _word(_sex(v))),
    ("size", "verify", "Is the heart wider than half of the chest?", lambda v, _: _wide_heart(v)),
    ("size", "verify", "Is the upper mediastinum wider than a third of the chest?",
     lambda v, _: _wide_mediastinum(v)),
)  # fmt: skip


def _program(number: int, content: Content, semantic: Semantic, text: str, runs: Run) -> Program:
    objects, attributes, categories = (sum(f"{{{sort}{place}}}" in text for place in range(2)) for sort in "oac")
    return Program(
        number=number,
        content=content,
        semantic=semantic,
        text=text,
        run=runs,
        num_objects=objects,
        num_attributes=attributes,
        num_categories=categories,
    )


PROGRAMS: Final[Mapping[int, Program]] = {
    number: _program(number, *parts) for number, parts in enumerate(_BY_NUMBER, start=1)
}
"""Programs by the number that the data set gives them. Its rows name templates of each in many phrasings; which content
type each belongs to is our reading of them."""
