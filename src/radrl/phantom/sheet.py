"""A labelled contact sheet: one film for each finding, with its boxes, to look at the world before training in it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from radrl.phantom.render import Layer, Pixels, develop, draw_layer, exposed, lay_film
from radrl.phantom.sampling import DEVICES, draw_fact, draw_patient, generator
from radrl.phantom.scene import Fact, Patient
from radrl.phantom.visibility import is_visible
from radrl.phantom.wording import affirm
from radrl.phantom.world import PhantomWorld

_NUM_COLUMNS: Final = 6
_CAPTION_PX: Final = 18
_GAP_PX: Final = 4
_NOTE: Final = "Phantom radiographs. Research software, not for clinical use."
_BOX_COLOUR: Final = (255, 196, 0)
_TEXT_COLOUR: Final = (235, 235, 235)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    pixels: Pixels
    layers: tuple[Layer, ...]
    caption: str


def draw_sheet(world: PhantomWorld, path: Path, *, tile_px: int = 256) -> Path:
    """Write a PNG with two healthy chests (PA, AP) and each finding of the world in each of its severities.

    `tile_px` is the size a film is shown at; it is drawn at the world's own size and enlarged without smoothing.
    """
    tiles = list(_tiles(world))
    num_rows = -(-len(tiles) // _NUM_COLUMNS)
    step_x, step_y = tile_px + _GAP_PX, tile_px + _CAPTION_PX + _GAP_PX
    sheet = Image.new("RGB", (_NUM_COLUMNS * step_x + _GAP_PX, num_rows * step_y + _CAPTION_PX + _GAP_PX))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, _NUM_COLUMNS)
        picture = _labelled(tile, tile_px=tile_px)
        sheet.paste(picture, (_GAP_PX + column * step_x, _GAP_PX + row * step_y))
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP_PX, num_rows * step_y + _GAP_PX), _NOTE, fill=_TEXT_COLOUR, font=ImageFont.load_default(13))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def _tiles(world: PhantomWorld) -> Iterator[_Tile]:
    patients = _patients(world)
    for view in ("PA", "AP"):
        patient = next(p for p in patients if p.studies[0].technique.view == view)
        yield _tile(world, patient, (), caption=f"{view}, no finding")
    for fact in _examples(world):
        patient = next(patients)
        seen = affirm(fact, style="short").text
        yield _tile(world, patient, (fact,), caption=f"{patient.studies[0].technique.view}, {seen}")


def _patients(world: PhantomWorld) -> Iterator[Patient]:
    index = 0
    while True:
        yield draw_patient(world, index, split="train")
        index += 1


def _examples(world: PhantomWorld) -> Iterator[Fact]:
    rng = generator(world, 0, purpose="sheet")
    for name in (name for name in world.findings if name not in ("pneumonia", "support devices")):
        for severity in world.severities:
            yield replace(draw_fact(world, rng, name=name, split="train"), severity=severity, certainty="present")
    if "support devices" in world.findings:
        for device in DEVICES:
            fact = draw_fact(world, rng, name="support devices", split="train")
            side = None if device in ("endotracheal tube", "enteric tube") else fact.side or "left"
            yield replace(fact, subtype=device, side=side)


def _tile(world: PhantomWorld, patient: Patient, facts: tuple[Fact, ...], *, caption: str) -> _Tile:
    technique = patient.studies[0].technique
    film = lay_film(patient.anatomy, technique, size_px=world.size_px, difficulty=world.difficulty)
    layers = tuple(draw_layer(film, fact) for fact in facts)
    shown = exposed(film, layers)
    hidden = [layer for layer in layers if not is_visible(film, layers, layer, shown=shown)]
    return _Tile(pixels=develop(film, shown), layers=layers, caption=caption + (" (not visible)" if hidden else ""))


def _labelled(tile: _Tile, *, tile_px: int) -> Image.Image:
    film = Image.fromarray(tile.pixels).convert("RGB").resize((tile_px, tile_px), Image.Resampling.NEAREST)
    picture = Image.new("RGB", (tile_px, tile_px + _CAPTION_PX))
    picture.paste(film, (0, 0))
    pen = ImageDraw.Draw(picture)
    for box in (box for layer in tile.layers for box in layer.boxes):
        corners = [round(tile_px * corner) for corner in (box.x0, box.y0, box.x1, box.y1)]
        pen.rectangle(corners, outline=_BOX_COLOUR)
    pen.text((2, tile_px + 2), tile.caption, fill=_TEXT_COLOUR, font=ImageFont.load_default(12))
    return picture
