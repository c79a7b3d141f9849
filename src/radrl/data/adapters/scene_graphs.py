"""Scene graphs of Chest ImaGenome: what is stated of each region of a film, and how that has gone on since another."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, cast

from radrl.data.rows import Row
from radrl.errors import DataError

ABNORMALITIES: Final = frozenset({"anatomicalfinding", "disease", "device", "tubesandlines"})
"""Categories of what can be wrong or put in; the others say how the film was taken or how a sentence reads."""
COURSES: Final[Mapping[str, str]] = {"improved": "improving", "no change": "stable", "worsened": "worsening"}
"""What a comparison is called in the graphs, and in questions about progression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a region of the body lies on the film.

    Example: `Region(name="left lung", corners=(1210.0, 310.0, 2120.0, 2040.0))`
    """

    name: str
    corners: tuple[float, float, float, float]
    """x0, y0, x1, y1 in pixels of the film itself, not of the padded 224-pixel copy. They may lie outside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a finding of a region has gone on.

    Example: `Comparison(region="left lung", finding="pleural effusion", course="worsening", earlier_id="0c1d...")`
    """

    region: str
    finding: str
    course: str
    """improving, stable or worsening."""
    earlier_id: str
    """The earlier film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneGraph:
    """One film's graph.

    Example: `SceneGraph(statements={("left lung", "pneumothorax"): False}, regions=(Region(...),), comparisons=())`
    """

    statements: Mapping[tuple[str, str], bool]
    """(region, finding) -> whether the last sentence that speaks of it says that it is there."""
    regions: tuple[Region, ...]
    comparisons: tuple[Comparison, ...]


class SceneGraphs:
    """The graphs of `scene_graph.zip`, or of the folder that it was unpacked to.

    Example: `with SceneGraphs(folder / "silver_dataset") as graphs: graphs.get("02aa804e-bde0afdd-...")`
    """

    def __init__(self, folder: Path) -> None:
        packed = folder / "scene_graph.zip"
        self._folder = folder / "scene_graph"
        try:
            self._archive = zipfile.ZipFile(packed) if packed.is_file() else None
        except zipfile.BadZipFile as error:
            raise DataError(f"{packed} is not a zip file that can be read ({error}). Fetch it again.") from error

    def get(self, film_id: str) -> SceneGraph | None:
        """The graph of a film; None where there is none. Raises DataError naming file and field for another form."""
        name = f"{film_id}_SceneGraph.json"
        file, content = self._folder / name, None
        if self._archive is not None:
            inside = [path for path in (f"scene_graph/{name}", name) if path in self._archive.NameToInfo]
            file = Path(str(self._archive.filename)) / name
            content = self._archive.read(inside[0]) if inside else None
        elif file.is_file():
            content = file.read_bytes()
        if content is None:
            return None
        return _graph(_parsed(content, file=file))

    def close(self) -> None:
        """Close the zip file."""
        if self._archive is not None:
            self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parsed(content: bytes, *, file: Path) -> Row:
    try:
        fields = json.loads(content.decode("utf-8-sig"))
    except ValueError as error:
        raise DataError(f"{file} is not JSON in UTF-8 ({error}). Fetch it again.") from error
    if not isinstance(fields, dict):
        raise DataError(f"{file} holds {type(fields).__name__}, not an object with named fields. Fetch it again.")
    return Row(fields=cast("dict[str, object]", fields), file=file, line=1)


def _graph(row: Row) -> SceneGraph:
    return SceneGraph(
        statements=dict(_statements(row)),
        regions=tuple(_regions(row)),
        comparisons=tuple(_comparisons(row)),
    )


def _statements(row: Row) -> Iterator[tuple[tuple[str, str], bool]]:
    """Sentence by sentence, so that in a dictionary a later one takes the place of an earlier one."""
    for item in _rows(row, "attributes"):
        if isinstance(item.fields.get("bbox_name"), str):
            region = item.text("bbox_name")
            for sentence in item.objects("attributes"):
                for category, is_there, name in _labels(item, sentence):
                    if category in ABNORMALITIES:
                        yield (region, name), is_there


def _regions(row: Row) -> Iterator[Region]:
    for item in _rows(row, "objects"):
        corners = [item.fields.get(f"original_{corner}") for corner in ("x1", "y1", "x2", "y2")]
        numbers = [float(corner) for corner in corners if isinstance(corner, (int, float))]
        if len(numbers) == 4:
            x0, y0, x1, y1 = numbers
            yield Region(name=item.text("bbox_name"), corners=(x0, y0, x1, y1))


def _comparisons(row: Row) -> Iterator[Comparison]:
    for item in _rows(row, "relationships"):
        courses = [
            COURSES[name]
            for category, is_so, name in _labels(item, list(item.objects("relationship_names")))
            if category == "comparison" and is_so and name in COURSES
        ]
        for category, is_there, finding in _labels(item, list(item.objects("attributes"))):
            if category in ABNORMALITIES and is_there:
                for course in courses:
                    yield Comparison(
                        region=item.text("bbox_name"),
                        finding=finding,
                        course=course,
                        earlier_id=item.text("object_id").partition("_")[0],
                    )


def _rows(row: Row, field: str) -> Iterator[Row]:
    for item in row.objects(field):
        if not isinstance(item, dict):
            row.refuse(field, item, "a list of objects with named fields")
        yield Row(fields=cast("dict[str, object]", item), file=row.file, line=row.line)


def _labels(row: Row, labels: object) -> Iterator[tuple[str, bool, str]]:
    """`anatomicalfinding|no|lung opacity` as its three parts; names may hold slashes."""
    for label in cast("list[object]", labels) if isinstance(labels, list) else [labels]:
        parts = str(label).split("|", maxsplit=2)
        if len(parts) != 3 or parts[1] not in ("yes", "no"):
            row.refuse("attributes", label, "a label like anatomicalfinding|no|lung opacity")
        yield parts[0], parts[1] == "yes", parts[2].strip().lower()
