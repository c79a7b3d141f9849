"""Samples from files."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jinja2

from radrl.config.data import DataConfig
from radrl.data.adapters import chex_phi4mm, cx_mind
from radrl.data.kept import FilmNames
from radrl.data.sources import Row, rows_of
from radrl.errors import ConfigError, DataError
from radrl.graph.cache import default_folder
from radrl.types import IMAGE_MARK, Sample

ADAPTERS: Mapping[str, Callable[[Row, DataConfig, FilmNames], Sample]] = {
    "cx_mind": cx_mind.to_sample,
    "chex_phi4mm": chex_phi4mm.to_sample,
}
"""Layout name -> what reads a row of it."""


def load_samples(sources: Sequence[str], config: DataConfig) -> list[Sample]:
    """Read every row of the sources, in order, the format prompt around each question.

    Every image file that is new or changed is read, checked and hashed. Raises DataError for the first bad row, and for
    an id that stands twice.
    """
    return samples_of(((source, row) for source in sources for row in rows_of(source)), config)


def samples_of(rows: Iterable[tuple[str, Row]], config: DataConfig) -> list[Sample]:
    """The same of rows that are at hand, each with the source that it is of; they may hold Pillow images."""
    adapter = ADAPTERS[config.layout]
    wrap = question_wrapper(config.format_prompt)
    films = FilmNames(default_folder())
    samples: dict[str, Sample] = {}
    for source, row in rows:
        sample = replace(wrap(adapter(row, config, films)), source=source)
        if sample.id in samples:
            raise DataError(
                f"{sample.origin}: the id {sample.id!r} stands already at {samples[sample.id].origin}. "
                "Give every row its own."
            )
        samples[sample.id] = sample
    films.save()
    return list(samples.values())


def question_wrapper(file: str | None) -> Callable[[Sample], Sample]:
    """What puts a Jinja file around a sample's question: it receives `content` and the `kind` of the question.

    It may include other files of its folder.
    """
    if file is None:
        return lambda sample: sample
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(file).parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=False,
    )
    try:
        template = environment.from_string(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, jinja2.TemplateSyntaxError) as error:
        raise ConfigError(f"format prompt {file} (data.format_prompt) cannot be read: {error}. Correct it.") from error

    def wrap(sample: Sample) -> Sample:
        try:
            question = template.render(content=sample.question, kind=sample.kind).strip()
        except jinja2.TemplateError as error:
            raise ConfigError(
                f"format prompt {file} (data.format_prompt) fails: {error}. It gets `content` and `kind`."
            ) from error
        if question.count(IMAGE_MARK) != len(sample.images):
            raise ConfigError(
                f"format prompt {file} (data.format_prompt) turns {len(sample.images)} {IMAGE_MARK} marks of "
                f"{sample.origin} into {question.count(IMAGE_MARK)}. Let it write `content` exactly once."
            )
        return replace(sample, question=question)

    return wrap
