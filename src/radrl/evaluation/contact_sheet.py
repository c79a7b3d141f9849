"""One film under every perturbation, so that a reader sees what was done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from radrl.config.evaluation import PerturbationName
from radrl.data.images import open_image
from radrl.data.perturb import Perturbation
from radrl.errors import DataError
from radrl.types import ImageRef

_TILE_PX: Final = 240
_GAP_PX: Final = 8
_CAPTION_PX: Final = 20
_NUM_COLUMNS: Final = 3
_BACKGROUND: Final = (24, 24, 24)
_TEXT_COLOUR: Final = (220, 220, 220)


def contact_sheet(film: ImageRef, names: Sequence[PerturbationName], *, level: int, seed: int) -> Image.Image:
    """The film as it is, then perturbed in each way as in the evaluation, with the amount that was drawn for it."""
    picture = open_image(film)
    tiles = [(picture, "as it is")]
    for name in names:
        perturbation = Perturbation.drawn(name, level=level, seed=seed, film=film)
        tiles.append((perturbation.apply(picture), name if name == "flip" else f"{name} {perturbation.amount:.3g}"))
    step = _TILE_PX + _GAP_PX
    num_rows = -(-len(tiles) // _NUM_COLUMNS)
    sheet = Image.new("RGB", (_NUM_COLUMNS * step + _GAP_PX, num_rows * (step + _CAPTION_PX) + _GAP_PX), _BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (tile, caption) in enumerate(tiles):
        left = _GAP_PX + number % _NUM_COLUMNS * step
        top = _GAP_PX + number // _NUM_COLUMNS * (step + _CAPTION_PX)
        tile.thumbnail((_TILE_PX, _TILE_PX))
        sheet.paste(tile, (left, top))
        pen.text((left, top + _TILE_PX + 2), caption, fill=_TEXT_COLOUR, font=font)
    return sheet


def write_contact_sheet(
    path: Path, film: ImageRef, names: Sequence[PerturbationName], *, level: int, seed: int
) -> None:
    """Write the sheet as PNG. Raises DataError where the disk refuses."""
    try:
        contact_sheet(film, names, level=level, seed=seed).save(path)
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}). Make room there or set out=.") from error
