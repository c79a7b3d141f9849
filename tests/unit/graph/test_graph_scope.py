"""Each hand-written sentence claims exactly what a radiologist would take from it."""

from pathlib import Path

import pytest

from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import NO_FINDING, terms

_CERTAINTY = {"+": "present", "-": "absent", "?": "uncertain"}
_TABLE = [
    tuple(part.strip() for part in line.rsplit("=>", 1))
    for line in (Path(__file__).parent / "scope_sentences.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def _expected(facts: str) -> set[tuple[str, str | None, str]]:
    claims: set[tuple[str, str | None, str]] = set()
    for fact in filter(None, (part.strip() for part in facts.split(";"))):
        finding, _, site = fact[1:].partition("@")
        sites = (
            [site.replace("both", side) for side in ("left", "right")] if site.startswith("both") else [site or None]
        )
        claims |= {(finding, place, _CERTAINTY[fact[0]]) for place in sites}
    return claims


def _claims(text: str) -> set[tuple[str, str | None, str]]:
    graph = extract(text)
    sited = {(t.head, t.tail, t.certainty) for t in graph.triplets if t.relation == "located_at"}
    named = {finding for finding, _, _ in sited}
    unsited = {(name, None, value) for name, value in graph.labels.items() if value and name not in named}
    return sited | {claim for claim in unsited if claim[0] != NO_FINDING}


def test_the_table_is_large_and_names_only_known_findings():
    assert len(_TABLE) >= 200
    known = {term.fact for term in terms().values()}
    assert {finding for _, facts in _TABLE for finding, _, _ in _expected(facts)} <= known


@pytest.mark.parametrize(("sentence", "facts"), _TABLE, ids=[sentence for sentence, _ in _TABLE])
def test_a_sentence_claims_exactly_these_facts(sentence: str, facts: str):
    assert _claims(sentence) == _expected(facts)
