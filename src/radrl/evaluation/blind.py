"""What a model gets without looking: the rows that every accuracy stands beside.

A benchmark whose questions give their answers away is topped by a model that sees no image. Two rows count answers in
the training data; the third asks the model itself, with another patient's images.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from radrl.evaluation.compare import difference
from radrl.evaluation.intervals import Bootstrap, Estimate, mean_of
from radrl.evaluation.records import Judged, gold_answer
from radrl.types import IMAGE_MARK, Sample

Answer = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFrequencies:
    """The most frequent training answer of every question text, of every kind, and of all; the first by name if tied.

    Example: trained on 3 x "yes" and 5 x "no" to presence questions, a presence question is answered "no".
    """

    by_question: Mapping[str, Answer]
    by_kind: Mapping[str, Answer]
    overall: Answer

    @classmethod
    def count(cls, samples: Iterable[Sample]) -> "AnswerFrequencies":
        """Count the answers of training samples; there must be one at least."""
        questions: defaultdict[str, Counter[Answer]] = defaultdict(Counter)
        kinds: defaultdict[str, Counter[Answer]] = defaultdict(Counter)
        overall: Counter[Answer] = Counter()
        for sample in samples:
            answer = gold_answer(sample)
            questions[question_text(sample)][answer] += 1
            kinds[sample.kind][answer] += 1
            overall[answer] += 1
        return cls(
            by_question={text: _most_frequent(answers) for text, answers in questions.items()},
            by_kind={kind: _most_frequent(answers) for kind, answers in kinds.items()},
            overall=_most_frequent(overall),
        )

    def majority(self, sample: Sample) -> Answer:
        """The most frequent answer to questions of its kind; of all questions when the kind is new."""
        return self.by_kind.get(sample.kind, self.overall)

    def question_only(self, sample: Sample) -> Answer:
        """The most frequent answer to exactly this question, image marks aside; the majority's when the text is new."""
        return self.by_question.get(question_text(sample), self.majority(sample))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindRow:
    """How often answering blindly is right, on the questions the model was asked.

    Example: `BlindRow(accuracy=Estimate(value=0.52, ...), minus=Estimate(value=0.09, ...), per_kind={...},
                       num_questions=500)`
    """

    accuracy: Estimate
    minus: Estimate
    """The model's accuracy minus this row's, paired by question."""
    per_kind: Mapping[str, Estimate]
    num_questions: int
    """Questions the row has an answer to: all, or those whose images could be swapped for another patient's."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        return {
            "accuracy": self.accuracy.to_json(),
            "minus": self.minus.to_json(),
            "per_kind": {kind: accuracy.to_json() for kind, accuracy in self.per_kind.items()},
            "num_questions": self.num_questions,
        }


def frequency_rows(
    judged: Sequence[Judged], frequencies: AnswerFrequencies, *, bootstrap: Bootstrap
) -> dict[str, BlindRow]:
    """The rows `majority` and `question_only`."""
    majority = [float(frequencies.majority(one.sample) == one.gold) for one in judged]
    question_only = [float(frequencies.question_only(one.sample) == one.gold) for one in judged]
    return {
        "majority": _blind_row(judged, majority, bootstrap=bootstrap),
        "question_only": _blind_row(judged, question_only, bootstrap=bootstrap),
    }


def shuffled_row(judged: Sequence[Judged], shuffled: Sequence[Judged], *, bootstrap: Bootstrap) -> BlindRow:
    """The row `shuffled_image`: the same model on the same questions, with another patient's images."""
    correct = {(one.record.id, one.record.index): float(one.record.correct) for one in shuffled}
    values = [correct.get((one.record.id, one.record.index)) for one in judged]
    return _blind_row(judged, values, bootstrap=bootstrap)


def question_text(sample: Sample) -> str:
    """The question without image marks and with single spaces."""
    return " ".join(sample.question.replace(IMAGE_MARK, " ").split())


def shuffle_images(samples: Sequence[Sample], *, seed: int) -> list[Sample | None]:
    """Each sample with the images of another patient's sample of as many images; None where there is no such sample.

    Drawn uniformly from the samples at hand, for each sample by (seed, its id). A sample without images has nothing to
    shuffle: None.
    """
    ordered = sorted(samples, key=lambda sample: (sample.patient_id, sample.id))
    by_count: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in ordered:
        by_count[len(sample.images)].append(sample)
    pools = {count: _Pool.of(members) for count, members in by_count.items() if count}
    return [pools[len(sample.images)].give(sample, seed=seed) if sample.images else None for sample in samples]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """Samples of as many images, those of a patient side by side."""

    members: Sequence[Sample]
    first_of: Mapping[str, int]
    num_of: Mapping[str, int]

    @classmethod
    def of(cls, members: Sequence[Sample]) -> "_Pool":
        first_of: dict[str, int] = {}
        for place, sample in enumerate(members):
            first_of.setdefault(sample.patient_id, place)
        return cls(members=members, first_of=first_of, num_of=Counter(sample.patient_id for sample in members))

    def give(self, sample: Sample, *, seed: int) -> Sample | None:
        own, num_own = self.first_of[sample.patient_id], self.num_of[sample.patient_id]
        num_others = len(self.members) - num_own
        if not num_others:
            return None
        place = random.Random(f"{seed}:{sample.id}").randrange(num_others)
        donor = self.members[place if place < own else place + num_own]
        return replace(sample, images=donor.images)


def _blind_row(judged: Sequence[Judged], corrects: Sequence[float | None], *, bootstrap: Bootstrap) -> BlindRow:
    """`corrects` goes with `judged`; None leaves the question out of the row and of the difference."""
    pairs = [(one, right) for one, right in zip(judged, corrects, strict=True) if right is not None]
    by_kind: defaultdict[str, list[tuple[Judged, float]]] = defaultdict(list)
    for one, right in pairs:
        by_kind[one.sample.kind].append((one, right))
    return BlindRow(
        accuracy=_accuracy(pairs, bootstrap),
        minus=difference(
            [float(one.record.correct) for one, _ in pairs],
            [right for _, right in pairs],
            patients=[one.sample.patient_id for one, _ in pairs],
            bootstrap=bootstrap,
        ),
        per_kind={kind: _accuracy(of_kind, bootstrap) for kind, of_kind in sorted(by_kind.items())},
        num_questions=len({one.sample.id for one, _ in pairs}),
    )


def _accuracy(pairs: Sequence[tuple[Judged, float]], bootstrap: Bootstrap) -> Estimate:
    statistic = mean_of("accuracy", [right for _, right in pairs])
    return bootstrap.estimate([statistic], patients=[one.sample.patient_id for one, _ in pairs])["accuracy"]


def _most_frequent(answers: Counter[Answer]) -> Answer:
    return min(answers, key=lambda answer: (-answers[answer], sorted(answer)))
