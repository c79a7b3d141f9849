"""One step of GRPO as both arms are told of it, and how each is told."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from step_files import Question
from step_reward import REWARD

LORA_ALPHA = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """What a step is made of.

    Example: `StepSettings(model="/dev/shm/model", questions=(...), rows="/dev/shm/rows.jsonl", num_prompts=16,
    group_size=8, completion_tokens=256, steps=2, folder="/dev/shm/trl", lora_rank=16, beta=0.04, image_px=896)`
    """

    model: str
    questions: tuple[Question, ...]
    """Those of all steps, in order."""
    rows: str
    """The same as a training file."""
    num_prompts: int
    """Prompts a step; one optimizer step learns from all of them."""
    group_size: int
    completion_tokens: int
    """Every completion has exactly so many."""
    steps: int
    folder: str
    """Where the arm writes."""
    image_px: int
    lora_rank: int = 0
    """0 trains all weights."""
    beta: float = 0.0
    """Weight of the KL term."""
    micro_batch: int = 8
    """TRL's: completions a pass with gradient."""
    checkpointing: bool = True
    """TRL's: whether activations are computed again in the backward pass."""
    use_vllm: bool = True
    kv_cache_gib: float = 16.0
    """Size of vLLM's cache, the same in both arms."""
    learning_rate: float = 1e-5
    banned_ids: tuple[int, ...] = ()
    """TRL's: tokens that are never sampled. radrl bans placeholders by itself."""

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "StepSettings":
        """What `to_json` wrote."""
        questions = tuple(Question(**question) for question in fields["questions"])
        return cls(**{**fields, "questions": questions, "banned_ids": tuple(fields["banned_ids"])})

    def radrl_config(self) -> dict[str, Any]:
        """The configuration of the radrl arm, which a user would write the same way."""
        rollout: dict[str, Any] = {"n": self.group_size, "temperature": 1.0, "ignore_eos": True, "probe": {"first": 1}}
        if self.use_vllm:
            rollout |= {"name": "vllm", "kv_cache_gib": self.kv_cache_gib}
        model: dict[str, Any] = {"model_path": self.model}
        if self.lora_rank:
            model["lora"] = {"rank": self.lora_rank, "alpha": LORA_ALPHA}
        return {
            "data": {
                "train_files": [self.rows],
                "rollout_batch_size": self.num_prompts,
                "max_response_length": self.completion_tokens,
                "max_pixels": self.image_px**2,
                "shuffle": False,
            },
            "algorithm": {"kl_coef": self.beta},
            "worker": {
                "actor": {
                    "model": model,
                    "global_batch_size": self.num_prompts,
                    "optim": {"lr": self.learning_rate, "weight_decay": 0.0},
                },
                "rollout": rollout,
            },
            "rewards": [{"name": REWARD, "weight": 1.0, "outcome": True}],
            "trainer": {"max_steps": self.steps, "save_checkpoint_path": self.folder, "logger": []},
        }
