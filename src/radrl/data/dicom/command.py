"""`radrl dicom`: what a DICOM film says of itself, and how it looks."""

from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.table import Table

from radrl.config.data import DicomPreset
from radrl.data.dicom import Dicom, read_dicom
from radrl.errors import ConfigError


def dicom(file: Path, *, out: Path | None = None, preset: str = "voi", console: Console | None = None) -> Path | None:
    """Print what was done with a film and, with `out`, write it as an 8-bit PNG."""
    if preset not in get_args(DicomPreset):
        raise ConfigError(f"--preset {preset} is none of {', '.join(get_args(DicomPreset))}.")
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out} does not end in .png, and films are written as PNG, which loses nothing.")
    found = read_dicom(file, cast("DicomPreset", preset))
    console = console or Console()
    console.print(described(found))
    for warning in found.warnings:
        console.print(f"look: {warning}", highlight=False)
    if out is None:
        return None
    out.parent.mkdir(parents=True, exist_ok=True)
    found.image.save(out)
    return out


def described(found: Dicom) -> Table:
    """A table of what the header says and of each step that was taken."""
    height, width = found.pixels.shape
    table = Table("", "", show_header=False)
    spacing = found.spacing
    steps = {
        "size": f"{width} x {height} pixels",
        "view": found.view or "unknown",
        "millimetres": f"{spacing.row_mm:.4g} x {spacing.column_mm:.4g} a pixel" if spacing else "none",
        "preset": found.preset,
        "grey values": found.window,
        "inverted": "yes, low values are white" if found.is_inverted else "no",
        "orientation": str(found.turn),
    }
    for name, value in steps.items():
        table.add_row(name, value)
    for note in found.notes:
        table.add_row("note", note)
    table.add_section()
    for keyword, value in found.meta.items():
        table.add_row(keyword, str(value))
    return table
