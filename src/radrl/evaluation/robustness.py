"""What is left of an accuracy when every film is perturbed."""

import logging
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from radrl.answers import agree
from radrl.config.evaluation import PerturbationName
from radrl.data.perturb import meaning
from radrl.evaluation.compare import difference
from radrl.evaluation.intervals import Bootstrap, Estimate, mean_of
from radrl.evaluation.perturbed import Asked, Perturber
from radrl.evaluation.records import Judged
from radrl.types import Sample

log = logging.getLogger(__name__)

AskJudged = Callable[[Sequence[Sample], str], list[Judged]]
"""Puts questions to the model under the name of a pass and judges what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What the model says to a mirrored film where the same question has another answer than before.

    Example: `Mirrored(followed=Estimate(value=0.2, ...), stuck=Estimate(value=0.7, ...), num_questions=50)`: it goes by
    something else than the side that it sees.
    """

    followed: Estimate
    """Share that is answered as is right of the mirrored film."""
    stuck: Estimate
    """Share that is answered as was right of the film as it was."""
    num_questions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessRow:
    """One perturbation.

    Example: `RobustnessRow(level=1, meaning="The film is packed as JPEG of quality 75 and unpacked.",
                            accuracy=Estimate(...), minus=Estimate(value=0.02, ...), changed=Estimate(value=0.05, ...),
                            num_questions=500, notes=())`
    """

    level: int
    meaning: str
    """What is done to the films."""
    accuracy: Estimate
    minus: Estimate
    """The accuracy on the films as they are minus this one, paired by question: what the perturbation costs."""
    changed: Estimate
    """Share of completions that do not say the same of both films, sides and places carried along; one readable and
    one unreadable answer are not the same, two unreadable ones are."""
    num_questions: int
    notes: tuple[str, ...]
    """What is left out."""
    mirrored: Mirrored | None = None
    """Of `flip`, where a question's answer changes with it."""

    def to_json(self) -> dict[str, object]:
        """As summary.json holds it."""
        row: dict[str, object] = {
            "level": self.level,
            "meaning": self.meaning,
            "accuracy": self.accuracy.to_json(),
            "minus": self.minus.to_json(),
            "changed": self.changed.to_json(),
            "num_questions": self.num_questions,
            "notes": list(self.notes),
        }
        if self.mirrored is not None:
            row["followed"] = self.mirrored.followed.to_json()
            row["stuck"] = self.mirrored.stuck.to_json()
            row["num_sided_questions"] = self.mirrored.num_questions
        return row


def robustness_rows(
    judged: Sequence[Judged],
    names: Sequence[PerturbationName],
    *,
    level: int,
    ask: AskJudged,
    bootstrap: Bootstrap,
    folder: Path | None = None,
) -> dict[str, RobustnessRow]:
    """Ask every question again about films perturbed in each way, and hold the answers against the first ones.

    The films lie below `folder`, else among the system's temporary files, until their questions are answered.
    """
    samples = list({one.sample.id: one.sample for one in judged}.values())
    rows: dict[str, RobustnessRow] = {}
    for name in names:
        with TemporaryDirectory(dir=folder, prefix="films-") as films:
            perturber = Perturber(name=name, level=level, seed=bootstrap.seed, folder=Path(films))
            asked = perturber.ask(samples)
            for reason, num in asked.left_out.items():
                log.warning("%s leaves out %d questions: %s", name, num, reason)
            again = ask(asked.samples, f"{name} {level}") if asked.samples else []
        rows[name] = robustness_row(judged, again, asked=asked, perturber=perturber, bootstrap=bootstrap)
    return rows


def robustness_row(
    plain: Sequence[Judged], again: Sequence[Judged], *, asked: Asked, perturber: Perturber, bootstrap: Bootstrap
) -> RobustnessRow:
    """Compare the completions about perturbed films with those about the films as they are."""
    first = {(one.record.id, one.record.index): one for one in plain}
    pairs = [(first[one.record.id, one.record.index], one) for one in again]
    patients = [before.sample.patient_id for before, _ in pairs]
    found = bootstrap.estimate(
        [
            mean_of("accuracy", [float(after.record.correct) for _, after in pairs]),
            mean_of("changed", [float(_says_otherwise(before, after, perturber)) for before, after in pairs]),
        ],
        patients=patients,
    )
    return RobustnessRow(
        level=perturber.level,
        meaning=meaning(perturber.name, level=perturber.level),
        accuracy=found["accuracy"],
        minus=difference(
            [float(before.record.correct) for before, _ in pairs],
            [float(after.record.correct) for _, after in pairs],
            patients=patients,
            bootstrap=bootstrap,
        ),
        changed=found["changed"],
        num_questions=len(asked.samples),
        notes=tuple(f"{num} questions are left out: {reason}." for reason, num in asked.left_out.items()),
        mirrored=_mirrored(pairs, asked.new_golds, bootstrap=bootstrap),
    )


def _says_otherwise(before: Judged, after: Judged, perturber: Perturber) -> bool:
    if before.prediction is None or after.prediction is None:
        return before.prediction is not after.prediction
    expected = perturber.expected(before.sample, before.prediction)
    return not agree(after.prediction, expected, kind=after.sample.answer_kind)


def _mirrored(
    pairs: Sequence[tuple[Judged, Judged]], new_golds: AbstractSet[str], *, bootstrap: Bootstrap
) -> Mirrored | None:
    sided = [(before, after) for before, after in pairs if after.record.id in new_golds]
    if not sided:
        return None
    stuck = [agree(after.prediction, before.gold, kind=before.sample.answer_kind) for before, after in sided]
    found = bootstrap.estimate(
        [
            mean_of("followed", [float(after.record.correct) for _, after in sided]),
            mean_of("stuck", [float(is_stuck) for is_stuck in stuck]),
        ],
        patients=[before.sample.patient_id for before, _ in sided],
    )
    return Mirrored(followed=found["followed"], stuck=found["stuck"], num_questions=len(new_golds))
