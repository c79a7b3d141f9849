"""Composes `radrl reader-study export` and `radrl reader-study import`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from rich.console import Console
from rich.table import Table

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.durable import write_atomically
from radrl.errors import ConfigError, DataError
from radrl.evaluation.intervals import Bootstrap
from radrl.reader_study.axes import NAMES
from radrl.reader_study.export import KEY_FOLDER, RATERS_FOLDER, Rated, export, read_evaluations
from radrl.reader_study.key import read_key
from radrl.reader_study.page import write_page
from radrl.reader_study.results import Results, results
from radrl.reader_study.sheets import FILE, read_sheet
from radrl.types import ImageRef

LAYOUTS = ("cx_mind", "chex_phi4mm")


def export_study(
    out: Path,
    evaluations: Sequence[Path],
    *,
    questions: int = 50,
    raters: int = 2,
    seed: int = 0,
    repeat: float = 0.1,
    data: Sequence[str] = (),
    layout: str = "cx_mind",
    image_dir: str | None = None,
) -> Path:
    """Write a study of the answers in evaluations to `out`, which must be new or empty, and return it.

    Films are where the evaluations found them; with `data` they are where the rows of these files say.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout is {layout!r}. Choose one of {', '.join(LAYOUTS)}.")
    if questions < 1 or raters < 1 or not 0 <= repeat <= 1:
        raise ConfigError(
            f"{questions} questions, {raters} raters and a repeated share of {repeat} make no study. Give at least one "
            "of each, and a share from 0 to 1."
        )
    if out.exists() and any(out.iterdir()):
        raise DataError(f"{out} is not empty, and a study that is under way must not change. Name a new folder.")
    rated = read_evaluations(evaluations)
    rows = DataConfig(layout=cast("Literal['cx_mind', 'chex_phi4mm']", layout), image_dir=image_dir)
    key = export(
        out,
        rated,
        _images(rated, data, rows),
        num_questions=questions,
        raters=[f"rater-{number}" for number in range(1, raters + 1)],
        repeat_share=repeat,
        seed=seed,
    )
    Console().print(
        f"{len(key.questions)} questions x {len(key.models)} models for {raters} raters. Send each their own folder in "
        f"{out / RATERS_FOLDER}; keep {out / KEY_FOLDER} to yourself."
    )
    return out


def import_study(out: Path, *, resamples: int = 1000, seed: int = 0) -> Path:
    """Read the sheets of a study, write `ratings.json` and `ratings.html` into its folder and print the means.

    Raises DataError for a sheet that breaks the rules (file, line and field), or when no mark was given at all.
    """
    key = read_key(out / KEY_FOLDER)
    ratings = {
        rater: read_sheet(out / RATERS_FOLDER / rater / FILE, [item.code for item in items])
        for rater, items in key.sheets.items()
    }
    if all(mark is None for sheet in ratings.values() for marks in sheet.values() for mark in marks.values()):
        raise DataError(f"no sheet below {out / RATERS_FOLDER} holds a mark. Put the filled ones there.")
    found = results(key, ratings, bootstrap=Bootstrap(resamples=resamples, seed=seed))
    write_atomically(out / "ratings.json", json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    Console().print(ratings_table(found))
    return write_page(out / "ratings.html", found)


def ratings_table(found: Results) -> Table:
    """Mean mark of every model, axis by axis, and how far the raters agree on it."""
    missing = sum(num for axes in found.counts.missing.values() for num in axes.values())
    table = Table("axis", "model", "mean, 1 to 5", "95 % interval", "answers", title="Reader study")
    for axis in NAMES:
        for model, ratings in found.models.items():
            rating = ratings[axis]
            table.add_row(axis, model, *rating.mean.cells(digits=2), str(rating.num_answers))
        for name, agreement in found.inter_rater[axis].items():
            table.add_row("", f"agreement of raters, {name}", *agreement.cells(digits=2), "")
        table.add_section()
    table.caption = f"{missing} marks are missing. Research software, not for clinical use."
    return table


def _images(rated: Sequence[Rated], data: Sequence[str], rows: DataConfig) -> dict[str, tuple[ImageRef, ...]]:
    """Films of every question, by its id. Raises DataError where data or a film are gone."""
    paths = {id_: record.images for id_, record in rated[0].records.items()}
    if not data and all(of_question is not None for of_question in paths.values()):
        return {
            id_: tuple(ImageRef(path=path, sha256="") for path in of_question or ())
            for id_, of_question in paths.items()
        }
    sources = list(data) or list(rated[0].data)
    if not sources:
        raise DataError(
            f"{rated[0].model.evaluation} names neither films nor data. Give the evaluated files with --data."
        )
    try:
        found = {sample.id: sample.images for sample in load_samples(sources, rows)}
    except DataError as error:
        raise DataError(f"the films cannot be found: {error} --data, --layout and --image-dir say where.") from error
    gone = [id_ for id_ in paths if id_ not in found]
    if gone:
        raise DataError(
            f"{len(gone)} questions of {rated[0].model.evaluation} are not in {', '.join(sources)}, the first "
            f"{gone[0]!r}. Give the evaluated files with --data."
        )
    return found
