"""Row 26: both recipes run on a tiny model with nothing overridden but paths and sizes."""

import json
from pathlib import Path

import pytest
from processes import radrl
from small_world import EXAMPLES, World, lines, settings

from radrl.config.check import check
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.config.tree import leaves
from radrl.curriculum import Budget
from radrl.stages import build_curriculum, check_rubrics
from radrl.train import open_model

CX_MIND, CHEX = EXAMPLES / "cx_mind.yaml", EXAMPLES / "chex_phi4mm.yaml"
ARMS = sorted(path.stem for path in (EXAMPLES / "cx_mind_arms").glob("*.yaml"))
NUM_PROMPTS = {"closed": 186 * 64, "open": 144 * 64}
"""About what CX-Mind trained on, in whole batches."""


@pytest.fixture(scope="module")
def questions(world: World, tmp_path_factory) -> Path:
    """Closed and open questions in files of their own, and the same in CheX-Phi4MM's form."""
    folder = tmp_path_factory.mktemp("questions")
    for split in ("train", "val"):
        for row in lines(world.folder / f"{split}.jsonl"):
            row["images"] = [str(world.folder / image) for image in row["images"]]
            stage = "open" if row["kind"] == "open" else "closed"
            with (folder / f"{stage}_{split}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    phantom = ("--train", "16", "--val", "4", "--test", "0", "--ood", "0", "--seed", "3", "--size", "32")
    findings = ("--difficulty", "0", "--findings", "cardiomegaly, pneumothorax, pleural effusion", "--style", "short")
    made = radrl("phantom", "chex", *phantom, *findings, "--layout", "chex_phi4mm", folder=folder)
    assert made.code == 0, made.output
    return folder


def cx_mind_paths(questions: Path, model: Path, *, stages=("closed", "open")) -> dict[str, object]:
    paths: dict[str, object] = {"worker.actor.model.model_path": model}
    for number, stage in enumerate(stages):
        data = f"curriculum.stages.{number}.data"
        paths[f"{data}.train_files"] = questions / f"{stage}_train.jsonl"
        paths[f"{data}.val_files"] = questions / f"{stage}_val.jsonl"
        paths[f"{data}.format_prompt"] = EXAMPLES / "format_prompts" / f"{stage}.jinja"
    return paths


def chex_paths(questions: Path, model: Path) -> dict[str, object]:
    return {
        "worker.actor.model.model_path": model,
        "data.train_files": questions / "chex" / "train.json",
        "data.val_files": questions / "chex" / "val.json",
        "data.image_dir": "null",
    }


SMALL = {
    "data.max_prompt_length": 512,
    "data.max_response_length": 48,
    "data.max_pixels": 1024,
    "data.rollout_batch_size": 4,
    "worker.actor.row_tokens": 768,
    "worker.actor.micro_batch_tokens": 4096,
    "worker.rollout.n": 4,
    "trainer.logger": "console",
}
CX_MIND_SMALL = {
    **SMALL,
    "data.min_pixels": 0,
    "worker.actor.global_batch_size": 2,
    "curriculum.stages.0.epochs": 0.5,
    "curriculum.stages.1.epochs": 0.7,
}


@pytest.fixture(scope="module")
def cx_mind(world, questions, tmp_path_factory):
    """Run folder of CX-Mind's recipe in small."""
    folder = tmp_path_factory.mktemp("cx_mind")
    paths = cx_mind_paths(questions, world.warm)
    ended = radrl("train", *settings({"config": CX_MIND, **paths, **CX_MIND_SMALL}, {}), folder=folder)
    assert ended.code == 0, ended.output
    return folder / "runs" / "cx_mind" / "final"


def test_row_26_cx_mind_runs_closed_then_open_from_one_file(cx_mind):
    steps = [record for record in lines(cx_mind / "metrics.jsonl") if "outcome/mean" in record]
    stages = [record["stage"] for record in steps]
    assert stages == sorted(stages) and set(stages) == {"closed", "open"}
    kinds = {
        stage: {r["kind"] for r in lines(cx_mind / "completions.jsonl") if r["stage"] == stage} for stage in stages
    }
    assert kinds["closed"] <= {"presence", "closed"}
    assert kinds["open"] == {"open"}


def test_cx_mind_hands_the_weights_over_and_anchors_them_with_the_kl_term(cx_mind):
    steps = [record for record in lines(cx_mind / "metrics.jsonl") if "outcome/mean" in record]
    versions = {r["step"]: r["policy_version"] for r in lines(cx_mind / "completions.jsonl")}
    assert versions == {record["step"]: record["step"] - 1 for record in steps}
    assert all("actor/kl_loss" in record for record in steps)
    assert {record["actor/lr"] for record in steps} == {1e-6}


def test_cx_mind_measures_all_four_terms_and_validates_every_third_step_with_the_stages_own_questions(cx_mind):
    records = lines(cx_mind / "metrics.jsonl")
    for record in records:
        if "outcome/mean" in record:
            for term in ("format", "think_similarity", "step_correctness"):
                assert f"reward/{term}/gate_mean" in record
    validations = [(record["step"], record["stage"]) for record in records if "val/reward_score" in record]
    last = max(record["step"] for record in records)
    assert [step for step, _ in validations] == sorted({*range(0, last + 1, 3), last})
    assert all(
        ("val/open/outcome" in record) == (record["stage"] == "open")
        for record in records
        if "val/reward_score" in record
    )


def test_cx_mind_asks_with_the_instruction_of_the_stage(cx_mind):
    for record in lines(cx_mind / "completions.jsonl"):
        assert ("Differential Diagnoses" in record["prompt"]) == (record["stage"] == "open")
        assert ("options one by one" in record["prompt"]) == (record["stage"] == "closed")


def test_chex_phi4mm_runs_from_one_file(world, questions, tmp_path):
    sizes = {**SMALL, "worker.rollout.n": 8, "data.val_max_samples": 4, "trainer.val_freq": 2}
    ended = radrl(
        "train", *settings({"config": CHEX, **chex_paths(questions, world.warm), **sizes}, {}), folder=tmp_path
    )
    assert ended.code == 0, ended.output

    run = tmp_path / "runs" / "chex_phi4mm" / "hard_uniform_1000"
    steps = [record for record in lines(run / "metrics.jsonl") if "outcome/mean" in record]
    assert len(steps) == 4
    for record in steps:
        assert {"reward/answer_f1/mean", "reward/graph_jaccard/mean", "actor/kl_loss"} <= set(record)
    assert any(record["sample/kept_frac"] < 1 for record in steps)
    records = lines(run / "completions.jsonl")
    assert {record["temperature"] for record in records} == {0.9}


@pytest.mark.parametrize(("recipe", "paths"), [(CX_MIND, cx_mind_paths), (CHEX, chex_paths)], ids=["cx_mind", "chex"])
def test_a_recipe_starts_with_nothing_but_its_paths_changed(world, questions, recipe, paths):
    """Everything up to the first step: checks, rewards, model, prompts within their limits, validation."""
    config = load_config(Config, settings({"config": recipe, **paths(questions, world.warm)}, {})).config
    check(config, paths=True)
    check_rubrics(config)
    curriculum = build_curriculum(config, open_model(config))
    assert all(stage.validation is not None and stage.num_steps >= 1 for stage in curriculum.stages)
    longest = max(len(prompt.token_ids) for stage in curriculum.stages for prompt in stage.prompts.items)
    assert longest <= 4096


def test_cx_minds_recipe_has_the_constants_of_the_paper_and_its_code():
    values = leaves(load_config(Config, [f"config={CX_MIND}"]).config)
    wanted = {
        "algorithm.adv_estimator": "grpo",
        "algorithm.kl_coef": 1e-2,
        "algorithm.kl_penalty": "low_var_kl",
        "algorithm.online_filtering": False,
        "data.max_prompt_length": 4096,
        "data.max_response_length": 4096,
        "data.rollout_batch_size": 64,
        "worker.actor.global_batch_size": 16,
        "worker.actor.clip_ratio_low": 0.2,
        "worker.actor.clip_ratio_high": 0.3,
        "worker.actor.clip_ratio_dual": 3.0,
        "worker.actor.max_grad_norm": 1.0,
        "worker.actor.optim.lr": 1e-6,
        "worker.actor.optim.lr_schedule": "constant",
        "worker.actor.optim.weight_decay": 1e-2,
        "worker.actor.model.freeze_vision_tower": False,
        "worker.rollout.n": 10,
        "worker.rollout.temperature": 1.0,
        "worker.rollout.val_override_config.temperature": 0.5,
        "worker.reward.gate.alpha": 0.2,
        "worker.reward.gate.margin": 0.0,
        "curriculum.stages.0.epochs": 1,
        "curriculum.stages.1.epochs": 2,
        "trainer.val_freq": 3,
        "trainer.save_freq": 10,
        "trainer.save_limit": 5,
    }
    assert {key: values[key] for key in wanted} == wanted


def test_chex_phi4mms_recipe_has_the_constants_of_the_script():
    config = load_config(Config, [f"config={CHEX}"]).config
    values = leaves(config)
    wanted = {
        "algorithm.kl_coef": 0.5,
        "algorithm.advantage_eps": 1e-4,
        "algorithm.online_filtering": True,
        "algorithm.filter_min_std": 0.06,
        "data.layout": "chex_phi4mm",
        "data.max_response_length": 256,
        "worker.actor.global_batch_size": 1,
        "worker.actor.clip_ratio_low": 0.2,
        "worker.actor.clip_ratio_high": 0.2,
        "worker.actor.optim.lr": 4e-6,
        "worker.actor.optim.lr_warmup_ratio": 0.1,
        "worker.rollout.n": 8,
        "worker.rollout.temperature": 0.9,
        "trainer.total_epochs": 1,
        "trainer.max_try_make_batch": 5,
    }
    assert {key: values[key] for key in wanted} == wanted
    assert [(term.name, term.weight, term.outcome) for term in config.rewards] == [
        ("answer_f1", 1.0, True),
        ("graph_jaccard", 1.0, False),
    ]


def arm(name: str) -> Config:
    config = load_config(Config, [f"config={CX_MIND}", f"config={EXAMPLES / 'cx_mind_arms' / name}.yaml"]).config
    check(config, paths=False)
    check_rubrics(config)
    return config


def paid(config: Config) -> dict[str, dict[str, tuple[str, ...]]]:
    """Stage -> process term -> its gate, for the terms that the arm pays."""
    process = ("think_similarity", "step_correctness")
    return {
        stage.name: {term.name: term.gate for term in stage.rewards if term.name in process and term.gate != ("off",)}
        for stage in config.curriculum.stages
    }


GATED = ("ema", "per_sample", "format")
THINK, STEPS = {"think_similarity": GATED}, {"step_correctness": GATED}
PAID = {
    "final": {"closed": THINK | STEPS, "open": THINK | STEPS},
    "outcome_only": {"closed": {}, "open": {}},
    "think_only": {"closed": THINK, "open": THINK},
    "mixed_a": {"closed": THINK | STEPS, "open": THINK},
    "mixed_b": {"closed": THINK, "open": THINK | STEPS},
    "no_gate": {"closed": {"think_similarity": ("always",)}, "open": {"think_similarity": ("always",)}},
    "no_cold_start": {"closed": {}, "open": {}},
    "plain_cot": {"closed": {}, "open": {}},
    "answer_no_gate": {"closed": {"step_correctness": ("always",)}, "open": {"step_correctness": ("always",)}},
    "open_only": {"open": THINK | STEPS},
    "joint": {"joint": THINK | STEPS},
    "reversed": {"open": THINK | STEPS, "closed": THINK | STEPS},
}
"""Part F of the specification, and the arms that it misses."""


def test_there_is_a_file_for_every_arm():
    assert sorted(PAID) == ARMS


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_pays_what_its_table_says_and_keeps_everything_else(name):
    config, final = arm(name), arm("final")
    assert paid(config) == PAID[name]
    assert [stage.name for stage in config.curriculum.stages] == list(PAID[name])
    assert config.trainer.experiment_name == name
    differing = {key for key, value in leaves(config).items() if leaves(final).get(key) != value}
    warm_start = {"worker.actor.model.model_path"} if name in ("no_cold_start", "plain_cot") else set()
    assert {key for key in differing if not key.startswith("curriculum")} == warm_start | (
        {"trainer.experiment_name"} if name != "final" else set()
    )
    assert sum(term.outcome for stage in config.curriculum.stages for term in stage.rewards) == len(PAID[name])


@pytest.mark.parametrize("name", ARMS)
def test_all_arms_take_as_many_steps_on_cx_minds_data(name):
    config = arm(name)
    num_steps = [
        Budget(epochs=stage.epochs, steps=stage.steps, prompts_a_step=config.data.rollout_batch_size).in_steps(
            NUM_PROMPTS.get(stage.name, 0)
        )
        for stage in config.curriculum.stages
    ]
    assert sum(num_steps) == 186 + 288


def test_the_joint_arm_asks_each_question_with_its_own_instruction_in_the_shares_of_both_stages(world, questions):
    both = {
        split: f"[{questions / f'closed_{split}.jsonl'}, {questions / f'open_{split}.jsonl'}]"
        for split in ("train", "val")
    }
    args = {
        "config": CX_MIND,
        "worker.actor.model.model_path": world.warm,
        "data.max_pixels": 1024,
        "data.min_pixels": 0,
        "trainer.seed": 2,
    }
    overlay = f"config={EXAMPLES / 'cx_mind_arms' / 'joint.yaml'}"
    stage = "curriculum.stages.0.data"
    paths = {f"{stage}.train_files": both["train"], f"{stage}.val_files": both["val"]}
    paths[f"{stage}.format_prompt"] = EXAMPLES / "format_prompts" / "joint.jinja"
    config = load_config(Config, [*settings(args, {}), overlay, *settings(paths, {})]).config
    prompts = build_curriculum(config, open_model(config)).stage.prompts.take(79)

    is_open = ["Differential Diagnoses" in prompt.sample.question for prompt in prompts]
    assert is_open == [prompt.sample.kind == "open" for prompt in prompts]
    assert sum(is_open) == 48  # 288 of 474
