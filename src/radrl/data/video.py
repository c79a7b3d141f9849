"""Videos as the frames that are shown of them: each becomes images, which every model that sees takes.

A `<video>` mark in a question stands for its frames, one after the other. Models that have positions in time for videos
(Qwen's) are given none: their passes share prompts between completions, which positions in time are not written for.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, cast

from PIL import Image, ImageSequence, UnidentifiedImageError

from radrl.config.data import DataConfig
from radrl.data.adapters import fields
from radrl.data.media import stored
from radrl.data.rows import Row
from radrl.errors import DataError
from radrl.types import IMAGE_MARK, ImageRef

VIDEO_MARK = "<video>"
"""Where a video stands in a question."""
FORMS = (
    "a folder of frames, a file of several (GIF, PNG, TIFF, WebP), a video file, a list of images, or an object with "
    "one of these as `frames` and its frames a second as `fps`"
)
"""What a video may be in a row."""

_STILL_MS = 100.0
"""How long a frame of an animation is shown that does not say so: what browsers take."""
_MANY_FRAMES = frozenset({".gif", ".png", ".apng", ".tif", ".tiff", ".webp"})
_FRAME_FILES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".dicom"})
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video before its frames are chosen.

    Example: 3 s at 10 frames a second has `starts=(0.0, 0.1, ..., 2.9)`
    """

    starts: Sequence[float] | None
    """When each frame begins, in seconds from the first; None for frames without times, of which each counts."""
    num_frames: int
    pick: Callable[[Sequence[int]], Sequence[ImageRef]]
    """The frames at these places, which are in order."""


def with_videos(
    question: str, pictures: Sequence[ImageRef], row: Row, config: DataConfig
) -> tuple[str, tuple[ImageRef, ...]]:
    """Put the frames of a row's videos into its question, which has its `<image>` marks, and among its images.

    A question without a `<video>` mark gets them in front. Raises: DataError for a video that is not there or cannot be
    read, and when the question has not one mark a video.
    """
    values = _videos(row, config)
    num_marks = question.count(VIDEO_MARK)
    if not values and not num_marks:
        return question, tuple(pictures)
    if num_marks == 0:
        question = VIDEO_MARK * len(values) + question
    elif num_marks != len(values):
        raise DataError(
            f"{row.origin}: the question has {num_marks} {VIDEO_MARK} marks, but the row has {len(values)} videos. "
            "Write one mark a video, or none at all to have them put in front."
        )
    videos = iter([_frames(value, row, config) for value in values])
    images = iter(pictures)
    text: list[str] = []
    shown: list[ImageRef] = []
    for piece in re.split(f"({IMAGE_MARK}|{VIDEO_MARK})", question):
        frames = [next(images)] if piece == IMAGE_MARK else next(videos) if piece == VIDEO_MARK else None
        text.append(piece if frames is None else IMAGE_MARK * len(frames))
        shown += frames or ()
    return "".join(text), tuple(shown)


def choose_frames(clip: Clip, *, fps: float, most: int) -> list[int]:
    """Places of the frames on show at 0, 1/fps, 2/fps ... seconds, each once; of more than `most`, evenly spread ones.

    Example: 3 s at 10 frames a second, at 2 a second, are frames 0, 5, 10, 15, 20 and 25; at most 3 of them 0, 10, 25.
    """
    places = list(range(clip.num_frames))
    if clip.starts is not None:
        ticks = int((clip.starts[-1] + _ROUNDING_S) * fps) + 1
        on_show = (bisect_right(clip.starts, tick / fps + _ROUNDING_S) - 1 for tick in range(ticks))
        places = list(dict.fromkeys(on_show))
    if len(places) <= most:
        return places
    if most == 1:
        return places[:1]
    return [places[index * (len(places) - 1) // (most - 1)] for index in range(most)]


def _videos(row: Row, config: DataConfig) -> tuple[object, ...]:
    """One value a video; a list of lists, or of anything that is a video by itself."""
    return row.values(config.video_key)


def _frames(value: object, row: Row, config: DataConfig) -> Sequence[ImageRef]:
    native: float | None = None
    if isinstance(value, dict):
        given = cast("Mapping[str, object]", value)
        value, rate = given.get("frames", given.get("path")), given.get("fps")
        if rate is not None and (not isinstance(rate, (int, float)) or rate <= 0):
            row.refuse(config.video_key, given, "a video whose `fps` is a number over 0")
        native = float(rate) if isinstance(rate, (int, float)) else None
    clip = _open(value, row, config, native=native)
    return clip.pick(choose_frames(clip, fps=config.video_fps, most=config.max_video_frames))


def _open(value: object, row: Row, config: DataConfig, *, native: float | None) -> Clip:
    folder = Path(config.image_dir) if config.image_dir is not None else row.file.parent
    if isinstance(value, list):
        return _of_images(cast("list[object]", value), row, config, native=native)
    if not isinstance(value, str):
        row.refuse(config.video_key, value, FORMS)
    path = folder / value
    if path.is_dir():
        names = sorted((each for each in path.iterdir() if each.suffix.lower() in _FRAME_FILES), key=_by_number)
        if not names:
            _refuse(row, config, f"folder {path} holds no frame ({', '.join(sorted(_FRAME_FILES))})")
        return _of_images([str(each.absolute()) for each in names], row, config, native=native)
    if not path.is_file():
        _refuse(row, config, f"{path} does not exist. Correct the row, or set data.image_dir")
    try:
        opened = _animation(path) if path.suffix.lower() in _MANY_FRAMES else _film(path)
    except DataError as error:
        _refuse(row, config, str(error).rstrip("."))
    return opened if native is None else _at_rate(opened, native)


def _refuse(row: Row, config: DataConfig, reason: str) -> NoReturn:
    raise DataError(f"{row.origin}: field {config.video_key!r}: {reason}.")


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Frames in the order that a person counts them: 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def _of_images(values: Sequence[object], row: Row, config: DataConfig, *, native: float | None) -> Clip:
    if not values:
        _refuse(row, config, "a video without a frame. Leave it out")
    starts = None if native is None else [number / native for number in range(len(values))]

    def pick(places: Sequence[int]) -> Sequence[ImageRef]:
        return fields.images(row, [values[place] for place in places], field=config.video_key, config=config)

    return Clip(starts=starts, num_frames=len(values), pick=pick)


def _at_rate(clip: Clip, native: float) -> Clip:
    starts = [number / native for number in range(clip.num_frames)]
    return Clip(starts=starts, num_frames=clip.num_frames, pick=clip.pick)


def _animation(path: Path) -> Clip:
    starts: list[float] = []
    now = 0.0
    try:
        with Image.open(path) as image:
            for frame in ImageSequence.Iterator(image):
                frame.load()
                starts.append(now)
                now += (frame.info.get("duration") or _STILL_MS) / 1000
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be read as frames ({error}). Replace it.") from error

    def pick(places: Sequence[int]) -> Sequence[ImageRef]:
        with Image.open(path) as image:
            return _keep(frame for at, frame in enumerate(ImageSequence.Iterator(image)) if at in set(places))

    return Clip(starts=starts, num_frames=len(starts), pick=pick)


def _film(path: Path) -> Clip:
    """A video file, decoded by PyAV: once for the times of its frames, once more for those that are chosen."""
    if find_spec("av") is None:
        raise DataError(
            f"{path} is a video file, which PyAV decodes, and that is not installed. Run pip install av, or write the "
            "frames into a folder."
        )
    av: Any = import_module("av")
    try:
        with av.open(str(path)) as container:
            times = [frame.time for frame in container.decode(video=0)]
    except (av.error.FFmpegError, IndexError) as error:
        raise DataError(f"{path} cannot be decoded as a video ({error}). Replace it.") from error
    if not times:
        raise DataError(f"{path} is a video without a frame. Replace it.")

    def pick(places: Sequence[int]) -> Sequence[ImageRef]:
        with av.open(str(path)) as container:
            frames = enumerate(container.decode(video=0))
            return _keep(frame.to_image() for at, frame in frames if at in set(places))

    starts = None if None in times else [time - times[0] for time in times]
    return Clip(starts=starts, num_frames=len(times), pick=pick)


def _keep(frames: Iterable[Image.Image]) -> list[ImageRef]:
    """Write each frame to the cache folder, once for all rows and runs."""
    refs: list[ImageRef] = []
    for frame in frames:
        file = io.BytesIO()
        (frame if frame.mode in ("L", "I;16") else frame.convert("RGB")).save(file, "PNG")
        refs.append(stored(file.getvalue()))
    return refs
