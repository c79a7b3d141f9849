import json
import zipfile

import pytest
from noted import read_all
from PIL import Image

from radrl.data.adapters.api import Choices
from radrl.data.adapters.chest_imagenome import ADAPTER
from radrl.errors import DataError
from radrl.types import Box

FILM, EARLIER = "aaaa-0002", "aaaa-0001"
PATIENT = "p19/p19990001"


def region(name, x0, y0, x1, y1):
    on_copy = dict.fromkeys(("x1", "y1", "x2", "y2"), 7)
    places = zip(("original_x1", "original_y1", "original_x2", "original_y2"), (x0, y0, x1, y1), strict=True)
    return {"object_id": f"{FILM}_{name}", "bbox_name": name, **on_copy, **dict(places)}


def stated(name, *sentences):
    return {"bbox_name": name, "object_id": f"{FILM}_{name}", "attributes": [list(labels) for labels in sentences]}


def compared(name, finding, course, *, earlier=EARLIER):
    return {
        "bbox_name": name,
        "subject_id": f"{FILM}_{name}",
        "object_id": f"{earlier}_{name}",
        "relationship_names": [f"comparison|yes|{course}"],
        "attributes": [f"anatomicalfinding|yes|{finding}", "nlp|yes|abnormal"],
    }


def write(folder, graph, *, packed=True, avoid="", view="AP", split="train", films=(FILM, EARLIER)):
    silver = folder / "silver_dataset"
    (silver / "splits").mkdir(parents=True, exist_ok=True)
    whole = json.dumps({"image_id": FILM, "objects": [], "attributes": [], "relationships": [], **graph})
    if packed:
        with zipfile.ZipFile(silver / "scene_graph.zip", "w") as archive:
            archive.writestr(f"scene_graph/{FILM}_SceneGraph.json", whole)
    else:
        (silver / "scene_graph").mkdir()
        (silver / "scene_graph" / f"{FILM}_SceneGraph.json").write_text(whole, encoding="utf-8")
    header = ",subject_id,study_id,dicom_id,path,ViewPosition"
    row = f"0,19990001,59990002,{FILM},files/{PATIENT}/s59990002/{FILM}.dcm,{view}"
    (silver / "splits" / f"{split}.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    (silver / "splits" / "images_to_avoid.csv").write_text(f",subject_id,study_id,dicom_id\n{avoid}", encoding="utf-8")
    for film in films:
        study = "s59990002" if film == FILM else "s59990001"
        path = folder / "files" / PATIENT / study / f"{film}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (100, 200)).save(path)
    return folder


def of_kind(records, kind):
    return [record for record in records if record.kind == kind]


def test_a_finding_of_a_region_is_asked_for_there_and_on_the_whole_film(tmp_path):
    graph = {
        "attributes": [
            stated("left lung", ["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal", "severity|yes|mild"]),
            stated("right lung", ["anatomicalfinding|no|lung opacity", "anatomicalfinding|no|pneumothorax"]),
        ]
    }
    records, _ = read_all(ADAPTER, write(tmp_path, graph))
    assert [(record.question, record.answer) for record in of_kind(records, "presence")] == [
        ("Is there evidence of lung opacity on this film?", ("yes",)),
        ("Is there evidence of pneumothorax on this film?", ("no",)),
        ("Is there evidence of lung opacity in the left lung?", ("yes",)),
        ("Is there evidence of lung opacity in the right lung?", ("no",)),
        ("Is there evidence of pneumothorax in the right lung?", ("no",)),
    ]
    assert (records[0].patient_id, records[0].study_id, records[0].split) == ("19990001", "59990002", "train")


def test_the_last_sentence_that_speaks_of_a_finding_counts(tmp_path):
    sentences = (["disease|yes|pneumonia"], ["disease|no|pneumonia"])
    records, _ = read_all(ADAPTER, write(tmp_path, {"attributes": [stated("left lung", *sentences)]}))
    assert {record.answer for record in of_kind(records, "presence")} == {("no",)}


def test_names_with_slashes_stay_whole(tmp_path):
    graph = {"attributes": [stated("left lung", ["anatomicalfinding|yes|pulmonary edema/hazy opacity"])]}
    records, _ = read_all(ADAPTER, write(tmp_path, graph))
    assert of_kind(records, "presence")[0].options == ("pulmonary edema/hazy opacity",)


def test_boxes_are_those_of_the_film_itself_and_not_of_the_padded_copy(tmp_path):
    """The film is 100 pixels wide and 200 high."""
    graph = {"objects": [region("left lung", 50, 20, 90, 180)]}
    (record,) = of_kind(read_all(ADAPTER, write(tmp_path, graph))[0], "anatomy")
    assert record.boxes == (Box(label="left lung", x0=0.5, y0=0.1, x1=0.9, y1=0.9),)
    assert record.answer == ("[0.5000, 0.1000, 0.9000, 0.9000]",)


def test_a_finding_lies_in_the_innermost_regions_that_have_it(tmp_path):
    names = ("left lung", "left lower lung zone", "right lung")
    graph = {
        "objects": [
            region("left lung", 50, 20, 90, 180),
            region("left lower lung zone", 50, 120, 90, 180),
            region("right lung", 10, 20, 45, 180),
        ],
        "attributes": [stated(name, ["anatomicalfinding|yes|consolidation"]) for name in names],
    }
    (record,) = of_kind(read_all(ADAPTER, write(tmp_path, graph))[0], "grounding")
    assert record.boxes == (
        Box(label="consolidation", x0=0.5, y0=0.6, x1=0.9, y1=0.9),
        Box(label="consolidation", x0=0.1, y0=0.1, x1=0.45, y1=0.9),
    )


def test_a_region_that_lies_outside_the_film_or_has_no_size_is_dropped(tmp_path):
    graph = {"objects": [region("spine", 120, 0, 140, 50), region("carina", 50, 50, 50, 60), {"bbox_name": "svc"}]}
    records, drops = read_all(ADAPTER, write(tmp_path, graph))
    assert of_kind(records, "anatomy") == []
    assert drops.rows == [("region outside the film", "spine"), ("region outside the film", "carina")]


def test_the_course_of_a_finding_is_asked_on_two_films(tmp_path):
    graph = {"relationships": [compared("left lung", "pleural effusion", "worsened")]}
    (record,) = of_kind(read_all(ADAPTER, write(tmp_path, graph))[0], "progression")
    assert record.answer == ("worsening",)
    assert "Is the pleural effusion in the left lung " in record.question
    assert [film.stem for film in record.images] == [FILM, EARLIER]


def test_contradictory_courses_and_comparisons_with_a_missing_film_are_dropped(tmp_path):
    graph = {
        "relationships": [
            compared("left lung", "lung opacity", "improved"),
            compared("left lung", "lung opacity", "no change"),
            compared("right lung", "lung opacity", "improved", earlier="gone"),
        ]
    }
    records, drops = read_all(ADAPTER, write(tmp_path, graph))
    assert of_kind(records, "progression") == []
    assert drops.rows == [("contradictory courses", "lung opacity, left lung"), ("no earlier film", "gone")]


def test_films_to_avoid_are_left_out(tmp_path):
    graph = {"attributes": [stated("left lung", ["disease|yes|pneumonia"])]}
    folder = write(tmp_path, graph, avoid=f"0,19990001,59990002,{FILM}\n")
    assert read_all(ADAPTER, folder)[1].rows == [("film to avoid", FILM)]
    assert read_all(ADAPTER, folder)[0] == []


def test_graphs_are_read_from_the_unpacked_folder_too(tmp_path):
    graph = {"attributes": [stated("left lung", ["disease|yes|pneumonia"])]}
    records, _ = read_all(ADAPTER, write(tmp_path, graph, packed=False, split="valid"))
    assert {record.split for record in records} == {"val"}


@pytest.mark.parametrize(("written", "views"), [("AP", [("AP",)]), ("", [])])
def test_a_blank_view_is_not_asked_for(tmp_path, written, views):
    records, _ = read_all(ADAPTER, write(tmp_path, {}, view=written), Choices(kinds=("view",)))
    assert [record.answer for record in records] == views


def test_a_film_that_is_missing_or_broken_does_not_stop_the_others(tmp_path):
    _, drops = read_all(ADAPTER, write(tmp_path, {}, films=()))
    assert drops.reasons == ["film cannot be read"]


def test_broken_graphs_and_archives_are_errors_that_name_them(tmp_path):
    folder = write(tmp_path, {"attributes": [stated("left lung", ["pneumonia"])]})
    with pytest.raises(DataError, match=rf"{FILM}_SceneGraph.json:1: field 'attributes' is 'pneumonia'"):
        read_all(ADAPTER, folder)
    (folder / "silver_dataset" / "scene_graph.zip").write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match=r"scene_graph.zip is not a zip file"):
        read_all(ADAPTER, folder)
