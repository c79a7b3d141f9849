"""Models as ordinary Hugging Face folders: opened, and written so that other tools open them."""

import json
import logging
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, ProcessorMixin
from transformers.utils.hub import cached_file

from radrl.compat import QWEN_VIDEO_PROCESSOR, open_processors_without_torchvision
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.families.family import Family
from radrl.models.families.qwen2_5_vl import Qwen25VL
from radrl.models.varlen import use_segments

log = logging.getLogger(__name__)

FAMILIES = {"qwen2_5_vl": Qwen25VL}
"""Families by the `model_type` of their config."""


def load_adapter(
    path: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    min_pixels: int = 0,
    max_pixels: int | None = None,
    chat_template: str | None = None,
    tokenizer_path: str | None = None,
    trust_remote_code: bool = False,
    freeze_vision_tower: bool = False,
    cache_bytes: int = 1 << 30,
    attention: Literal["auto", "dense", "varlen"] = "auto",
) -> ModelAdapter:
    """Open a model folder (or hub name) as a policy.

    `min_pixels` and `max_pixels` narrow the image processor's own bounds; the aspect ratio stays, up to the model's
    grid. CX-Mind resizes to them first and to the processor's bounds after; here it is one resize, to the size both
    allow. `device` auto is the GPU when there is one, `dtype` auto is bfloat16 there and float32 on a CPU. A frozen
    vision tower gets no gradient, and its features are computed once a run; they and the pixels may each take
    `cache_bytes`.

    Raises ConfigError when the folder is no model or of a family that is not supported.
    """
    open_processors_without_torchvision()
    source = _source_folder(path)
    family_type = _family_type(source, trust_remote_code=trust_remote_code)
    place = resolve_device(device)
    model: Any = AutoModelForImageTextToText.from_pretrained(
        source,
        dtype=resolve_dtype(dtype, device=place),
        attn_implementation="sdpa",
        trust_remote_code=trust_remote_code,
    )
    model.to(place)
    processor = AutoProcessor.from_pretrained(tokenizer_path or source, trust_remote_code=trust_remote_code)
    # Pillow's resize and torchvision's differ by enough to move log-probabilities; one of them has to be the rule.
    processor.image_processor = family_type.image_processor_type.from_pretrained(tokenizer_path or source)
    _bound_pixels(processor, min_pixels=min_pixels, max_pixels=max_pixels)
    _settle_chat_template(processor, chat_template, path=path)
    family = family_type(model, tokenizer=processor.tokenizer, image_processor=processor.image_processor)
    kind = resolve_attention(attention, family=family, device=place)
    if kind == "varlen":
        use_segments(family.language_model)
    return ModelAdapter(
        model=model,
        processor=processor,
        family=family,
        freeze_vision_tower=freeze_vision_tower,
        cache_bytes=cache_bytes,
        attention=kind,
    )


def save_adapter(adapter: ModelAdapter, folder: Path) -> None:
    """Write weights, tokenizer, processor and chat template so that `AutoProcessor` and `AutoModelFor...` open them.

    Raises OSError when the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        adapter.model.save_pretrained(folder)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    save_processor(adapter.processor, folder)


def save_processor(processor: ProcessorMixin, folder: Path) -> None:
    """Write a processor with its tokenizer; its video block stays, whether or not torchvision is here to read it."""
    processor.save_pretrained(folder)
    file = folder / "processor_config.json"
    blocks = json.loads(file.read_text(encoding="utf-8"))
    if "video_processor" not in blocks:
        blocks["video_processor"] = {**QWEN_VIDEO_PROCESSOR, **_patch_sizes(blocks["image_processor"])}
        file.write_text(json.dumps(blocks, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def resolve_device(device: str) -> torch.device:
    """Read `auto` as the GPU when there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("trainer.device is cuda, but torch finds no GPU. Set trainer.device=cpu.")
    return torch.device(device)


def resolve_dtype(dtype: str, *, device: torch.device) -> torch.dtype:
    """Read `auto` as bfloat16 on a GPU and float32 on a CPU, where bfloat16 is slower unless the chip has it."""
    if dtype == "auto":
        dtype = "bfloat16" if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]


def resolve_attention(
    attention: Literal["auto", "dense", "varlen"], *, family: Family, device: torch.device
) -> Literal["dense", "varlen"]:
    """Read `auto` as segments on a GPU where the family allows it, and as a mask elsewhere."""
    if attention == "varlen" and not family.takes_segments:
        raise ConfigError(
            f"worker.actor.attention is varlen, but segments cannot express the attention of {type(family).__name__}. "
            "Set worker.actor.attention=dense."
        )
    if attention != "auto":
        return attention
    if device.type == "cuda" and not family.takes_segments:
        log.warning("%s attends by a mask: segments cannot express its attention", type(family).__name__)
    return "varlen" if device.type == "cuda" and family.takes_segments else "dense"


def _source_folder(path: str | Path) -> Path:
    """Folder of a model; a hub name is fetched, or found in the cache, by transformers."""
    if not str(path):
        raise ConfigError(
            "no model is given. Set worker.actor.model.model_path (model, in radrl evaluate) to a Hugging Face folder "
            "or hub name."
        )
    if Path(path).is_dir():
        return Path(path)
    try:
        config_file = cached_file(str(path), "config.json")
    except OSError as error:
        raise ConfigError(
            f"{path} is neither a folder nor a model that the hub offers ({error}). Set worker.actor.model.model_path."
        ) from error
    assert config_file is not None, "cached_file raises when there is none"
    return Path(config_file).parent


def _family_type(source: Path, *, trust_remote_code: bool) -> type[Qwen25VL]:
    """Look up the family of a model by its config."""
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot open a model at {source}: {error} Set worker.actor.model.model_path.") from error
    if config.model_type not in FAMILIES:
        raise ConfigError(f"{source} is a {config.model_type!r} model. The families are {', '.join(FAMILIES)}.")
    return FAMILIES[config.model_type]


def _bound_pixels(processor: ProcessorMixin, *, min_pixels: int, max_pixels: int | None) -> None:
    """Narrow the image processor's bounds; its own upper bound is never passed."""
    size = processor.image_processor.size
    own_least, own_most = size["shortest_edge"], size["longest_edge"]
    most = own_most if max_pixels is None else min(own_most, max_pixels)
    processor.image_processor.size = {"shortest_edge": min(max(own_least, min_pixels), most), "longest_edge": most}


def _settle_chat_template(processor: ProcessorMixin, chat_template: str | None, *, path: str | Path) -> None:
    """Give tokenizer and processor one chat template, so that a saved model keeps the one it was trained with."""
    template = chat_template or processor.chat_template or processor.tokenizer.chat_template
    if template is None:
        raise ConfigError(f"the model at {path} has no chat template. Set data.override_chat_template.")
    processor.chat_template = processor.tokenizer.chat_template = template


def _patch_sizes(image_block: dict[str, object]) -> dict[str, object]:
    return {name: image_block[name] for name in ("patch_size", "merge_size", "temporal_patch_size")}
