"""What summary.json says: the numbers, what they mean, how sure they are, and what a blind model gets."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radrl.evaluation.blind import AnswerFrequencies, BlindRow, frequency_rows, shuffled_row
from radrl.evaluation.calibration import Calibration, calibrate
from radrl.evaluation.families import FAMILIES
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.measures import Block, measure
from radrl.evaluation.records import Judged, agreement
from radrl.types import Sample

CONVENTIONS: Mapping[str, str] = {
    "answer": "The last answer block of the completion, read strictly; names are canonical (CheXpert-14 synonyms by "
    "table). Where the reference has no tags, a completion without tags is answered by its first sentence.",
    "unreadable": "An answer that cannot be read is wrong, counts in every metric and is listed under parse_failures.",
    "empty_sets": "Gold and prediction both empty (no finding) score 1 and add nothing to micro counts; where one of "
    "them is empty the score is 0.",
    "averages": "sample_f1 and jaccard are means over completions; micro_f1 pools counts over completions and labels; "
    "macro_f1 is the mean over labels that some gold answer holds, whose support stands under labels. Free-text "
    "answers take no part in micro_f1, macro_f1 and labels.",
    "single_answers": "balanced_accuracy is the mean recall over the gold answers of questions with one answer; "
    "sensitivity and specificity are of yes/no questions, yes being positive.",
    "graph": "Thoughts are read by the rule-based extractor and compared with the sample's triplets, else with the "
    "thoughts of its reference; certainty is part of every key. graph_f1 is the mean over completions of (entity F1 + "
    "relation F1) / 2; where the gold is explicitly normal and states nothing, stating nothing scores 1. entity_* and "
    "relation_* pool counts.",
    "uncertain": "In hallucination_rate and omission_rate an uncertain finding counts as claimed.",
    "contradiction": "contradiction_rate: findings that one side calls present and the other absent, of those that "
    "both speak of. laterality_error_rate: findings on a side where the reference does not have them, of those that "
    "both claim and put on a side.",
    "confidence": "Exp of the mean log-probability of the answer's tokens, at the sampling temperature (at 1 when "
    "greedy).",
    "ece": "15 bins of equal numbers of completions; ece_equal_width: 15 bins of equal width.",
    "intervals": "Percentile bootstrap; null where undefined or where there is one patient only.",
    "legacy": "legacy_* follow the seeds' rules with their faults and do not say whether an answer is right: "
    "substring_accuracy and any_overlap are CheX-Phi4MM's, exact_output and word_jaccard CX-Mind's.",
    "blind": "majority: the most frequent training answer of the question's kind; question_only: of exactly this "
    "question text, images aside, else the majority's; shuffled_image: this model with another patient's images. "
    "minus: model minus row, paired.",
}
"""What every number means, in words, so that nobody has to guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the completions were made.

    Example: `Settings(model="runs/x/model", data=("test.jsonl",), n=1, temperature=0.0, max_response_length=128,
                       seed=1)`
    """

    model: str
    data: tuple[str, ...]
    n: int
    temperature: float
    max_response_length: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """The blind rows. A row that could not be made is None, and a note says why."""

    majority: BlindRow | None = None
    question_only: BlindRow | None = None
    shuffled_image: BlindRow | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        rows = {"majority": self.majority, "question_only": self.question_only, "shuffled_image": self.shuffled_image}
        return {**{name: row and row.to_json() for name, row in rows.items()}, "notes": list(self.notes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One evaluation of one model."""

    settings: Settings
    bootstrap: Bootstrap
    unit: str
    """What intervals resample: `patients`, or `samples` where the data name no patients."""
    overall: Block
    per_kind: dict[str, Block]
    per_file: dict[str, Block]
    per_task: dict[str, Block]
    per_group: dict[str, dict[str, Block]]
    """Grouping -> its value -> the completions that have it: columns that were asked for, and subgroups."""
    agreement: float
    """Mean over questions of the share of the n completions that give the most frequent answer."""
    calibration: Calibration
    blind: Blind

    @property
    def accuracy(self) -> Estimate:
        """Strict exact match over everything."""
        return self.overall.metrics["accuracy"]

    @property
    def graph_f1(self) -> Estimate:
        """Agreement of the reasoning's facts with the reference's, over everything."""
        return self.overall.metrics["graph_f1"]

    def to_json(self) -> dict[str, object]:
        """The content of summary.json."""
        settings, bootstrap = self.settings, self.bootstrap
        return {
            "model": settings.model,
            "data": list(settings.data),
            "sampling": {
                "n": settings.n,
                "temperature": settings.temperature,
                "max_response_length": settings.max_response_length,
                "seed": settings.seed,
            },
            "conventions": {**CONVENTIONS, **self._meanings()},
            "intervals": {
                "unit": self.unit,
                "resamples": bootstrap.resamples,
                "level": bootstrap.level,
                "seed": bootstrap.seed,
            },
            "overall": self.overall.to_json(),
            "per_kind": {kind: block.to_json() for kind, block in self.per_kind.items()},
            "per_file": {file: block.to_json() for file, block in self.per_file.items()},
            "per_task": {task: block.to_json() for task, block in self.per_task.items()},
            "per_group": {
                grouping: {value: block.to_json() for value, block in blocks.items()}
                for grouping, blocks in self.per_group.items()
            },
            "agreement": self.agreement,
            "calibration": self.calibration.to_json(),
            "blind": self.blind.to_json(),
        }

    def _meanings(self) -> dict[str, str]:
        return {
            name: meaning
            for family in FAMILIES
            for name, meaning in family.metrics.items()
            if name in self.overall.metrics
        }


def summarise(
    judged: Sequence[Judged],
    *,
    settings: Settings,
    bootstrap: Bootstrap,
    blind: Blind,
    groupings: Mapping[str, Callable[[Sample], str | None]] | None = None,
) -> Summary:
    """Measure everything, by kind, file, task and the given groupings; `judged` is not empty.

    A grouping names the group of a sample; None leaves the sample out of it.
    """
    by_question = _grouped(judged, key=lambda one: one.sample.id)
    return Summary(
        settings=settings,
        bootstrap=bootstrap,
        unit="samples" if all(one.sample.patient_id == one.sample.id for one in judged) else "patients",
        overall=measure(judged, bootstrap=bootstrap),
        per_kind=_measured(_grouped(judged, key=lambda one: one.sample.kind), bootstrap),
        per_file=_measured(_grouped(judged, key=lambda one: one.file), bootstrap),
        per_task=_measured(_grouped(judged, key=lambda one: one.task), bootstrap),
        per_group={
            name: _measured(_grouped(judged, key=lambda one, of=group_of: of(one.sample)), bootstrap)
            for name, group_of in (groupings or {}).items()
        },
        agreement=sum(agreement(group) for group in by_question.values()) / len(by_question),
        calibration=calibrate([one.record.confidence for one in judged], [one.record.correct for one in judged]),
        blind=blind,
    )


def make_blind(
    judged: Sequence[Judged],
    *,
    shuffled: Sequence[Judged],
    train_samples: Sequence[Sample],
    bootstrap: Bootstrap,
) -> Blind:
    """Rows from the training answers, where there are any, and from the completions on shuffled images."""
    notes: list[str] = []
    rows: dict[str, BlindRow] = {}
    if train_samples:
        rows |= frequency_rows(judged, AnswerFrequencies.count(train_samples), bootstrap=bootstrap)
    else:
        notes.append("majority and question_only need the training answers: give train_data.")
    num_missing = len({one.sample.id for one in judged}) - len({one.sample.id for one in shuffled})
    if num_missing:
        notes.append(
            f"shuffled_image leaves out {num_missing} questions: they have no image, or no other patient has as many."
        )
    if shuffled:
        rows["shuffled_image"] = shuffled_row(judged, shuffled, bootstrap=bootstrap)
    return Blind(
        majority=rows.get("majority"),
        question_only=rows.get("question_only"),
        shuffled_image=rows.get("shuffled_image"),
        notes=tuple(notes),
    )


def _grouped(judged: Sequence[Judged], *, key: Callable[[Judged], str | None]) -> dict[str, list[Judged]]:
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        if (group := key(one)) is not None:
            groups[group].append(one)
    return dict(groups)


def _measured(groups: Mapping[str, Sequence[Judged]], bootstrap: Bootstrap) -> dict[str, Block]:
    return {name: measure(groups[name], bootstrap=bootstrap) for name in sorted(groups)}
