from xml.etree import ElementTree

from drawn import asked, converted, lot, meaning

from radrl.data.adapters import openi_kaggle
from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.openi import ADAPTER
from radrl.phantom.exporters import openi_kaggle as exported_to_kaggle
from radrl.phantom.exporters.openi import write

KAGGLE = openi_kaggle.ADAPTER


def study(film, image):
    uid = f"{film.patient.id[1:]}{film.study.index:03d}"
    return LabelledStudy(
        id=f"openi-{uid}",
        study_id=uid,
        split=split_of(f"openi-{uid}"),
        patient_id=f"openi-{uid}",
        images=(image.with_name(image.name.format(uid)),),
        sections={
            "indication": "Fever and cough." if film.study.infection_cue else "Follow-up.",
            "findings": film.report.findings,
            "impression": film.report.impression,
        },
        origin="",
    )


def test_xml_reports_are_read_back_as_they_were(tmp_path):
    write(tmp_path, lot())
    choices = Choices(section="both")
    records, drops = converted(ADAPTER, tmp_path, choices)
    image = tmp_path / "NLMCXR_png" / "CXR{}_IM-0001-4001.png"
    assert meaning(records) == meaning(asked((study(film, image) for film in lot().films), choices))
    assert (len(records), drops.reasons) == (len(lot().films), [])


def test_the_copy_on_kaggle_holds_the_same(tmp_path):
    exported_to_kaggle.write(tmp_path, lot())
    records, drops = converted(KAGGLE, tmp_path)
    image = tmp_path / "images" / "images_normalized" / "{}_IM-0001-4001.dcm.png"
    assert meaning(records) == meaning(asked(study(film, image) for film in lot().films))
    assert drops.reasons == []
    normal = {f"openi-{film.patient.id[1:]}{film.study.index:03d}" for film in lot().films if not film.study.facts}
    assert normal
    assert {tuple(record.columns["mesh"]) for record in records if record.patient_id in normal} == {("normal",)}


def test_xml_names_its_licence_and_masks_what_de_identification_masks(tmp_path):
    write(tmp_path, lot(num_patients=1))
    report = ElementTree.parse(next((tmp_path / "ecgen-radiology").glob("*.xml"))).getroot()
    assert (report.tag, report.findtext("ccLicense")) == ("eCitation", "byncnd")
    parts = {part.get("Label"): part.text for part in report.iter("AbstractText")}
    assert list(parts) == ["COMPARISON", "INDICATION", "FINDINGS", "IMPRESSION"]
    assert "XXXX" in (parts["INDICATION"] or "")


XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><meta type="rr"/><uId id="CXR{number}"/><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">Chest films dated XXXX.</AbstractText>
<AbstractText Label="INDICATION">Chest pain. XXXX-year-old male.</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION">Stable XXXX. No acute disease.</AbstractText>
</Abstract></Article></MedlineCitation>
<MeSH><major>Cardiomegaly/mild</major><automatic>Heart</automatic></MeSH>{films}</eCitation>"""


def test_documented_reports_give_these_records(tmp_path):
    """`XXXX`, a missing section, two films and one, and none."""
    folder = tmp_path / "ecgen-radiology"
    folder.mkdir()
    two = "".join(f'<parentImage id="CXR99001_1_IM-0001-{view}001"/>' for view in (3, 4))
    films = {99001: ("The heart is large.", two), 99002: ("", '<parentImage id="CXR99002_IM-0002-1001"/>')}
    for number, (findings, shown) in films.items():
        (folder / f"{number}.xml").write_text(XML.format(number=number, findings=findings, films=shown))
    (folder / "99003.xml").write_text(XML.format(number=99003, findings="Clear.", films=""))
    (record,), drops = converted(ADAPTER, tmp_path)
    assert record.question.startswith("Indication: Chest pain.\n")
    assert record.answer == ("The heart is large.",)
    assert [image.stem for image in record.images] == ["CXR99001_1_IM-0001-3001", "CXR99001_1_IM-0001-4001"]
    assert drops.reasons == ["no findings in the report", "no film"]
    impressions, _ = converted(ADAPTER, tmp_path, Choices(section="impression"))
    assert [record.answer for record in impressions] == [("No acute disease.",)] * 2


def test_documented_rows_of_the_copy_give_these_records(tmp_path):
    (tmp_path / "indiana_reports.csv").write_text(
        "uid,MeSH,Problems,image,indication,comparison,findings,impression\n"
        '99001,Cardiomegaly/mild;Pleural Effusion/left,Cardiomegaly,"Xray Chest PA and Lateral",Chest pain.,None.,'
        '"The heart is large, with a small effusion.",Large heart.\n'
        "99002,normal,normal,PA and lateral,,,,No acute disease.\n"
    )
    (tmp_path / "indiana_projections.csv").write_text(
        "uid,filename,projection\n99001,99001_IM-0001-3001.dcm.png,Lateral\n"
        "99001,99001_IM-0001-4001.dcm.png,Frontal\n99002,99002_IM-0002-1001.dcm.png,Frontal\n"
    )
    (record,), drops = converted(KAGGLE, tmp_path)
    assert [image.name for image in record.images] == ["99001_IM-0001-4001.dcm.png", "99001_IM-0001-3001.dcm.png"]
    assert record.answer == ("The heart is large, with a small effusion.",)
    assert record.columns["mesh"] == ["Cardiomegaly/mild", "Pleural Effusion/left"]
    assert drops.reasons == ["no findings in the report"]
