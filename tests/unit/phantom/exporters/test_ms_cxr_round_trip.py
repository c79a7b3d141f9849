import pytest
from drawn import converted, lot

from radrl.data.adapters.ms_cxr import ADAPTER
from radrl.phantom.exporters.ms_cxr import write
from radrl.phantom.wording import noun_phrase
from radrl.types import AnswerKind

FINDINGS = {
    "atelectasis", "cardiomegaly", "consolidation", "edema", "lung opacity", "pleural effusion", "pneumonia",
    "pneumothorax",
}  # fmt: skip


def test_phrases_and_boxes_come_back_to_within_a_pixel(tmp_path):
    drawn = lot()
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    by_phrase = {(record.patient_id, record.study_id, record.columns["phrase"]): record for record in records}
    expected = [
        (film, fact, boxes)
        for film in drawn.films
        for fact, boxes in zip(film.study.facts, film.picture.boxes, strict=True)
        if fact.name in FINDINGS and fact.certainty == "present" and boxes
    ]
    assert len(records) == len(expected) > 3
    for film, fact, boxes in expected:
        digits = film.patient.id[1:]
        record = by_phrase[digits, f"{digits}{film.study.index:03d}", noun_phrase(fact)]
        assert record.answer_kind is AnswerKind.BOXES
        assert record.images[0].is_file()
        assert len(record.boxes) == len(boxes)
        for box, true in zip(record.boxes, boxes, strict=True):
            assert box.label == fact.name
            corners = [(box.x0, true.x0), (box.y0, true.y0), (box.x1, true.x1), (box.y1, true.y1)]
            assert all(read == pytest.approx(drawn_at, abs=0.51 / 64) for read, drawn_at in corners)


def test_splits_are_the_publishers(tmp_path):
    for split in ("train", "val", "test", "ood"):
        write(tmp_path, lot(split, 3))
    assert {record.split for record in converted(ADAPTER, tmp_path)[0]} == {"train", "val", "test"}


def test_documented_rows_give_the_phrases_that_they_document(tmp_path):
    """Several rows are boxes of one phrase; patient and study stand in the path alone."""
    film = "19990000-11111111-22222222-33333333-44444444"
    path = f"files/p19/p19990001/s59990001/{film}.jpg"
    (tmp_path / "MS_CXR_Local_Alignment_v1.1.0.csv").write_text(
        "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height,split\n"
        f"{film},Pneumonia,Bilateral opacities,{path},200,300,400,600,2000,3000,val\n"
        f"{film},Pneumonia,Bilateral opacities,{path},1200,300,400,600,2000,3000,val\n"
        f"{film},Cardiomegaly,Large heart,{path},500,1500,1000,900,2000,3000,val\n"
    )
    first, second = converted(ADAPTER, tmp_path)[0]
    assert first.answer == ("[0.1000, 0.1000, 0.3000, 0.3000]", "[0.6000, 0.1000, 0.8000, 0.3000]")
    assert (first.columns["phrase"], first.columns["category"]) == ("Bilateral opacities", "pneumonia")
    assert (first.patient_id, first.study_id, first.split) == ("19990001", "59990001", "val")
    assert first.images == (tmp_path / path,)
    assert second.answer == ("[0.2500, 0.5000, 0.7500, 0.8000]",)
