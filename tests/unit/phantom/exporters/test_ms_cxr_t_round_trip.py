from dataclasses import replace

from drawn import WORLD, converted, lot_of

from radrl.data.adapters.api import split_of
from radrl.data.adapters.ms_cxr_t import ADAPTER
from radrl.phantom.exporters.identifiers import mimic_film_id
from radrl.phantom.exporters.ms_cxr_t import write
from radrl.types import AnswerKind

FINDINGS = ("consolidation", "edema", "pleural effusion", "pneumonia", "pneumothorax")
CHANGING = replace(WORLD, findings=("consolidation", "edema", "pleural effusion", "pneumothorax"), normal_share=0.1)


def expected(drawn):
    """By severity at each place, without the exporter's own comparison."""
    films = {film.study_id: film for film in drawn.films}
    for film in drawn.films:
        earlier = films.get(film.prior_id)
        for finding in FINDINGS if earlier else ():
            now, was = ([f for f in one.study.facts if f.name == finding] for one in (film, earlier))
            sides = {fact.side: fact.severity for fact in now}, {fact.side: fact.severity for fact in was}
            zones = {(f.side, f.zone) for f in now} ^ {(f.side, f.zone) for f in was}
            if (not now and not was) or any(fact.certainty == "uncertain" for fact in (*now, *was)):
                continue
            if len({*sides[0], *sides[1]}) == len(now) == len(was) == 1 and not zones:
                (new,), (old,) = sides[0].values(), sides[1].values()
                course = "worsening" if new > old else "improving" if new < old else "stable"
                yield (mimic_film_id(film), mimic_film_id(earlier), finding), course
            elif not was:
                yield (mimic_film_id(film), mimic_film_id(earlier), finding), "worsening"
            elif not now:
                yield (mimic_film_id(film), mimic_film_id(earlier), finding), "improving"


def test_courses_come_back_with_both_films(tmp_path):
    drawn = lot_of(CHANGING, "train", 12)
    write(tmp_path, drawn)
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    courses = {
        (record.images[0].stem, record.images[1].stem, record.columns["finding"]): record.answer[0]
        for record in records
    }
    assert len(courses) == len(records)
    told = dict(expected(drawn))
    assert len(told) > 4
    assert {key: courses[key] for key in told} == told
    for record in records:
        assert record.answer_kind is AnswerKind.CHOICE
        assert record.split == split_of(record.patient_id)
        assert all(image.is_file() for image in record.images)
        assert record.columns["label_quality"] == "pass"


def test_documented_rows_give_the_courses_that_they_document(tmp_path):
    """A blank course is no label."""
    later, earlier = "19990000-0a-0b-0c-0d", "19990000-1a-1b-1c-1d"
    for study, film in (("59990002", later), ("59990001", earlier)):
        path = tmp_path / "files" / "p19" / "p19990001" / f"s{study}" / f"{film}.jpg"
        path.parent.mkdir(parents=True)
        path.touch()
    header = "dicom_id,previous_dicom_id,study_id,subject_id," + ",".join(
        f"{finding}_{column}"
        for column in ("progression", "label_quality")
        for finding in ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
    )
    (tmp_path / "MS_CXR_T_temporal_image_classification_v1.0.0.csv").write_text(
        f"{header}\n{later},{earlier},59990002,19990001,,improving,stable,,,,,pass,,\n"
    )
    records, drops = converted(ADAPTER, tmp_path)
    assert drops.reasons == []
    assert [(record.columns["finding"], record.answer) for record in records] == [
        ("edema", ("improving",)),
        ("pleural effusion", ("stable",)),
    ]
    assert [image.parent.name for image in records[0].images] == ["s59990002", "s59990001"]
    assert sorted(records[0].options) == ["improving", "stable", "worsening"]
    assert (records[0].columns.get("label_quality"), records[1].columns["label_quality"]) == (None, "pass")
