"""What flows through radrl, one frozen type a stage.

    row --adapter--> Sample --render--> Prompt --sampler--> Completion --rubric--> Rollout --group--> RolloutGroup

Token lists are jagged: nothing stored here is padded. Images are named by content hash and decoded once, elsewhere.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from radrl.errors import RewardError

IMAGE_MARK = "<image>"
"""Where a radiograph stands in a question."""


class AnswerKind(StrEnum):
    """How the text of a final answer is to be read."""

    SET = "set"
    """Findings or other names separated by commas: a disease list. `no finding` is the empty set, which is an answer
    like any other."""
    CHOICE = "choice"
    """One of the sample's options, by its name or its letter."""
    YES_NO = "yes_no"
    """`yes` or `no`, as the whole answer."""
    NUMBER = "number"
    """One value with an optional unit; a gold one may state its tolerance, `2.5 cm +- 0.2`."""
    BOXES = "boxes"
    """One or more `[x1, y1, x2, y2]`: pixels of the sample's column `image_size`, or fractions where it has none."""
    TEXT = "text"
    """Free text, compared after normalisation only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """A radiograph on disk. Two references with the same hash are the same picture.

    Example: `ImageRef(path="images/p0001-s1.png", sha256="9f2c...")`
    """

    path: str
    """Absolute path of the file."""
    sha256: str
    """Hex digest of the file's bytes, for DICOM of the preset too: the key of every cache."""
    preset: str | None = None
    """How a DICOM film becomes 8 bits (`data.dicom_preset`); None for pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """One statement of a knowledge graph, in canonical names: the head stands in a relation to the tail.

    Example: `Triplet(head="pleural effusion", relation="located_at", tail="left base", certainty="present")`
    """

    head: str
    relation: Literal["located_at", "suggestive_of", "modify"]
    tail: str
    certainty: Literal["present", "absent", "uncertain"] = "present"
    """What the text claims of the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a finding is, in fractions of the image's width and height, origin top left."""

    label: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One question about zero or more radiographs of one patient, with everything known about its answer.

    Example:
        Sample(id="p0001-s1-q0", patient_id="p0001", kind="presence", answer_kind=AnswerKind.YES_NO,
               question="<image>Is there a left pleural effusion?", images=(ImageRef(...),), answer=frozenset({"yes"}),
               reference="<think>fluid at the left base</think><answer>left pleural effusion ✅</answer>"
                         "<think>summary</think><answer>yes</answer>",
               options=("left pleural effusion",))
    """

    id: str
    patient_id: str
    """Splits and intervals go by patient. The sample's own id where a source names none."""
    kind: str
    """Question kind: presence, view, location, severity, list, closed, choice, open, or the source's own word."""
    question: str
    """What the user asks; `<image>` marks where each radiograph stands."""
    images: tuple[ImageRef, ...] = ()
    answer: frozenset[str]
    """Gold answer in canonical form: names, `25 mm`, boxes in fractions. Empty means `no finding`."""
    answer_kind: AnswerKind
    reference: str
    """Gold trace as a model should write it; may equal the bare answer where a source has no trace."""
    options: tuple[str, ...] = ()
    """What the trace is expected to judge, in order: the named options (closed) or the candidates (open)."""
    triplets: tuple[Triplet, ...] = ()
    """Gold graph of the reasoning; empty where a source has none."""
    boxes: tuple[Box, ...] = ()
    study_id: str | None = None
    twin_id: str | None = None
    """Id of the counterfactual twin: the same study with one fact toggled."""
    columns: Mapping[str, object] = field(default_factory=dict[str, object])
    """Every other field of the row, for rewards that ask for columns by name."""
    origin: str = ""
    """`file:line` the row came from, for messages."""
    source: str = field(default="", compare=False)
    """The entry of `data.train_files` or `val_files` that the row came with: what mixtures go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A sample rendered for one model: the tokens the policy is conditioned on.

    Example: `Prompt(sample=..., text="<|im_start|>user...", token_ids=(1, 7, 5, 5, 5, 5, 8, 40), num_image_tokens=4)`
    """

    sample: Sample
    text: str
    """The chat template's output, one placeholder an image."""
    token_ids: tuple[int, ...]
    """[P] with each image placeholder expanded to the tokens that its features fill."""
    num_image_tokens: int
    compact_ids: tuple[int, ...] = ()
    """The same with one placeholder an image, for engines that expand them; empty where no engine will be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the policy wrote, and under which weights and temperature.

    Example: `Completion(prompt=..., index=0, text="<think>...", token_ids=(9, 2), logprobs=(-0.1, -2.3), ...)`
    """

    prompt: Prompt
    index: int
    """Position within the group, from 0."""
    text: str
    """Decoded without the end-of-sequence token."""
    token_ids: tuple[int, ...]
    """[R] the sampled tokens, end-of-sequence included when it was reached."""
    token_texts: tuple[str, ...]
    """[R] concatenates to the text; a character split over tokens sits on its last one, special tokens are empty."""
    logprobs: tuple[float, ...]
    """[R] nats, under the weights that sampled the token and at `temperature`; `policy_version` says which weights."""
    stop: Literal["eos", "length"]
    policy_version: int
    temperature: float
    """0 is greedy; log-probabilities are then those of temperature 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a reward gave what it gave: one judged span of the completion.

    Example: `Evidence(start=12, end=60, verdict="right", note="left pleural effusion judged present")`
    """

    start: int
    """Code points into the completion's text."""
    end: int
    verdict: Literal["right", "wrong", "unreadable"]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardResult:
    """The parts of one rollout's reward: the total is the sum of weight x factor x part, abstentions left out.

    Example: `RewardResult(parts={"format": 1.0, "answer": 0.5}, weights={"format": 0.1, "answer": 0.9},
                           factors={"format": 1.0, "answer": 1.0}, outcome=0.5)` has total 0.55.
    """

    parts: Mapping[str, float | None]
    """Raw value of each reward by name; None where it abstained or failed."""
    weights: Mapping[str, float]
    factors: Mapping[str, float]
    """What the gates let through of each part, in [0, 1]."""
    outcome: float
    """The declared outcome part, in [0, 1]: what filters, curriculum and validation look at. Never shaped."""
    evidence: tuple[Evidence, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    """Reward name -> what it raised. A failed reward counts as abstained, and is counted in the metrics."""

    def __post_init__(self) -> None:
        named = [*self.parts.items(), *self.weights.items(), *self.factors.items(), ("outcome", self.outcome)]
        for name, value in named:
            if value is not None and not math.isfinite(value):
                raise RewardError(f"reward {name!r} is {value}, which is not a finite number. Return None to abstain.")

    @property
    def total(self) -> float:
        """Scalar the group's advantage is computed from."""
        return sum(
            self.weights[name] * self.factors[name] * value for name, value in self.parts.items() if value is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A completion with its reward."""

    completion: Completion
    reward: RewardResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGroup:
    """All rollouts of one prompt, in order of index: what a group-relative advantage is computed over."""

    prompt: Prompt
    rollouts: tuple[Rollout, ...]

    @property
    def outcomes(self) -> tuple[float, ...]:
        """Declared outcome of each rollout."""
        return tuple(rollout.reward.outcome for rollout in self.rollouts)
