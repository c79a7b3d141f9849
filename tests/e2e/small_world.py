"""A world of forty questions and a model that is half taught to answer them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE = EXAMPLES / "phantom_grpo.yaml"
RUN = Path("runs/phantom/grpo")
"""Where a run that keeps the example's names is, in the folder it is started from ..."""
WARM_UP = Path("runs/phantom/sft")
"""... and a warm-up."""
WARM_UP_STEPS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Files that every test may read and none may change."""

    folder: Path
    """With train.jsonl, val.jsonl, test.jsonl and images/."""
    untrained: Path
    warm: Path
    """Writes traces, right about half the time."""
    warm_up: Path
    """Run folder of the warm-up."""

    def training(self, **changes: object) -> list[str]:
        """`radrl train` arguments: the example in small, two stages of four steps, a checkpoint every other step."""
        return settings(
            {
                "config": EXAMPLE,
                "data.train_files": self.folder / "train.jsonl",
                "data.val_files": self.folder / "val.jsonl",
                "data.max_prompt_length": 64,
                "data.max_response_length": 96,
                "data.rollout_batch_size": 4,
                "algorithm.online_filtering": "true",
                "worker.actor.model.model_path": self.warm,
                "worker.actor.global_batch_size": 4,
                "worker.actor.row_tokens": 256,
                "worker.rollout.n": 4,
                "curriculum.stages.0.steps": 4,
                "curriculum.stages.1.steps": 4,
                "trainer.max_try_make_batch": 4,
                "trainer.save_freq": 2,
                "trainer.val_freq": 3,
                "trainer.val_before_train": "true",
                "trainer.logger": "console",
            },
            changes,
        )

    def supervised(self, **changes: object) -> list[str]:
        """`radrl sft` arguments: the example in small."""
        return settings(
            {
                "config": EXAMPLES / "phantom_sft.yaml",
                "data.train_files": self.folder / "train.jsonl",
                "data.max_prompt_length": 64,
                "data.max_response_length": 128,
                "data.max_pixels": 1024,
                "worker.actor.model.model_path": self.untrained,
                "worker.actor.global_batch_size": 8,
                "worker.actor.row_tokens": 256,
                "worker.actor.optim.lr": 4e-3,
                "trainer.max_steps": WARM_UP_STEPS,
                "trainer.logger": "console",
            },
            changes,
        )


def settings(values: Mapping[str, object], changes: Mapping[str, object]) -> list[str]:
    """`key=value` arguments; in the names of changes a double underscore stands for the dot."""
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    return [f"{key}={value}" for key, value in {**values, **changed}.items()]


def lines(path: Path) -> list[dict]:
    """The records of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def without_times(records: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Metrics that two equal runs share: all but times and memory."""
    return [
        {name: value for name, value in record.items() if not name.startswith(("timing", "perf/"))}
        for record in records
    ]
