"""Small made-up values of the stages of training."""

from collections.abc import Sequence

from radrl.engines.actor import PolicyActor
from radrl.engines.learner import PolicyLearner
from radrl.types import AnswerKind, Completion, Prompt, RewardResult, Rollout, RolloutGroup, Sample


def a_sample(number: int = 0, *, kind: str = "presence", answer: str = "yes") -> Sample:
    return Sample(
        id=f"q{number}",
        patient_id=f"p{number}",
        kind=kind,
        question="Is there a left pleural effusion?",
        answer=frozenset({answer}),
        answer_kind=AnswerKind.YES_NO,
        reference="<think>fluid</think><answer>left pleural effusion ✅</answer>"
        f"<think>summary</think><answer>{answer}</answer>",
        options=("left pleural effusion",),
    )


def a_prompt(number: int = 0, *, kind: str = "presence", answer: str = "yes") -> Prompt:
    return Prompt(sample=a_sample(number, kind=kind, answer=answer), text="?", token_ids=(1, 2), num_image_tokens=0)


def a_completion(prompt: Prompt, index: int, text: str, *, num_tokens: int = 2, version: int = 0) -> Completion:
    return Completion(
        prompt=prompt,
        index=index,
        text=text,
        token_ids=tuple(range(10, 10 + num_tokens)),
        token_texts=(text, *[""] * (num_tokens - 1)),
        logprobs=tuple(-0.5 - 0.1 * place for place in range(num_tokens)),
        stop="eos",
        policy_version=version,
        temperature=1.0,
    )


def a_group(number: int, rewards: Sequence[float], *, lengths: Sequence[int] | None = None) -> RolloutGroup:
    prompt = a_prompt(number)
    rollouts = [
        Rollout(
            completion=a_completion(prompt, index, "x", num_tokens=(lengths or [2] * len(rewards))[index]),
            reward=RewardResult(parts={"a": reward}, weights={"a": 1.0}, factors={"a": 1.0}, outcome=reward),
        )
        for index, reward in enumerate(rewards)
    ]
    return RolloutGroup(prompt=prompt, rollouts=tuple(rollouts))


def policy_actor(adapter, config, algorithm, *, total_updates):
    """An actor whose learner is in this process."""
    return PolicyActor(PolicyLearner(adapter, config, total_updates=total_updates), config, algorithm)
