"""The TRL arm: `GRPOTrainer` on the same questions, its phases timed. Nothing that it computes is changed.

python benchmarks/trl_step.py SETTINGS.json
"""

import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import peft
import processor_time
import torch
import trl
from peft.tuners.tuners_utils import BaseTunerLayer
from phase_log import PHASES, PhaseLog
from step_reward import token_sums
from step_settings import LORA_ALPHA, StepSettings
from transformers import TrainerCallback

from radrl.compat import open_processors_without_torchvision

LORA_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
MAX_MODEL_TOKENS = 4096
"""Room for prompts that vLLM sees longer than the trainer does; see `sampler_prompt_tokens` in the results."""


class TimedTrainer(trl.GRPOTrainer):
    """`GRPOTrainer` whose phases go to a log."""

    log_of_phases: PhaseLog

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Forward and backward of one micro-batch; the first of a step samples first."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        with self.log_of_phases.measure("update"):
            return super().training_step(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        with self.log_of_phases.measure("prepare"):
            return super()._generate_and_score_completions(inputs)

    def _generate_single_turn(self, prompt_ids: Any, *args: Any, **kwargs: Any) -> Any:
        with self.log_of_phases.measure("generation"):
            written = super()._generate_single_turn(prompt_ids, *args, **kwargs)
        self.log_of_phases.write(
            "prepare", prompt_tokens=_mean_length(prompt_ids), completion_tokens=_mean_length(written[0])
        )
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        return written

    def _get_per_token_logps_and_entropies(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled():
            return super()._get_per_token_logps_and_entropies(model, *args, **kwargs)
        with self.log_of_phases.measure("reference" if self._is_reference(model) else "old_logprobs"):
            return super()._get_per_token_logps_and_entropies(model, *args, **kwargs)

    def _is_reference(self, model: Any) -> bool:
        """Whether a pass without gradient is the reference's: another model, or the same one without its adapter."""
        layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
        return model is self.ref_model or any(layer.disable_adapters for layer in layers)


class StepTimer(TrainerCallback):
    """Times whole steps, data loading included, and the optimizer."""

    def __init__(self, log: PhaseLog) -> None:
        self._log = log
        self._since = 0.0
        self._optimizer = contextlib.ExitStack()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Begin the first step."""
        self._since = time.perf_counter()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Begin the optimizer's part."""
        self._optimizer.enter_context(self._log.measure("optimizer"))

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        """End it."""
        self._optimizer.close()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """End a step and begin the next."""
        now = time.perf_counter()
        self._log.write("step", now - self._since)
        self._since = now
        self._log.step += 1


def train(settings: StepSettings) -> None:
    """Run the steps."""
    open_processors_without_torchvision()
    log = PhaseLog(Path(settings.folder) / PHASES)
    if settings.use_vllm:
        fix_cache(settings.kv_cache_gib)
    lora = peft.LoraConfig(
        r=settings.lora_rank, lora_alpha=LORA_ALPHA, target_modules=LORA_TARGETS, task_type="CAUSAL_LM"
    )
    trainer = TimedTrainer(
        model=settings.model,
        reward_funcs=token_sums,
        args=arguments(settings),
        train_dataset=dataset(settings),
        peft_config=lora if settings.lora_rank else None,
        callbacks=[StepTimer(log)],
    )
    trainer.log_of_phases = log
    for name, module in trainer.model.named_modules():
        if name.endswith(".visual"):
            module.forward = _timed(log, "vision", module.forward)
    if settings.use_vllm:
        engine = trainer.vllm_generation
        engine.sync_weights = _timed(log, "sync", engine.sync_weights)
        engine.generate = _noting_prompts(log, engine.generate)
    trainer.train()


def arguments(settings: StepSettings) -> trl.GRPOConfig:
    """One optimizer step a batch, in the settings that TRL is fastest with here."""
    on_gpu = torch.cuda.is_available()
    completions = settings.num_prompts * settings.group_size
    return trl.GRPOConfig(
        output_dir=str(Path(settings.folder) / "trl"),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.micro_batch,
        gradient_accumulation_steps=completions // settings.micro_batch,
        num_generations=settings.group_size,
        max_completion_length=settings.completion_tokens,
        generation_kwargs=generation_settings(settings),
        beta=settings.beta,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant",
        bf16=on_gpu,
        use_cpu=not on_gpu,
        gradient_checkpointing=settings.checkpointing,
        use_vllm=settings.use_vllm,
        vllm_mode="colocate",
        vllm_gpu_memory_utilization=0.4,
        vllm_max_model_length=MAX_MODEL_TOKENS,
        model_init_kwargs={"dtype": "bfloat16" if on_gpu else "float32", "attn_implementation": "sdpa"},
        shuffle_dataset=False,
        save_strategy="no",
        report_to="none",
        logging_steps=1,
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
        seed=0,
    )


def generation_settings(settings: StepSettings) -> dict[str, Any]:
    """Completions of exactly the length, without placeholders of images.

    A sampled placeholder stops TRL, because there are then more of them than features.
    """
    if settings.use_vllm:
        return {
            "ignore_eos": True,
            "detokenize": False,
            "logit_bias": dict.fromkeys(settings.banned_ids, -100.0),
        }
    return {"min_new_tokens": settings.completion_tokens, "suppress_tokens": list(settings.banned_ids)}


def dataset(settings: StepSettings) -> datasets.Dataset:
    """The questions in the order of the steps."""
    rows = {
        "prompt": [[{"role": "user", "content": question.text}] for question in settings.questions],
        "image": [question.image for question in settings.questions],
    }
    return datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())


def fix_cache(gib: float) -> None:
    """Give vLLM a key-value cache of a fixed size, which TRL has no setting for: what is left of a share otherwise."""
    from trl.generation import vllm_generation

    vllm_generation.LLM = functools.partial(vllm_generation.LLM, kv_cache_memory_bytes=int(gib * 2**30))


def _timed(log: PhaseLog, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*args: Any, **kwargs: Any) -> Any:
        with log.measure(phase):
            return function(*args, **kwargs)

    return timed


def _noting_prompts(log: PhaseLog, generate: Callable[..., Any]) -> Callable[..., Any]:
    """Note how long the prompts are that vLLM answers."""

    @functools.wraps(generate)
    def noting(*args: Any, **kwargs: Any) -> Any:
        written = generate(*args, **kwargs)
        log.write("prepare", sampler_prompt_tokens=_mean_length(written[0]))
        return written

    return noting


def _mean_length(sequences: Sequence[Sequence[int]]) -> float:
    return sum(map(len, sequences)) / len(sequences)


if __name__ == "__main__":
    processor_time.count_if_asked()
    train(StepSettings.from_json(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
