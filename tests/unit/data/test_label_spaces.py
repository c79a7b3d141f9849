import pytest

from radrl.data.adapters.label_spaces import SPACES, label_space
from radrl.errors import ConfigError
from radrl.graph.lexicon.findings import FINDINGS


def names(space):
    return list(dict.fromkeys(label.name for label in label_space(space).values()))


@pytest.mark.parametrize(
    ("space", "count"),
    [
        ("chexpert_14", 14),
        ("mimic_cxr_14", 14),
        ("chexbert_5", 5),
        ("nih_15", 15),
        ("vindr_28", 28),
        ("padchest_193", 193),
        ("cxr_lt_45", 45),
        ("mimic_cxr_vqa_110", 110),
    ],
)
def test_every_space_has_as_many_names_as_its_publisher_says(space, count):
    assert len(names(space)) == count


@pytest.mark.parametrize("space", SPACES)
def test_every_label_has_a_source_and_stands_for_findings_that_there_are(space):
    labels = label_space(space)
    for label in labels.values():
        assert label.source
        assert label.chexpert is None or label.chexpert in FINDINGS
        assert label.parent is None or label.parent in names(space)


def test_chexpert_and_mimic_have_the_same_labels_in_two_orders():
    own, alphabetical = list(label_space("chexpert_14")), list(label_space("mimic_cxr_14"))
    assert own[:4] == ["No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity"]
    assert alphabetical[:4] == ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema"]
    assert sorted(own) == alphabetical[:14]
    assert label_space("mimic_cxr_14")["Airspace Opacity"].name == "lung opacity"


def test_nih_labels_count_as_chexperts_where_it_has_one():
    chexpert = {label.label: label.chexpert for label in label_space("nih_15").values()}
    assert chexpert["Effusion"] == "pleural effusion"
    assert chexpert["Mass"] == chexpert["Nodule"] == "lung lesion"
    assert chexpert["Infiltration"] == chexpert["Infiltrate"] == "lung opacity"
    assert chexpert["Pleural_Thickening"] == "pleural other"
    assert chexpert["Emphysema"] is chexpert["Fibrosis"] is chexpert["Hernia"] is None


def test_chexperts_hierarchy_leads_from_the_narrow_to_the_broad():
    parents = {label.name: label.parent for label in label_space("chexpert_14").values()}
    assert parents["pneumonia"] == "consolidation"
    assert parents["consolidation"] == parents["edema"] == parents["lung lesion"] == "lung opacity"
    assert parents["cardiomegaly"] == "enlarged cardiomediastinum"
    assert parents["pneumothorax"] is None


def test_both_spellings_of_a_label_have_one_name():
    vindr = label_space("vindr_28")
    assert vindr["Other disease"].name == vindr["Other diseases"].name
    with pytest.raises(ConfigError, match="no label space is called 'nih'"):
        label_space("nih")
