"""A small batch of made-up rollouts."""

import slow_algorithms as slow
import torch

from radrl.batch import Batch, pack
from radrl.types import AnswerKind, Completion, Prompt, RewardResult, Rollout, RolloutGroup, Sample

SAMPLED = [[-0.6, -1.0, -0.8], [-1.6], [-0.5, -0.5], [-0.1, -0.2]]
REFERENCE = [[-0.4, -1.5, -0.8], [-1.0], [-0.9, -0.4], [-0.1, -0.4]]
REWARDS = [1.0, 0.0, 0.5, 0.25]


def a_batch(*, stops=("eos",) * 4) -> Batch:
    """Two groups of two, with completions of 3, 1, 2 and 2 tokens."""
    sample = Sample(
        id="q", patient_id="p", kind="presence", question="?", answer=frozenset({"yes"}),
        answer_kind=AnswerKind.YES_NO, reference="yes",
    )  # fmt: skip
    prompt = Prompt(sample=sample, text="?", token_ids=(1,), num_image_tokens=0)
    rollouts = [
        Rollout(
            completion=Completion(
                prompt=prompt, index=index % 2, text="x", token_ids=(5,) * len(logprobs),
                token_texts=("x",) * len(logprobs), logprobs=tuple(logprobs), stop=stop, policy_version=0,
                temperature=1.0,
            ),
            reward=RewardResult(parts={"r": reward}, weights={"r": 1.0}, factors={"r": 1.0}, outcome=reward),
        )
        for index, (logprobs, reward, stop) in enumerate(zip(SAMPLED, REWARDS, stops, strict=True))
    ]  # fmt: skip
    groups = [RolloutGroup(prompt=prompt, rollouts=tuple(rollouts[start : start + 2])) for start in (0, 2)]
    return pack(groups).replace(reference_logprobs=torch.tensor(slow.flat(REFERENCE)))
