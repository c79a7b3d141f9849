"""Text-only models: whatever class has a decoder with rotary positions, and only those."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from plain_calls import plain_logprobs, processed, samples_for
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    Gemma3TextConfig,
    GraniteConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    Phi3Config,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3NextConfig,
)

from radrl.engines.native import NativeSampler
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.causal_lm import CausalLM
from radrl.models.forward import score_completions
from radrl.models.load import load_adapter
from radrl.models.packing import plan
from radrl.models.tiny.weights import initialise
from radrl.roles import Sampling
from radrl.types import Sample

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "tie_word_embeddings": True,
}
WINDOW = {"sliding_window": 7}
DECODERS = {
    "llama": (LlamaConfig, {}),
    "qwen3": (Qwen3Config, {}),
    "phi3": (Phi3Config, {"sliding_window": None}),
    "mistral": (MistralConfig, {"sliding_window": None}),
    "mistral, all windows": (MistralConfig, WINDOW),
    "qwen2, some windows": (Qwen2Config, {**WINDOW, "use_sliding_window": True, "max_window_layers": 1}),
    "gemma3, some windows": (Gemma3TextConfig, {**WINDOW, "layer_types": ["sliding_attention", "full_attention"]}),
}
FEW_EXPERTS = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16}
LINEAR_AND_FULL = ["linear_attention", "full_attention"]
LENGTHS = ((3, 9, 1), (7,), (4, 11))


@pytest.fixture
def open_decoder(folder_of: Callable[[str], Path], tmp_path: Path) -> Callable[..., ModelAdapter]:
    """Make an untrained model of a config class, with the tiny model's tokenizer, and open its folder."""

    def make(config_class: type[PretrainedConfig], options: dict[str, Any], **opened: Any) -> ModelAdapter:
        tokenizer = AutoTokenizer.from_pretrained(folder_of("causal_lm"))
        ids = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        config = config_class(**{"vocab_size": len(tokenizer), **ids, **SMALL, **options})
        model = AutoModelForCausalLM.from_config(config)
        initialise(model, hidden_size=64, seed=0)
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        return load_adapter(tmp_path, device="cpu", **opened)

    return make


@pytest.mark.parametrize("name", DECODERS)
def test_packed_scores_of_any_decoder_are_those_of_plain_calls(
    open_decoder: Callable[..., ModelAdapter], ask: Callable[..., Sample], name: str
) -> None:
    """Windows count what a token sees, so that other completions in between do not use them up."""
    adapter = open_decoder(*DECODERS[name])
    samples = samples_for(adapter, ask)
    groups = [[tuple(range(40 + length, 40 + 2 * length)) for length in lengths] for lengths in LENGTHS]
    with torch.no_grad():
        plain = torch.cat(
            [
                plain_logprobs(adapter, sample, completion, temperature=1.0)
                for sample, group in zip(samples, groups, strict=True)
                for completion in group
            ]
        )
        packed = packed_logprobs(adapter, samples, groups, num_tokens=len(plain))
    torch.testing.assert_close(packed, plain, atol=1e-5, rtol=1e-5)


def packed_logprobs(
    adapter: ModelAdapter, samples: list[Sample], groups: list[list[tuple[int, ...]]], *, num_tokens: int
) -> Tensor:
    packed = torch.full((num_tokens,), float("nan"))
    for micro_batch in plan(list(map(adapter.render, samples)), groups, row_tokens=80, micro_batch_tokens=400):
        packed[list(micro_batch.token_index)] = score_completions(adapter, micro_batch, temperature=1.0).logprobs
    return packed


@pytest.mark.parametrize("name", DECODERS)
def test_greedy_writes_what_generate_writes_in_any_decoder(
    open_decoder: Callable[..., ModelAdapter], ask: Callable[..., Sample], name: str
) -> None:
    adapter = open_decoder(*DECODERS[name])
    prompts = [adapter.render(sample) for sample in samples_for(adapter, ask)]
    sampling = Sampling(n=1, temperature=0.0, max_tokens=12, seed=0)
    groups = list(NativeSampler(adapter, max_sequences=8).generate(prompts, sampling))
    for prompt, (completion,) in zip(prompts, groups, strict=True):
        expected = adapter.model.generate(
            **processed(adapter, prompt.sample),
            max_new_tokens=12,
            do_sample=False,
            suppress_tokens=list(adapter.banned_ids),
        )
        assert list(completion.token_ids) == expected[0, len(prompt.token_ids) :].tolist()


@pytest.mark.parametrize("name", DECODERS)
def test_segments_are_for_decoders_without_windows(open_decoder: Callable[..., ModelAdapter], name: str) -> None:
    adapter = open_decoder(*DECODERS[name])
    assert isinstance(adapter.family, CausalLM)
    assert adapter.family.takes_segments == ("windows" not in name)
    if "windows" in name:
        with pytest.raises(ConfigError, match="segments cannot express the attention of CausalLM"):
            open_decoder(*DECODERS[name], attention="varlen")


@pytest.mark.parametrize(
    ("config_class", "options", "message"),
    [
        (MambaConfig, {}, "MambaForCausalLM does not support an attention"),
        (OPTConfig, {"ffn_dim": 64, "word_embed_proj_dim": 64}, "OPTForCausalLM has no decoder"),
        (Gemma2Config, {}, "Gemma2ForCausalLM (has final_logit_softcapping|does not support an attention)"),
        (Gemma3TextConfig, {"final_logit_softcapping": 30.0}, r"has final_logit_softcapping = 30\.0, which the log"),
        (GraniteConfig, {"logits_scaling": 4.0}, r"GraniteForCausalLM has logits_scaling = 4\.0"),
        (Qwen3NextConfig, {**FEW_EXPERTS, "layer_types": LINEAR_AND_FULL}, "are of type linear_attention"),
    ],
    ids=["mamba", "opt", "gemma2", "gemma3 with a cap", "granite", "qwen3-next"],
)
def test_models_that_compute_otherwise_are_refused(
    open_decoder: Callable[..., ModelAdapter],
    config_class: type[PretrainedConfig],
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        open_decoder(config_class, options)


def test_the_question_is_handed_to_the_chat_template_as_plain_text(
    folder_of: Callable[[str], Path], ask: Callable[..., Sample]
) -> None:
    """Qwen3's own template writes nothing for a list of parts."""
    template = "{% for m in messages %}{{ m.role }}: {{ m.content if m.content is string else '' }}\n{% endfor %}"
    adapter = load_adapter(folder_of("causal_lm"), device="cpu", chat_template=template)
    assert adapter.render(ask("What is there?")).text == "user: What is there?\n"
