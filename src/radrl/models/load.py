"""Models as ordinary Hugging Face folders: opened, and written so that other tools open them."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jinja2 import TemplateSyntaxError
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoProcessor,
    AutoTokenizer,
    GenerationConfig,
    Phi4MultimodalForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)
from transformers.utils import GENERATION_CONFIG_NAME

from radrl.compat import VIDEO_PROCESSORS, open_processors_without_torchvision
from radrl.errors import ConfigError
from radrl.models.adapter import ModelAdapter, tokenizer_of
from radrl.models.families.causal_lm import CausalLM
from radrl.models.families.family import Family
from radrl.models.families.gemma3 import Gemma3
from radrl.models.families.phi4_multimodal import Phi4Multimodal
from radrl.models.families.phi4_processor import open_processor as open_phi4_processor
from radrl.models.families.qwen2_5_vl import Qwen25VL
from radrl.models.families.qwen3_vl import Qwen3VL
from radrl.models.hub import model_folder
from radrl.models.lora import (
    adapter_files,
    adapter_folder,
    adapters_in,
    base_of,
    is_adapter_weight,
    load_lora,
    lora_layers,
    merged_model,
)
from radrl.models.phi4_checkpoint import (
    VISION_FOLDER,
    is_remote_folder,
    open_remote_base,
    open_vision_lora,
    put_vision_lora,
    read_remote_checkpoint,
)
from radrl.models.varlen import use_image_segments, use_segments

log = logging.getLogger(__name__)

FAMILIES: Mapping[str, type[Any]] = {
    "qwen2_5_vl": Qwen25VL,
    "qwen3_vl": Qwen3VL,
    "gemma3": Gemma3,
    "phi4_multimodal": Phi4Multimodal,
}
"""Families by the `model_type` of their config. What is none of them and reads text only is a `CausalLM`."""


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
    weights: bool = True,
    on_host: bool = False,
) -> ModelAdapter:
    """Open a model folder (or hub name) as a policy. A folder of LoRA adapters is opened with the base that it names.

    `min_pixels` and `max_pixels` narrow the image processor's own bounds; the aspect ratio stays, up to the model's
    grid. CX-Mind resizes to them first and to the processor's bounds after; here it is one resize, to the size both
    allow. `device` auto is the GPU when there is one, `dtype` auto is bfloat16 there and float32 on a CPU. A frozen
    vision tower gets no gradient, and its features are computed once a run; they and the pixels may each take
    `cache_bytes`.

    Without `weights` the model is on the meta device, where tensors have shapes and no memory: enough to render prompts
    and to count parameters, or to receive another rank's weights. `on_host` leaves the weights in host memory, from
    where `radrl.engines` spreads them over the ranks that make passes on `device`.

    Raises ConfigError when the folder is no model or of a family that is not supported.
    """
    open_processors_without_torchvision()
    adapters = adapters_in(Path(path))
    base = base_of(Path(path)) if adapters else path
    source = model_folder(base)
    family_type = _family_type(source, trust_remote_code=trust_remote_code)
    place = resolve_device(device)
    open_model = _open_model if weights else _open_empty
    computed_in = resolve_dtype(dtype, device=place)
    model = open_model(family_type, source, dtype=computed_in, trust_remote_code=trust_remote_code)
    if weights and not on_host:
        model = model.to(place)
    # A folder of adapters will name their base so.
    model.name_or_path = str(base)
    for name in adapters:
        load_lora(model, adapter_folder(Path(path), name), name=name)
    written_with = tokenizer_path or (path if adapters else source)
    processor = _open_processor(family_type, written_with, trust_remote_code=trust_remote_code)
    tokenizer = tokenizer_of(processor)
    _settle_chat_template(processor, chat_template, path=path)
    family: Family = family_type(
        model, tokenizer=tokenizer, image_processor=getattr(processor, "image_processor", None), device=place
    )
    family.bound_pixels(least=min_pixels, most=max_pixels)
    try:
        return ModelAdapter(
            model=model,
            processor=processor,
            family=family,
            freeze_vision_tower=freeze_vision_tower,
            cache_bytes=cache_bytes,
            device=place,
            dtype=computed_in,
            attention=_settle_attention(family, attention, device=place, dtype=computed_in),
        )
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"the chat template of the model at {path} is no Jinja (line {error.lineno}: {error.message}). Correct "
            "data.override_chat_template."
        ) from error


def save_adapter(adapter: ModelAdapter, folder: Path) -> None:
    """Write weights, tokenizer, processor and chat template so that `AutoProcessor` and `AutoModelFor...` open them.

    Of a model in which adapters alone learn the adapters are written, in PEFT's format; where other weights learn
    beside them, the whole model with the adapters merged. Raises OSError when the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights_of(adapter.model)(folder)
    save_processor(adapter.processor, folder)


def weights_of(model: PreTrainedModel, tensors: Mapping[str, Tensor] | None = None) -> Callable[[Path], None]:
    """Take a model's weights, or `tensors` that stand in for those of its `state_dict`; what is returned writes them.

    The model itself may go on in the meantime. What is written is what `save_adapter` says.
    """
    is_adapter = [is_adapter_weight(name) for name, each in model.named_parameters() if each.requires_grad]
    if lora_layers(model) and all(is_adapter):
        files = adapter_files(model, tensors)
    else:
        files = [_WholeModel(merged_model(model, tensors))]

    def write(folder: Path) -> None:
        try:
            for each in files:
                each.write(folder)
        except SafetensorError as error:
            raise OSError(str(error)) from error

    return write


@dataclass(frozen=True, slots=True)
class _WholeModel:
    model: PreTrainedModel

    def write(self, folder: Path) -> None:
        self.model.save_pretrained(folder)


def save_processor(processor: ProcessorMixin | PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a processor with its tokenizer; its video block stays, whether or not torchvision is here to read it."""
    processor.save_pretrained(folder)
    video_processor = VIDEO_PROCESSORS.get(type(processor).__name__)
    if video_processor is None:
        return
    file = folder / "processor_config.json"
    blocks = json.loads(file.read_text(encoding="utf-8"))
    if "video_processor" not in blocks:
        sizes = _patch_sizes(blocks["image_processor"])
        blocks["video_processor"] = {"video_processor_type": video_processor, **sizes}
        file.write_text(json.dumps(blocks, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_loaded(report: Mapping[str, Any], *, source: str | Path) -> None:
    """Raise ConfigError when a checkpoint lacks weights of the model, or has some that the model knows nothing of.

    `report` is transformers' loading info. Weights that are tied to others are in neither list.
    """
    complaints = [
        f"{len(names)} {kind} ({_first_names(names)})"
        for kind, names in (
            ("missing", report["missing_keys"]),
            ("unexpected", report["unexpected_keys"]),
            ("of another shape", [name for name, *_ in report["mismatched_keys"]]),
        )
        if names
    ]
    if complaints:
        raise ConfigError(
            f"the weights at {source} are not those of the model that its config.json describes: "
            f"{', '.join(complaints)}. Missing ones would be random. Correct the folder, or its config.json."
        )


def _first_names(names: Iterable[str], *, most: int = 5) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:most]) + (", ..." if len(ordered) > most else "")


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
    attention: Literal["auto", "dense", "varlen"], *, family: Family, has_kernel: bool
) -> Literal["dense", "varlen"]:
    """Read `auto` as segments where there is a kernel for them and the family allows it, and as a mask elsewhere.

    The kernel is for 16-bit numbers on a GPU.
    """
    if attention == "varlen" and not family.takes_segments:
        raise ConfigError(
            f"worker.actor.attention is varlen, but segments cannot express the attention of {type(family).__name__}. "
            "Set worker.actor.attention=dense."
        )
    if attention != "auto":
        return attention
    if has_kernel and not family.takes_segments:
        log.warning("%s attends by a mask: segments cannot express its attention", type(family).__name__)
    return "varlen" if has_kernel and family.takes_segments else "dense"


def _family_type(source: Path, *, trust_remote_code: bool) -> type[Any]:
    """Look up the family of a model by its config: the class, whose attributes say how its folder is opened."""
    if is_remote_folder(source):
        return Phi4Multimodal
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot open a model at {source}: {error} Set worker.actor.model.model_path.") from error
    if config.model_type in FAMILIES:
        return FAMILIES[config.model_type]
    reads_images = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if reads_images or config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ConfigError(
            f"{source} is a {config.model_type!r} model. The families are {', '.join(FAMILIES)}, and causal language "
            "models that read text only."
        )
    return CausalLM


def _open_model(family_type: type[Any], source: Path, *, dtype: torch.dtype, trust_remote_code: bool) -> Any:
    """Read the weights, all of them, and the adapter that Phi-4's folders have beside their base."""
    if is_remote_folder(source):
        checkpoint = read_remote_checkpoint(source)
        model, report = open_remote_base(checkpoint, dtype=dtype)
        check_loaded(report, source=source)
        put_vision_lora(model, checkpoint, source=source)
        return model
    try:
        model, report = family_type.auto_class.from_pretrained(
            source,
            dtype=dtype,
            attn_implementation="sdpa",
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot open a model at {source}: {error} Set worker.actor.model.model_path.") from error
    check_loaded(report, source=source)
    if family_type is Phi4Multimodal and (source / VISION_FOLDER).is_dir():
        open_vision_lora(model, source / VISION_FOLDER)
    return model


def _open_empty(family_type: type[Any], source: Path, *, dtype: torch.dtype, trust_remote_code: bool) -> Any:
    """Build the model that `_open_model` would read, with the same adapters, on the meta device."""
    if is_remote_folder(source):
        checkpoint = read_remote_checkpoint(source, weights=False)
        with torch.device("meta"):
            model: Any = Phi4MultimodalForCausalLM(checkpoint.config)
            model.to(dtype)
        put_vision_lora(model, checkpoint, source=source)
        return model
    config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        model = family_type.auto_class.from_config(
            config, dtype=dtype, attn_implementation="sdpa", trust_remote_code=trust_remote_code
        )
    if (source / GENERATION_CONFIG_NAME).exists():
        model.generation_config = GenerationConfig.from_pretrained(source)
    if family_type is Phi4Multimodal and (source / VISION_FOLDER).is_dir():
        open_vision_lora(model, source / VISION_FOLDER)
    return model


def _open_processor(
    family_type: type[Any], source: str | Path, *, trust_remote_code: bool
) -> ProcessorMixin | PreTrainedTokenizerBase:
    """Open what turns text and images into inputs: the tokenizer alone where the family reads text only."""
    if family_type.image_processor_type is None:
        return AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
    if family_type is Phi4Multimodal:
        return open_phi4_processor(source)
    processor = AutoProcessor.from_pretrained(source, trust_remote_code=trust_remote_code)
    # Pillow's resize and torchvision's differ by enough to move log-probabilities; one of them has to be the rule.
    processor.image_processor = family_type.image_processor_type.from_pretrained(source)
    return processor


def _settle_chat_template(
    processor: ProcessorMixin | PreTrainedTokenizerBase, chat_template: str | None, *, path: str | Path
) -> None:
    """Give tokenizer and processor one chat template, so that a saved model keeps the one it was trained with."""
    tokenizer = tokenizer_of(processor)
    template = chat_template or processor.chat_template or tokenizer.chat_template
    if template is None:
        raise ConfigError(f"the model at {path} has no chat template. Set data.override_chat_template.")
    processor.chat_template = tokenizer.chat_template = template


def _settle_attention(
    family: Family, attention: Literal["auto", "dense", "varlen"], *, device: torch.device, dtype: torch.dtype
) -> Literal["dense", "varlen"]:
    """Let decoder and image encoder attend over segments where they are to; returns what the decoder does."""
    has_kernel = device.type == "cuda" and dtype != torch.float32
    kind = resolve_attention(attention, family=family, has_kernel=has_kernel)
    if kind == "varlen":
        use_segments(family.language_model)
    if family.image_windows is not None and has_kernel:
        use_image_segments(family.image_windows)
    return kind


def _patch_sizes(image_block: dict[str, object]) -> dict[str, object]:
    return {name: image_block[name] for name in ("patch_size", "merge_size", "temporal_patch_size")}
