"""The sampler on top of vLLM: prompts become requests, what was written becomes completions."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from PIL import Image

from radrl.engines.sync import WeightSync
from radrl.engines.vllm import Answer, Request, VllmEngine
from radrl.engines.written import completions_of
from radrl.errors import DataError
from radrl.models.adapter import ModelAdapter
from radrl.roles import Sampling
from radrl.types import Completion, Prompt


class VllmSampler:
    """Writes completions with an engine that holds weights of its own; `publish` brings them up to date."""

    def __init__(self, adapter: ModelAdapter, engine: VllmEngine, sync: WeightSync) -> None:
        self._adapter = adapter
        self._engine = engine
        self._sync = sync
        self._version = 0
        self._has_weights = False

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> Iterator[tuple[Completion, ...]]:
        """Yield the group of each prompt, in order, each as soon as it and those before it are complete.

        What is drawn follows from the seed, the prompt's position in the call, the completion's index and the token's
        place; the trainer's generators are left alone.
        """
        self.restore()
        self._engine.wake("weights", "kv_cache")
        requests = [
            self._request(prompt, sampling, position=sampling.position(number)) for number, prompt in enumerate(prompts)
        ]
        try:
            with closing(self._engine.complete(requests)) as answers:
                yield from self._in_order(prompts, answers, sampling)
        finally:
            self._engine.sleep()
            self._has_weights = self._engine.options.sleep < 2

    def publish(self, version: int) -> None:
        """Deliver the policy's present weights, forget what earlier ones computed, and only then take the version."""
        self._engine.wake("weights")
        self._sync.push()
        self._engine.forget()
        self._version = version
        self._has_weights = True

    def restore(self) -> None:
        """Deliver the policy's weights once more where the engine dropped them in its sleep."""
        if not self._has_weights:
            self.publish(self._version)

    def _in_order(
        self, prompts: Sequence[Prompt], answers: Iterator[Answer], sampling: Sampling
    ) -> Iterator[tuple[Completion, ...]]:
        """Hold back answers until those of all earlier prompts are there."""
        waiting: dict[int, tuple[Completion, ...]] = {}
        num_given = 0
        for answer in answers:
            waiting[answer.number] = self._group(prompts[answer.number], answer, sampling)
            while num_given in waiting:
                yield waiting.pop(num_given)
                num_given += 1

    def _request(self, prompt: Prompt, sampling: Sampling, *, position: int) -> Request:
        """Images go in as the trainer sees them, once a prompt; greedy completions of a group are all the same one."""
        is_greedy = sampling.temperature == 0
        refs = prompt.sample.images
        sizes = [self._adapter.images.size(ref) for ref in refs]
        return Request(
            token_ids=prompt.compact_ids,
            images=tuple(Image.fromarray(self._adapter.images.pixels(ref).numpy()) for ref in refs),
            image_keys=tuple(f"{ref.sha256}-{size.width}x{size.height}" for ref, size in zip(refs, sizes, strict=True)),
            n=1 if is_greedy else sampling.n,
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            seed=None if is_greedy else request_seed(sampling.seed, position=position),
            stop_ids=() if sampling.ignore_eos else self._adapter.eos_ids,
            banned_ids=self._adapter.banned_ids,
        )

    def _group(self, prompt: Prompt, answer: Answer, sampling: Sampling) -> tuple[Completion, ...]:
        """Raises DataError when vLLM saw another prompt than the trainer will."""
        if answer.prompt_ids != prompt.token_ids:
            raise DataError(
                f"sample {prompt.sample.id} ({prompt.sample.origin}): vLLM expands the prompt to "
                f"{len(answer.prompt_ids)} tokens, and the trainer to {len(prompt.token_ids)}, or to other ones. Their "
                "image processors disagree: give both the model's own processor_config.json, or set "
                "worker.rollout.name=native."
            )
        sequences = answer.sequences if sampling.temperature else answer.sequences * sampling.n
        return completions_of(self._adapter, prompt, sequences, version=self._version, temperature=sampling.temperature)


def request_seed(seed: int, *, position: int) -> int:
    """Seed of the request at this position of a call: 62 bits, so that adding the index of a completion fits too."""
    return int(np.random.SeedSequence([seed, position]).generate_state(1, np.uint64)[0] >> np.uint64(2))
