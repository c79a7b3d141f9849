"""Films in a folder of their own, named by their study."""

from pathlib import Path

from radrl.phantom.lots import Lot


def write_films(out: Path, lot: Lot) -> None:
    """`OUT/images/{study_id}.png`."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    for film in lot.films:
        (out / "images" / f"{film.study_id}.png").write_bytes(film.picture.png)
