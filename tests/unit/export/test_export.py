"""Spec row 71: a trained model as a folder that other tools open, with every weight where the base has it."""

import json

import peft
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor

from radrl.config.schema import Config
from radrl.config.show import to_yaml
from radrl.engines.checkpoint import Saving
from radrl.engines.learner import PolicyLearner
from radrl.errors import CheckFailed, CheckpointError, ConfigError
from radrl.export.card import NOTICE
from radrl.export.command import export, export_model
from radrl.export.hub import HuggingFaceHub, open_hub
from radrl.export.proof import compare, logits, weight_names
from radrl.export.source import Source, find_source, open_source
from radrl.models.freezing import prepare_training
from radrl.models.load import load_adapter, save_adapter
from radrl.models.lora import lora_layers
from radrl.models.tiny import build_tiny

CORPUS = ("Is there a left pleural effusion?", "<think>fluid</think><answer>left pleural effusion ✅</answer>")


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    folders = {}

    def build(family="qwen2_5_vl"):
        if family not in folders:
            folders[family] = build_tiny(
                tmp_path_factory.mktemp("tiny") / family, corpus=CORPUS, family=family, hidden_size=64, vocab_size=480
            )
        return folders[family]

    return build


def a_config(base, **settings):
    return Config.model_validate(
        {
            "data": {"train_files": ["/secret/place/films.jsonl"]},
            "worker": {"actor": {"model": {"model_path": str(base), **settings}}},
            "trainer": {"experiment_name": "first", "device": "cpu"},
        }
    )


def trained(base, config, *, dtype="auto"):
    """A policy that differs from its base wherever it learns."""
    adapter = load_adapter(base, device="cpu", dtype=dtype)
    prepare_training(adapter, config.worker.actor.model, seed=1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in adapter.model.parameters():
            if weight.requires_grad:
                weight += 0.05 * torch.randn(weight.shape, generator=generator)
    return adapter


def write_run(folder, config, adapters, *, best=None, saving=None):
    """A run folder as `radrl train` leaves it, with a checkpoint for each of the adapters, at steps 2, 4, ..."""
    for number, adapter in enumerate(adapters, start=1):
        actor = folder / "checkpoints" / f"global_step_{2 * number}" / "actor"
        actor.mkdir(parents=True)
        PolicyLearner(adapter, config.worker.actor, total_updates=2, saving=saving).save(actor)
    (folder / "config.yaml").write_text(to_yaml(config))
    tracker = {"best_global_step": best, "best_val_reward_score": 0.5}
    (folder / "checkpoints" / "checkpoint_tracker.json").write_text(json.dumps(tracker))
    records = [
        {"step": 2, "stage": "only", "val/reward_score": 0.25, "actor/lr": 1.0},
        {"step": 3, "stage": "only", "actor/lr": 1.0},
        {"step": 4, "stage": "only", "val/reward_score": 0.75},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


@pytest.fixture(scope="module")
def lora_config(folder_of):
    return a_config(folder_of(), lora={"rank": 4, "alpha": 16.0})


@pytest.fixture(scope="module")
def lora_run(folder_of, lora_config, tmp_path_factory):
    """Of a LoRA run whose first checkpoint, of step 2, is the best, and its second, of step 4, the last."""
    base = folder_of()
    policies = [trained(base, lora_config), trained(base, lora_config)]
    with torch.no_grad():
        for layer in lora_layers(policies[1].model).values():
            layer.b("default").mul_(-1)
    return write_run(tmp_path_factory.mktemp("run") / "first", lora_config, policies, best=2), policies


def plain_logits(folder, *, auto=AutoModelForImageTextToText):
    """What transformers makes of an exported folder by itself, from a prompt and an image."""
    processor = AutoProcessor.from_pretrained(folder)
    parts = [{"type": "image"}, {"type": "text", "text": "What is there?"}]
    text = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
    inputs = processor(text=[text], images=[Image.new("RGB", (64, 64), "gray")], return_tensors="pt")
    model = auto.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(**inputs).logits


def largest_difference(one, other):
    return float((one - other).abs().max() / other.abs().max())


def test_row_71_a_merged_export_has_the_bases_names_in_bfloat16_and_opens_in_transformers(
    folder_of, lora_run, tmp_path
):
    run, (_, last) = lora_run
    exported = export(find_source(run), tmp_path / "out")

    assert weight_names(tmp_path / "out") == weight_names(folder_of())
    with safe_open(tmp_path / "out" / "model.safetensors", framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.bfloat16}  # noqa: SIM118
    assert exported.checks["names are those of"] == str(folder_of())
    again = load_adapter(tmp_path / "out", device="cpu", dtype="float32")
    assert not lora_layers(again.model)
    assert 1e-5 < largest_difference(logits(again), logits(last)) < 0.05
    assert plain_logits(tmp_path / "out").isfinite().all()


def test_row_71_in_float32_plain_transformers_computes_what_the_trained_model_does(lora_run, tmp_path):
    run, (first, last) = lora_run
    for policy, options in ((last, {}), (first, {"best": True}), (first, {"step": 2})):
        out = tmp_path / "-".join(["out", *options])
        exported = export(find_source(run, **options), out, dtype="float32")
        assert largest_difference(logits(load_adapter(out, device="cpu")), logits(policy)) < 1e-5
        assert {name for name in exported.checks if "differ by" in name} == {
            "the logits of the merged model, in float32, differ by",
            "the logits of what was written differ by",
        }
    save_adapter(last, tmp_path / "adapters")
    merged = peft.PeftModel.from_pretrained(
        AutoModelForImageTextToText.from_pretrained(last.model.name_or_path, dtype=torch.float32), tmp_path / "adapters"
    ).merge_and_unload()
    processor = AutoProcessor.from_pretrained(tmp_path / "out")
    inputs = processor(text=["What is there?"], return_tensors="pt")
    ours = AutoModelForImageTextToText.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    with torch.no_grad():
        assert largest_difference(ours(**inputs).logits, merged.eval()(**inputs).logits) < 1e-5


def test_row_71_adapters_by_themselves_open_in_peft(lora_run, folder_of, tmp_path):
    run, (_, last) = lora_run
    export(find_source(run), tmp_path / "out", as_adapter=True)

    base = AutoModelForImageTextToText.from_pretrained(folder_of(), dtype=torch.float32)
    opened = peft.PeftModel.from_pretrained(base, tmp_path / "out").eval()
    inputs = AutoProcessor.from_pretrained(tmp_path / "out")(text=["What is there?"], return_tensors="pt")
    with torch.no_grad():
        assert largest_difference(opened(**inputs).logits, last.model(**inputs).logits) < 1e-5
    assert {each.dtype for each in load_file(tmp_path / "out" / "adapter_model.safetensors").values()} == {
        torch.float32
    }


@pytest.mark.parametrize("lora", [None, {"rank": 4, "alpha": 16.0}], ids=["all weights", "LoRA"])
def test_row_71_the_state_of_a_run_is_enough_where_there_is_no_huggingface_folder(folder_of, tmp_path, lora):
    config = a_config(folder_of(), **({"lora": lora} if lora else {}))
    policy = trained(folder_of(), config, dtype="bfloat16")
    run = write_run(tmp_path / "run", config, [policy])
    hugging = run / "checkpoints" / "global_step_2" / "actor" / "huggingface"
    for file in hugging.iterdir():
        file.unlink()
    hugging.rmdir()

    opened = open_source(find_source(run))
    export(find_source(run / "checkpoints" / "global_step_2"), tmp_path / "out")
    assert find_source(run / "checkpoints/global_step_2/actor") == find_source(run / "checkpoints/global_step_2")

    wanted = policy.model.state_dict()
    for name, each in opened.model.state_dict().items():
        assert torch.equal(each.to(wanted[name].dtype), wanted[name])
    assert weight_names(tmp_path / "out") == weight_names(folder_of())


def test_state_of_another_model_is_refused(folder_of, tmp_path):
    config = a_config(folder_of(), lora={"rank": 4, "alpha": 16.0})
    run = write_run(tmp_path / "run", config, [trained(folder_of(), config)])
    hugging = run / "checkpoints" / "global_step_2" / "actor" / "huggingface"
    hugging.rename(tmp_path / "elsewhere")
    (run / "config.yaml").write_text(to_yaml(a_config(folder_of())))

    with pytest.raises(CheckpointError, match=r"weights in .*state are missing, unknown .*config\.yaml"):
        open_source(find_source(run))


@pytest.mark.parametrize("family", ["qwen3_vl", "gemma3", "causal_lm", "phi4_multimodal"])
def test_row_71_every_family_is_exported(folder_of, tmp_path, family):
    base = folder_of(family)
    config = a_config(base) if family == "phi4_multimodal" else a_config(base, lora={"rank": 4, "alpha": 16.0})
    policy = trained(base, config)
    save_adapter(policy, tmp_path / "trained")
    export(Source(folder=tmp_path / "trained"), tmp_path / "whole", dtype="float32")
    export(Source(folder=tmp_path / "trained"), tmp_path / "adapters", as_adapter=True)

    for name in ("whole", "adapters"):
        assert largest_difference(logits(load_adapter(tmp_path / name, device="cpu")), logits(policy)) < 1e-5
    assert weight_names(tmp_path / "whole") == weight_names(base)


def test_phi4s_vision_adapter_is_merged_into_a_model_that_transformers_opens(folder_of, tmp_path):
    base = folder_of("phi4_multimodal")
    export(find_source(base), tmp_path / "out", dtype="float32")

    assert not (tmp_path / "out" / "vision-lora").exists()
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    name = "model.layers.0.self_attn.qkv_proj.weight"
    layer = lora_layers(load_adapter(base, device="cpu").model)[name.removesuffix(".weight")]
    assert torch.equal(opened.state_dict()[name], layer.merged_weight())
    assert not torch.equal(opened.state_dict()[name], layer.get_base_layer().weight)


def test_a_whole_model_folder_is_exported_and_has_no_adapters(folder_of, tmp_path):
    export(find_source(folder_of()), tmp_path / "out", dtype="float32")
    exported, base = (load_file(folder / "model.safetensors") for folder in (tmp_path / "out", folder_of()))
    assert all(torch.equal(exported[name], base[name]) for name in base)
    with pytest.raises(ConfigError, match="--adapter asks for LoRA adapters, and the model has none"):
        export(find_source(folder_of()), tmp_path / "adapters", as_adapter=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_row_71_a_name_that_the_base_does_not_have_fails_the_export(folder_of, tmp_path):
    config = a_config(folder_of(), lora={"rank": 4, "alpha": 16.0})
    other = tmp_path / "base"
    other.mkdir()
    for file in folder_of().iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    save_adapter(trained(other, config), tmp_path / "trained")
    tensors = load_file(other / "model.safetensors")
    moved = next(name for name in tensors if name.endswith("norm.weight"))
    source = Source(folder=tmp_path / "trained")
    adapter = open_source(source)
    tensors["model.stranger.weight"] = tensors.pop(moved)
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("radrl.export.command.open_source", lambda _: adapter)
        with pytest.raises(CheckFailed, match=r"1 missing and 1 unexpected, the first model.stranger.weight"):
            export(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out*")) == []


def test_logits_that_differ_fail_the_export():
    before = torch.tensor([[2.0, -4.0]])
    assert compare(torch.tensor([[2.0, -4.1]]), before, bound=0.05, what="they") == pytest.approx(0.025)
    with pytest.raises(CheckFailed, match=r"they differ from the trained model's logits by 5.0e-01"):
        compare(torch.tensor([[2.0, -6.0]]), before, bound=0.05, what="they")
    with pytest.raises(CheckFailed):
        compare(torch.tensor([[2.0, float("nan")]]), before, bound=0.05, what="they")


def test_a_folder_that_holds_something_is_kept_unless_asked_and_the_source_always(lora_run, tmp_path):
    run, _ = lora_run
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").touch()

    with pytest.raises(ConfigError, match=r"out is not empty.*--force"):
        export(find_source(run), out)
    with pytest.raises(ConfigError, match="holds what is to be exported"):
        export(find_source(run), run, force=True)
    export(find_source(run), out, force=True)

    assert (out / "config.json").exists()
    assert not (out / "notes.txt").exists()


def test_the_model_card_says_what_it_is_and_quotes_nothing_of_the_data(lora_run, tmp_path):
    run, _ = lora_run
    export(find_source(run, step=2), tmp_path / "out")

    card = (tmp_path / "out" / "README.md").read_text()
    assert NOTICE in card
    assert "not for clinical use" in card
    assert "saved after step 2" in card
    assert "- val/reward_score: 0.25" in card
    assert "data: films.jsonl" in card
    assert "/secret/place" not in card
    assert "LoRA of rank 4, alpha 16" in card
    assert "## Licence" in card


def test_the_best_is_an_error_where_nothing_was_validated(folder_of, lora_config, tmp_path):
    run = write_run(tmp_path / "run", lora_config, [trained(folder_of(), lora_config)])
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* was validated.*--step, of 2"):
        find_source(run, best=True)
    with pytest.raises(CheckpointError, match=r"no checkpoint of step 3, only of 2. Name one"):
        find_source(run, step=3)
    with pytest.raises(ConfigError, match="--best and --step choose among the checkpoints of a run"):
        find_source(folder_of(), best=True)
    with pytest.raises(ConfigError, match=r"is no run .* no checkpoint .* and no model"):
        find_source(tmp_path)


def test_row_71_an_upload_is_private_and_sends_the_whole_folder(lora_run, tmp_path, monkeypatch):
    calls = []

    class FakeApi:
        def create_repo(self, repo, *, private, exist_ok):
            calls.append(("create", repo, private, exist_ok))
            return f"https://huggingface.co/{repo}"

        def upload_folder(self, *, folder_path, repo_id):
            calls.append(("upload", repo_id, sorted(path.name for path in folder_path.iterdir())))

    monkeypatch.setattr("huggingface_hub.HfApi", FakeApi)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "token")
    run, _ = lora_run
    export_model(run, tmp_path / "out", upload="me/model")

    created, uploaded = calls
    assert created == ("create", "me/model", True, True)
    assert uploaded[:2] == ("upload", "me/model")
    assert {"README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= set(
        uploaded[2]
    )
    assert "chat_template.jinja" in uploaded[2]


def test_an_upload_without_a_token_is_refused_before_the_work(lora_run, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ConfigError, match="no token to upload with"):
        export(find_source(lora_run[0]), tmp_path / "out", upload="me/model", hub=HuggingFaceHub())
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"USE_MODELSCOPE_HUB .* chooses ModelScope"):
        open_hub({"USE_MODELSCOPE_HUB": "1"})
    assert isinstance(open_hub({}), HuggingFaceHub)


def test_row_72_a_model_only_checkpoint_is_exported(folder_of, tmp_path):
    config = a_config(folder_of())
    policy = trained(folder_of(), config)
    run = write_run(tmp_path / "run", config, [policy], saving=Saving(model_only=True))
    export(find_source(run), tmp_path / "out", dtype="float32")
    assert largest_difference(logits(load_adapter(tmp_path / "out", device="cpu")), logits(policy)) < 1e-5
