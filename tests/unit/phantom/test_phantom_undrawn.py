"""Questions about studies that nobody draws."""

from collections import Counter

from radrl.phantom.undrawn import ask_undrawn
from radrl.phantom.world import KINDS, PhantomWorld


def test_as_many_questions_as_were_asked_for_and_some_of_every_kind():
    world = PhantomWorld(kinds=dict.fromkeys(KINDS, 1.0))
    items = ask_undrawn(world, split="train", num_questions=80)
    assert len(items) == 80
    asked = Counter(item.question.kind for item in items)
    assert set(asked) == set(KINDS)
    assert max(asked.values()) - min(asked.values()) <= 8
    assert len({item.id for item in items}) == 80


def test_references_end_in_the_answers_and_no_boxes_are_known():
    items = ask_undrawn(PhantomWorld(kinds={"presence": 1.0}), split="train", num_questions=40)
    assert {item.answer for item in items} == {("yes",), ("no",)}
    assert all(item.reference.endswith(f"<answer>{item.answer[0]}</answer>") for item in items)
    assert {item.boxes for item in items} == {()}


def test_the_same_world_asks_the_same_and_another_seed_something_else():
    first, again, other = (ask_undrawn(PhantomWorld(seed=seed), split="train", num_questions=20) for seed in (1, 1, 2))
    assert first == again
    assert [item.answer for item in first] != [item.answer for item in other]


def test_twins_come_on_top_and_answer_presence_questions_the_other_way_round():
    world = PhantomWorld(kinds={"presence": 1.0}, twins=True)
    items = ask_undrawn(world, split="train", num_questions=20)
    by_id = {item.id: item for item in items}
    pairs = [(item, by_id[item.twin_id]) for item in items if item.twin_id and not item.is_twin]
    assert sum(not item.is_twin for item in items) == 20
    assert len(pairs) > 10
    assert all(one.answer != twin.answer for one, twin in pairs)
