import numpy as np
import pytest
from drawn import asked, boxes, converted, lot, meaning, present

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.vindr_cxr import ADAPTER
from radrl.phantom.exporters.identifiers import hex_id
from radrl.phantom.exporters.pictures import grey
from radrl.phantom.exporters.vindr_cxr import write
from radrl.types import Box

pydicom = pytest.importorskip("pydicom")

NAMES = {
    "enlarged cardiomediastinum": "other lesion",
    "cardiomegaly": "cardiomegaly",
    "lung opacity": "lung opacity",
    "lung lesion": "nodule or mass",
    "edema": "edema",
    "consolidation": "consolidation",
    "pneumonia": "pneumonia",
    "atelectasis": "atelectasis",
    "pneumothorax": "pneumothorax",
    "pleural effusion": "pleural effusion",
    "pleural other": "pleural thickening",
    "fracture rib": "rib fracture",
    "fracture clavicle": "clavicle fracture",
}
ALL = {label.name for label in label_space("vindr_28").values()} - {"no finding"}


def study(film, folder, *, part="train", certainties):
    name = hex_id(film)
    there = present(film, NAMES, certainties=certainties)
    patient = f"vindr-{name}"
    train = "val" if split_of(patient) == "val" else "train"
    return LabelledStudy(
        id=patient,
        split=train if part == "train" else "test",
        patient_id=patient,
        images=(folder / part / f"{name}.dicom",),
        labels={label: "present" if label in there else "absent" for label in ALL},
        is_exhaustive=True,
        boxes=boxes(film, NAMES, certainties=certainties),
        origin="",
    )


def has_only_uncertain(film):
    return not present(film, NAMES) and present(film, NAMES, certainties=("uncertain",))


@pytest.mark.parametrize(("rule", "certainties"), [("union", ("present", "uncertain")), ("majority", ("present",))])
def test_three_readers_are_read_back_as_one(tmp_path, rule, certainties):
    """One reader of three sees what is uncertain: it counts in a union, and not in a majority."""
    drawn = lot(num_patients=6)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path, Choices(readers=rule))
    expected = asked(study(film, tmp_path, certainties=certainties) for film in drawn.films)
    assert meaning(records) == meaning(expected)
    assert drops.reasons == []
    assert any("uncertain" in {fact.certainty for fact in film.study.facts} for film in drawn.films)


def test_test_films_have_no_reader_and_the_other_spelling_of_other_disease(tmp_path):
    drawn = lot("test", 2)
    write(tmp_path, lot(num_patients=1))
    write(tmp_path, drawn)
    header = (tmp_path / "annotations" / "image_labels_test.csv").read_text().splitlines()[0].split(",")
    assert (header[1], header[-2:]) == ("Aortic enlargement", ["Other disease", "No finding"])
    records = [record for record in converted(ADAPTER, tmp_path)[0] if record.split == "test"]
    expected = asked(study(film, tmp_path, part="test", certainties=("present",)) for film in drawn.films)
    assert meaning(records) == meaning(expected)


def test_films_are_dicom_of_either_photometric_and_decode_to_the_picture(tmp_path):
    from radrl.data.images import open_image
    from radrl.types import ImageRef

    drawn = lot(num_patients=6)
    write(tmp_path, drawn)
    seen = set()
    for film in drawn.films:
        path = tmp_path / "train" / f"{hex_id(film)}.dicom"
        seen.add(pydicom.dcmread(path).PhotometricInterpretation)
        shown = np.asarray(open_image(ImageRef(path=str(path), sha256="")).convert("L"), dtype=float)
        assert np.corrcoef(shown.ravel(), np.asarray(grey(film), dtype=float).ravel())[0, 1] > 0.95
    assert seen == {"MONOCHROME1", "MONOCHROME2"}


def test_documented_rows_give_these_records(tmp_path):
    """`rad_ID` of some copies, blank corners of `No finding`, readers who disagree."""
    name = "999a0d0c8d8f4e1f9ab3c1d2e3f40506"
    notes = tmp_path / "annotations"
    notes.mkdir()
    (notes / "annotations_train.csv").write_text(
        "image_id,rad_ID,class_name,x_min,y_min,x_max,y_max\n"
        f"{name},R9,No finding,,,,\n"
        f"{name},R10,Nodule/Mass,16,8,32,24\n"
        f"{name},R8,Nodule/Mass,16,8,32,24\n"
    )
    labels = [label for label in label_space("vindr_28") if label != "Other disease"]
    rows = [
        ",".join((name, reader, *(str(int(label == found)) for label in labels)))
        for reader, found in (("R8", "Nodule/Mass"), ("R9", "No finding"), ("R10", "Nodule/Mass"))
    ]
    (notes / "image_labels_train.csv").write_text("\n".join((",".join(("image_id", "rad_ID", *labels)), *rows)))
    (tmp_path / "train").mkdir()
    film = lot(num_patients=1).films[0]
    from radrl.phantom.exporters.pictures import write_dicom

    write_dicom(tmp_path / "train" / f"{name}.dicom", film, bits_stored=12)
    records, _ = converted(ADAPTER, tmp_path, Choices(readers="majority"))
    (place,) = [record for record in records if record.kind == "grounding"]
    assert place.boxes == (Box(label="nodule or mass", x0=0.25, y0=0.125, x1=0.5, y1=0.375),)
    yes = [record.options for record in records if record.kind == "presence" and record.answer == ("yes",)]
    assert yes == [("nodule or mass",)]
    assert {record.patient_id for record in records} == {f"vindr-{name}"}
