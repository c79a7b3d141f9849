"""What a model wrote in validation, for people to read: a few samples, always the same ones, and a file of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radrl.types import ImageRef, RolloutGroup

SHUFFLE_SEED = 42
"""CX-Mind's, so that the same validation shows the same questions there and here."""
_HEADING = "== step "
_MARGIN = "    "
"""Before every line of a text, so that none can pass for a heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One completion of a validation.

    Example: `Generation(input="<image>Is there an effusion?", output="<think>...", label="<think>...", score=1.0)`
    """

    input: str
    """The question as the user asks it."""
    output: str
    """What the model wrote."""
    label: str
    """The sample's reference."""
    score: float
    """Its declared outcome, in [0, 1]: what `val/reward_score` is the mean of."""
    images: tuple[ImageRef, ...] = ()
    """The radiographs of the question."""


def pick_generations(groups: Sequence[RolloutGroup], num: int) -> tuple[Generation, ...]:
    """Sort by question, shuffle with a fixed seed, take the first: the same questions in every validation."""
    written = [
        Generation(
            input=group.prompt.sample.question,
            output=rollout.completion.text,
            label=group.prompt.sample.reference,
            score=rollout.reward.outcome,
            images=group.prompt.sample.images,
        )
        for group in groups
        for rollout in group.rollouts
    ]
    written.sort(key=lambda generation: generation.input)
    order = np.random.RandomState(SHUFFLE_SEED).permutation(len(written))
    return tuple(written[place] for place in order[: max(num, 0)])


def append_generations(path: Path, generations: Sequence[Generation], *, step: int, stage: str) -> None:
    """Append generations to a text file, a heading with the step before each."""
    if not generations:
        return
    blocks = [
        f"{_HEADING}{step}, stage {stage}, sample {number}, score {generation.score:g}\n"
        f"  input\n{_indented(generation.input)}"
        f"  output\n{_indented(generation.output)}"
        f"  label\n{_indented(generation.label)}\n"
        for number, generation in enumerate(generations, start=1)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(blocks))


def cut_generations_after(path: Path, step: int) -> None:
    """Drop the generations of later steps from a file of `append_generations`, the last of which may be unfinished."""
    if not path.exists():
        return
    kept: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(_HEADING):
                number, comma, _ = line.removeprefix(_HEADING).partition(",")
                if not comma or int(number) > step:
                    break
            kept.append(line)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text("".join(kept), encoding="utf-8")
    unfinished.replace(path)


def _indented(text: str) -> str:
    return "".join(f"{_MARGIN}{line}\n" for line in text.splitlines() or [""])
