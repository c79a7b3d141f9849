"""The questions of an evaluation about perturbed films, which are on disk for as long as they are asked about.

What cannot be asked of a perturbed film is left out, and counted by its reason.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from radrl.answers import Rectangle, agree, image_size_of, read_boxes
from radrl.config.evaluation import PerturbationName
from radrl.data.images import image_size, open_image
from radrl.data.perturb import MOVING, Perturbation
from radrl.errors import DataError
from radrl.evaluation.mirroring import mirror_names, mirrored
from radrl.evaluation.records import gold_answer
from radrl.types import AnswerKind, Box, ImageRef, Sample

LEAST_LEFT = 0.5
"""Share of a gold box's area that has to be left on the film for the question to be asked."""
_BOX_IN_TEXT = re.compile(r"\[\s*\d[\d.]*\s*,\s*\d[\d.]*\s*,\s*\d[\d.]*\s*,\s*\d[\d.]*\s*\]")
_NUM_WRITERS = 4
"""Films that are perturbed at the same time; packing and unpacking leave the interpreter alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked about perturbed films.

    Example: `Asked(samples=(...), new_golds=frozenset({"p1-q2"}), left_out={"they have no image": 3})`
    """

    samples: tuple[Sample, ...]
    new_golds: frozenset[str]
    """Ids of questions that are asked as before and have another gold answer since the film is mirrored."""
    left_out: dict[str, int]
    """Reason -> questions that it leaves out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Perturber:
    """One perturbation of all films, at one level.

    Example: `Perturber(name="crop", level=1, seed=1, folder=Path("out/films")).ask(samples)`
    """

    name: PerturbationName
    level: int
    seed: int
    folder: Path
    """Where perturbed films are put."""

    def ask(self, samples: Sequence[Sample]) -> Asked:
        """The questions about perturbed films, which are written."""
        reasons = {sample.id: self._why_not(sample) for sample in samples}
        asked = [sample for sample in samples if reasons[sample.id] is None]
        films = {ref.sha256: ref for sample in asked for ref in sample.images}
        with ThreadPoolExecutor(_NUM_WRITERS) as writers:
            written = dict(zip(films, writers.map(self._write, films.values()), strict=True))
        changed = [self._changed(sample) for sample in asked]
        return Asked(
            samples=tuple(
                replace(sample, images=tuple(written[ref.sha256] for ref in sample.images)) for sample in changed
            ),
            new_golds=frozenset(
                before.id for before, after in zip(asked, changed, strict=True) if self._has_new_gold(before, after)
            ),
            left_out=dict(Counter(reason for reason in reasons.values() if reason is not None)),
        )

    def perturbation(self, film: ImageRef) -> Perturbation:
        """What is done to a film."""
        return Perturbation.drawn(self.name, level=self.level, seed=self.seed, film=film)

    def expected(self, sample: Sample, answer: AbstractSet[str]) -> frozenset[str]:
        """What a model that answered this about the plain film answers, if it sees the same on the perturbed one."""
        if self.name in MOVING and sample.answer_kind is AnswerKind.BOXES:
            moved = self._moved(sample.images[0], [box for item in answer for box in read_boxes(item) or ()])
            return frozenset(str(box) for box in moved if box is not None)
        return mirror_names(answer) if self.name == "flip" else frozenset(answer)

    def _why_not(self, sample: Sample) -> str | None:
        """Why a question cannot be asked about its perturbed films; None where it can."""
        if not sample.images:
            return "they have no image"
        if self.name not in MOVING:
            return None
        if _BOX_IN_TEXT.search(sample.question):
            return "they name a place by coordinates, which is elsewhere on the perturbed film"
        if sample.answer_kind is not AnswerKind.BOXES:
            return None
        if len(sample.images) > 1:
            return "their boxes do not say which of several films they are on"
        return "too little of a gold box is left on the film" if self._cuts_off(sample) else None

    def _cuts_off(self, sample: Sample) -> bool:
        size = image_size(sample.images[0])
        num_pixels, num_left = prod(size), prod(self.perturbation(sample.images[0]).size(size))
        boxes = _gold_boxes(sample)
        return any(
            after is None or after.area * num_left < LEAST_LEFT * before.area * num_pixels
            for before, after in zip(boxes, self._moved(sample.images[0], boxes), strict=True)
        )

    def _changed(self, sample: Sample) -> Sample:
        """The sample with what is asked and what is right of its perturbed films, which it does not have yet."""
        if self.name not in MOVING:
            return sample
        boxes, columns = (), sample.columns
        if len(sample.images) == 1:
            boxes, columns = self._found(sample), self._columns(sample)
        changed = mirrored(sample) if self.name == "flip" else sample
        if sample.answer_kind is AnswerKind.BOXES:
            changed = replace(changed, answer=self.expected(sample, gold_answer(sample)))
        return replace(changed, boxes=boxes, columns=columns)

    def _found(self, sample: Sample) -> tuple[Box, ...]:
        """The sample's findings where they are now; those that were cut off are gone."""
        before = [Rectangle(x0=box.x0, y0=box.y0, x1=box.x1, y1=box.y1) for box in sample.boxes]
        return tuple(
            replace(box, x0=place.x0, y0=place.y0, x1=place.x1, y1=place.y1)
            for box, place in zip(sample.boxes, self._moved(sample.images[0], before), strict=True)
            if place is not None
        )

    def _columns(self, sample: Sample) -> dict[str, object]:
        """The row's fields; pixels that boxes are written in grow fewer where the film does."""
        stated = image_size_of(sample.columns, origin=sample.origin)
        if stated is None:
            return dict(sample.columns)
        before = image_size(sample.images[0])
        after = self.perturbation(sample.images[0]).size(before)
        sides = [round(side * new / old) for side, new, old in zip(stated, after, before, strict=True)]
        return {**sample.columns, "image_size": sides}

    def _moved(self, film: ImageRef, boxes: Sequence[Rectangle]) -> list[Rectangle | None]:
        size, perturbation = image_size(film), self.perturbation(film)
        return [perturbation.move(box, size) for box in boxes]

    def _has_new_gold(self, before: Sample, after: Sample) -> bool:
        is_asked_alike = self.name == "flip" and after.question == before.question
        return is_asked_alike and not agree(gold_answer(after), gold_answer(before), kind=before.answer_kind)

    def _write(self, film: ImageRef) -> ImageRef:
        """Put the perturbed film into the folder, named by what was done to what, which is what caches go by."""
        done = f"{film.sha256} {self.perturbation(film)}"
        name = hashlib.sha256(done.encode()).hexdigest()
        path = self.folder / f"{name}.png"
        picture = self.perturbation(film).apply(open_image(film))
        red, green, blue = picture.split()
        is_grey = red.tobytes() == green.tobytes() == blue.tobytes()
        try:
            (red if is_grey else picture).save(path, compress_level=1)
        except OSError as error:
            raise DataError(
                f"a perturbed film cannot be written to {self.folder} ({error.strerror}). Make room there, or leave "
                "robustness out."
            ) from error
        return ImageRef(path=str(path.absolute()), sha256=name)


def _gold_boxes(sample: Sample) -> list[Rectangle]:
    return [box for item in sorted(gold_answer(sample)) for box in read_boxes(item) or ()]
