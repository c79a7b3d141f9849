"""Proof that an exported model is the trained one: its names, and its logits on a fixed question and image."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from safetensors import safe_open
from torch import Tensor
from transformers import PreTrainedModel
from transformers.utils.hub import cached_file

from radrl.errors import CheckFailed
from radrl.models.adapter import ModelAdapter
from radrl.models.checkpoint_names import checkpoint_names
from radrl.models.forward import completion_states
from radrl.models.packing import plan
from radrl.models.phi4_checkpoint import is_remote_folder
from radrl.types import IMAGE_MARK, AnswerKind, ImageRef, Sample

INDEX_FILE, WEIGHTS_FILE = "model.safetensors.index.json", "model.safetensors"
MERGED_BOUND = 1e-5
"""Largest difference of a logit in float32, of the largest logit."""
ROUNDED_BOUND = 0.05
"""The same for weights rounded to bfloat16, each by up to 2^-9 of itself."""
QUESTION = "Is there a left pleural effusion?"
ANSWER = "<think>The left costophrenic angle is blunted.</think><answer>yes</answer>"
SIDE_PX = 224


@torch.no_grad()
def logits(adapter: ModelAdapter) -> Float[Tensor, "T V"]:
    """Logits before every token of a fixed answer to a fixed question, about an image where the model sees."""
    with TemporaryDirectory() as folder:
        sees = adapter.family.vision_tower is not None
        image = _image(Path(folder) / "film.png") if sees else None
        sample = Sample(
            id="export",
            patient_id="export",
            kind="presence",
            question=f"{IMAGE_MARK}{QUESTION}" if sees else QUESTION,
            images=(image,) if image else (),
            answer=frozenset({"yes"}),
            answer_kind=AnswerKind.YES_NO,
            reference=ANSWER,
        )
        prompt = adapter.render(sample)
        answer = adapter.reference_ids(sample)
        num_tokens = len(prompt.token_ids) + len(answer)
        (micro_batch,) = plan([prompt], [(answer,)], row_tokens=num_tokens, micro_batch_tokens=num_tokens)
        return (completion_states(adapter, micro_batch).states @ adapter.family.head_weight.T).float()


def compare(after: Float[Tensor, "T V"], before: Float[Tensor, "T V"], *, bound: float, what: str) -> float:
    """Largest difference of a logit, of the largest logit. Raises CheckFailed when it is over `bound`."""
    difference = float((after - before).abs().max() / before.abs().max())
    if not difference <= bound:
        raise CheckFailed(
            f"{what} differ from the trained model's logits by {difference:.1e} of the largest one, over the bound of "
            f"{bound:.0e}. Nothing was written: try another dtype, and report it where that does not help."
        )
    return difference


def check_names(written: Iterable[str], model: PreTrainedModel, *, base: str | None) -> str:
    """Hold the names in a written folder against those of the base, or of the model's class where that has others.

    Returns what they were held against. Raises CheckFailed when one is missing or unexpected.
    """
    names = checkpoint_names(model)
    wanted, against = set(names.in_checkpoint.values()), f"the class {type(model).__name__}"
    _check_equal(set(written), wanted, against=against)
    found = None if base is None else weight_names(base)
    if found is None:
        return against
    # A base may hold its head a second time, under the name of what it is tied to.
    _check_equal(set(written), set(found) - names.tied, against=str(base))
    return str(base)


def weight_names(path: str | Path) -> frozenset[str] | None:
    """Names of the weights in a model folder, or in a hub's that is in the cache.

    None where it has no safetensors of its class's layout, or is not here.
    """
    index = _local_file(path, INDEX_FILE)
    if index is not None:
        folder, names = index.parent, frozenset(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    else:
        file = _local_file(path, WEIGHTS_FILE)
        if file is None:
            return None
        with safe_open(file, framework="pt") as tensors:
            folder, names = file.parent, frozenset(tensors.keys())
    return None if is_remote_folder(folder) else names


def _local_file(path: str | Path, name: str) -> Path | None:
    if Path(path).is_dir():
        return Path(path) / name if (Path(path) / name).exists() else None
    if Path(path).is_absolute():
        return None
    try:
        found = cached_file(str(path), name, local_files_only=True, _raise_exceptions_for_missing_entries=False)
    except OSError:
        return None
    return Path(found) if found else None


def _check_equal(written: set[str], wanted: set[str], *, against: str) -> None:
    missing, unexpected = sorted(wanted - written), sorted(written - wanted)
    if missing or unexpected:
        first = ", ".join((missing + unexpected)[:3])
        raise CheckFailed(
            f"the names of the exported weights are not those of {against}: {len(missing)} missing and "
            f"{len(unexpected)} unexpected, the first {first}. "
            "Nothing was written: export with the version of transformers that the run was trained with."
        )


def _image(file: Path) -> ImageRef:
    """A smooth pattern, the same every time."""
    ramp = np.linspace(0, 4 * np.pi, SIDE_PX)
    pixels = 127.5 * (1 + np.sin(ramp)[:, None] * np.cos(ramp)[None])
    Image.fromarray(pixels.astype(np.uint8)).save(file)
    return ImageRef(path=str(file), sha256=hashlib.sha256(file.read_bytes()).hexdigest())
