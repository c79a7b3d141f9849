"""`radrl train --dry-run`: the largest micro-batch once, forward and backward, to see that it fits. Writes no run."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from radrl.batch import Batch, pack
from radrl.config.check import check
from radrl.config.schema import Config
from radrl.curriculum import Curriculum
from radrl.errors import CheckFailed
from radrl.models.adapter import ModelAdapter
from radrl.phases import PhaseClock
from radrl.stages import check_rubrics
from radrl.train import Composed, compose, machines_of, open_pool, read_config
from radrl.types import Completion, Prompt, RewardResult, Rollout, RolloutGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What the largest micro-batch took.

    Example: `DryRun(num_prompts=4, num_completions=32, prompt_tokens=1046, completion_tokens=512, seconds=2.1,
    peak_memory_gb=61.0, available_gb=139.8)`
    """

    num_prompts: int
    num_completions: int
    prompt_tokens: int
    """Of the longest prompt of the data."""
    completion_tokens: int
    """The longest that any stage allows."""
    seconds: float
    """Passes of the reference and the critic, and the updates; the first of a process, so slower than later ones."""
    peak_memory_gb: float | None
    """None where the system does not tell."""
    available_gb: float | None
    """Memory of the GPU; None on a CPU."""

    def sentences(self) -> str:
        """What a user is told."""
        memory = "" if self.peak_memory_gb is None else f", {self.peak_memory_gb:.2f} GiB of memory at most"
        limit = "" if self.available_gb is None else f" of {self.available_gb:.1f}"
        return (
            f"dry run: {self.num_prompts} prompts of {self.prompt_tokens} tokens with {self.num_completions} "
            f"completions of {self.completion_tokens}: {self.seconds:.2f} s{memory}{limit}. It fits. "
            "Nothing was written."
        )


def dry_run_from(args: Sequence[str]) -> None:
    """Try the largest micro-batch of the run that `config=FILE` and `key=value` arguments describe."""
    loaded = read_config(args)
    check(loaded.config, paths=True, origins=loaded.origins)
    with open_pool(loaded.config) as pool:
        check_rubrics(loaded.config, pool)
        with (
            # The workers of a cluster write logs, which are of no use afterwards.
            TemporaryDirectory(prefix="radrl-dry-run-") as scratch,
            machines_of(loaded.config, folder=Path(scratch) / "run") as cluster,
        ):
            tried = run_dry(loaded.config, compose(loaded.config, pool, cluster))
    sys.stdout.write(tried.sentences() + "\n")


def run_dry(config: Config, composed: Composed) -> DryRun:
    """Score and update on the worst case of the data: the longest prompt, every completion as long as it may be.

    The weights change, so the roles are of no use afterwards. Raises CheckFailed when it does not fit.
    """
    adapter, roles = composed.adapter, composed.roles
    batch = largest_batch(config, adapter, composed.curriculum)
    clock = PhaseClock()
    try:
        with clock.measure("dry_run"):
            annotated = roles.annotate(batch)
            if roles.critic:
                roles.critic.update(annotated.replace(returns=annotated.rewards[annotated.sequence]))
            roles.actor.update(annotated)
    except torch.OutOfMemoryError as error:
        raise CheckFailed(
            f"the largest micro-batch does not fit: {str(error).splitlines()[0]} Lower "
            "worker.actor.micro_batch_tokens, data.max_response_length or data.max_pixels."
        ) from error
    metrics = clock.take()
    first = batch.rollouts[0].completion
    on_gpu = adapter.device.type == "cuda"
    return DryRun(
        num_prompts=len(set(batch.group.tolist())),
        num_completions=batch.num_sequences,
        prompt_tokens=len(first.prompt.token_ids),
        completion_tokens=len(first.token_ids),
        seconds=metrics["timing_s/dry_run"],
        peak_memory_gb=metrics.get("perf/peak_memory_gb_dry_run"),
        available_gb=torch.cuda.get_device_properties(adapter.device).total_memory / 2**30 if on_gpu else None,
    )


def largest_batch(config: Config, adapter: ModelAdapter, curriculum: Curriculum) -> Batch:
    """As many groups as fill one micro-batch, one at least, each of the longest prompt and the longest completions.

    Half of a group's completions have an advantage of 1 and half of -1, so that each has a gradient.
    """
    prompts = (prompt for stage in curriculum.stages for prompt in stage.prompts.each())
    longest = max(prompts, key=lambda prompt: len(prompt.token_ids))
    num_tokens = max(stage.max_response_length for stage in curriculum.stages)
    n = config.worker.rollout.n
    of_group = len(longest.token_ids) + n * num_tokens
    num_groups = min(max(1, config.worker.actor.micro_batch_tokens // of_group), config.worker.actor.global_batch_size)
    token = next(token for token in range(len(adapter.tokenizer)) if token not in adapter.banned_ids)
    group = RolloutGroup(
        prompt=longest,
        rollouts=tuple(
            _rollout(longest, index, token_ids=(token,) * num_tokens, temperature=config.worker.rollout.temperature)
            for index in range(n)
        ),
    )
    batch = pack([group] * num_groups)
    signs = torch.where(batch.sequence % 2 == 0, 1.0, -1.0)
    return batch.replace(advantages=signs)


def _rollout(prompt: Prompt, index: int, *, token_ids: Sequence[int], temperature: float) -> Rollout:
    num = len(token_ids)
    completion = Completion(
        prompt=prompt,
        index=index,
        text="",
        token_ids=tuple(token_ids),
        token_texts=("",) * num,
        logprobs=(-1.0,) * num,
        stop="length",
        policy_version=0,
        temperature=temperature,
    )
    reward = RewardResult(parts={"dry_run": 0.0}, weights={"dry_run": 1.0}, factors={"dry_run": 1.0}, outcome=0.0)
    return Rollout(completion=completion, reward=reward)
