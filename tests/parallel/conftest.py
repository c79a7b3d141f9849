"""Two ranks, a tiny model with images, and rollouts that are replayed."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scenes import PIXELS, QUESTIONS, Recipe, Step
from world import World

from radrl.algorithms.aggregate import token_weights
from radrl.algorithms.objective import Objective
from radrl.batch import Batch, pack
from radrl.engines.native import NativeSampler
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import AnswerKind, ImageRef, Prompt, RewardResult, Rollout, RolloutGroup, Sample

CORPUS = (*QUESTIONS, "<think>fluid at the left base</think><answer>left pleural effusion ✅</answer>")
FAMILIES = ("qwen2_5_vl", "gemma3")
WITH_IMAGES = (0, 2)
"""The questions that are about an image: those of rank 0, where ranks take turns."""


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Two ranks that talk by gloo."""
    ranks = World(2, tmp_path_factory.mktemp("world"))
    yield ranks
    ranks.stop()


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("tiny")
    return {
        family: build_tiny(root / family, corpus=CORPUS, family=family, hidden_size=64, vision_hidden_size=32)
        for family in FAMILIES
    }


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> list[ImageRef]:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    refs = []
    for number in range(len(QUESTIONS)):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (64, 96), dtype=np.uint8)).save(path)
        refs.append(ImageRef(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return refs


@pytest.fixture(scope="session")
def replay(folders, images):
    """Record rollouts of a model as it is at first, and cut them for the ranks."""
    return Replay(folders, images)


class Replay:
    """Rollouts of the untrained model, the same for one process and for many."""

    def __init__(self, folders: dict[str, Path], images: list[ImageRef]) -> None:
        self._folders = folders
        self._images = images
        self._adapters: dict[str, ModelAdapter] = {}

    def recipe(self, *args: str, family: str = "qwen2_5_vl") -> Recipe:
        return Recipe(folder=self._folders[family], args=args)

    def prompts(self, *, family: str = "qwen2_5_vl", with_images: tuple[int, ...] = WITH_IMAGES) -> list[Prompt]:
        samples = [self._sample(number, has_image=number in with_images) for number in range(len(QUESTIONS))]
        return [self._adapter(family).render(sample) for sample in samples]

    def batch(self, seed: int, *, family: str = "qwen2_5_vl", with_images: tuple[int, ...] = WITH_IMAGES) -> Batch:
        """Four groups of three with made-up advantages."""
        prompts = self.prompts(family=family, with_images=with_images)
        sampling = Sampling(n=3, temperature=1.0, max_tokens=6 + seed, seed=seed)
        groups = []
        for prompt, written in zip(prompts, self._sampler(family).generate(prompts, sampling), strict=True):
            rewards = [RewardResult(parts={}, weights={}, factors={}, outcome=0.0) for _ in written]
            rollouts = tuple(
                Rollout(completion=completion, reward=reward)
                for completion, reward in zip(written, rewards, strict=True)
            )
            groups.append(RolloutGroup(prompt=prompt, rollouts=rollouts))
        batch = pack(groups)
        advantages = torch.randn(batch.num_sequences, generator=torch.Generator().manual_seed(seed))
        return batch.replace(
            advantages=advantages[batch.sequence],
            weights=token_weights(
                batch.lengths, mode="token", counted=torch.ones(batch.num_sequences, dtype=torch.bool)
            ),
        )

    def steps(
        self, recipe: Recipe, num: int = 3, *, num_ranks: int, by_turns: bool = True, idle: bool = False, **options
    ) -> list[Step]:
        """Steps for one process, or for two that take groups by turns; else the second has the last group alone.

        `idle` takes the advantages of that group away.
        """
        config = recipe.config()
        objective = Objective.of(config.worker.actor, config.algorithm, num_updates=2, kl_coef=config.algorithm.kl_coef)
        found = []
        for seed in range(num):
            batch = self.batch(seed, family=recipe.folder.name, **options)
            if idle:
                is_last = (batch.group == len(QUESTIONS) - 1)[batch.sequence]
                batch = batch.replace(advantages=torch.where(is_last, 0.0, batch.advantages))
            of_rank = (batch.group % num_ranks) if by_turns else (batch.group == len(QUESTIONS) - 1).long()
            parts = [batch.select((of_rank == rank).nonzero()[:, 0].tolist()) for rank in range(num_ranks)]
            found.append(Step(parts=tuple(parts) if num_ranks > 1 else (batch,), objective=objective))
        return found

    def _sample(self, number: int, *, has_image: bool) -> Sample:
        return Sample(
            id=f"q{number}",
            patient_id=f"p{number}",
            kind="presence",
            question=("<image> " if has_image else "") + QUESTIONS[number],
            images=(self._images[number],) if has_image else (),
            answer=frozenset({"yes"}),
            answer_kind=AnswerKind.YES_NO,
            reference="<answer>yes</answer>",
        )

    def _adapter(self, family: str) -> ModelAdapter:
        if family not in self._adapters:
            bounds = PIXELS if "qwen" in family else {}
            self._adapters[family] = load_adapter(self._folders[family], device="cpu", **bounds)
        return self._adapters[family]

    def _sampler(self, family: str) -> NativeSampler:
        return NativeSampler(self._adapter(family), max_sequences=8)
