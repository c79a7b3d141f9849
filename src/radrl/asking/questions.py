"""The questions of an evaluation: the seeds' options for choosing them, in the terms of the data's own settings."""

from collections.abc import Iterator
from itertools import islice

from radrl.config.data import DataConfig
from radrl.config.evaluation import EvaluateConfig
from radrl.data.load import load_samples, samples_of
from radrl.data.rows import Row
from radrl.data.sources import rows_of
from radrl.errors import ConfigError
from radrl.types import Sample


def load_questions(config: EvaluateConfig) -> list[Sample]:
    """Questions of all files, of each the first `max_samples`. Raises DataError for the first row that is bad."""
    return samples_of(_rows(config), row_settings(config))


def load_train_questions(config: EvaluateConfig) -> list[Sample]:
    """What the model was trained on, for the blind rows."""
    return load_samples(config.train_data, row_settings(config)) if config.blind and config.train_data else []


def row_settings(config: EvaluateConfig) -> DataConfig:
    """How rows are read: `annotation_file` is in CheX-Phi4MM's layout, `img_root` is where images are.

    Raises ConfigError where these contradict `data` or `rows.image_dir`.
    """
    changes: dict[str, object] = {}
    if config.annotation_file is not None:
        if config.data:
            raise ConfigError(
                f"annotation_file is {config.annotation_file} and data is {', '.join(config.data)}, and both name the "
                "questions. Give one of them; several lists are data=[...] with rows.layout=chex_phi4mm."
            )
        changes["layout"] = "chex_phi4mm"
    if config.img_root is not None:
        if config.rows.image_dir not in (None, config.img_root):
            raise ConfigError(
                f"img_root is {config.img_root} and rows.image_dir is {config.rows.image_dir}, which mean the same. "
                "Give one of them."
            )
        changes["image_dir"] = config.img_root
    if not config.files:
        raise ConfigError("data is missing. Give data=FILE, or annotation_file=FILE for a list of CheX-Phi4MM's.")
    return config.rows.model_copy(update=changes)


def _rows(config: EvaluateConfig) -> Iterator[tuple[str, Row]]:
    for source in config.files:
        for row in islice(rows_of(source), config.max_samples):
            yield source, row
