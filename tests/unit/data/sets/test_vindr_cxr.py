import pytest
from noted import read_all
from PIL import Image

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.vindr_cxr import ADAPTER
from radrl.errors import DataError
from radrl.types import Box

FINDINGS = [label for label in label_space("vindr_28") if not label.startswith("Other disease")]
FILM, NORMAL_FILM, TEST_FILM = "f199a1", "f199a2", "f199b1"
BOXES = (
    "image_id,{reader},class_name,x_min,y_min,x_max,y_max\n"
    f"{FILM},R1,Nodule/Mass,20,10,60,50\n"
    f"{FILM},R2,Nodule/Mass,24,10,64,50\n"
    f"{FILM},R3,Other lesion,100,50,150,90\n"
    f"{NORMAL_FILM},R1,No finding,,,,\n"
    f"{NORMAL_FILM},R2,No finding,,,,\n"
    f"{NORMAL_FILM},R3,No finding,,,,\n"
)
TEST_BOXES = f"image_id,class_name,x_min,y_min,x_max,y_max\n{TEST_FILM},Pleural effusion,0,60,200,100\n"


def labels(*rows, reader="rad_id", other="Other diseases"):
    """A table of ticks from rows (film, reader, ticked findings)."""
    named = [*FINDINGS[:-1], other, FINDINGS[-1]]
    head = ["image_id", *([reader] if reader else []), *named]
    lines = [
        [film, *([who] if reader else []), *(str(int(label in ticked)) for label in named)]
        for film, who, ticked in rows
    ]
    return "\n".join(",".join(line) for line in [head, *lines]) + "\n"


def write(folder, *, reader="rad_id", size=(200, 100)):
    (folder / "annotations").mkdir()
    train = labels(
        (FILM, "R1", {"Nodule/Mass"}),
        (NORMAL_FILM, "R3", {"No finding"}),
        (FILM, "R2", {"Nodule/Mass", "Lung tumor"}),
        (FILM, "R3", {"Other lesion", "Other diseases"}),
        (NORMAL_FILM, "R1", {"No finding"}),
        (NORMAL_FILM, "R2", {"No finding"}),
        reader=reader,
    )
    test = labels((TEST_FILM, "", {"Pleural effusion", "Other disease"}), reader="", other="Other disease")
    files = {
        "annotations_train.csv": BOXES.format(reader=reader),
        "image_labels_train.csv": train,
        "annotations_test.csv": TEST_BOXES,
        "image_labels_test.csv": test,
    }
    for name, text in files.items():
        (folder / "annotations" / name).write_text(text, encoding="utf-8")
    for part, film in (("train", FILM), ("train", NORMAL_FILM), ("test", TEST_FILM)):
        (folder / part).mkdir(exist_ok=True)
        Image.new("L", size).save(folder / part / f"{film}.png")
    return folder


def yes(records, film):
    asked = [record for record in records if record.kind == "presence" and record.id.startswith(f"vindr-{film}")]
    return len(asked), {record.options[0] for record in asked if record.answer == ("yes",)}


def test_a_union_has_every_finding_that_one_of_three_readers_saw(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path))
    assert yes(records, FILM) == (27, {"nodule or mass", "lung tumor", "other lesion", "other disease"})
    assert yes(records, NORMAL_FILM) == (27, set())


def test_a_majority_has_those_that_two_saw(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(readers="majority"))
    assert yes(records, FILM) == (27, {"nodule or mass"})
    boxes = [record.boxes for record in records if record.kind == "grounding" and FILM in record.id]
    # Corners 20 and 24, 60 and 64 of 200 pixels: means 22 and 62.
    assert boxes == [(Box(label="nodule or mass", x0=0.11, y0=0.1, x1=0.31, y1=0.5),)]
    assert records[0].columns["readers"] == "majority"


def test_where_no_finding_has_a_majority_the_film_is_not_called_normal(tmp_path):
    folder = write(tmp_path)
    table = labels(
        *((FILM, reader, {label}) for reader, label in (("R1", "ILD"), ("R2", "COPD"), ("R3", "No finding")))
    )
    (folder / "annotations" / "image_labels_train.csv").write_text(table, encoding="utf-8")
    records, _ = read_all(ADAPTER, folder, Choices(readers="majority", kinds=("open",)))
    assert not [record for record in records if FILM in record.id]


def test_other_disease_and_other_diseases_are_one_finding(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path))
    assert yes(records, TEST_FILM) == (27, {"pleural effusion", "other disease"})


def test_rad_id_in_capitals_parts_the_readers_too(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir(), second.mkdir()
    one, _ = read_all(ADAPTER, write(first))
    other, _ = read_all(ADAPTER, write(second, reader="rad_ID"))
    assert [(r.id, r.answer, r.boxes) for r in one] == [(r.id, r.answer, r.boxes) for r in other]


def test_a_slash_in_a_label_does_not_split_it(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("open",)))
    answers = {record.id: record.answer for record in records}
    assert answers[f"vindr-{FILM}-open"] == ("nodule or mass", "other lesion", "lung tumor", "other disease")
    assert answers[f"vindr-{NORMAL_FILM}-open"] == ()


def test_the_test_part_is_the_publishers_and_the_training_part_keeps_some_for_validation(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("open",)))
    splits = {record.patient_id: record.split for record in records}
    assert splits[f"vindr-{TEST_FILM}"] == "test"
    assert splits[f"vindr-{FILM}"] == ("val" if split_of(f"vindr-{FILM}") == "val" else "train")


def test_a_film_named_dicom_is_found_and_measured(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    folder = write(tmp_path)
    (folder / "train" / f"{FILM}.png").unlink()
    write_dicom(pydicom, folder / "train" / f"{FILM}.dicom", width=200, height=100)
    records, _ = read_all(ADAPTER, folder, Choices(kinds=("grounding",), readers="majority"))
    assert records[0].images == (folder / "train" / f"{FILM}.dicom",)
    assert records[0].boxes == (Box(label="nodule or mass", x0=0.11, y0=0.1, x1=0.31, y1=0.5),)


def test_a_box_beyond_its_film_says_that_the_film_was_resized(tmp_path):
    with pytest.raises(DataError, match=r"annotations_train.csv:\d.*beyond its film of 100 x 50 pixels.*resized"):
        read_all(ADAPTER, write(tmp_path, size=(100, 50)))


CHALLENGE = (
    "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
    "f199c1,No finding,14,R9,,,,\n"
    "f199c1,Cardiomegaly,3,R10,50.0,40.0,150.0,80.0\n"
    "f199c1,No finding,14,R8,,,,\n"
)


def test_the_copy_on_kaggle_has_fourteen_findings_and_no_finding_as_class_14(tmp_path):
    (tmp_path / "train.csv").write_text(CHALLENGE, encoding="utf-8")
    (tmp_path / "train").mkdir()
    Image.new("L", (200, 100)).save(tmp_path / "train" / "f199c1.png")
    union, _ = read_all(ADAPTER, tmp_path)
    assert yes(union, "f199c1") == (14, {"cardiomegaly"})
    assert [r.boxes for r in union if r.kind == "grounding"] == [
        (Box(label="cardiomegaly", x0=0.25, y0=0.4, x1=0.75, y1=0.8),)
    ]
    majority, _ = read_all(ADAPTER, tmp_path, Choices(readers="majority"))
    assert yes(majority, "f199c1") == (14, set())
    assert [r.answer for r in majority if r.kind == "open"] == [()]
    assert {r.split for r in majority} == {split_of("vindr-f199c1")}


def test_resized_copies_with_the_published_size_in_their_table_are_measured_by_it(tmp_path):
    head, *rows = CHALLENGE.strip().split("\n")
    table = "\n".join([f"{head},width,height", *(f"{row},200,100" for row in rows)])
    (tmp_path / "train.csv").write_text(table + "\n", encoding="utf-8")
    Image.new("L", (16, 16)).save(tmp_path / "f199c1.png")
    records, _ = read_all(ADAPTER, tmp_path, Choices(kinds=("grounding",)))
    assert records[0].boxes == (Box(label="cardiomegaly", x0=0.25, y0=0.4, x1=0.75, y1=0.8),)


def test_a_class_that_is_not_known_is_an_error_with_its_line(tmp_path):
    (tmp_path / "train.csv").write_text(CHALLENGE.replace("Cardiomegaly", "Big heart"), encoding="utf-8")
    with pytest.raises(DataError, match=r"train.csv:3: field 'class_name' is 'Big heart'"):
        read_all(ADAPTER, tmp_path)


def write_dicom(pydicom, path, *, width, height):
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    film = pydicom.Dataset()
    film.file_meta = meta
    film.Modality = "DX"
    film.Rows, film.Columns = height, width
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
    film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 8, 8, 7, 0
    film.PixelData = bytes(width * height)
    film.save_as(path, enforce_file_format=True)


def test_a_film_that_is_no_image_is_named_where_its_size_is_needed(tmp_path):
    folder = write(tmp_path)
    (folder / "train" / f"{FILM}.png").write_bytes(b"no film")
    with pytest.raises(DataError, match=rf"{FILM}.png is not an image that can be decoded"):
        read_all(ADAPTER, folder)


def test_a_film_that_is_missing_has_questions_without_boxes_for_the_writer_to_drop(tmp_path):
    folder = write(tmp_path)
    (folder / "train" / f"{FILM}.png").unlink()
    records, _ = read_all(ADAPTER, folder)
    of_film = [record for record in records if record.id.startswith(f"vindr-{FILM}")]
    assert {record.kind for record in of_film} == {"presence", "open"}
    assert not any(record.boxes or record.images[0].exists() for record in of_film)
