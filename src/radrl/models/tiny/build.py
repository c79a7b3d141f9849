"""One call that writes a tiny model of any family."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from transformers import PreTrainedModel

from radrl.compat import open_processors_without_torchvision
from radrl.errors import ConfigError
from radrl.models.load import save_processor
from radrl.models.tiny import causal_lm, gemma3, phi4_multimodal, qwen2_5_vl, qwen3_vl
from radrl.models.tiny.parts import Sizes, TinyModel
from radrl.models.tiny.weights import initialise

MAKERS: Mapping[str, Callable[[Iterable[str], Sizes], TinyModel]] = {
    "qwen2_5_vl": qwen2_5_vl.make,
    "qwen3_vl": qwen3_vl.make,
    "gemma3": gemma3.make,
    "causal_lm": causal_lm.make,
    "phi4_multimodal": phi4_multimodal.make,
}
"""What makes a model and a processor of each family, with a tokenizer trained on the corpus."""
ADAPTERS: Mapping[str, Callable[[PreTrainedModel, Path, int], None]] = {
    "phi4_multimodal": phi4_multimodal.write_vision_lora,
}
"""What writes the adapter that a family's folder has beside its base, from a seed."""


def build_tiny(
    out: Path,
    *,
    corpus: Iterable[str],
    family: str = "qwen2_5_vl",
    hidden_size: int = 128,
    num_layers: int = 2,
    vision_hidden_size: int = 64,
    vision_layers: int = 2,
    image_px: int = 64,
    patch_px: int = 16,
    vocab_size: int = 700,
    seed: int = 0,
) -> Path:
    """Write an untrained model of the family, with a tokenizer trained on the corpus, and return its folder.

    A square image is seen at `image_px` squared and becomes (image_px / (2 patch_px))^2 tokens, 4 at the defaults;
    others have about as many pixels, or are squeezed into the square where the family knows one size only. The same
    arguments give the same files. Raises ConfigError for sizes that do not fit each other.
    """
    if family not in MAKERS:
        raise ConfigError(f"there is no tiny model of family {family!r}. The families are {', '.join(MAKERS)}.")
    sizes = Sizes(
        hidden_size=hidden_size,
        num_layers=num_layers,
        vision_hidden_size=vision_hidden_size,
        vision_layers=vision_layers,
        image_px=image_px,
        patch_px=patch_px,
        vocab_size=vocab_size,
    )
    open_processors_without_torchvision()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # Some classes draw their biases, which `initialise` leaves alone.
        made = MAKERS[family](corpus, sizes)
    initialise(made.model.float(), hidden_size=hidden_size, seed=seed)
    made.model.save_pretrained(out)
    save_processor(made.processor, out)
    if family in ADAPTERS:
        ADAPTERS[family](made.model, out, seed)
    return out
