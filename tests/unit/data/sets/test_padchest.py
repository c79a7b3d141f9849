import pytest
from noted import read_all

from radrl.data.adapters.api import Choices, split_of
from radrl.data.adapters.padchest import ADAPTER, TABLE
from radrl.errors import DataError

HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Report,MethodLabel,Labels,Localizations"
)


def row(number, labels, *, projection="PA", image_dir="3", patient=1990):
    return (
        f"{number},film{number}.png,{image_dir},20100101,study{number},{patient},1950.0,F,POSTEROANTERIOR,{projection},"
        f'Manual review of DICOM fields,No,"derram pleural izquierd .",Physician,"{labels}","[\'loc left\']"'
    )


def write(folder, *rows):
    (folder / TABLE).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return folder


def answers(records, kind="presence"):
    return {record.options[0]: record.answer[0] for record in records if record.kind == kind}


def test_labels_are_a_list_written_as_text_whose_items_begin_with_blanks(tmp_path):
    rows = [row(1, "['pleural effusion', ' pneumonia', '']"), row(2, "['scoliosis']", patient=1991)]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    said = answers([record for record in records if "film1-" in record.id])
    assert said == {"pleural effusion": "yes", "pneumonia": "yes", "scoliosis": "no"}
    (found,) = [record for record in records if record.id == "padchest-film1-open"]
    assert found.answer == ("pleural effusion", "pneumonia")
    assert found.columns["labels"] == ["pleural effusion", "pneumonia"]


def test_the_index_column_without_a_name_is_no_column(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, row(1, "['scoliosis']")))
    assert "" not in records[0].columns
    assert records[0].columns["birth_year"] == 1950


def test_nan_and_blank_labels_are_drops_and_not_normal_films(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, row(1, "nan"), row(2, ""), row(3, "['']")))
    assert records == []
    assert drops.reasons == ["no labels"] * 3


def test_a_normal_film_has_the_empty_answer_and_one_absent_finding(tmp_path):
    rows = [row(1, "['normal']"), row(2, "['goiter']", patient=1991)]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows))
    of_normal = [record for record in records if "film1-" in record.id]
    assert answers(of_normal) == {"goiter": "no"}
    assert [record.answer for record in of_normal if record.kind == "open"] == [()]


@pytest.mark.parametrize(
    ("labels", "projection", "reason"),
    [
        ("['exclude']", "PA", "labelled exclude"),
        ("['unchanged', ' suboptimal study']", "PA", "labels name no finding"),
        ("['rib fracture']", "COSTAL", "projection COSTAL"),
        ("['normal']", "EXCLUDE", "projection EXCLUDE"),
    ],
)
def test_what_is_no_chest_film_or_says_nothing_of_it_is_dropped_by_its_reason(tmp_path, labels, projection, reason):
    records, drops = read_all(ADAPTER, write(tmp_path, row(1, labels, projection=projection)))
    assert records == []
    assert drops.reasons == [reason]


def test_unchanged_beside_a_finding_is_left_out_of_the_answer(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, row(1, "['unchanged', ' cardiomegaly']")), Choices(kinds=("open",)))
    assert records[0].answer == ("cardiomegaly",)


@pytest.mark.parametrize(("projection", "view"), [("PA", "PA"), ("AP_horizontal", "AP"), ("L", "lateral")])
def test_projections_are_views(tmp_path, projection, view):
    (record,), _ = read_all(
        ADAPTER, write(tmp_path, row(1, "['normal']", projection=projection)), Choices(kinds=("view",))
    )
    assert record.answer == (view,)


def test_a_lateral_film_is_asked_for_its_view_alone(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, row(1, "['kyphosis']", projection="L"), row(2, "['goiter']")))
    assert [record.kind for record in records if "film1" in record.id] == ["view"]
    assert answers([record for record in records if "film2" in record.id]) == {"goiter": "yes"}


def test_the_stemmed_spanish_report_is_not_asked_for(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path, row(1, "['normal']")), Choices(kinds=("report",)))
    assert (records, drops.rows) == ([], [])


def test_films_are_found_by_their_folder_or_in_one(tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "film1.png").touch()
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "film2.png").touch()
    rows = [row(1, "['normal']"), row(2, "['normal']")]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows), Choices(kinds=("view",)))
    assert [record.images[0] for record in records] == [tmp_path / "3" / "film1.png", tmp_path / "flat" / "film2.png"]


def test_patients_are_split_by_their_id_whatever_the_film(tmp_path):
    rows = [row(number, "['normal']", patient=1990 + number % 20) for number in range(40)]
    records, _ = read_all(ADAPTER, write(tmp_path, *rows), Choices(kinds=("view",)))
    assert {record.patient_id: record.split for record in records} == {
        f"padchest-{1990 + number}": split_of(f"padchest-{1990 + number}") for number in range(20)
    }


def test_a_label_that_the_table_does_not_know_is_a_finding_by_its_own_name(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, row(1, "['tracheal bronchus']")), Choices(kinds=("open",)))
    assert records[0].answer == ("tracheal bronchus",)


@pytest.mark.parametrize("labels", ["pleural effusion", "{'a': 1}", "[1]", "__import__('os')", "['a'"])
def test_labels_that_are_no_list_of_texts_are_an_error_with_their_line(tmp_path, labels):
    with pytest.raises(DataError, match=rf"{TABLE}:2: field 'Labels'.*not a list of texts"):
        read_all(ADAPTER, write(tmp_path, row(1, labels)))
