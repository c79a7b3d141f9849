"""Real radiographs, in the folder that `--real-cxr` names, through loading, views, patients, labels, pairs and boxes.

Nothing of the films is kept or compared with a reading: they show that real files take the way the drawn ones do.
"""

import csv
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from dicom_files import film as dicom_film
from dicom_files import save
from PIL import Image

from radrl.answers import canonical_label, predicted_answer
from radrl.config.data import DataConfig
from radrl.data.adapters.api import Choices
from radrl.data.adapters.registry import adapter_named
from radrl.data.convert import convert
from radrl.data.dicom import read_dicom
from radrl.data.images import image_ref, image_size, open_image
from radrl.data.load import load_samples
from radrl.films.export import export_films
from radrl.films.metadata import read_films
from radrl.text import parse_trace
from radrl.types import AnswerKind

SPLITS = {"train": 2, "pool": 1, "test": 1}


@pytest.fixture(scope="module")
def rows(real_cxr) -> list[dict[str, str]]:
    with (real_cxr / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def films(real_cxr):
    return {film.id: film for film in read_films(real_cxr)}


@pytest.fixture(scope="module")
def questions(films, tmp_path_factory):
    files = export_films(list(films.values()), tmp_path_factory.mktemp("questions"), shares=SPLITS)
    return {split: load_samples([str(path)], DataConfig()) for split, path in files.items()}


@pytest.fixture(scope="module")
def nih(real_cxr, rows, tmp_path_factory):
    """The NIH films in that set's own layout, converted with traces: samples by id, and the account."""
    folder = tmp_path_factory.mktemp("nih")
    ours = [row for row in rows if row["file"].startswith("nih_")]
    write_nih_layout(folder, ours, images=real_cxr / "images")
    out = folder / "rows"
    conversion = convert(folder, out, adapter=adapter_named("nih"), choices=Choices(traces="interleaved"))
    samples = load_samples([str(path) for path in sorted(out.glob("t*.jsonl"))], DataConfig())
    return {sample.id: sample for sample in samples}, conversion


def write_nih_layout(folder: Path, ours, *, images: Path):
    """Tables as NIH ships them; films linked into its folder of images."""
    (folder / "images_001" / "images").mkdir(parents=True)
    with (folder / "Data_Entry_2017_v2020.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
        writer.writerow([*header.split(","), "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"])
        for row in ours:
            patient = row["patient_id"].removeprefix("nih-")
            known = (row["age"] or "60", row["sex"], row["view"], 1024, 1024, 0.143, 0.143)
            writer.writerow([row["file"], row["label"], 0, patient, *known])
            (folder / "images_001" / "images" / row["file"]).symlink_to(images / row["file"])
    lines = ["Image Index,Finding Label,Bbox [x,y,w,h],,,"]
    for row in ours:
        boxes = json.loads(row["extra"] or "{}").get("boxes_xywh_in_1024px", [])
        lines += [",".join([row["file"], box["label"], *map(str, box["box"]), "", "", ""]) for box in boxes]
    (folder / "BBox_List_2017.csv").write_text("\n".join(lines) + "\n")
    patients = sorted({row["patient_id"] for row in ours})
    held_out = set(patients[::4])
    for name, is_test in (("test_list.txt", True), ("train_val_list.txt", False)):
        listed = [row["file"] for row in ours if (row["patient_id"] in held_out) == is_test]
        (folder / name).write_text("\n".join(listed) + "\n")


def test_every_film_is_the_one_that_its_row_names_and_opens_at_its_size(real_cxr, rows):
    for row in rows:
        ref = image_ref(real_cxr / "images" / row["file"])
        image = open_image(ref)
        assert ref.sha256 == row["sha256"] == hashlib.sha256(Path(ref.path).read_bytes()).hexdigest()
        assert image_size(ref) == image.size == (int(row["width"]), int(row["height"]))
        assert image.mode == "RGB"
        pixels = np.asarray(image)
        assert np.ptp(pixels) > 100, "nearly one colour"


def test_every_view_is_the_stated_one(rows, films, questions):
    assert {film.id: film.view for film in films.values()} == {Path(row["file"]).stem: row["view"] for row in rows}
    asked = [sample for split in questions.values() for sample in split if sample.kind == "view"]
    for sample in asked:
        assert sample.answer == {films[Path(sample.images[0].path).stem].view.lower()}
    assert Counter(next(iter(sample.answer)) for sample in asked).keys() == {"ap", "pa"}


def test_the_films_of_a_patient_are_all_in_one_split(rows, questions):
    patient_of = {Path(row["file"]).stem: row["patient_id"] for row in rows}
    split_of = defaultdict(set)
    for split, samples in questions.items():
        for sample in samples:
            assert {patient_of[Path(ref.path).stem] for ref in sample.images} == {sample.patient_id}
            split_of[sample.patient_id].add(split)
    assert {len(splits) for splits in split_of.values()} == {1}
    assert len(set().union(*split_of.values())) == len(SPLITS)


def test_prior_and_current_film_are_of_one_patient_and_in_order(rows, questions):
    day_of = {Path(row["file"]).stem: row["offset_days"] for row in rows}
    pairs = [sample for split in questions.values() for sample in split if sample.kind == "order"]
    assert pairs
    for sample in pairs:
        first, second = (int(day_of[Path(ref.path).stem]) for ref in sample.images)
        assert sample.answer == ({"yes"} if second > first else {"no"})
        assert sample.question.count("<image>") == 2
    asked = Counter(frozenset(ref.sha256 for ref in sample.images) for sample in pairs)
    assert set(asked.values()) == {2}, "every pair is asked about in both orders"


def test_nih_labels_become_findings_of_every_film(rows, nih):
    samples, conversion = nih
    spelled = {"Effusion": "pleural effusion", "Pleural_Thickening": "pleural thickening"}
    ours = [row for row in rows if row["file"].startswith("nih_")]
    assert dict(conversion.dropped) == {}
    assert len([sample for sample in samples.values() if sample.kind == "open"]) == len(ours) - in_val(ours, samples)
    for row in ours:
        sample = samples.get(f"nih-{Path(row['file']).stem}-open")
        if sample is not None:
            labels = {spelled.get(label, label.lower()) for label in row["label"].split("|")} - {"no finding"}
            named = {name for name in sample.options if is_asserted(samples, row, name)}
            assert named == labels
            # Mass and nodule are one finding where answers are compared.
            assert sample.answer == {canonical_label(label) for label in labels}


def in_val(ours, samples):
    return sum(f"nih-{Path(row['file']).stem}-open" not in samples for row in ours)


def is_asserted(samples, row, name):
    presence = samples[f"nih-{Path(row['file']).stem}-presence-{name.replace(' ', '-')}"]
    return presence.answer == {"yes"}


def test_boxes_in_the_published_frame_lie_on_the_small_films(rows, nih):
    samples, _ = nih
    boxed = [row for row in rows if "boxes_xywh_in_1024px" in row["extra"]]
    seen = 0
    for row in boxed:
        (given,) = json.loads(row["extra"])["boxes_xywh_in_1024px"]
        x, y, width, height = given["box"]
        grounded = [
            sample
            for sample in samples.values()
            if sample.kind == "grounding" and Path(sample.images[0].path).name == row["file"]
        ]
        for sample in grounded:
            (box,) = sample.boxes
            expected = (x / 1024, y / 1024, (x + width) / 1024, (y + height) / 1024)
            assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(expected)
            assert 0 <= box.x0 < box.x1 <= 1
            assert 0 <= box.y0 < box.y1 <= 1
            said = predicted_answer(sample, text=sample.reference, trace=parse_trace(sample.reference))
            assert (said, sample.answer_kind) == (sample.answer, AnswerKind.BOXES)
            seen += 1
    assert seen >= len(boxed) // 2, "the others are of patients kept for validation"


def test_a_film_that_comes_as_dicom_looks_the_same(real_cxr, rows, tmp_path):
    for row in rows[::10]:
        grey = np.asarray(Image.open(real_cxr / "images" / row["file"]).convert("L"))
        negative = dicom_film(255 - grey, photometric="MONOCHROME1", ViewPosition=row["view"])
        shown = read_dicom(save(negative, tmp_path / "film"), "minmax")
        low, high = int(grey.min()), int(grey.max())
        assert np.abs(shown.pixels - (grey.astype(float) - low) / (high - low) * 255).max() <= 1
        assert shown.view == row["view"]


def test_a_negative_is_noticed_and_few_upright_films_are_taken_for_one(real_cxr, rows, tmp_path):
    def num_noticed(as_stored):
        count = 0
        for row in rows[::3]:
            grey = np.asarray(Image.open(real_cxr / "images" / row["file"]).convert("L"))
            found = read_dicom(save(dicom_film(as_stored(grey)), tmp_path / "film"))
            count += any("negative" in warning for warning in found.warnings)
        return count

    assert num_noticed(lambda grey: grey) <= len(rows[::3]) // 10
    assert num_noticed(lambda grey: 255 - grey) >= len(rows[::3]) * 9 // 10
