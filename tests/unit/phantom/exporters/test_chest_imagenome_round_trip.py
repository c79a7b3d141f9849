import json
import zipfile

import pytest
from drawn import converted, lot
from PIL import Image

from radrl.data.adapters.api import Choices
from radrl.data.adapters.chest_imagenome import ADAPTER
from radrl.phantom.exporters.chest_imagenome import attribute_of, region_of, write
from radrl.phantom.exporters.identifiers import mimic_film_id


def of_film(records, film):
    return [record for record in records if record.images[0].stem == mimic_film_id(film)]


def test_findings_come_back_in_their_regions(tmp_path):
    drawn = lot(num_patients=6)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path, Choices(kinds=("presence", "view")))
    assert drops.reasons == []
    for film in drawn.films:
        own = of_film(records, film)
        said = {(r.columns["region"], r.columns["finding"]): r.answer[0] for r in own if "region" in r.columns}
        certain = [fact for fact in film.study.facts if fact.certainty == "present"]
        there = {(region_of(fact), attribute_of(fact)) for fact in certain}
        assert {key for key, answer in said.items() if answer == "yes"} == there
        whole = {r.options[0]: r.answer[0] for r in own if r.kind == "presence" and "region" not in r.columns}
        assert {name for name, answer in whole.items() if answer == "yes"} == {name for _, name in there}
        if not film.study.matching("pneumothorax"):
            assert whole["pneumothorax"] == "no"
        assert [r.answer for r in own if r.kind == "view"] == [(film.study.technique.view,)]


def test_regions_come_back_where_they_lie_on_the_film_itself(tmp_path):
    drawn = lot(num_patients=6)
    write(tmp_path, drawn)
    records, _ = converted(ADAPTER, tmp_path, Choices(kinds=("anatomy",)))
    num_checked = 0
    for film in drawn.films:
        places = {record.columns["region"]: record.boxes[0] for record in of_film(records, film)}
        for fact, boxes in zip(film.study.facts, film.picture.boxes, strict=True):
            for box in boxes:
                region = places[region_of(fact)]
                assert region.x0 <= box.x0 + 0.51 / 64
                assert region.y1 >= box.y1 - 0.51 / 64
                num_checked += 1
    assert num_checked > 5


def test_the_course_since_the_earlier_film_comes_back_with_both_films(tmp_path):
    drawn = lot(num_patients=14)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path, Choices(kinds=("progression",)))
    assert drops.reasons == []
    films = {mimic_film_id(film): film for film in drawn.films}
    assert len(records) > 3
    for record in records:
        later, earlier = (films[image.stem] for image in record.images)
        assert later.prior_id == earlier.study_id
        severities = [
            [fact.severity for fact in film.study.facts if attribute_of(fact) == record.columns["finding"]
             and region_of(fact) == record.columns["region"]]
            for film in (later, earlier)
        ]  # fmt: skip
        (now,), (was,) = severities
        assert record.answer == ("worsening" if now > was else "improving" if now < was else "stable",)


def test_splits_lie_in_tables_of_their_own_and_graphs_in_one_archive(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path, lot(split, 2))
    records, _ = converted(ADAPTER, tmp_path, Choices(kinds=("view",)))
    assert {record.split for record in records} == {"train", "val", "test"}
    with zipfile.ZipFile(tmp_path / "silver_dataset" / "scene_graph.zip") as archive:
        assert len(archive.namelist()) == len(records)


@pytest.mark.parametrize("packed", [True, False])
def test_a_documented_graph_gives_what_it_documents(tmp_path, packed):
    """Boxes are those of the film itself, an attribute is category|yes or no|name, and later sentences count."""
    film = "19990000-1a1a1a1a-2b2b2b2b-3c3c3c3c-4d4d4d4d"
    silver = tmp_path / "silver_dataset"
    (silver / "splits").mkdir(parents=True)
    (silver / "splits" / "valid.csv").write_text(f"subject_id,study_id,dicom_id\n19990001,59990001,{film}\n")
    (silver / "splits" / "images_to_avoid.csv").write_text("dicom_id\n19990000-0-0-0-0\n")
    graph = {
        "objects": [
            {"object_id": f"{film}_left lung", "bbox_name": "left lung", "x1": 10, "y1": 10, "x2": 20, "y2": 20}
            | {"width": 10, "height": 10, "original_x1": 50, "original_y1": 20, "original_x2": 90, "original_y2": 80}
        ],
        "attributes": [
            {
                "bbox_name": "left lung",
                "object_id": f"{film}_left lung",
                "attributes": [
                    ["anatomicalfinding|yes|lung opacity", "anatomicalfinding|no|pneumothorax"],
                    ["anatomicalfinding|no|lung opacity", "temporal|yes|acute"],
                ],
                "phrases": ["Opacity in the left lung.", "No opacity."],
                "phrase_IDs": ["59990001|1", "59990001|2"],
                "comparison_cues": [[], []],
                "temporal_cues": [[], ["temporal|yes|acute"]],
                "severity_cues": [[], []],
                "texture_cues": [[], []],
            }
        ],
        "relationships": [],
    }
    text, name = json.dumps(graph), f"{film}_SceneGraph.json"
    if packed:
        with zipfile.ZipFile(silver / "scene_graph.zip", "w") as archive:
            archive.writestr(name, text)
    else:
        (silver / "scene_graph").mkdir()
        (silver / "scene_graph" / name).write_text(text)
    path = tmp_path / "files" / "p19" / "p19990001" / "s59990001" / f"{film}.jpg"
    path.parent.mkdir(parents=True)
    Image.new("L", (100, 200)).save(path)
    records, _ = converted(ADAPTER, tmp_path)
    answers = {(r.kind, r.columns.get("region"), r.columns.get("finding"), *r.options): r.answer for r in records}
    assert answers == {
        ("presence", None, None, "lung opacity"): ("no",),
        ("presence", None, None, "pneumothorax"): ("no",),
        ("presence", "left lung", "lung opacity", "lung opacity"): ("no",),
        ("presence", "left lung", "pneumothorax", "pneumothorax"): ("no",),
        ("anatomy", "left lung", None): ("[0.5000, 0.1000, 0.9000, 0.4000]",),
    }
    assert {record.split for record in records} == {"val"}
