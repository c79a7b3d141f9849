"""Row 26: stages are data in the configuration."""

import json

import pytest

from radrl.config.schema import Config
from radrl.data.dropped import DropList
from radrl.errors import ConfigError
from radrl.stages import build_curriculum, check_rubrics
from radrl.types import Prompt


class WordAdapter:
    """Renders a sample to one token a word."""

    fingerprint = None

    def __init__(self):
        self.num_measured = self.num_rendered = 0

    def prompt_lengths(self, samples):
        self.num_measured += len(samples)
        return [len(sample.question.split()) for sample in samples]

    def render_batch(self, samples):
        self.num_rendered += len(samples)
        return [
            Prompt(
                sample=sample,
                text=sample.question,
                token_ids=tuple(range(len(sample.question.split()))),
                num_image_tokens=0,
            )
            for sample in samples
        ]


def write_rows(path, *, kind, number, twins=False):
    rows = [
        {
            "id": f"{path.stem}-{kind}-{n}",
            "prompt": "Is it there?",
            "answer": "<think>t</think><answer>yes</answer>",
            "kind": kind,
            "answer_kind": "yes_no",
            "twin_id": f"{path.stem}-{kind}-{n ^ 1}" if twins else None,
        }
        for n in range(number)
    ]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return str(path)


def a_config(*stages, **sections):
    return Config.model_validate({"curriculum": {"stages": stages}, "data": {"rollout_batch_size": 4}, **sections})


@pytest.fixture
def files(tmp_path):
    """Two files of ten questions; the second holds two kinds."""
    first = write_rows(tmp_path / "first.jsonl", kind="presence", number=10)
    second = write_rows(tmp_path / "second.jsonl", kind="presence", number=5, twins=True)
    write_rows(tmp_path / "second.jsonl", kind="open", number=5)
    return first, second


def test_a_stage_mixes_its_files_by_weight_and_takes_kinds_within_them(files):
    data = {"train_files": files, "weights": [1, 3], "kinds": {"presence": 1, "open": 2}}
    curriculum = build_curriculum(a_config({"name": "a", "steps": 1, "data": data}), WordAdapter())

    taken = [prompt.sample.id.rpartition("-")[0] for prompt in curriculum.stage.prompts.take(12)]
    counts = {part: taken.count(part) for part in set(taken)}
    assert counts == {"first-presence": 3, "second-presence": 3, "second-open": 6}


def test_row_12_a_mixture_of_sources_goes_on_where_it_was_when_it_is_resumed(files):
    """Weights, kinds and twins together; prompts are rendered as they are drawn."""
    data = {"train_files": files, "weights": [1, 3], "twins": True}
    built = [build_curriculum(a_config({"name": "a", "steps": 1, "data": data}), WordAdapter()) for _ in range(2)]
    whole, resumed = (curriculum.stage.prompts for curriculum in built)
    expected = [[prompt.sample.id for prompt in whole.take(4)] for _ in range(12)]
    before = build_curriculum(a_config({"name": "a", "steps": 1, "data": data}), WordAdapter()).stage.prompts
    first = [[prompt.sample.id for prompt in before.take(4)] for _ in range(5)]
    resumed.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert first + [[prompt.sample.id for prompt in resumed.take(4)] for _ in range(7)] == expected


def test_files_that_several_stages_share_are_read_and_measured_once(files):
    adapter = WordAdapter()
    data = {"train_files": files, "val_files": [files[1]]}
    build_curriculum(
        a_config({"name": "a", "steps": 1, "data": data}, {"name": "b", "steps": 1, "data": data}), adapter
    )
    assert adapter.num_measured == 20 + 10


def test_prompts_are_rendered_when_they_are_drawn(files):
    adapter = WordAdapter()
    curriculum = build_curriculum(
        a_config({"name": "a", "steps": 1}, data={"train_files": files, "val_files": files}), adapter
    )
    assert adapter.num_rendered == 0
    assert [prompt.token_ids for prompt in curriculum.stage.prompts.take(4)] == [(0, 1, 2)] * 4
    assert [prompt.token_ids for prompt in curriculum.stage.validation.prompts[18:25]] == [(0, 1, 2)] * 2
    assert adapter.num_rendered == 4 + 2


def test_rows_over_the_limit_are_left_out_and_noted_once_however_many_stages_share_them(files, tmp_path):
    long = tmp_path / "long.jsonl"
    row = {"id": "long", "prompt": "Is it there or is it not?", "answer": "<answer>yes</answer>", "kind": "presence"}
    long.write_text(json.dumps(row) + "\n", encoding="utf-8")
    drops = DropList()
    stages = [{"name": name, "steps": 1, "data": {"train_files": [files[0], str(long)]}} for name in "ab"]
    curriculum = build_curriculum(a_config(*stages, data={"max_prompt_length": 5}), WordAdapter(), drops=drops)

    assert [len(stage.prompts) for stage in curriculum.stages] == [10, 10]
    assert drops.counts() == {"overlong": 1}
    assert drops.records() == [
        {"reason": "overlong", "id": "long", "origin": f"{long}:1", "detail": "7 tokens, 5 allowed"}
    ]


def test_every_stage_has_its_own_validation_rewards_limits_and_instruction(files, tmp_path):
    prompt = tmp_path / "open.jinja"
    prompt.write_text("{{ content }} Name all.", encoding="utf-8")
    rewards = [{"name": "answer_exact", "outcome": True}]
    config = a_config(
        {"name": "a", "steps": 1},
        {
            "name": "b",
            "epochs": 2,
            "data": {"train_files": [files[1]], "val_files": [files[1]], "format_prompt": str(prompt)},
            "rewards": rewards,
            "max_response_length": 99,
            "advance": {"plateau": 0.01, "validations": 2},
        },
        data={"train_files": files, "val_files": [files[0]], "rollout_batch_size": 4},
    )
    first, second = build_curriculum(config, WordAdapter()).stages

    assert [len(stage.validation.prompts) for stage in (first, second)] == [10, 10]
    assert {prompt.text for prompt in first.validation.prompts} == {"Is it there?"}
    assert {prompt.text for prompt in (*second.validation.prompts, *second.prompts.take(4))} == {
        "Is it there? Name all."
    }
    assert [term.name for term in second.rubric.rewards] == ["answer_exact"]
    assert (first.max_response_length, second.max_response_length, second.rubric.max_tokens) == (512, 99, 99)
    assert second.num_steps == 5
    assert second.advance.validations == 2
    assert first.validation.scale != second.validation.scale


def test_stages_with_the_same_questions_and_rewards_are_validated_on_the_same_scale(files):
    config = a_config(
        {"name": "a", "steps": 1}, {"name": "b", "steps": 1}, data={"train_files": files, "val_files": [files[0]]}
    )
    first, second = build_curriculum(config, WordAdapter()).stages
    assert first.validation.scale == second.validation.scale


def test_twins_come_in_one_batch(files):
    data = {"train_files": [files[1]], "twins": True}
    stage = build_curriculum(a_config({"name": "a", "steps": 1, "data": data}), WordAdapter()).stage
    for _ in range(20):
        ids = {prompt.sample.id for prompt in stage.prompts.take(4)}
        for number in (0, 2):
            assert (f"second-presence-{number}" in ids) == (f"second-presence-{number + 1}" in ids)


def test_a_kind_that_the_files_of_a_stage_do_not_hold_is_refused(files):
    config = a_config({"name": "a", "steps": 1, "data": {"train_files": [files[0]], "kinds": {"open": 1}}})
    with pytest.raises(ConfigError, match=r"kind open, but its files hold only presence.*stages\[0\]\.data\.kinds"):
        build_curriculum(config, WordAdapter())


def test_a_run_without_stages_is_one_stage(files):
    config = Config.model_validate({"data": {"train_files": files}, "trainer": {"max_steps": 7}})
    (stage,) = build_curriculum(config, WordAdapter()).stages
    assert (stage.name, stage.num_steps, stage.validation) == ("train", 7, None)


def test_rewards_are_checked_before_a_model_is_loaded():
    with pytest.raises(ConfigError, match="unknown reward"):
        check_rubrics(a_config({"name": "a", "steps": 1, "rewards": [{"name": "answer_exakt", "outcome": True}]}))
