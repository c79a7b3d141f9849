from collections import Counter

from radrl.data.adapters.contrasts import Contrasts
from radrl.data.adapters.label_spaces import label_space

SPACE = label_space("padchest_193")


def test_a_film_has_as_many_absent_findings_as_present_ones_and_a_normal_film_one():
    contrasts = Contrasts(["cardiomegaly", "scoliosis", "emphysema", "nodule", "goiter"], space=SPACE)
    drawn = contrasts.draw({"cardiomegaly", "nodule"}, by="film")
    assert len(drawn) == 2
    assert not {"cardiomegaly", "nodule"} & set(drawn)
    assert len(contrasts.draw(set(), by="film")) == 1


def test_the_text_alone_fixes_the_draw():
    contrasts = Contrasts(["cardiomegaly", "scoliosis", "emphysema", "nodule"], space=SPACE)
    assert contrasts.draw({"goiter"}, by="a") == contrasts.draw({"goiter"}, by="a")
    assert len({contrasts.draw({"goiter"}, by=str(number)) for number in range(50)}) == 4


def test_neither_what_is_broader_nor_what_is_narrower_is_called_absent():
    """An air bronchogram is a consolidation, that an alveolar pattern, that infiltrates: only the first is labelled."""
    contrasts = Contrasts(["infiltrates", "alveolar pattern", "consolidation", "goiter"], space=SPACE)
    for number in range(20):
        assert contrasts.draw({"air bronchogram"}, by=str(number)) == ("goiter",)
        assert contrasts.draw({"infiltrates"}, by=str(number)) == ("goiter",)


def test_a_name_within_another_name_is_a_broader_one():
    contrasts = Contrasts(["pneumothorax", "goiter"], space=SPACE)
    assert contrasts.draw({"hydropneumothorax"}, by="film") == ("goiter",)


def test_nothing_is_drawn_where_nothing_can_be_told():
    assert Contrasts(["pleural effusion"], space=SPACE).draw({"loculated pleural effusion"}, by="film") == ()


def test_a_finding_is_absent_about_as_often_as_it_is_present():
    films = [{"cardiomegaly"}] * 300 + [{"scoliosis"}] * 200 + [{"goiter"}] * 100
    contrasts = Contrasts((name for film in films for name in film), space=SPACE)
    absent = Counter(name for place, film in enumerate(films) for name in contrasts.draw(film, by=str(place)))
    # Cardiomegaly is drawn beside scoliosis by 300 / 400, beside goiter by 300 / 500: 200 * 0.75 + 100 * 0.6 = 210.
    assert abs(absent["cardiomegaly"] - 210) < 35
    # Scoliosis beside cardiomegaly by 200 / 300, beside goiter by 200 / 500: 300 * 2 / 3 + 100 * 0.4 = 240.
    assert abs(absent["scoliosis"] - 240) < 35


def test_every_parent_in_the_tree_is_a_label_and_no_label_is_above_itself():
    names = {label.name for label in SPACE.values()}
    parents = {label.name: label.parent for label in SPACE.values() if label.parent is not None}
    assert set(parents.values()) <= names
    for name in parents:
        above = [name]
        while above[-1] in parents:
            above.append(parents[above[-1]])
            assert above[-1] not in above[:-1]
