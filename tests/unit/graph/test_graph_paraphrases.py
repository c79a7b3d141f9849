"""The rule extractor on prose that its lexicon was not written from.

`paraphrases.jsonl` holds short texts in radiologists' wording with what they state by hand. It was written without
sight of the lexicon, and stays a measure only as long as nobody tunes the extractor to its sentences: on failure the
test says how many facts of which category went wrong, not which words.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING
from radrl.graph.types import CERTAINTIES
from radrl.types import Triplet

_GATE = 0.90
_PATH = Path(__file__).with_name("paraphrases.jsonl")

Facts = set[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paraphrase:
    """One text with its gold, and what the extractor makes of it."""

    text: str
    category: str
    labels: dict[str, str]
    triplets: list[list[str]]

    def gold_triplets(self) -> Facts:
        return {tuple(triplet) for triplet in self.triplets}

    def read_triplets(self) -> Facts:
        facts = ((t.head, t.relation, t.tail, t.certainty) for t in extract(self.text).triplets)
        return {fact for fact in facts if fact[0] in FINDINGS or fact[2] in FINDINGS}

    def gold_labels(self) -> Facts:
        return set(self.labels.items())

    def read_labels(self) -> Facts:
        return {(name, value) for name, value in extract(self.text).labels.items() if value is not None}


PARAPHRASES = [Paraphrase(**json.loads(line)) for line in _PATH.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("gold", "read"),
    [
        (Paraphrase.gold_triplets, Paraphrase.read_triplets),
        (Paraphrase.gold_labels, Paraphrase.read_labels),
    ],
    ids=["triplets", "labels"],
)
def test_what_unseen_prose_states_is_read_at_f1_090(
    gold: Callable[[Paraphrase], Facts], read: Callable[[Paraphrase], Facts]
):
    missed: Counter[str] = Counter()
    invented: Counter[str] = Counter()
    num_right = 0
    for paraphrase in PARAPHRASES:
        stated, found = gold(paraphrase), read(paraphrase)
        num_right += len(stated & found)
        missed[paraphrase.category] += len(stated - found)
        invented[paraphrase.category] += len(found - stated)
    f1 = 2 * num_right / (2 * num_right + missed.total() + invented.total())
    assert f1 >= _GATE, f"F1 {f1:.3f}; missed by category {_worst(missed)}; invented by category {_worst(invented)}"


def _worst(counts: Counter[str]) -> str:
    return ", ".join(f"{category} {count}" for category, count in counts.most_common() if count)


def test_the_set_is_large_and_speaks_of_every_finding_in_every_certainty():
    assert len(PARAPHRASES) >= 200
    assert len({paraphrase.text for paraphrase in PARAPHRASES}) == len(PARAPHRASES)
    said = {claim for paraphrase in PARAPHRASES for claim in paraphrase.gold_labels()}
    devices_and_normality = {"support devices", NO_FINDING}
    assert {name for name, _ in said} == set(FINDINGS)
    assert said >= {(name, value) for name in set(FINDINGS) - devices_and_normality for value in CERTAINTIES}


def test_the_gold_follows_the_conventions_of_sites_and_severities():
    for paraphrase in PARAPHRASES:
        for triplet in _gold(paraphrase):
            if triplet.relation == "located_at":
                assert triplet.tail in _SITES[triplet.head], paraphrase.text
            elif triplet.relation == "modify":
                assert triplet.head in ("mild", "moderate", "severe"), paraphrase.text
                assert triplet.certainty != "absent", paraphrase.text
        claimed = {t.tail if t.relation == "modify" else t.head for t in _gold(paraphrase)}
        assert claimed <= set(paraphrase.labels), paraphrase.text


def _gold(paraphrase: Paraphrase) -> Iterator[Triplet]:
    for head, relation, tail, certainty in paraphrase.triplets:
        yield Triplet(head=head, relation=relation, tail=tail, certainty=certainty)


_PLEURAL = {"left pleural space", "right pleural space", "pleural space"}
_LUNGS = {"left lung", "right lung", "lung"}
_ZONES = {f"{side} {zone} zone" for side in ("left", "right") for zone in ("upper", "mid", "lower")}
_SITES = {
    "pleural effusion": _PLEURAL,
    "pneumothorax": _PLEURAL,
    "pleural other": _PLEURAL,
    "cardiomegaly": {"cardiac silhouette"},
    "enlarged cardiomediastinum": {"mediastinum"},
    "edema": _LUNGS,
    **dict.fromkeys(("lung opacity", "lung lesion", "consolidation", "pneumonia", "atelectasis"), _LUNGS | _ZONES),
    "fracture": {"left ribs", "right ribs", "left clavicle", "right clavicle"},
    "support devices": _PLEURAL | {"trachea", "abdomen", "upper mediastinum", "left clavicle", "right clavicle"},
}
