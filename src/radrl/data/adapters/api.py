"""What every data set is read into, and what an adapter is."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from radrl.errors import DataError
from radrl.types import AnswerKind, Box, Triplet

Split = Literal["train", "val", "test"]

SPLIT_WORDS: Final[Mapping[str, Split]] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "development": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Publishers' words for the three splits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One question of a data set, before it is a training row.

    Example: `Record(id="mimic_cxr_vqa-train-17", split="train", patient_id="19990001", study_id="59990001",
    kind="presence", question="is there any atelectasis?", images=(Path("/films/0a.jpg"),),
    answer_kind=AnswerKind.YES_NO, answer=("yes",), origin="train.json:18")`
    """

    id: str
    """Of its own within the data set, and the same in every conversion."""
    split: Split
    patient_id: str
    """Splits go by it. Where a source names no patient: the study, the film or the record itself."""
    study_id: str | None = None
    kind: str
    """presence, view, location, severity, list, closed, choice, open, report, grounding, difference, progression, or
    the source's own word."""
    question: str
    """Without image marks, which the writer puts in front, unless it holds exactly one a film."""
    images: tuple[Path, ...]
    """Absolute, in the order they are shown: main film first, the earlier one second."""
    answer_kind: AnswerKind
    answer: tuple[str, ...]
    """Empty is an answer: no finding. A source's row without an answer is a drop."""
    options: tuple[str, ...] = ()
    reference: str = ""
    """Gold trace. Where a source has none the writer puts the bare answer between `<answer>` tags."""
    triplets: tuple[Triplet, ...] = ()
    boxes: tuple[Box, ...] = ()
    """In fractions of the film."""
    report: str = ""
    """What was written about the study, for thoughts of traces; no part of the row."""
    columns: Mapping[str, object] = field(default_factory=dict[str, object])
    """What else is worth keeping, as JSON values: view, sex, age, labels, semantic_type, ..."""
    origin: str
    """`file:line` or file, for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user decides about a conversion; an adapter heeds those that concern it.

    Example: `Choices(uncertain="positive", kinds=("presence", "report"))`
    """

    images: Path | None = None
    """Folder of the films; the data set's own folder when not given."""
    uncertain: Literal["drop", "positive", "negative"] = "drop"
    """What becomes of labels that are neither present nor absent."""
    readers: Literal["union", "majority"] = "union"
    """How the labels and boxes of several readers become one."""
    reports: Path | None = None
    """Folder or table of the reports, where they come apart from the films; else the data set's own folder."""
    section: Literal["findings", "impression", "both"] = "findings"
    """The part of a report that report questions ask for."""
    kinds: tuple[str, ...] = ()
    """Question kinds to write; all when empty."""
    splits: Literal["publisher", "patient"] = "publisher"
    """Whose splits: the publisher's, or new ones by patient for a data set whose own share patients. The writer heeds
    it; so does an adapter that leaves rows out for the sake of the publisher's."""
    traces: Literal["none", "interleaved", "plain", "answer_first"] = "none"
    """Form of the reference traces to build, see `data.traces`; the bare answer without. The writer heeds it."""
    seed: int = 0
    """The wordings of the traces follow from it."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the questions to write, where a data set has several (`en`, `zh`)."""

    def asks(self, kind: str) -> bool:
        """Whether questions of this kind are wanted."""
        return not self.kinds or kind in self.kinds


class Drops(Protocol):
    """Takes note of what a conversion leaves out."""

    def drop(self, reason: str, *, origin: str, detail: str = "") -> None:
        """One row that is left out. `reason` is one of few words (`no answer`): rows are counted by it; `detail` is
        what is particular to this row.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """How one data set is read, and what a user has to know before that."""

    name: str
    """What `--from` calls it; also the module's name."""
    title: str
    licence: str
    """One sentence."""
    access: str
    """One sentence: how to get it, with its page."""
    needs: tuple[str, ...]
    """Files that have to be in the data set's folder, as globs relative to it; `a|b` is met by either. A plain file
    stands for one that ends in `.gz` and the other way round. Checked before anything is read.
    """
    read: Callable[[Path, Choices, Drops], Iterator[Record]]
    """Yields the records in a stream: memory does not grow with their number."""


def as_split(word: str, *, origin: str) -> Split:
    """The split that a publisher's word means. Raises DataError for another word.

    >>> as_split("validate", origin="split.csv:2")
    'val'
    """
    split = SPLIT_WORDS.get(word.strip().lower())
    if split is None:
        raise DataError(f"{origin}: split {word!r} is none of {', '.join(SPLIT_WORDS)}. Correct the row.")
    return split


def split_of(patient_id: str) -> Split:
    """The split of a patient where the publisher names none: train, val, test as 8:1:1, by the id alone."""
    place = int(hashlib.sha256(patient_id.encode("utf-8")).hexdigest()[:13], 16) % 10
    return "train" if place < 8 else "val" if place == 8 else "test"
