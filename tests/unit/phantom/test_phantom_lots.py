"""What an export hands to a layout, and the way back through the recipe's rows."""

from collections import Counter

import pytest

from radrl.answers import canonical_answer
from radrl.config.schema import DataConfig
from radrl.data.load import load_samples
from radrl.errors import ConfigError
from radrl.phantom import layouts
from radrl.phantom.export import export
from radrl.phantom.layouts import LAYOUTS, writer
from radrl.phantom.lots import Lot
from radrl.phantom.world import MORE_KINDS, PhantomWorld
from radrl.types import IMAGE_MARK, Sample

WORLD = PhantomWorld(
    seed=6, size_px=48, difficulty=0.0, kinds=dict.fromkeys(MORE_KINDS, 1.0), questions_per_study=2, twins=True
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lot, list[Sample]]:
    """A lot as it came to the layout, and the samples that its rows read as."""
    lots: list[Lot] = []
    write = writer("cx_mind")

    def kept(out, lot):
        lots.append(lot)
        return write(out, lot)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("radrl.phantom.export.writer", lambda _: kept)
        files = export(WORLD, tmp_path_factory.mktemp("world"), splits={"train": 72})
    return lots[0], load_samples([str(files["train"])], DataConfig())


def test_every_new_kind_goes_through_the_recipes_rows_and_comes_back_the_same(exported):
    lot, samples = exported
    assert len(lot.items) == len(samples)
    for item, sample in zip(lot.items, samples, strict=True):
        question = item.question
        assert (sample.id, sample.patient_id, sample.study_id) == (item.id, item.patient_id, item.study_id)
        assert (sample.kind, sample.answer_kind, sample.options) == (
            question.kind, question.answer_kind, question.options,
        )  # fmt: skip
        assert sample.question == IMAGE_MARK * len(item.image_ids) + question.text
        assert sample.answer == canonical_answer(
            frozenset(item.answer), kind=question.answer_kind, options=question.options
        )
        assert (sample.reference, sample.triplets, sample.twin_id) == (item.reference, item.triplets, item.twin_id)
        assert [image.path.rpartition("/")[2] for image in sample.images] == [f"{i}.png" for i in item.image_ids]
        assert {name: sample.columns[name] for name in question.columns} == dict(question.columns)
    assert set(Counter(sample.kind for sample in samples)) == set(MORE_KINDS)


def test_a_lot_holds_every_film_that_its_questions_show_once_with_what_is_known_of_it(exported):
    lot, _ = exported
    films = {film.study_id: film for film in lot.films}
    assert len(films) == len(lot.films)
    assert {image for item in lot.items for image in item.image_ids} <= set(films)
    assert any(len(item.image_ids) == 2 for item in lot.items)
    for film in lot.films:
        assert film.picture.png.startswith(b"\x89PNG")
        assert film.picture.study == film.study
        assert (film.prior_id is None) == (film.study.index == 0)
        assert len(film.picture.boxes) == len(film.study.facts)
        assert film.report.comparison == ("None." if film.study.index == 0 else "Prior study.")


def test_a_study_with_a_prior_names_it_and_shows_it_second(exported):
    lot, _ = exported
    films = {film.study_id: film for film in lot.films}
    for item in lot.items:
        if len(item.image_ids) == 2:
            main, prior = (films[name].study for name in item.image_ids)
            assert main.index == prior.index + 1
            assert films[item.study_id].prior_id == item.image_ids[1] == item.prior_id


def test_a_layout_is_imported_when_it_is_written_and_unknown_ones_are_named():
    assert writer("cx_mind").__module__ == LAYOUTS["cx_mind"]
    with pytest.raises(ConfigError, match="known layouts are cx_mind, chex_phi4mm"):
        layouts.writer("coco")
