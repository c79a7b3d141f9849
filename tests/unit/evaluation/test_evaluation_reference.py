"""The reference page says what the code says."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from evaluation_builders import answering, judged, presence

from radrl.evaluation.families import FAMILIES
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.measures import Block, Counts
from radrl.evaluation.records import EvalRecord
from radrl.evaluation.reference import PAGES, SUMMARY, Field, carriers_in, fields_of
from radrl.evaluation.summary import CONVENTIONS, Blind, Settings, Summary, summarise

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A made-up carrier."""

    rate: int
    """Beats
    a minute."""
    rhythm: str | None = None
    blocks: dict[str, Block] | None = None


@pytest.mark.parametrize("name", PAGES)
def test_the_evaluation_reference_is_up_to_date(name):
    written = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run python -m radrl.evaluation.reference docs/reference"


def test_fields_come_with_the_texts_under_them():
    assert fields_of(Pulse) == [
        Field(name="rate", annotation="int", meaning="Beats\n    a minute."),
        Field(name="rhythm", annotation="str | None", meaning=""),
        Field(name="blocks", annotation="dict[str, Block] | None", meaning=""),
    ]


def test_carriers_are_found_inside_of_mappings_and_of_each_other():
    found = carriers_in(Pulse)
    assert found[:3] == [Pulse, Block, Counts]
    assert Estimate in found
    assert Summary not in found


def test_the_page_holds_every_metric_convention_and_field():
    page = PAGES["evaluation.md"]()
    names = [name for family in FAMILIES for name in family.metrics]
    for name in (*names, *CONVENTIONS, *(field.name for field in fields_of(EvalRecord))):
        assert f"| `{name}` |" in page


def test_the_keys_of_the_page_are_those_of_a_summary_in_order():
    summary = summarise(
        [judged(presence(number, gold="yes"), answering("yes")) for number in range(3)],
        settings=Settings(model="m", data=("x",), n=1, temperature=0.0, max_response_length=8, seed=1),
        bootstrap=Bootstrap(resamples=10, seed=1),
        blind=Blind(),
    )
    assert list(SUMMARY) == list(summary.to_json()), "tell the new key in radrl.evaluation.reference.SUMMARY"
