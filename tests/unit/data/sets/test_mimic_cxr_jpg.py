import gzip

import pytest
from noted import read_all

from radrl.data.adapters.api import Choices
from radrl.data.adapters.mimic_cxr_jpg import ADAPTER
from radrl.data.adapters.reports import split_report

META = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
LABELS = (
    "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
RADIOLOGISTS = LABELS.removeprefix("subject_id,").replace("Lung Opacity", "Airspace Opacity")
FILMS = {
    "aaaa": "59990001,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.53125,CHEST,postero-anterior,Erect",
    "bbbb": "59990001,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.53125,CHEST,lateral,Erect",
    "cccc": "59990002,CHEST (PORTABLE AP),,3056,2544,21800507,1234.0,CHEST,antero-posterior,",
    "dddd": "59990002,CHEST (PORTABLE AP),AP LLD,3056,2544,21800507,1234.0,CHEST,antero-posterior,",
}


def write(folder, *, labels=(), films=tuple(FILMS), split="validate", suffix=".gz"):
    tables = {
        "metadata": [META, *(f"{film},19990001,{FILMS[film]}" for film in films)],
        "split": ["dicom_id,study_id,subject_id,split", *(f"{film},5,19990001,{split}" for film in films)],
        "chexpert": [LABELS, *labels],
    }
    for name, lines in tables.items():
        content = ("\r\n".join(lines) + "\r\n").encode()
        path = folder / f"mimic-cxr-2.0.0-{name}.csv{suffix}"
        path.write_bytes(gzip.compress(content) if suffix else content)
    return folder


EDEMA = "19990001,59990001,,0.0,,1.0,,,,-1.0,,,,,,"


def answers(records):
    return {record.id.removeprefix("mimic_cxr_jpg-"): record.answer for record in records}


def test_blank_labels_are_not_asked_and_uncertain_ones_are_as_the_user_says(tmp_path):
    write(tmp_path, labels=[EDEMA], films=("aaaa",))
    records, drops = read_all(ADAPTER, tmp_path, Choices(kinds=("presence",)))
    assert answers(records) == {"aaaa-presence-cardiomegaly": ("no",), "aaaa-presence-edema": ("yes",)}
    assert drops.rows == [("uncertain label", "lung opacity")]
    records, _ = read_all(ADAPTER, tmp_path, Choices(kinds=("presence",), uncertain="positive"))
    assert answers(records)["aaaa-presence-lung-opacity"] == ("yes",)
    assert (records[0].patient_id, records[0].study_id, records[0].split) == ("19990001", "59990001", "val")
    assert records[0].images == (tmp_path / "files" / "p19" / "p19990001" / "s59990001" / "aaaa.jpg",)


def test_a_lateral_film_is_asked_for_its_view_alone(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, labels=[EDEMA], films=("bbbb",)))
    assert answers(records) == {"bbbb-view": ("lateral",)}


def test_a_blank_view_position_is_what_the_view_code_means_and_an_odd_one_is_left_out(tmp_path):
    records, drops = read_all(ADAPTER, write(tmp_path), Choices(kinds=("view",)))
    assert answers(records) == {"aaaa-view": ("PA",), "bbbb-view": ("lateral",), "cccc-view": ("AP",)}
    assert drops.rows == [("view is neither PA, AP nor lateral", "AP LLD")]


def test_times_that_lost_their_leading_zeros_get_them_back(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path), Choices(kinds=("view",)))
    assert [record.columns["taken"] for record in records] == [
        "2180-05-06 21:30:14",
        "2180-05-06 21:30:14",
        "2180-05-07 00:12:34",
    ]


def test_plain_tables_serve_as_well_as_compressed_ones(tmp_path):
    records, _ = read_all(ADAPTER, write(tmp_path, suffix=""), Choices(kinds=("view",)))
    assert len(records) == 3


def test_the_radiologists_labels_of_the_test_set_stand_for_the_labellers(tmp_path):
    write(tmp_path, labels=[EDEMA], films=("aaaa",), split="test")
    (tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv").write_text(
        f"{RADIOLOGISTS}\n59990001,0,0,0,0,0,0,0,1,0,1,0,0,0,0\n"
    )
    records, drops = read_all(ADAPTER, tmp_path, Choices(kinds=("presence", "open")))
    found = answers(records)
    assert found["aaaa-presence-edema"] == ("no",)
    assert found["aaaa-presence-lung-opacity"] == ("yes",)
    assert found["aaaa-open"] == ("lung opacity", "pleural effusion")
    assert len(found) == 14
    assert drops.rows == []


def test_sectioned_reports_are_found_by_study_with_its_s_and_masked_sentences_left_out(tmp_path):
    write(tmp_path, films=("aaaa", "cccc"))
    table = tmp_path / "reports" / "mimic_cxr_sectioned.csv"
    table.parent.mkdir()
    table.write_text(
        "study,impression,findings,last_paragraph,comparison\n"
        's59990001,Edema.,"Compared with ___, more edema.\n The heart is large.",,___\n'
    )
    records, drops = read_all(ADAPTER, tmp_path, Choices(kinds=("report",), reports=table.parent))
    assert answers(records) == {"aaaa-report": ("The heart is large.",)}
    assert drops.rows == [("no report", "s59990002")]
    records, _ = read_all(ADAPTER, tmp_path, Choices(kinds=("report",), reports=table, section="impression"))
    assert answers(records) == {"aaaa-report": ("Edema.",)}


def test_reports_are_read_from_mimics_own_tree_too(tmp_path):
    write(tmp_path, films=("aaaa", "cccc"))
    for study, text in {
        "s59990001": " WET READ\n INDICATION:  Cough.\n\n FINDINGS:  Lungs are\n clear.\n NOTIFICATION: Told.\n",
        "s59990002": " IMPRESSION: ___\n",
    }.items():
        report = tmp_path / "files" / "p19" / "p19990001" / f"{study}.txt"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(text)
    (record,), drops = read_all(ADAPTER, tmp_path, Choices(kinds=("report",)))
    assert record.question == "Indication: Cough.\nWrite the findings of the report on this film."
    assert record.answer == ("Lungs are clear.",)
    assert drops.reasons == ["no findings in the report"]


def test_text_under_a_heading_of_no_section_belongs_to_none():
    lines = ["EXAMINATION:  CHEST (PA AND LAT)", "HISTORY: Fever.", "TECHNIQUE:  Two views", "IMPRESSION:", "  Normal."]
    assert split_report(iter(lines)) == {"indication": "Fever.", "impression": "Normal."}


def test_a_film_in_no_split_is_left_out_and_a_label_that_is_none_refused(tmp_path):
    write(tmp_path, films=("aaaa",))
    (tmp_path / "mimic-cxr-2.0.0-split.csv.gz").write_bytes(gzip.compress(b"dicom_id,study_id,subject_id,split\n"))
    records, drops = read_all(ADAPTER, tmp_path)
    assert (records, drops.rows) == ([], [("film is in no split", "aaaa")])
    write(tmp_path, films=("aaaa",), labels=["19990001,59990001,2.0,,,,,,,,,,,,,"])
    with pytest.raises(ValueError, match=r"chexpert\.csv\.gz:2: field 'Atelectasis' is '2\.0'"):
        read_all(ADAPTER, tmp_path)
