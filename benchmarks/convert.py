"""How fast data sets become training rows, and what memory that takes at ten thousand rows and at a hundred thousand.

python benchmarks/convert.py

The data sets are made up in their publishers' layouts: questions in a JSON list (MIMIC-CXR-VQA), a table of labels
(CheXpert), and tables that are joined by film and study (MIMIC-CXR-JPG with sectioned reports). Films are empty files,
for a conversion opens none of these. Each conversion runs in a process of its own, whose peak memory is measured.
"""

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from record import facts, facts_line, load, save, table

from radrl.data.adapters.label_spaces import label_space

NAME = "convert"
ONE = Path(__file__).with_name("convert_once.py")
SIZES = (10_000, 100_000)
ROWS_A_FILM = {"mimic_cxr_vqa": 20, "chexpert": 8, "mimic_cxr_jpg": 9}
"""Rows that each film of the made-up sets gives."""


def write_mimic_cxr_vqa(folder: Path, num_films: int) -> None:
    """Twenty questions a film."""
    films = [mimic_film(folder, number) for number in range(num_films)]
    rows = [
        {
            "split": "train",
            "idx": number * 20 + place,
            "subject_id": 19990000 + number // 3,
            "study_id": 59990000 + number,
            "image_id": film.stem,
            "image_path": str(film.relative_to(folder / "files")),
            "question": f"is there any atelectasis in the left lung, question {place}?",
            "semantic_type": "query" if place % 4 == 0 else "verify",
            "content_type": "presence",
            "template": "is there any ${attribute} in the ${object}?",
            "template_program": "program_2",
            "template_arguments": {"object": {"0": "left lung"}, "attribute": {"0": "atelectasis"}},
            "answer": ["linear/patchy atelectasis", "lung opacity"] if place % 4 == 0 else ["yes"],
        }
        for number, film in enumerate(films)
        for place in range(20)
    ]
    (folder / "train.json").write_text(json.dumps(rows), encoding="utf-8")


def write_chexpert(folder: Path, num_films: int) -> None:
    """Seven labels and a view a film."""
    labels = list(label_space("chexpert_14"))
    rows: list[Sequence[object]] = []
    for number in range(num_films):
        path = f"train/patient{number // 3:05d}/study{number % 3 + 1}/view1_frontal.jpg"
        touch(folder / path)
        values = ["" if place % 2 == 0 else float(place % 3 == 0) for place in range(len(labels))]
        rows.append([f"CheXpert-v1.0/{path}", "Female", 60, "Frontal", "AP", *values])
    write_table(folder / "train.csv", ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *labels], rows)


def write_mimic_cxr_jpg(folder: Path, num_films: int) -> None:
    """Seven labels, a view and a report a film."""
    films = [mimic_film(folder, number) for number in range(num_films)]
    ids = [(film.stem, 19990000 + number // 3, 59990000 + number) for number, film in enumerate(films)]
    labels = [name for name in label_space("mimic_cxr_14") if name != "Airspace Opacity"]
    values = ["" if place % 2 == 0 else float(place % 3 == 0) for place in range(len(labels))]
    meta = (
        "dicom_id",
        "subject_id",
        "study_id",
        "ViewPosition",
        "StudyDate",
        "StudyTime",
        "ViewCodeSequence_CodeMeaning",
    )
    text = "The heart is large. There is hazy opacity at both bases with small effusions. No pneumothorax."
    tables = {
        "metadata": (meta, [(*one, "AP", 21800506, 213014.5, "antero-posterior") for one in ids]),
        "split": (("dicom_id", "study_id", "subject_id", "split"), [(f, s, p, "train") for f, p, s in ids]),
        "chexpert": (("subject_id", "study_id", *labels), [(p, s, *values) for _, p, s in ids]),
    }
    for name, (header, rows) in tables.items():
        write_table(folder / f"mimic-cxr-2.0.0-{name}.csv.gz", header, rows)
    header = ("study", "impression", "findings", "last_paragraph", "comparison")
    write_table(folder / "mimic_cxr_sectioned.csv", header, [(f"s{s}", "Edema.", text, "", "") for _, _, s in ids])


WRITERS: Mapping[str, Callable[[Path, int], None]] = {
    "mimic_cxr_vqa": write_mimic_cxr_vqa,
    "chexpert": write_chexpert,
    "mimic_cxr_jpg": write_mimic_cxr_jpg,
}


def mimic_film(folder: Path, number: int) -> Path:
    patient = f"p{19990000 + number // 3}"
    path = folder / "files" / "p19" / patient / f"s{59990000 + number}" / f"1999{number:04x}-0-0-0-0.jpg"
    touch(path)
    return path


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def measure() -> dict[str, Any]:
    results: dict[str, Any] = {"facts": facts(), "runs": []}
    for name, write in WRITERS.items():
        for size in SIZES:
            with tempfile.TemporaryDirectory() as place:
                write(Path(place), size // ROWS_A_FILM[name])
                command = [sys.executable, str(ONE), name, place]
                line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            results["runs"].append({"data_set": name, **json.loads(line)})
            print(line, flush=True)
    return results


def page(results: Mapping[str, Any]) -> str:
    rows = [
        [
            run["data_set"],
            f"{run['rows']:,}",
            f"{run['rows'] / run['busy_s']:,.0f}",
            f"{run['before_mib']:.0f}",
            f"{run['peak_mib']:.0f}",
        ]
        for run in results["runs"]
    ]
    header = ("data set", "rows", "rows a second of processor time", "MiB before", "MiB at the peak")
    return f"""# Converting data sets

`python benchmarks/convert.py`, one process, made-up data sets in their publishers' layouts, films not opened.

{facts_line(results["facts"])}

{table(header, rows)}

Memory has a bound that does not depend on the number of rows: tables are read as streams, and what has to be looked up
or checked for doubles (splits by film, labels by study, ids, patients) lies in temporary files, of each of which one
or two MiB are held. What a hundred thousand rows take beyond ten thousand is these caches, which are full by then.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--page", action="store_true", help="write the page from the results that are there")
    options = parser.parse_args()
    results = load(NAME) if options.page else measure()
    save(NAME, results, page(results))


if __name__ == "__main__":
    main()
