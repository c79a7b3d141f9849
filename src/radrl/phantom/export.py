"""Writes a world to disk: films and questions in the layout asked for, and the scenes behind them.

OUT/images/p19990000000-s0.png
OUT/{split}.jsonl (CX-Mind), or OUT/{split}.json and OUT/annotations/{split}.json (CheX-Phi4MM)
OUT/scenes/{split}.jsonl

Other layouts have the files and folders of their data set in place of the first two.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radrl.errors import ConfigError, DataError
from radrl.phantom.balance import Ledger
from radrl.phantom.coning import coned
from radrl.phantom.items import Item, ask_study, study_id_of
from radrl.phantom.layouts import writer
from radrl.phantom.lots import Lot, Shown, show
from radrl.phantom.picturing import Pictured
from radrl.phantom.pool import DrawingPool
from radrl.phantom.rows import Json, box_row, triplet_row, write_jsonl
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

    Twin rows come on top of that number, each right after the row whose twin it is. A split's films are held in memory
    until it is written. The files are the same whatever the number of workers. They are the same from run to run and
    process to process on one machine; another processor may round the last bit of a pixel differently.

    Raises: ConfigError for an unknown split or layout, or a world without what a split needs; DataError when the
    world's findings are too faint to ask about.
    """
    write = writer(layout)
    _check(world, splits=splits, num_workers=num_workers)
    (out / "scenes").mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    with DrawingPool(world, num_workers=num_workers) as pool:
        for split, num_questions in splits.items():
            lot = _draw_lot(world, pool, split=split, num_questions=num_questions, progress=progress)
            files[split] = write(out, lot)
            write_jsonl(out / "scenes" / f"{split}.jsonl", (_scene_row(film) for film in lot.films))
    return files


def _draw_lot(
    world: PhantomWorld, pool: DrawingPool, *, split: str, num_questions: int, progress: Progress | None
) -> Lot:
    items: list[Item] = []
    films: dict[str, Shown] = {}
    for asked in ask_patients(world, pool.patients(split=split), split=split, num_questions=num_questions):
        items += asked.items
        for film in _films(world, asked):
            films.setdefault(film.study_id, film)
        if progress is not None:
            progress(split, sum(not item.is_twin for item in asked.items))
    return Lot(split=split, items=tuple(items), films=tuple(films.values()), world=world)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A study with what is asked about it.

    Example: `Asked(pictured=Pictured(...), prior=None, items=(Item(...),))`
    """

    pictured: Pictured
    prior: Pictured | None
    """The patient's study before it."""
    items: tuple[Item, ...]


def ask_patients(
    world: PhantomWorld, patients: Iterable[tuple[Pictured, ...]], *, split: str, num_questions: int
) -> Iterator[Asked]:
    """Studies in order, with what is asked about each, until there are enough questions.

    Raises DataError when nothing can be asked about hundreds of patients in a row.
    """
    ledger = Ledger(world, split=split)
    num_left, num_dry = num_questions, 0
    for patient in patients:
        num_dry += 1
        for prior, pictured in zip((None, *patient), patient, strict=False):
            items = tuple(ask_study(world, ledger, pictured, prior=prior, at_most=num_left))
            if items:
                num_dry = 0
                num_left -= sum(not item.is_twin for item in items)
                yield Asked(pictured=pictured, prior=prior, items=items)
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


def _films(world: PhantomWorld, asked: Asked) -> Iterator[Shown]:
    """The films that the questions show, in order of time. A question without a film still names its study."""
    wanted = {study_id for item in asked.items for study_id in (item.study_id, *item.image_ids)}
    patient = asked.pictured.patient
    for picture in (asked.prior and asked.prior.original, asked.pictured.original):
        if picture is not None and (study_id := study_id_of(patient, picture.study.index)) in wanted:
            yield show(world, patient, picture, study_id=study_id)
    twin = asked.pictured.twin
    if twin is not None and (study_id := f"{study_id_of(patient, twin.study.index)}t") in wanted:
        yield show(world, patient, twin, study_id=study_id)
    for item in asked.items:
        if item.question.cone is not None:
            patch = coned(asked.pictured.original, item.question.cone)
            yield show(world, patient, patch, study_id=item.study_id)


def _scene_row(film: Shown) -> Json:
    study, patient, picture = film.study, film.patient, film.picture
    return {
        "study_id": film.study_id,
        "patient_id": patient.id,
        "image": f"images/{film.study_id}.png",
        "view": study.technique.view,
        "sex": patient.anatomy.sex,
        "offset_days": study.offset_days,
        "infection_cue": study.infection_cue,
        "findings": [
            {**_fact_row(fact), "is_visible": fact in picture.visible, "boxes": [box_row(box) for box in boxes]}
            for fact, boxes in zip(study.facts, picture.boxes, strict=True)
        ],
        "report": film.report.text,
        "triplets": [triplet_row(triplet) for triplet in film.report.triplets],
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


def _check(world: PhantomWorld, *, splits: Mapping[str, int], num_workers: int) -> None:
    if num_workers < 1:
        raise ConfigError(f"num_workers is {num_workers}; it must be at least 1.")
    if not splits:
        raise ConfigError(f"no split was asked for. Name a number of questions for one or more of {', '.join(SPLITS)}.")
    for split, num_questions in splits.items():
        if split not in SPLITS:
            raise ConfigError(f"split {split!r} is not known; splits are {', '.join(SPLITS)}.")
        if num_questions < 1:
            raise ConfigError(f"split {split!r} is to hold {num_questions} questions; it must be at least 1.")
    if "ood_crowded" in splits and not world.has_room_for_more:
        raise ConfigError(
            f"the ood_crowded split shows {world.max_findings + 1} findings a film, but {', '.join(world.findings)} "
            "are not that many. Add findings, lower max_findings, or leave the split out."
        )
    if "ood" in splits and not world.has_zones_held_out:
        raise ConfigError(
            f"the ood split shows findings in zones that training never does, but none of {', '.join(world.findings)} "
            "has such a zone. Add consolidation, lung lesion, atelectasis or lung opacity, or leave the split out."
        )
