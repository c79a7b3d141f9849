"""What the responses of an evaluation follow from, so that none of another model or question is ever taken for one."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from radrl.asking.record import digest_of, holds_responses
from radrl.config.evaluation import EvaluateConfig
from radrl.durable import move_aside, write_atomically
from radrl.errors import ConfigError, DataError
from radrl.types import Sample

FILE = "evaluation.yaml"
WHOLE_BYTES = 8 << 20
"""Files of a model up to this size are hashed whole; of larger ones, as weights are, pieces that are spread over it."""
NUM_PIECES, PIECE_BYTES = 64, 64 << 10
_SAMPLING = ("n", "temperature", "max_response_length", "seed")
_OPENED = ("device", "dtype", "attention", "dynamic_hd", "trust_remote_code", "closed_probs")
_RENDERED = ("min_pixels", "max_pixels", "override_chat_template")
_SERVED = ("url", "model", "max_tokens", "image_format", "image_detail")


def what_decides(config: EvaluateConfig, samples: Sequence[Sample]) -> dict[str, object]:
    """Keys of the configuration that responses depend on, and digests of the model's files and of what is asked.

    Of a file of predictions nothing is kept, so that it decides nothing.
    """
    decided: dict[str, object] = {"backend": config.backend}
    if config.backend == "predictions":
        return decided
    decided |= {name: getattr(config, name) for name in _SAMPLING}
    decided |= {f"rows.{name}": getattr(config.rows, name) for name in _RENDERED}
    decided |= {"data": digests_of_questions(samples), "max_samples": config.max_samples}
    if config.backend == "endpoint":
        served = {f"endpoint.{name}": getattr(config.endpoint, name) for name in _SERVED}
        return decided | served | {"token_probs": config.token_probs}
    opened = {name: getattr(config, name) for name in _OPENED}
    return decided | {"model": config.model, "model_files": digest_of_folder(Path(config.model))} | opened


def enter_folder(folder: Path, decided: Mapping[str, object], *, fresh: bool) -> None:
    """Make the folder, or make sure that what is in it follows from the same; `fresh` moves the folder aside.

    A folder that holds no responses yet is as good as none: what was mistyped may be corrected. Raises ConfigError
    naming the keys that differ, DataError for a folder that cannot be written.
    """
    if fresh and folder.exists():
        move_aside(folder)
    file = folder / FILE
    earlier = _read(file) if holds_responses(folder) else {}
    changed = [key for key in {**earlier, **decided} if earlier.get(key) != decided.get(key)] if earlier else []
    if changed:
        differences = ", ".join(f"{key} ({earlier.get(key)!r:.60}, now {decided.get(key)!r:.60})" for key in changed)
        raise ConfigError(
            f"the evaluation in {folder} was begun with other values of {differences}. Give the same values to go on "
            "with it, another out= to start beside it, or fresh=true to move it aside."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, yaml.safe_dump(dict(decided), sort_keys=False, allow_unicode=True))
    except OSError as error:
        raise DataError(
            f"cannot make the folder {folder} or write into it ({error.strerror}), from out. Set out= to another."
        ) from error


def digests_of_questions(samples: Sequence[Sample]) -> dict[str, str]:
    """Source -> digest of what it asks: ids, questions and the content of images, in order. Answers do not matter."""
    asked: defaultdict[str, list[str]] = defaultdict(list)
    for sample in samples:
        asked[sample.source].append(f"{sample.id} {digest_of(sample)}")
    return {source: hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16] for source, lines in asked.items()}


def digest_of_folder(folder: Path) -> str:
    """Digest of a model's files and of the adapters in folders beside them; of a name on a hub, that it is one.

    Weights that were trained on differ everywhere, so that some pieces of each file tell.
    """
    if not folder.is_dir():
        return "of a hub"
    digest = hashlib.sha256()
    adapters = sorted(file.parent for file in folder.glob("*/adapter_config.json"))
    for file in (file for place in (folder, *adapters) for file in sorted(place.iterdir()) if file.is_file()):
        digest.update(f"{file.relative_to(folder)} {file.stat().st_size}\0".encode())
        for piece in _pieces(file):
            digest.update(piece)
    return digest.hexdigest()[:16]


def _pieces(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as content:
        if size <= WHOLE_BYTES:
            yield content.read()
            return
        for number in range(NUM_PIECES):
            content.seek((size - PIECE_BYTES) * number // (NUM_PIECES - 1))
            yield content.read(PIECE_BYTES)


def _read(file: Path) -> dict[str, object]:
    if not file.exists():
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{file} cannot be read ({error}). Set fresh=true to move the evaluation aside.") from error
    if not isinstance(content, dict):
        raise DataError(f"{file} holds no `key: value` pairs. Set fresh=true to move the evaluation aside.")
    return content
