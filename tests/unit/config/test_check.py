"""Rules across fields fail before anything is loaded, each with the way out."""

import pytest

from radrl.config.check import check, check_image_tokens, check_sequence_length
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.errors import ConfigError


def problems(*args: str, paths: bool = False, supervised: bool = False) -> str:
    loaded = load_config(Config, args)
    with pytest.raises(ConfigError) as caught:
        check(loaded.config, paths=paths, supervised=supervised, origins=loaded.origins)
    return str(caught.value)


STAGE = "curriculum.stages=[{name: a, steps: 3}, {name: b, epochs: 1}]"
VALIDATED = (STAGE, "data.val_files=v.jsonl", "trainer.val_freq=2")


def test_sequences_longer_than_a_model_takes_are_refused_with_the_longest_prompt_that_fits():
    config = load_config(Config, ["data.max_prompt_length=4000", "data.max_response_length=256"]).config
    check_sequence_length(config, longest=None)
    check_sequence_length(config, longest=4256)
    with pytest.raises(ConfigError, match=r"sequences of 4256.*Set data.max_prompt_length to at most 3840"):
        check_sequence_length(config, longest=4096)


def test_the_defaults_pass():
    check(Config(), paths=False)


@pytest.mark.parametrize(
    ("args", "said", "way_out"),
    [
        (
            ["data.rollout_batch_size=10", "worker.actor.global_batch_size=4"],
            "data.rollout_batch_size = 10 (from command line) is not a multiple of worker.actor.global_batch_size = 4",
            "divisor of the first",
        ),
        (["worker.rollout.n=1"], "worker.rollout.n = 1 (from command line)", "2 or more"),
        (["worker.rollout.top_p=0.99"], "worker.rollout.top_p = 0.99", "Set worker.rollout.top_p=1."),
        (["worker.rollout.top_k=50"], "worker.rollout.top_k = 50", "Set worker.rollout.top_k=-1."),
        (["algorithm.filter_low=0.99"], "algorithm.filter_low = 0.99", "Lower the first"),
        (["rewards.1.outcome=false"], "rewards declares 0 outcomes (format, answer_f1)", "`outcome: true`"),
        (["rewards.0.outcome=true"], "rewards declares 2 outcomes", "on no other"),
        (
            [STAGE, "curriculum.stages.1.rewards=[{name: format}]"],
            "curriculum.stages.1.rewards declares 0 outcomes (format)",
            "`outcome: true`",
        ),
        ([STAGE, "curriculum.stages.0.epochs=1"], "curriculum.stages.0 (a) has both epochs and steps", "exactly one"),
        ([STAGE, "curriculum.stages.0.steps=null"], "curriculum.stages.0 (a) has neither epochs nor steps", "exactly"),
        ([STAGE, "curriculum.stages.1.name=a"], "curriculum.stages.1.name = a", "its own"),
        ([STAGE, "curriculum.stages.1.name=a/b"], "curriculum.stages.1.name = a/b", "without a slash"),
        (
            [STAGE, "curriculum.stages.0.data={train_files: [x, y], weights: [1]}"],
            "curriculum.stages.0.data.weights = (1.0,) (from command line) has 1 shares for 2 files",
            "one for each",
        ),
        (
            [
                STAGE,
                "curriculum.stages.0.data.twins=true",
                "data.rollout_batch_size=7",
                "worker.actor.global_batch_size=7",
            ],
            "curriculum.stages.0.data.twins draws prompts in pairs, but data.rollout_batch_size = 7",
            "Make it even",
        ),
        (
            [STAGE, "curriculum.stages.0.data.twins=true", "algorithm.online_filtering=true"],
            "algorithm.online_filtering = True (from command line) would drop one",
            "Set one of them to false",
        ),
        (
            [STAGE, "curriculum.stages.0.data.pass_rate={low: 0.9, high: 0.1}"],
            "data.pass_rate.low = 0.9 (from command line) is over curriculum.stages.0.data.pass_rate.high = 0.1",
            "Lower the first",
        ),
        (
            [*VALIDATED, "curriculum.stages.0.advance={validations: 2}"],
            "curriculum.stages.0.advance (a) has neither outcome_at_least nor plateau",
            "exactly one",
        ),
        (
            [*VALIDATED, "curriculum.stages.0.advance={outcome_at_least: 0.9, plateau: 0.1}"],
            "curriculum.stages.0.advance (a) has both outcome_at_least and plateau",
            "exactly one",
        ),
        (
            [*VALIDATED, "curriculum.stages.0.advance={plateau: 0.1}", "trainer.val_freq=-1"],
            "curriculum.stages.0.advance (a) looks at validations, but trainer.val_freq = -1 (from command line)",
            "number of steps",
        ),
        (
            ["trainer.n_gpus_per_node=8", "worker.actor.ulysses_size=3"],
            "worker.actor.ulysses_size = 3 (from command line) ranks share rows, and the 8 of trainer.nnodes = 1",
            "divisor of 8",
        ),
        (
            ["trainer.nnodes=4", "worker.actor.ulysses_size=2"],
            "worker.actor.ulysses_size = 2 (from command line) is over trainer.n_gpus_per_node = 1",
            "must be on one machine. Lower the first",
        ),
        (
            ["trainer.n_gpus_per_node=2", "trainer.profile_steps=[2]"],
            "trainer.profile_steps = (2,) (from command line) profiles the run's own process",
            "Leave it out",
        ),
        (["trainer.save_limit=0"], "trainer.save_limit = 0", "-1 to keep all"),
        (
            ["trainer.log_text=true"],
            "trainer.log_text = True (from command line), but trainer.val_generations_to_log = 0",
            "how many",
        ),
        (["trainer.save_freq=0"], "trainer.save_freq = 0", "-1 to save at the end only"),
        (["trainer.val_freq=-5"], "trainer.val_freq = -5", "-1 to validate at the end only"),
        (["trainer.val_freq=5"], "trainer.val_freq = 5 (from command line), but data.val_files is empty", "Name files"),
        (["trainer.val_only=true"], "trainer.val_only = True", "Name files"),
        (["data.max_response_length=4096"], "6144 tokens, do not fit worker.actor.row_tokens = 4096", "Set it to 6144"),
        (
            ["worker.actor.micro_batch_tokens=2048"],
            "is over worker.actor.micro_batch_tokens = 2048",
            "raise the second",
        ),
    ],
)
def test_a_broken_rule_says_key_value_origin_and_way_out(args, said, way_out):
    message = problems(*args)
    assert said in message
    assert way_out in message
    assert len(message.splitlines()) == 1


def test_row_26_an_advance_rule_without_validations_is_refused():
    message = problems(STAGE, "curriculum.stages.1.advance={outcome_at_least: 0.9}")
    assert "curriculum.stages.1.advance (b) looks at validations, but the stage has no validation files" in message
    assert "curriculum.stages.1.data.val_files or data.val_files" in message
    assert "trainer.val_freq = -1" in message


def test_a_cadence_of_validations_is_fine_when_every_stage_has_files_of_its_own():
    own = "curriculum.stages=[{name: a, steps: 3, data: {val_files: v.jsonl}}]"
    check(load_config(Config, [own, "trainer.val_freq=2"]).config, paths=False)
    assert "data.val_files is empty" in problems(STAGE, "trainer.val_freq=2")


def test_the_files_of_a_stage_have_to_be_there(tmp_path):
    (tmp_path / "a.jsonl").touch()
    message = problems(
        f"worker.actor.model.model_path={tmp_path}",
        f"curriculum.stages=[{{name: a, steps: 1, data: {{train_files: {tmp_path / 'a.jsonl'}, "
        f"val_files: {tmp_path / 'v.jsonl'}, format_prompt: {tmp_path / 'p.jinja'}}}}}]",
        paths=True,
    )
    assert len(message.splitlines()) == 2
    assert f"curriculum.stages.0.data.val_files = ('{tmp_path / 'v.jsonl'}',)" in message
    assert "curriculum.stages.0.data.format_prompt = " in message


def test_all_broken_rules_are_listed_at_once():
    assert len(problems("worker.rollout.n=1", "worker.actor.ulysses_size=2", "trainer.val_freq=0").splitlines()) == 4


def test_supervised_training_is_not_held_to_the_rules_of_sampling():
    config = load_config(Config, ["worker.rollout.n=1", "worker.actor.global_batch_size=32"]).config
    check(config, paths=False, supervised=True)
    assert "worker.actor.ulysses_size = 2" in problems("worker.actor.ulysses_size=2", supervised=True)


def test_missing_files_and_model_are_named(tmp_path):
    message = problems(
        f"data.train_files={tmp_path / 'no.jsonl'}",
        f"data.val_files={tmp_path / 'val.jsonl'}",
        f"data.format_prompt={tmp_path / 'p.jinja'}",
        paths=True,
    )
    for key in ("data.train_files", "data.val_files", "data.format_prompt", "worker.actor.model.model_path"):
        assert f"{key} " in message
    assert f"{tmp_path / 'no.jsonl'} does not exist" in message
    assert "radrl tiny" in message


def test_no_files_to_train_on_is_a_problem_unless_every_stage_has_its_own(tmp_path):
    file = tmp_path / "a.jsonl"
    file.touch()
    model = f"worker.actor.model.model_path={tmp_path}"
    assert "data.train_files is empty" in problems(model, STAGE, paths=True)
    stages = f"curriculum.stages=[{{name: a, steps: 1, data: {{train_files: {file}}}}}]"
    check(load_config(Config, [model, stages]).config, paths=True)


def test_a_model_that_is_no_folder_may_be_on_the_hub_only_by_its_name(tmp_path):
    file = tmp_path / "a.jsonl"
    file.touch()
    check(
        load_config(Config, [f"data.train_files={file}", "worker.actor.model.model_path=owner-x/model"]).config,
        paths=True,
    )
    assert "does not exist" in problems(
        f"data.train_files={file}", f"worker.actor.model.model_path={tmp_path / 'none'}", paths=True
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["worker.actor.model.lora.dropout=0.1"], r"lora\.dropout = 0\.1, .*ratio is not 1.*Set it to 0"),
        (
            ["worker.actor.model.lora.rank=8", "worker.actor.model.lora.path=a"],
            r"lora\.path = a .*Leave one of them out",
        ),
    ],
)
def test_settings_of_an_adapter_that_cannot_stand_are_refused(args, message):
    with pytest.raises(ConfigError, match=message):
        check(load_config(Config, args).config, paths=False)


def test_images_that_alone_overflow_the_prompt_are_refused_with_the_largest_that_fit():
    config = load_config(Config, ["data.max_pixels=4194304", "data.max_prompt_length=4096"]).config
    with pytest.raises(ConfigError, match=r"fills 5349 tokens.*at most 3211264"):
        check_image_tokens(config, pixels_per_token=784)
    check_image_tokens(Config(), pixels_per_token=784)


@pytest.mark.parametrize("temperature", ["0.005", "2.5"])
def test_temperatures_that_vllm_would_change_are_refused_with_it_alone(temperature):
    args = ("worker.rollout.name=vllm", f"worker.rollout.temperature={temperature}")
    assert f"worker.rollout.temperature = {temperature}" in problems(*args)
    assert "from 0.01 to 2.0 only" in problems(*args)
    check(load_config(Config, args[1:]).config, paths=False)
    check(load_config(Config, [args[0], "worker.rollout.val_override_config.temperature=0"]).config, paths=False)


def test_expandable_segments_are_refused_where_vllm_may_sleep():
    config = load_config(Config, ["worker.rollout.name=vllm"]).config
    with pytest.raises(ConfigError, match=r"expandable_segments.*worker.rollout.sleep = auto"):
        check(config, paths=False, environment={"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"})
    awake = load_config(Config, ["worker.rollout.name=vllm", "worker.rollout.sleep=none"]).config
    check(awake, paths=False, environment={"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"})
