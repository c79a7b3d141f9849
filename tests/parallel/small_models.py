"""Tiny models, radiographs of noise and groups of completions, for the tests of several ranks."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.types import (
    IMAGE_MARK,
    AnswerKind,
    Completion,
    ImageRef,
    Prompt,
    RewardResult,
    Rollout,
    RolloutGroup,
    Sample,
)

CORPUS = (
    "Is there a left pleural effusion?",
    "<think>fluid at the left base</think><answer>left pleural effusion</answer>",
    "<think>the heart is enlarged</think><answer>cardiomegaly</answer>",
)
QUESTIONS = ("What is there?", "<image>Is there a left pleural effusion?", "First <image>, then <image>: what is new?")
"""About no, one and two images."""
LENGTHS = ((3, 9, 5, 1), (7, 2), (4, 11, 6))
"""Tokens of each completion, one group a question."""


def build_family(folder: Path, family: str) -> Path:
    """Build the tiny model of a family, and its radiographs beside it."""
    rng = np.random.default_rng(0)
    for number, (width, height) in enumerate(((64, 64), (100, 80))):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return build_tiny(folder / family, corpus=CORPUS, family=family, vocab_size=480)


def open_family(folder: Path, *, device: str = "cpu", **options) -> ModelAdapter:
    """Open a tiny model with images of six tokens where the family lets them have any size."""
    bounds = {"min_pixels": 96 * 64, "max_pixels": 96 * 64} if folder.name.startswith("qwen") else {}
    return load_adapter(folder, device=device, **bounds, **options)


def prompts_of(adapter: ModelAdapter, folder: Path) -> list[Prompt]:
    """The questions above, without the images where the model reads text only."""
    sees = adapter.family.vision_tower is not None
    refs = [
        ImageRef(path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
        for file in sorted(folder.parent.glob("*.png"))
    ]
    return [
        adapter.render(
            Sample(
                id=f"s{number}",
                patient_id="p1",
                kind="open",
                question=question if sees else question.replace(IMAGE_MARK, ""),
                images=tuple(refs[:number]) if sees else (),
                answer=frozenset(),
                answer_kind=AnswerKind.SET,
                reference="<answer>no finding</answer>",
            )
        )
        for number, question in enumerate(QUESTIONS)
    ]


def completions_of(adapter: ModelAdapter) -> list[list[tuple[int, ...]]]:
    """Random text tokens of the lengths above."""
    generator = torch.Generator().manual_seed(1)
    silent = {*adapter.banned_ids, *adapter.eos_ids}
    writable = torch.tensor([token for token in range(len(adapter.tokenizer)) if token not in silent])
    return [
        [tuple(writable[torch.randint(len(writable), (length,), generator=generator)].tolist()) for length in lengths]
        for lengths in LENGTHS
    ]


def rollouts_of(adapter: ModelAdapter, folder: Path) -> list[RolloutGroup]:
    """The completions above as if another policy had sampled them, rewarded for their length and place."""
    groups: list[RolloutGroup] = []
    for prompt, completions in zip(prompts_of(adapter, folder), completions_of(adapter), strict=True):
        rollouts: list[Rollout] = []
        for index, ids in enumerate(completions):
            completion = Completion(
                prompt=prompt,
                index=index,
                text="x",
                token_ids=ids,
                token_texts=("x",) * len(ids),
                logprobs=tuple(-6.0 - 0.05 * place for place in range(len(ids))),
                stop="eos",
                policy_version=0,
                temperature=1.0,
            )
            value = float(len(ids) + index)
            reward = RewardResult(parts={"r": value}, weights={"r": 1.0}, factors={"r": 1.0}, outcome=0.5)
            rollouts.append(Rollout(completion=completion, reward=reward))
        groups.append(RolloutGroup(prompt=prompt, rollouts=tuple(rollouts)))
    return groups
