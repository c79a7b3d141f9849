import pytest
from drawn import converted, lot

from radrl.data.adapters.api import Choices
from radrl.data.adapters.siim import ADAPTER
from radrl.phantom.exporters.siim import film_uid, write


def drawn_boxes(film):
    """Boxes of pneumothoraces that are certain."""
    located = zip(film.study.facts, film.picture.boxes, strict=True)
    return [
        box for fact, boxes in located for box in boxes if (fact.name, fact.certainty) == ("pneumothorax", "present")
    ]


def test_masks_are_read_back_as_the_boxes_that_they_fill(tmp_path):
    pytest.importorskip("pydicom")
    drawn_lot = lot("train", 12)
    films = drawn_lot.films
    write(tmp_path, drawn_lot)
    records, drops = converted(ADAPTER, tmp_path)
    presence = {record.patient_id: record.answer[0] for record in records if record.kind == "presence"}
    assert presence == {f"siim-{film_uid(film)}": "yes" if drawn_boxes(film) else "no" for film in films}
    assert set(presence.values()) == {"yes", "no"}
    places = {record.patient_id: record.boxes for record in records if record.kind == "grounding"}
    for film in films:
        drawn = drawn_boxes(film)
        read = places.get(f"siim-{film_uid(film)}", ())
        assert len(read) == len(drawn)
        for one, other in zip(read, drawn, strict=True):
            for side in ("x0", "y0", "x1", "y1"):
                assert getattr(one, side) == pytest.approx(getattr(other, side), abs=0.5 / 1024 + 1e-9)
    assert all(record.images[0].is_file() for record in records)
    assert drops.reasons == []


def test_films_lie_in_folders_of_their_own(tmp_path):
    pytest.importorskip("pydicom")
    write(tmp_path, lot("train", 1))
    records, _ = converted(ADAPTER, tmp_path, Choices(kinds=("presence",)))
    assert all(record.images[0].relative_to(tmp_path).parts[0] == "dicom-images-train" for record in records)
    assert all(len(record.images[0].relative_to(tmp_path).parts) == 4 for record in records)
