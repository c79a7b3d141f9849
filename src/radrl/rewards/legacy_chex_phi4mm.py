"""CheX-Phi4MM's own rewards, rebuilt as they are, faults included, so that their numbers can be set beside ours.

None of them is ever a default. Each says what is wrong with it; the names without `legacy_` are the corrected rewards.
"""

import re
from collections.abc import Callable, Sequence

from radrl.graph.extract import extract_all
from radrl.graph.types import KnowledgeGraph
from radrl.rewards.api import Attempt, alias, reward
from radrl.rewards.maths import legacy_same_latex, require_math_verify
from radrl.text import first_sentence

_BETWEEN = re.compile(r"</think>\s*<answer>")
_CLOSING = re.compile(r"</answer>(?=\n|\Z)")


@reward("legacy_external_r1v_acc", is_legacy=True)
def legacy_r1v_accuracy(attempt: Attempt) -> float:
    """1 when the comma-separated answers share at least one item, see `any_overlap`.

    Hack it invites: listing every finding scores 1.
    """
    return any_overlap(attempt.text, attempt.sample.reference)


alias("legacy_any_overlap", "legacy_external_r1v_acc")


@reward("legacy_external_kg_jac", per="batch", is_legacy=True)
def legacy_graph_jaccard(groups: Sequence[Sequence[Attempt]], *, extractor: str = "rules") -> list[list[float]]:
    """Mean Jaccard index of entities (lower-cased text and type) and relations (two texts and type), of the whole
    completion, tags and answers included, against the thoughts of the batch's first reference; two empty sets score 1.

    Hacks it invites: an output without entities earns 1/2 where the reference states no relation, and the reference is
    another patient's for every prompt but the first.
    """
    return _against_the_first(groups, _jaccard, extractor=extractor)


@reward("legacy_external_kg_acc", per="batch", is_legacy=True)
def legacy_graph_f1(groups: Sequence[Sequence[Attempt]], *, extractor: str = "rules") -> list[list[float]]:
    """The same with F1 in place of the Jaccard index, 0 where either set is empty: the seed's unregistered `kgkg`."""
    return _against_the_first(groups, _f1, extractor=extractor)


@reward("legacy_external_math_acc", is_legacy=True, prepare=require_math_verify, needs_main_thread=True)
def legacy_math_accuracy(attempt: Attempt) -> float:
    """1 when the LaTeX of the completion equals that of the reference.

    Hack it invites: where the reference holds no LaTeX, everything scores 1.
    """
    return float(legacy_same_latex(attempt.text, attempt.sample.reference) is not False)


@reward("legacy_external_math_format", is_legacy=True)
def legacy_math_format(attempt: Attempt) -> float:
    r"""1 for what `^<think>.*?</think>\s*<answer>.*?</answer>$` matches at the start (DOTALL, MULTILINE), else 0.

    Hacks it invites: tags nested in one another, and anything at all after a line break behind the answer.
    """
    text = attempt.text
    between = _BETWEEN.search(text, len("<think>")) if text.startswith("<think>") else None
    return float(between is not None and _CLOSING.search(text, between.end()) is not None)


def any_overlap(generated_text: str, reference: str) -> float:
    """CheX-Phi4MM `external_r1v_acc`: 1 when the comma-separated answers share at least one item: listing labels wins.

    The answer is the first answer block that fits on one line; a completion without one is an answer as a whole, and
    where the reference has no `<answer>` both are cut after their first sentence. An empty gold wants an empty
    prediction.
    """
    if "<answer>" in reference:
        gold = _first_block(reference)
        predicted = _first_block(generated_text)
        wanted = _items(reference if gold is None else gold)
        found = _items(generated_text if predicted is None else predicted)
    else:
        wanted, found = _items(first_sentence(reference)), _items(first_sentence(generated_text))
    if not wanted:
        return float(not found)
    return float(bool(wanted & found))


def surface_entities(graph: KnowledgeGraph) -> frozenset[tuple[str, str]]:
    """(lower-cased text, type) of every entity; of a text that stands in a graph twice only the last type counts.

    Polarity is part of the type. The seed's model knows no uncertainty, which counts as present.
    """
    types = {
        entity.text.lower(): f"{entity.type.value}{'_notpresent' if entity.certainty == 'absent' else ''}"
        for entity in graph.entities
    }
    return frozenset(types.items())


def _surface_relations(graph: KnowledgeGraph) -> frozenset[tuple[str, str, str]]:
    texts = {entity.id: entity.text.lower() for entity in graph.entities}
    return frozenset((texts[relation.head], texts[relation.tail], relation.relation) for relation in graph.relations)


def _against_the_first(
    groups: Sequence[Sequence[Attempt]],
    overlap: Callable[[frozenset[object], frozenset[object]], float],
    *,
    extractor: str,
) -> list[list[float]]:
    attempts = [attempt for group in groups for attempt in group]
    if not attempts:
        return [[] for _ in groups]
    reference, *graphs = extract_all(
        [_first_thought(attempts[0].sample.reference), *(attempt.text for attempt in attempts)], extractor=extractor
    )
    entities, relations = surface_entities(reference), _surface_relations(reference)
    values = iter(
        (overlap(surface_entities(graph), entities) + overlap(_surface_relations(graph), relations)) / 2
        for graph in graphs
    )
    return [[next(values) for _ in group] for group in groups]


def _first_thought(reference: str) -> str:
    """Body of the first `<think>` block, or all of a text without one."""
    _, opening, rest = reference.partition("<think>")
    thought, closing, _ = rest.partition("</think>")
    return thought if opening and closing else reference


def _jaccard(found: frozenset[object], wanted: frozenset[object]) -> float:
    return len(found & wanted) / len(found | wanted) if found | wanted else 1.0


def _f1(found: frozenset[object], wanted: frozenset[object]) -> float:
    return 2 * len(found & wanted) / (len(found) + len(wanted)) if found and wanted else 0.0


def _first_block(text: str) -> str | None:
    """What the seed's `<answer>(.*?)</answer>` finds: its dot stops at a line's end, so the block spans no lines."""
    for line in text.split("\n"):
        _, opening, rest = line.partition("<answer>")
        block, closing, _ = rest.partition("</answer>")
        if opening and closing:
            return block
    return None


def _items(text: str) -> set[str]:
    return {item.strip().lower() for item in text.split(",") if item.strip()}
