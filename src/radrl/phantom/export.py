"""Writes a world to disk: images, training rows in either recipe's form, and the scenes behind them.

OUT/images/p19990000000-s0.png
OUT/{split}.jsonl (CX-Mind), or OUT/{split}.json and OUT/annotations/{split}.json (CheX-Phi4MM)
OUT/scenes/{split}.jsonl
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from radrl.errors import ConfigError, DataError
from radrl.phantom.balance import Ledger
from radrl.phantom.items import Item, ask_study
from radrl.phantom.layouts import LAYOUTS, Json, box_row, triplet_row, write_jsonl
from radrl.phantom.picturing import Picture, Pictured
from radrl.phantom.pool import DrawingPool
from radrl.phantom.report import report_of
from radrl.phantom.scene import Fact
from radrl.phantom.world import MAX_PATIENTS, SPLITS, PhantomWorld

_LOG = logging.getLogger(__name__)
_MAX_DRY_PATIENTS: Final = 500
"""Patients in a row about whom nothing can be asked before the export gives up."""

Progress = Callable[[str, int], None]
"""Called with the split and the number of questions that a study added to it."""


def export(
    world: PhantomWorld,
    out: Path,
    *,
    splits: Mapping[str, int],
    layout: str = "cx_mind",
    num_workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, Path]:
    """Write the given number of questions for each split and return each split's file of rows.

    Twin rows come on top of that number, each right after the row whose twin it is. The files are the same whatever
    the number of workers. They are the same from run to run and process to process on one machine; another processor
    may round the last bit of a pixel differently.

    Raises: ConfigError for an unknown split or layout, or a world without what a split needs; DataError when the
    world's findings are too faint to ask about.
    """
    _check(world, splits=splits, layout=layout, num_workers=num_workers)
    (out / "images").mkdir(parents=True, exist_ok=True)
    (out / "scenes").mkdir(exist_ok=True)
    files: dict[str, Path] = {}
    with DrawingPool(world, num_workers=num_workers) as pool:
        for split, num_questions in splits.items():
            items: list[Item] = []
            scenes: list[Json] = []
            patients = pool.patients(split=split)
            for pictured, asked in ask_patients(world, patients, split=split, num_questions=num_questions):
                items += asked
                scenes += _keep(world, pictured, asked, out=out)
                if progress is not None:
                    progress(split, sum(not item.is_twin for item in asked))
            files[split] = LAYOUTS[layout](out, split, items)
            write_jsonl(out / "scenes" / f"{split}.jsonl", scenes)
    return files


def ask_patients(
    world: PhantomWorld, patients: Iterable[tuple[Pictured, ...]], *, split: str, num_questions: int
) -> Iterator[tuple[Pictured, list[Item]]]:
    """Studies in order, with what is asked about each, until there are enough questions.

    Raises DataError when nothing can be asked about hundreds of patients in a row.
    """
    ledger = Ledger(world, split=split)
    num_left, num_dry = num_questions, 0
    for patient in patients:
        num_dry += 1
        for pictured in patient:
            asked = list(ask_study(world, ledger, pictured, at_most=num_left))
            if asked:
                num_dry = 0
                num_left -= sum(not item.is_twin for item in asked)
                yield pictured, asked
            if num_left == 0:
                _warn_of_missing(world, ledger, split=split)
                return
        if num_dry > _MAX_DRY_PATIENTS:
            raise DataError(
                f"nothing could be asked about {num_dry} patients in a row of split {split!r} (difficulty "
                f"{world.difficulty}, kinds {dict(world.kinds)}): their findings do not stand out from the noise, "
                "or the kinds do not fit the findings. Lower the difficulty or add kinds."
            )
    raise DataError(f"split {split!r} ran out of its {MAX_PATIENTS} patients. Ask fewer questions.")


def _keep(world: PhantomWorld, pictured: Pictured, asked: list[Item], *, out: Path) -> list[Json]:
    """Write the films that are asked about; return their scenes."""
    scenes: list[Json] = []
    for study_id in dict.fromkeys(item.study_id for item in asked):
        picture = pictured.twin if study_id.endswith("t") else pictured.original
        assert picture is not None
        (out / "images" / f"{study_id}.png").write_bytes(picture.png)
        scenes.append(_scene_row(world, pictured, picture, study_id=study_id))
    return scenes


def _scene_row(world: PhantomWorld, pictured: Pictured, picture: Picture, *, study_id: str) -> Json:
    study, patient = picture.study, pictured.patient
    report = report_of(world, patient, study)
    return {
        "study_id": study_id,
        "patient_id": patient.id,
        "image": f"images/{study_id}.png",
        "view": study.technique.view,
        "sex": patient.anatomy.sex,
        "offset_days": study.offset_days,
        "infection_cue": study.infection_cue,
        "findings": [
            {**_fact_row(fact), "is_visible": fact in picture.visible, "boxes": [box_row(box) for box in boxes]}
            for fact, boxes in zip(study.facts, picture.boxes, strict=True)
        ],
        "report": report.text,
        "triplets": [triplet_row(triplet) for triplet in report.triplets],
    }


def _fact_row(fact: Fact) -> Json:
    return {
        "name": fact.name,
        "side": fact.side,
        "zone": fact.zone,
        "severity": fact.severity,
        "subtype": fact.subtype,
        "certainty": fact.certainty,
        "course": fact.course,
    }


def _warn_of_missing(world: PhantomWorld, ledger: Ledger, *, split: str) -> None:
    missing = [kind for kind, share in world.kinds.items() if share > 0 and not ledger.asked.get(kind)]
    if missing:
        _LOG.warning(
            "split %s holds no question of kind %s: this world's findings give no cause to ask them, or too few "
            "questions were wanted. The other kinds took their share.",
            split,
            ", ".join(missing),
        )


def _check(world: PhantomWorld, *, splits: Mapping[str, int], layout: str, num_workers: int) -> None:
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}; known layouts are {', '.join(LAYOUTS)}.")
    if num_workers < 1:
        raise ConfigError(f"num_workers is {num_workers}; it must be at least 1.")
    if not splits:
        raise ConfigError(f"no split was asked for. Name a number of questions for one or more of {', '.join(SPLITS)}.")
    for split, num_questions in splits.items():
        if split not in SPLITS:
            raise ConfigError(f"split {split!r} is not known; splits are {', '.join(SPLITS)}.")
        if num_questions < 1:
            raise ConfigError(f"split {split!r} is to hold {num_questions} questions; it must be at least 1.")
    if "ood" in splits and not world.has_zones_held_out:
        raise ConfigError(
            f"the ood split shows findings in zones that training never does, but none of {', '.join(world.findings)} "
            "has such a zone. Add consolidation, lung lesion, atelectasis or lung opacity, or leave the split out."
        )
