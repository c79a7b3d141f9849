"""Row 80: expanding the hard questions by those that are most like them."""

import numpy as np
import pytest
from selection_pool import question_row, write_pool_file

from radrl.config.selection import SelectConfig
from radrl.errors import ConfigError, PluginError
from radrl.models.tiny import build_tiny
from radrl.selection.features import Features, finding_features, image_features, text_features, word_features
from radrl.selection.pool import read_pool
from radrl.selection.retrieval import Neighbour, Space, build_space, error_curve, nearest


def between(features, left, right):
    return float(features.distances(np.array([left]), np.array([right]))[0, 0])


def test_words_in_common_over_the_geometric_mean_of_the_words_is_the_likeness():
    features = word_features(["Is there an effusion?", "there IS a left effusion", "pneumothorax", ""])
    # 3 words (is, there, effusion) in common of 4 and of 5.
    assert between(features, 0, 1) == pytest.approx(1 - 3 / np.sqrt(4 * 5))
    assert between(features, 0, 2) == 1
    assert between(features, 1, 1) == pytest.approx(0, abs=1e-6)
    assert between(features, 3, 3) == 1


def test_findings_differ_by_the_share_of_the_fourteen_that_one_claims_and_the_other_does_not(tmp_path):
    file = write_pool_file(tmp_path, [question_row(0), question_row(1), question_row(3)])
    samples = [candidate.sample for candidate in read_pool([file], SelectConfig(pool=[file], out="x.jsonl").rows)]
    features = finding_features(samples, extractor="rules")
    assert features.rows.shape == (3, 14)
    assert between(features, 0, 1) == pytest.approx(2 / 14)  # a fracture here, an effusion there
    assert between(features, 1, 2) == 0


def test_row_80_distance_is_the_weighted_sum_and_may_prefer_what_differs():
    words = Features(rows=np.array([[1, 0], [1, 0], [0.6, 0.8]], dtype=np.float32), distance="cosine")
    looks = Features(rows=np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32), distance="cosine")
    space = Space(parts=(("question", 2.0, words), ("image", -1.0, looks)))
    distances = space.distances(np.array([0]), np.array([1, 2]))
    # To the second: 2 x 0 - 0. To the third: 2 x (1 - 0.6) - 1 = -0.2, so the one that looks different is nearer.
    assert distances.tolist()[0] == pytest.approx([0.0, -0.2])


def test_row_80_the_nearest_come_first_and_never_the_question_itself():
    line = Features(rows=np.array([[np.cos(a), np.sin(a)] for a in (0, 0.1, 0.2, 1.5)], np.float32), distance="cosine")
    space = Space(parts=(("question", 1.0, line),))
    ids = ["a", "b", "c", "d"]
    found = list(nearest(space, [0, 2], [0, 1, 2, 3], ids=ids, k=2))
    assert [[ids[each.place] for each in row] for row in found] == [["b", "c"], ["b", "a"]]
    assert found[0][0].distance == pytest.approx(1 - np.cos(0.1), abs=1e-5)
    assert [each.rank for each in found[0]] == [1, 2]


def test_the_same_question_with_its_reference_in_another_form_is_not_near_itself():
    same = Features(rows=np.ones((3, 1), np.float32), distance="cosine")
    found = list(nearest(Space(parts=(("question", 1.0, same),)), [0], [0, 1, 2], ids=["a", "a", "b"], k=2))
    assert [each.place for each in found[0]] == [2]


def test_row_80_the_neighbour_error_curve_is_the_share_of_wrong_ones_among_the_k_nearest():
    def ranked(query, *places):
        return [Neighbour(query=query, place=place, rank=k, distance=0.0) for k, place in enumerate(places, start=1)]

    curve = error_curve(
        [ranked(0, 2, 3), ranked(1, 3, 4)], {2: True, 3: False, 5: True, 6: False, 7: False}, [2, 3, 4, 5, 6, 7]
    )
    # k = 1: places 2 (wrong) and 3 (right). k = 2: also 3 (right); 4 was not asked.
    assert curve.shares == pytest.approx({1: 1 / 2, 2: 1 / 3})
    assert curve.base_rate == pytest.approx(2 / 5)
    assert curve.num_queries == 2
    assert error_curve([ranked(0, 2)], {}, [2]) is None


def settings(tmp_path, **retrieval):
    file = write_pool_file(tmp_path, [question_row(number) for number in range(4)])
    return SelectConfig(pool=[file], out="x.jsonl", retrieval={"neighbours": 1, **retrieval})


def samples_of(config):
    return [candidate.sample for candidate in read_pool(config.pool, config.rows)]


def test_an_encoder_of_ones_own_is_called_with_texts_or_films_and_has_to_give_a_row_for_each(tmp_path):
    (tmp_path / "own.py").write_text(
        "import numpy as np\n"
        "def letters(texts):\n    return [[text.count('a'), text.count('b')] for text in texts]\n"
        "def names(films):\n    return np.array([[int(film.stem), 1] for film in films])\n"
        "def short(texts):\n    return [[1.0]]\n"
    )
    features = text_features(["aab", "bb"], f"{tmp_path / 'own.py'}:letters")
    assert between(features, 0, 1) == pytest.approx(1 - 1 / np.sqrt(5))
    config = settings(tmp_path, encoders={"image": f"{tmp_path / 'own.py'}:names"})
    films = image_features(samples_of(config), config.retrieval.encoders, config.rows)
    assert between(films, 0, 1) == pytest.approx(1 - 1 / np.sqrt(2))
    with pytest.raises(PluginError, match=r"short made an array of shape \(1, 1\) of 2 items"):
        text_features(["a", "b"], f"{tmp_path / 'own.py'}:short")
    with pytest.raises(PluginError, match="unknown encoder 'sentences'"):
        text_features(["a"], "sentences")


def test_our_own_tower_gives_the_mean_of_an_images_features(tmp_path):
    from radrl.models.load import load_adapter

    folder = build_tiny(tmp_path / "model", corpus=["Is there a fracture?"], vocab_size=300)
    config = settings(tmp_path, encoders={"image": str(folder), "device": "cpu"})
    samples = samples_of(config)
    features = image_features(samples, config.retrieval.encoders, config.rows)
    adapter = load_adapter(folder, device="cpu")
    plain = [each.detach().mean(dim=0).numpy() for sample in samples for each in adapter.encode_images(sample.images)]
    assert between(features, 1, 3) == pytest.approx(
        1 - plain[1] @ plain[3] / np.linalg.norm(plain[1]) / np.linalg.norm(plain[3]), abs=1e-5
    )


def test_weights_without_an_encoder_or_that_are_all_zero_are_refused(tmp_path):
    config = settings(tmp_path, weights={"image": -1})
    with pytest.raises(ConfigError, match=r"retrieval\.weights\.image = -1, but retrieval\.encoders\.image names"):
        build_space(samples_of(config), config)
    none = settings(tmp_path, weights={"question": 0, "explanation": 0, "findings": 0})
    with pytest.raises(ConfigError, match=r"every weight of retrieval\.weights is 0"):
        build_space(samples_of(none), none)
