import pytest
from noted import read_all

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.openi import ADAPTER
from radrl.data.adapters.openi_kaggle import ADAPTER as KAGGLE
from radrl.errors import DataError

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
<meta type="rr"/>
<uId id="CXR{uid}"/>
<licenseType>open-access</licenseType>
<licenseURL>http://creativecommons.org/licenses/by-nc-nd/4.0/</licenseURL>
<ccLicense>byncnd</ccLicense>
<MedlineCitation Owner="Indiana University" Status="supplied by publisher">
<Article PubModel="Electronic">
<Abstract>
<AbstractText Label="COMPARISON">{comparison}</AbstractText>
<AbstractText Label="INDICATION">{indication}</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION">{impression}</AbstractText>
</Abstract>
</Article>
</MedlineCitation>
<MeSH><major>Cardiomegaly/mild</major><major>Lung/hypoinflation</major><automatic>Cardiomegaly</automatic></MeSH>
{films}
</eCitation>
"""
FILM = (
    '<parentImage id="CXR{uid}_1_IM-0001-{series}"><figureId>F1</figureId><caption>Xray</caption>'
    '<panel type="single"><url>/x.jpg</url></panel></parentImage>'
)
TEXTS = {
    "comparison": "None.",
    "indication": "Cough.",
    "findings": "The heart is large.",
    "impression": "Cardiomegaly.",
}


def write(folder, uid=19901, *, series=("3001", "4001"), inner="ecgen-radiology", **texts):
    (folder / inner).mkdir(exist_ok=True)
    films = "".join(FILM.format(uid=uid, series=name) for name in series)
    text = REPORT.format(uid=uid, films=films, **{**TEXTS, **texts})
    (folder / inner / f"{uid}.xml").write_text(text, encoding="utf-8")
    return folder


def test_a_report_is_asked_for_once_with_all_films_of_the_study(tmp_path):
    (tmp_path / "NLMCXR_png").mkdir()
    (tmp_path / "NLMCXR_png" / "CXR19901_1_IM-0001-4001.png").touch()
    (record,), drops = read_all(ADAPTER, write(tmp_path))
    assert record.question == "Indication: Cough.\nWrite the findings of the report on this film."
    assert record.answer == ("The heart is large.",)
    assert [path.name for path in record.images] == ["CXR19901_1_IM-0001-3001.png", "CXR19901_1_IM-0001-4001.png"]
    assert record.images[1].parent == tmp_path / "NLMCXR_png"
    assert (record.patient_id, record.split) == ("openi-19901", split_of("openi-19901"))
    assert record.columns["mesh"] == ["Cardiomegaly/mild", "Lung/hypoinflation"]
    assert drops.rows == []


def test_a_study_may_have_one_film_and_one_without_any_is_dropped(tmp_path):
    write(tmp_path, 19902, series=("1001",))
    (record,), drops = read_all(ADAPTER, write(tmp_path, 19903, series=()))
    assert len(record.images) == 1
    assert drops.reasons == ["no film"]


def test_sentences_with_the_mask_are_neither_asked_nor_shown(tmp_path):
    write(tmp_path, findings="Compared to XXXX, no change. The heart is large.", indication="XXXX-year-old with cough")
    (record,), _ = read_all(ADAPTER, tmp_path)
    assert record.answer == ("The heart is large.",)
    assert record.question == "Write the findings of the report on this film."
    assert record.columns["has_masked_text"] is True


@pytest.mark.parametrize("findings", ["", "   ", "XXXX XXXX are clear."])
def test_a_missing_section_is_a_counted_drop(tmp_path, findings):
    records, drops = read_all(ADAPTER, write(tmp_path, findings=findings))
    assert records == []
    assert drops.reasons == ["no findings in the report"]
    (record,), _ = read_all(ADAPTER, tmp_path, Choices(section="impression"))
    assert record.answer == ("Cardiomegaly.",)


def test_both_sections_are_told_apart_by_their_heads(tmp_path):
    (record,), _ = read_all(ADAPTER, write(tmp_path), Choices(section="both"))
    assert record.answer == ("Findings: The heart is large.\nImpression: Cardiomegaly.",)


def test_reports_come_by_number_and_may_lie_in_the_folder_itself(tmp_path):
    for uid in (19910, 1992, 19905):
        write(tmp_path, uid, inner=".")
    records, _ = read_all(ADAPTER, tmp_path)
    assert [record.study_id for record in records] == ["1992", "19905", "19910"]


def test_broken_xml_and_another_id_are_errors_that_name_the_file(tmp_path):
    path = write(tmp_path) / "ecgen-radiology" / "19901.xml"
    path.write_text(path.read_text(encoding="utf-8").replace("CXR19901", "X"), encoding="utf-8")
    with pytest.raises(DataError, match=r"19901.xml: uId is 'X'"):
        read_all(ADAPTER, tmp_path)
    path.write_text("<eCitation><uId", encoding="utf-8")
    with pytest.raises(DataError, match=r"19901.xml is not XML"):
        read_all(ADAPTER, tmp_path)


REPORTS = (
    "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
    '19901,Cardiomegaly/mild;Lung/hypoinflation,Cardiomegaly;Lung,"Xray Chest PA and Lateral",Cough.,None.,'
    '"Compared to XXXX, no change. The heart is large.",Cardiomegaly.\n'
    "19904,normal,normal,Chest x-XXXX,,,,No acute disease.\n"
)
PROJECTIONS = (
    "uid,filename,projection\n"
    "19901,19901_IM-0001-3001.dcm.png,Lateral\n"
    "19901,19901_IM-0001-4001.dcm.png,Frontal\n"
    "19904,19904_IM-0002-1001.dcm.png,Frontal\n"
)


def write_kaggle(folder, *, reports=REPORTS, projections=PROJECTIONS):
    (folder / "indiana_reports.csv").write_text(reports, encoding="utf-8")
    (folder / "indiana_projections.csv").write_text(projections, encoding="utf-8")
    return folder


def test_the_copy_on_kaggle_shows_frontal_films_first_and_masks_alike(tmp_path):
    films = tmp_path / "images" / "images_normalized"
    films.mkdir(parents=True)
    (films / "19901_IM-0001-4001.dcm.png").touch()
    records, drops = read_all(KAGGLE, write_kaggle(tmp_path))
    (record,) = records
    assert record.images[0] == films / "19901_IM-0001-4001.dcm.png"
    assert record.images[1].name == "19901_IM-0001-3001.dcm.png"
    assert record.answer == ("The heart is large.",)
    assert drops.reasons == ["no findings in the report"]


def test_both_copies_of_a_report_are_the_same_question(tmp_path):
    xml, kaggle = tmp_path / "xml", tmp_path / "kaggle"
    xml.mkdir(), kaggle.mkdir()
    (one,), _ = read_all(ADAPTER, write(xml, findings="Compared to XXXX, no change. The heart is large."))
    (other,), _ = read_all(KAGGLE, write_kaggle(kaggle))
    assert (one.id, one.question, one.answer, one.columns) == (other.id, other.question, other.answer, other.columns)


def test_a_report_without_a_film_on_kaggle_is_dropped_and_another_projection_is_an_error(tmp_path):
    projections = "\n".join(PROJECTIONS.split("\n")[:3]) + "\n"
    _, drops = read_all(KAGGLE, write_kaggle(tmp_path, projections=projections), Choices(section="impression"))
    assert drops.reasons == ["no film"]
    with pytest.raises(DataError, match=r"projections.csv:2: field 'projection' is 'Oblique'"):
        read_all(KAGGLE, write_kaggle(tmp_path, projections=PROJECTIONS.replace("Lateral", "Oblique")))
