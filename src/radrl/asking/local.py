"""Models that are opened in this process: decoded by radrl itself, or by vLLM."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radrl.asking.closed_probs import ClosedProbs
from radrl.asking.respondent import Respondent
from radrl.compat import quiet_transformers
from radrl.config.evaluation import EvaluateConfig
from radrl.config.schema import Config
from radrl.engines.native import NativeSampler
from radrl.engines.sampler import engine_options
from radrl.engines.sync import SERVED, SyncChoice, learnt_by
from radrl.engines.vllm import VllmEngine
from radrl.engines.vllm_sampler import VllmSampler
from radrl.errors import ConfigError, DataError
from radrl.evaluation.responses import Response
from radrl.models.adapter import ModelAdapter
from radrl.models.decoding_attention import attend_by
from radrl.models.families.phi4_multimodal import Phi4Multimodal
from radrl.models.load import load_adapter
from radrl.models.lora import adapters_in
from radrl.roles import Sampler, Sampling
from radrl.types import Prompt, Sample

Render = Callable[[Sample], Prompt]
"""Puts a sample in a model's chat template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledRespondent:
    """A sampler and what renders its prompts."""

    render: Render
    sampler: Sampler
    sampling: Sampling
    max_prompt_length: int
    """Tokens; a longer prompt is an error, since an evaluation leaves no question out."""

    def respond(self, samples: Sequence[Sample], places: Sequence[int]) -> Iterator[Response]:
        """Yield what the sampler writes. Raises DataError for a prompt that is too long, before anything is asked."""
        prompts = [self.render(sample) for sample in samples]
        _check_lengths(prompts, limit=self.max_prompt_length)
        for group in self.sampler.generate(prompts, replace(self.sampling, places=tuple(places))):
            yield from map(Response.of, group)


def sampled_by(sampler: Sampler, render: Render, config: EvaluateConfig) -> SampledRespondent:
    """A sampler that is asked as the configuration says."""
    return SampledRespondent(
        render=render,
        sampler=sampler,
        sampling=Sampling(
            n=config.n, temperature=config.temperature, max_tokens=config.max_response_length, seed=config.seed
        ),
        max_prompt_length=config.rows.max_prompt_length,
    )


def open_native(config: EvaluateConfig) -> Respondent:
    """Open the model as training does. Raises ConfigError for a folder that is no model."""
    adapter = _open_adapter(config, weights=True)
    sampler = NativeSampler(adapter, max_sequences=config.batch_size * config.n)
    respondent = sampled_by(sampler, adapter.render, config)
    return ClosedProbs(respondent=respondent, adapter=adapter) if config.closed_probs else respondent


def open_vllm(config: EvaluateConfig) -> SampledRespondent:
    """Let vLLM read the weights from the folder; here the model is but a skeleton that renders prompts.

    Raises ConfigError where vLLM is missing, or cannot serve the model with its adapters.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ConfigError(
            "backend is vllm, which is not installed. Install it with pip install 'radrl[vllm]', or set backend=native."
        )
    adapter = _open_adapter(config, weights=False)
    adapters = _served_adapters(adapter, config)
    choice = SyncChoice(kind="adapter" if adapters else "merged", reason="the weights are read from the folder")
    rank = learnt_by(adapter.model, decoder=adapter.family.language_model).rank
    options = engine_options(adapter, _as_run(config), choice, adapter_rank=rank)
    # An earlier engine of this process leaves a process group of its own behind.
    engine = VllmEngine(replace(options, is_in_group=False, tensor_parallel_size=1))
    sampler = VllmSampler(adapter, engine, FolderWeights(engine, adapters=adapters))
    return sampled_by(sampler, adapter.render, config)


class FolderWeights:
    """Weights that an engine has read from their folder by itself; an adapter beside them is read when asked for."""

    name = "model folder"

    def __init__(self, engine: VllmEngine, *, adapters: Path | None) -> None:
        self._engine = engine
        self._adapters = adapters

    def push(self) -> None:
        """Read the adapter, where there is one."""
        if self._adapters is not None:
            self._engine.load_adapter(self._adapters)


def _open_adapter(config: EvaluateConfig, *, weights: bool) -> ModelAdapter:
    quiet_transformers()
    adapter = load_adapter(
        config.model,
        device=config.device,
        dtype=config.dtype,
        min_pixels=config.rows.min_pixels,
        max_pixels=config.rows.max_pixels,
        chat_template=config.rows.override_chat_template,
        trust_remote_code=config.trust_remote_code,
        attention="auto" if config.attention == "auto" else "dense",
        weights=weights,
    )
    if config.attention in ("eager", "flash_attention_2"):
        attend_by(config.attention, adapter.family)
    if config.dynamic_hd is not None:
        _allow_crops(adapter, config.dynamic_hd)
    return adapter


def _allow_crops(adapter: ModelAdapter, most: int) -> None:
    if not isinstance(adapter.family, Phi4Multimodal):
        raise ConfigError(
            f"dynamic_hd is {most}, but {adapter.model.name_or_path} is a {adapter.model.config.model_type!r} model, "
            "which does not cut images into crops as Phi-4-multimodal does. Leave dynamic_hd out; rows.max_pixels "
            "bounds its images."
        )
    adapter.family.allow_crops(most)


def _served_adapters(adapter: ModelAdapter, config: EvaluateConfig) -> Path | None:
    """Folder of the adapter that vLLM is to apply; None for a whole model."""
    learnt = learnt_by(adapter.model, decoder=adapter.family.language_model)
    if learnt.model_type not in SERVED:
        raise ConfigError(
            f"vLLM cannot read {config.model}, a {learnt.model_type!r} model, from here: it reads {', '.join(SERVED)}. "
            "Set backend=native."
        )
    if learnt.num_adapters == 0:
        return None
    if learnt.num_adapters > 1 or learnt.adapts_outside:
        raise ConfigError(
            f"{config.model} holds {learnt.num_adapters} adapters, or one outside the decoder, which vLLM cannot apply "
            "to a model that it reads itself. Merge them with `radrl export`, or set backend=native."
        )
    assert adapters_in(Path(config.model)), "adapters come from a folder of adapters"
    return Path(config.model)


def _as_run(config: EvaluateConfig) -> Config:
    """The run whose rollouts would be as long and as many as this evaluation's answers."""
    return Config.model_validate(
        {
            "data": {
                "max_prompt_length": config.rows.max_prompt_length,
                "max_response_length": config.max_response_length,
                "rollout_batch_size": config.batch_size,
            },
            "worker": {
                "actor": {"model": {"model_path": config.model, "trust_remote_code": config.trust_remote_code}},
                "rollout": {
                    "name": "vllm",
                    "n": config.n,
                    "max_sequences": config.batch_size * config.n,
                    "sleep": "none",
                },
            },
        }
    )


def _check_lengths(prompts: Sequence[Prompt], *, limit: int) -> None:
    too_long = [prompt for prompt in prompts if len(prompt.token_ids) > limit]
    if too_long:
        first = too_long[0]
        raise DataError(
            f"{len(too_long)} of {len(prompts)} prompts are longer than rows.max_prompt_length = {limit} tokens, the "
            f"first with {len(first.token_ids)} (sample {first.sample.id}, {first.sample.origin}). Raise "
            "rows.max_prompt_length or lower rows.max_pixels."
        )
