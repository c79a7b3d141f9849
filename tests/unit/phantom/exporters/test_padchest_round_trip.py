import csv

import numpy as np
from drawn import PADCHEST_NAMES, asked, converted, lot, meaning, present
from PIL import Image

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.label_spaces import label_space
from radrl.data.adapters.labelled import LabelledStudy
from radrl.data.adapters.padchest import ADAPTER
from radrl.phantom.exporters.padchest import TABLE, write
from radrl.phantom.exporters.pictures import grey


def study(film, folder):
    name = f"{film.patient.id[1:]}{film.study.index:03d}"
    patient = f"padchest-{film.patient.id[1:]}"
    return LabelledStudy(
        id=f"padchest-{name}",
        study_id=name,
        split=split_of(patient),
        patient_id=patient,
        images=(folder / str(film.patient.number % 55) / f"{name}_00-001-001.png",),
        labels=dict.fromkeys(present(film, PADCHEST_NAMES), "present"),
        is_exhaustive=True,
        view=film.study.technique.view,
        origin="",
    )


def test_what_is_there_is_read_back_as_it_was_and_as_much_that_is_not(tmp_path):
    drawn = lot(num_patients=8)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    expected = asked((study(film, tmp_path) for film in drawn.films), Choices(kinds=("presence", "view")))
    no = [record for record in records if record.answer == ("no",)]
    said = [record for record in records if record.answer != ("no",) and record.kind != "open"]
    assert meaning(said) == meaning(expected)
    assert drops.reasons == []
    of_film = {study(film, tmp_path).images: present(film, PADCHEST_NAMES) for film in drawn.films}
    assert no
    assert all(record.options[0] not in of_film[record.images] for record in no)
    lists = {record.images: set(record.answer) for record in records if record.kind == "open"}
    assert lists == of_film


def test_every_word_is_one_of_padchests_and_films_have_sixteen_bits(tmp_path):
    drawn = lot(num_patients=8)
    table = write(tmp_path, drawn)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert (next(iter(rows[0])), len(rows[0])) == ("", 36)
    words = {word.strip() for row in rows for word in row["Labels"].strip("[]").replace("'", "").split(",")}
    assert words <= set(label_space("padchest_193"))
    with Image.open(tmp_path / rows[0]["ImageDir"] / rows[0]["ImageID"]) as image:
        assert image.mode.startswith("I")
        assert np.array_equal(np.asarray(image), np.asarray(grey(drawn.films[0]), dtype=np.int64) * 257)


def test_documented_rows_give_these_records(tmp_path):
    """A list as text with leading blanks, `nan`, a projection that shows no chest, an unnamed first column."""
    (tmp_path / TABLE).write_text(
        ",ImageID,ImageDir,StudyID,PatientID,PatientBirth,PatientSex_DICOM,Projection,MethodLabel,Labels\n"
        "0,99901.png,7,99951,999001,1930.0,M,AP_horizontal,Physician,\"['pleural effusion', ' NSG tube']\"\n"
        "1,99902.png,7,99952,999002,1950.0,F,PA,RNN_model,['normal']\n"
        "2,99903.png,7,99953,999003,,F,COSTAL,Physician,['rib fracture']\n"
        "3,99904.png,7,99954,999004,,F,L,Physician,nan\n"
    )
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "99901.png").touch()
    records, drops = converted(ADAPTER, tmp_path)
    yes = [(record.study_id, record.options) for record in records if record.answer == ("yes",)]
    assert yes == [("99951", ("pleural effusion",)), ("99951", ("nasogastric tube",))]
    assert [(r.study_id, r.answer) for r in records if r.kind == "view"] == [("99951", ("AP",)), ("99952", ("PA",))]
    assert [record.answer for record in records if record.kind == "open" and record.study_id == "99952"] == [()]
    assert records[0].images == (tmp_path / "7" / "99901.png",)
    assert (records[0].columns["birth_year"], records[0].patient_id) == (1930, "padchest-999001")
    assert drops.reasons == ["projection COSTAL", "no labels"]
