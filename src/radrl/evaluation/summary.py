"""What summary.json says: the numbers, what they mean, how sure they are, and what a blind model gets."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from radrl.evaluation.blind import AnswerFrequencies, BlindRow, frequency_rows, shuffled_row
from radrl.evaluation.calibration import Calibration
from radrl.evaluation.calibration.sources import SOURCES, calibrate_sources
from radrl.evaluation.families import FAMILIES
from radrl.evaluation.families.answers import choice_rows
from radrl.evaluation.families.diseases import DISEASES
from radrl.evaluation.intervals import Bootstrap, Estimate
from radrl.evaluation.judges.opinion import Opinion
from radrl.evaluation.measures import Block, measure
from radrl.evaluation.metrics.diseases import DiseaseRow, disease_table
from radrl.evaluation.metrics.positions import Positions, option_positions
from radrl.evaluation.records import Judged, agreement
from radrl.evaluation.robustness import RobustnessRow
from radrl.evaluation.scorers.api import ScorerResult
from radrl.evaluation.subgroups import SHOWN_FROM, Gap, Grouping, gap_among
from radrl.evaluation.twins import TwinRow, twin_row
from radrl.evaluation.verdict import verdict
from radrl.evaluation.written import DEFAULT_READING, ReportReading
from radrl.types import Sample

CONVENTIONS: Mapping[str, str] = {
    "answer": "The last answer block of the completion, read strictly; names are canonical (CheXpert-14 synonyms by "
    "table). Where the reference has no tags, a completion without tags is answered by its first sentence.",
    "unreadable": "An answer that cannot be read is wrong, counts in every metric and is listed under parse_failures.",
    "empty_sets": "Gold and prediction both empty (no finding) score 1 and add nothing to micro counts; where one of "
    "them is empty the score is 0.",
    "averages": "sample_f1 and jaccard are means over completions; micro_f1 pools counts over completions and labels; "
    "macro_f1 is the mean over labels that some gold answer holds, whose support stands under labels. Free text, "
    "numbers and boxes take no part in micro_f1, macro_f1 and labels; disease_* are means over CheXpert's 14.",
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
    **{f"confidence_{source}": meaning for source, meaning in SOURCES.items()},
    "calibration": "Of the confidence `span`; every source stands under by_source, with intervals. Reports take no "
    "part. Completions of the same confidence have no order: a bin or a coverage that ends among them takes of each "
    "the same share.",
    "brier": "Mean of (confidence - correct)^2. In [0, 1], less is better.",
    "nll": "Mean of -log p for right and -log(1 - p) for wrong answers, in nats, p clipped to [1e-6, 1 - 1e-6]. Less "
    "is better.",
    "ece": "Sum of share x |accuracy - confidence| over 15 bins of equal numbers of completions; ece_equal_width: of "
    "equal width; ece_after_temperature: of the half of the patients on which `temperature` was not fitted. In "
    "[0, 1], less is better.",
    "auroc": "Chance that a right answer is more confident than a wrong one, ties counting half. 0.5 is chance, more "
    "is better.",
    "aurc": "Mean over k = 1..N of the share of errors among the k most confident answers. In [0, 1], less is better; "
    "confidence without meaning gives 1 - accuracy. accuracy_at_80_coverage: accuracy of the most confident 80 %, more "
    "is better.",
    "intervals": "Percentile bootstrap; null where undefined or where there is one patient only.",
    "gaps": "Largest minus smallest accuracy among a grouping's groups of at least 20 patients; every resample has a "
    "largest and a smallest of its own, so that the interval lies above 0 even where groups are alike. Subgroups of "
    "fewer than 5 patients have counts and no metrics.",
    "legacy": "legacy_* follow the seeds' rules with their faults and do not say whether an answer is right: "
    "substring_accuracy and any_overlap are CheX-Phi4MM's, exact_output and word_jaccard CX-Mind's.",
    "blind": "majority: the most frequent training answer of the question's kind; question_only: of exactly this "
    "question text, images aside, else the majority's; shuffled_image: this model with another patient's images. "
    "minus: model minus row, paired.",
    "robustness": "The same questions about perturbed films; each row says what was done. minus: accuracy on the films "
    "as they are minus the row's, paired, so that more is worse; changed: share of completions that say something else "
    "than before, sides and places carried along. flip: of the questions that stay as they are and get another answer, "
    "followed is the share answered as is now right, stuck as was right before. twins: pairs of questions about a film "
    "with and without one fact; both_right: share with both answers right, changed: share with two answers of the "
    "pairs with two gold ones, kept: share with one answer of the pairs with one.",
    "judge": "A second opinion: its accuracy counts failures and missing answers as wrong, and stands beside its "
    "agreement with the strict rule. `accuracy` elsewhere is the strict rule's.",
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
    backend: str = "native"
    """What the model was reached through: native, vllm, endpoint or predictions."""
    num_failed: int = 0
    """Completions that there are none of: requests that failed for good, predictions that are missing. Each counts as
    unreadable."""
    notes: tuple[str, ...] = ()
    """What a reader has to know of how the model was asked."""
    reading: ReportReading = DEFAULT_READING
    """How reports were read."""


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

    @property
    def made(self) -> dict[str, BlindRow]:
        """The rows that there are, by name."""
        rows = {"majority": self.majority, "question_only": self.question_only, "shuffled_image": self.shuffled_image}
        return {name: row for name, row in rows.items() if row is not None}


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
    gaps: dict[str, Gap]
    """Subgrouping -> how unevenly its groups are answered."""
    agreement: float
    """Mean over questions of the share of the n completions that give the most frequent answer."""
    calibrations: dict[str, Calibration]
    """Source of confidence -> how it agrees with correctness; `span` is always there."""
    blind: Blind
    diseases: dict[str, DiseaseRow]
    """CheXpert's fourteen, in its order; none where no question is about findings."""
    positions: Positions | None
    """How choices fall on the places of the options; None where no question has options."""
    robustness: Mapping[str, RobustnessRow] = field(default_factory=dict[str, RobustnessRow])
    """Perturbation -> what it changes; empty where none was asked for."""
    twins: TwinRow | None = None
    """Counterfactual twins; None where the data hold no pair."""
    judge: Opinion | None = None
    """What a judge says of the same answers; None without one."""
    scorers: Mapping[str, ScorerResult] = field(default_factory=dict[str, ScorerResult])
    """Model-based metric -> what its scorer says of the written reports and answers; empty where none was asked for."""

    @property
    def calibration(self) -> Calibration:
        """Of the confidence that every model with probabilities has: that of the answer's tokens."""
        return self.calibrations["span"]

    @property
    def accuracy(self) -> Estimate:
        """Strict exact match over everything."""
        return self.overall.metrics["accuracy"]

    @property
    def graph_f1(self) -> Estimate:
        """Agreement of the reasoning's facts with the reference's, over everything."""
        return self.overall.metrics["graph_f1"]

    @property
    def verdict(self) -> tuple[str, ...]:
        """What the numbers say, in sentences: the accuracy, what it is worth, and reasons to be careful."""
        return verdict(
            overall=self.overall,
            blind=self.blind.made,
            calibration=self.calibration,
            per_group={name: self.per_group[name] for name in self.gaps},
            unit=self.unit,
        )

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
            "asked": {"backend": settings.backend, "failed": settings.num_failed, "notes": list(settings.notes)},
            "conventions": {**CONVENTIONS, **self._meanings()},
            "reports": {"section": settings.reading.section, "uncertain": settings.reading.uncertain},
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
            "gaps": {grouping: gap.to_json() for grouping, gap in self.gaps.items()},
            "diseases": {disease: row.to_json() for disease, row in self.diseases.items()},
            "positions": None if self.positions is None else self.positions.to_json(),
            "agreement": self.agreement,
            "calibration": {
                **self.calibration.to_json(),
                "by_source": {source: found.to_json() for source, found in self.calibrations.items()},
            },
            "blind": self.blind.to_json(),
            "verdict": list(self.verdict),
            "robustness": {
                **{name: row.to_json() for name, row in self.robustness.items()},
                **({} if self.twins is None else {"twins": self.twins.to_json()}),
            },
            "judge": None if self.judge is None else self.judge.to_json(),
            "scorers": {name: found.to_json() for name, found in self.scorers.items()},
        }

    def _meanings(self) -> dict[str, str]:
        measured = {
            name: meaning
            for family in FAMILIES
            for name, meaning in family.metrics.items()
            if name in self.overall.metrics
        }
        return measured | {name: found.meaning for name, found in self.scorers.items()}


def summarise(
    judged: Sequence[Judged],
    *,
    settings: Settings,
    bootstrap: Bootstrap,
    blind: Blind,
    groupings: Mapping[str, Callable[[Sample], str | None]] | None = None,
    subgroups: Mapping[str, Grouping] | None = None,
    robustness: Mapping[str, RobustnessRow] | None = None,
    judge: Opinion | None = None,
    scorers: Mapping[str, ScorerResult] | None = None,
) -> Summary:
    """Measure everything, by kind, file, task and the given groupings; `judged` is not empty.

    A grouping names the group of a sample; None leaves the sample out of it. Subgroups are groupings of patients and
    films that are compared with each other (`gaps`), and whose smallest groups are shown by their counts alone.
    """
    by_question = _grouped(judged, key=lambda one: one.sample.id)
    blocks = _Blocks(bootstrap)
    return Summary(
        settings=settings,
        bootstrap=bootstrap,
        unit="samples" if all(one.sample.patient_id == one.sample.id for one in judged) else "patients",
        overall=blocks.of(judged),
        per_kind=blocks.by(judged, key=lambda one: one.sample.kind),
        per_file=blocks.by(judged, key=lambda one: one.file),
        per_task=blocks.by(judged, key=lambda one: one.task),
        per_group={
            name: blocks.by(judged, key=lambda one, of=group_of: of(one.sample))
            for name, group_of in (groupings or {}).items()
        }
        | {
            name: _without_small(blocks.by(judged, key=lambda one, of=group_of: of(one.sample)))
            for name, group_of in (subgroups or {}).items()
        },
        gaps={
            name: gap_among(judged, group_of=group_of, bootstrap=bootstrap)
            for name, group_of in (subgroups or {}).items()
        },
        agreement=sum(agreement(group) for group in by_question.values()) / len(by_question),
        calibrations=calibrate_sources(judged, bootstrap=bootstrap),
        blind=blind,
        diseases=disease_table([one for one in judged if one.task in DISEASES.tasks], bootstrap=bootstrap),
        positions=option_positions([judged[row] for row in choice_rows(judged)]),
        robustness=robustness or {},
        twins=twin_row(judged, bootstrap=bootstrap),
        judge=judge,
        scorers=scorers or {},
    )


def make_blind(
    judged: Sequence[Judged],
    *,
    shuffled: Sequence[Judged],
    train_samples: Sequence[Sample],
    bootstrap: Bootstrap,
    can_ask_anew: bool = True,
) -> Blind:
    """Rows from the training answers, where there are any, and from the completions on shuffled images.

    `can_ask_anew` says whether the model could be shown those images at all.
    """
    notes: list[str] = []
    rows: dict[str, BlindRow] = {}
    if train_samples:
        rows |= frequency_rows(judged, AnswerFrequencies.count(train_samples), bootstrap=bootstrap)
    else:
        notes.append("majority and question_only need the training answers: give train_data.")
    num_missing = len({one.sample.id for one in judged}) - len({one.sample.id for one in shuffled})
    if not can_ask_anew:
        notes.append("shuffled_image cannot be made: a file of predictions has no answers about other images.")
    elif num_missing:
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


class _Blocks:
    """Measures groups of the judged completions, each set of them once: one file's block is often the whole's."""

    def __init__(self, bootstrap: Bootstrap) -> None:
        self._bootstrap = bootstrap
        self._found: dict[tuple[int, ...], Block] = {}

    def of(self, judged: Sequence[Judged]) -> Block:
        """The block of these completions."""
        members = tuple(id(one) for one in judged)
        if members not in self._found:
            self._found[members] = measure(judged, bootstrap=self._bootstrap)
        return self._found[members]

    def by(self, judged: Sequence[Judged], *, key: Callable[[Judged], str | None]) -> dict[str, Block]:
        """The block of each group, by name."""
        groups = _grouped(judged, key=key)
        return {name: self.of(groups[name]) for name in sorted(groups)}


def _without_small(blocks: Mapping[str, Block]) -> dict[str, Block]:
    """Groups of few patients keep their counts alone: a share of three patients says nothing of a group."""
    return {
        group: block if block.counts.patients >= SHOWN_FROM else replace(block, metrics={}, labels={})
        for group, block in blocks.items()
    }


def _grouped(judged: Sequence[Judged], *, key: Callable[[Judged], str | None]) -> dict[str, list[Judged]]:
    groups: defaultdict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        if (group := key(one)) is not None:
            groups[group].append(one)
    return dict(groups)
