import pytest
from evaluation_builders import answering, judged, listing
from text_builders import read_as, report

from radrl.evaluation.written import ReportReading, TextPair, in_section

BOTH = "FINDINGS: The heart is large. The lungs are clear.\nIMPRESSION: Cardiomegaly."


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("findings", "The heart is large. The lungs are clear."),
        ("impression", "Cardiomegaly."),
        ("both", "The heart is large. The lungs are clear.\n\n Cardiomegaly."),
    ],
)
def test_a_section_is_what_stands_under_its_heading(section, expected):
    assert in_section(BOTH, section) == expected


def test_headings_stand_at_the_beginning_of_a_line_or_sentence_in_any_case_and_conclusion_is_an_impression():
    assert in_section("Findings: Clear. Impression: Normal.", "impression") == "Normal."
    assert in_section("FINDINGS: clear\nConclusion : normal", "impression") == "normal"
    assert in_section("These are the findings: clear.", "impression") == "These are the findings: clear."
    assert in_section("FINDINGS: Clear.", "impression") is None
    assert in_section("Clear.", "impression") == "Clear."


def test_report_and_gold_are_cut_to_the_same_section():
    sample = report(0, gold=BOTH)
    said = answering("FINDINGS: Big heart. IMPRESSION: Large heart.")
    assert read_as(sample, said, ReportReading(section="impression")).texts == TextPair(
        predicted="Large heart.", gold="Cardiomegaly."
    )
    without = read_as(sample, answering("Big heart."), ReportReading(section="impression"))
    assert without.texts == TextPair(predicted="Big heart.", gold="Cardiomegaly.")
    other = read_as(sample, answering("FINDINGS: Big heart."), ReportReading(section="impression"))
    assert other.texts == TextPair(predicted="", gold="Cardiomegaly.")


def test_a_gold_report_without_the_section_takes_no_part():
    sample = report(0, gold="FINDINGS: Clear.")
    assert read_as(sample, answering("IMPRESSION: Clear."), ReportReading(section="impression")).texts is None


def test_a_report_without_tags_is_the_whole_text_only_where_its_reference_has_none_either():
    bare = report(0, gold="Clear lungs. Normal heart.", reference="Clear lungs. Normal heart.")
    assert judged(bare, "Lungs clear. Heart normal.").texts == TextPair(
        predicted="Lungs clear. Heart normal.", gold="Clear lungs. Normal heart."
    )
    tagged = report(0, gold="Clear lungs. Normal heart.")
    assert judged(tagged, "Lungs clear. Heart normal.").texts == TextPair(
        predicted="", gold="Clear lungs. Normal heart."
    )
    assert judged(bare, "<think>Lungs clear.").texts == TextPair(predicted="", gold="Clear lungs. Normal heart.")


def test_answers_that_are_no_free_text_have_no_texts():
    assert judged(listing(0, gold=["edema"]), answering("edema")).texts is None
