"""MIMIC-CXR-VQA: lists of questions whose answers are lists of lower-case words, and films in MIMIC-CXR-JPG's tree."""

import json
from pathlib import Path
from typing import Final, NamedTuple, cast

from radrl.phantom.exporters.identifiers import mimic_film_id, patient_digits, study_digits
from radrl.phantom.exporters.mimic_tree import film_place, write_tree
from radrl.phantom.items import Item
from radrl.phantom.lots import Lot, Shown
from radrl.phantom.rows import Json, write_list

_FILES: Final = {"train": "train", "val": "valid"}


class _Form(NamedTuple):
    """What the data set calls a question: how it is answered, and what it is about."""

    semantic_type: str
    content_type: str


_FORMS: Final = {
    "presence": _Form("verify", "presence"),
    "closed": _Form("choose", "abnormality"),
    "open": _Form("query", "abnormality"),
    "list": _Form("query", "abnormality"),
    "location": _Form("choose", "anatomy"),
    "severity": _Form("choose", "attribute"),
    "view": _Form("choose", "plane"),
}
"""Question kind -> its form. Kinds of this data set's own say theirs in their columns; others have none."""


def write(out: Path, lot: Lot) -> Path:
    """`{train,valid,test}.json`, the same without answers under a name with `_` in front, and the tree of films.

    Questions that the data set has no form for (about two films, reports, boxes) are not written.
    """
    films = {film.study_id: film for film in lot.films}
    items = [item for item in lot.items if form_of(item) is not None and len(item.image_ids) == 1]
    write_tree(out, {item.image_ids[0]: films[item.image_ids[0]] for item in items}.values())
    name = _FILES.get(lot.split, "test")
    path = out / f"{name}.json"
    rows = cast("list[Json]", json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    for item in items:
        rows.append(_row(item, films[item.image_ids[0]], split=name, idx=len(rows)))
    unanswered = [{key: value for key, value in row.items() if key != "answer"} for row in rows]
    write_list(out / f"_{name}.json", unanswered)
    return write_list(path, rows)


def form_of(item: Item) -> _Form | None:
    """What the data set calls the question; None where it has no such."""
    own = item.question.columns
    if "semantic_type" in own and "content_type" in own:
        return _Form(str(own["semantic_type"]), str(own["content_type"]))
    return _FORMS.get(item.question.kind)


def _row(item: Item, film: Shown, *, split: str, idx: int) -> Json:
    form = form_of(item)
    assert form is not None
    own = item.question.columns
    return {
        "split": split,
        "idx": idx,
        "subject_id": patient_digits(film),
        "study_id": study_digits(film),
        "image_id": mimic_film_id(film),
        "image_path": film_place(film).removeprefix("files/"),
        "question": item.question.text,
        "semantic_type": form.semantic_type,
        "content_type": form.content_type,
        "template": own.get("template", item.question.text),
        "template_program": own.get("template_program", ""),
        "template_arguments": own.get("template_arguments", {}),
        "answer": [answer.lower() for answer in item.answer],
    }
