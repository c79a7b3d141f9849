"""One model with all that radrl asks of it, whatever its family."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from radrl.errors import DataError
from radrl.models.families.family import Family, Inputs
from radrl.models.images import ImageSize, ImageStore, TensorCache
from radrl.models.layers import LayerCalls
from radrl.models.rendering import Renderer
from radrl.models.row_slices import SequenceParallel
from radrl.models.token_text import TokenTexts
from radrl.models.transfer import on_device
from radrl.types import ImageRef, Prompt, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A prompt within a batch of rows of tokens."""

    prompt: Prompt
    row: int
    offset: int
    """Place of its first token in the row."""


class ModelAdapter:
    """A policy: model, tokenizer, and images that are read and encoded once.

    The model stays in evaluation mode, in sampler and trainer alike: with dropout their ratio would differ from 1.
    """

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        processor: ProcessorMixin | PreTrainedTokenizerBase,
        family: Family,
        freeze_vision_tower: bool,
        cache_bytes: int,
        device: torch.device,
        dtype: torch.dtype,
        attention: Literal["dense", "varlen"] = "dense",
    ) -> None:
        """Pixels of images, and their features when the tower is frozen, may each take `cache_bytes`.

        Passes are made on `device` and computed in `dtype`, wherever and however the weights are held between them.
        `attention` says how packed rows attend in training: by a mask, or over segments of one long row.
        """
        self.model = model.eval()
        self.device = device
        self.dtype = dtype
        self.processor = processor
        self.tokenizer = tokenizer_of(processor)
        self.family = family
        self.attention: Literal["dense", "varlen"] = attention
        self.eos_ids = _eos_ids(model, self.tokenizer, in_parts=family.vision_tower is not None)
        self.banned_ids = _banned_ids(self.tokenizer, eos_ids=self.eos_ids, vocab_size=len(family.head_weight))
        self.banned: Int[Tensor, "B"] = torch.tensor(self.banned_ids, device=device)
        self.token_texts = TokenTexts(self.tokenizer, silent_ids=self.tokenizer.all_special_ids)
        self.images = ImageStore(target_size=family.target_size, resample=family.resample, max_bytes=cache_bytes)
        self.renderer = Renderer(tokenizer=self.tokenizer, family=family, size_of=lambda ref: self.images.size(ref))
        self.layer_calls = LayerCalls(layers=tuple(family.layers))
        self.sequence: SequenceParallel | None = None
        """Ranks that share the rows of training passes; None where this one has them to itself."""
        self._features = TensorCache(max_bytes=cache_bytes)
        if freeze_vision_tower and family.vision_tower is not None:
            family.vision_tower.requires_grad_(False)

    def render(self, sample: Sample) -> Prompt:
        """Put the question in the chat template and expand each image to its tokens.

        Raises DataError when the question has not one `<image>` mark an image, or contains a special token.
        """
        return self.render_batch([sample])[0]

    def render_batch(self, samples: Sequence[Sample]) -> list[Prompt]:
        """Render samples together, which takes less time a sample."""
        return self.renderer.render(samples)

    def prompt_lengths(self, samples: Sequence[Sample]) -> list[int]:
        """Tokens of the prompts of samples, images included; what `render` refuses is refused here too."""
        return self.renderer.lengths(samples)

    def image_tokens(self, size: ImageSize) -> int:
        """Tokens that an image of this size, as its file's header has it, becomes: no pixel is needed to know."""
        return self.family.num_image_tokens(self.family.target_size(size))

    @property
    def fingerprint(self) -> str | None:
        """What the tokens of a prompt follow from, in short; None where the tokenizer cannot be written down."""
        return self.renderer.fingerprint

    def reference_ids(self, sample: Sample) -> tuple[int, ...]:
        """Tokens of the reference trace and the end of sequence: what supervised training learns.

        Raises DataError when the reference contains a special token, which the policy never writes.
        """
        token_ids = self.tokenizer.encode(sample.reference, add_special_tokens=False)
        banned = sorted(set(token_ids) & set(self.banned_ids))
        if banned:
            raise DataError(
                f"sample {sample.id} ({sample.origin}): the reference contains the special token "
                f"{self.tokenizer.convert_ids_to_tokens(banned[0])!r}. Remove it from the row."
            )
        return (*token_ids, self.eos_ids[0])

    def positions(self, prompt: Prompt) -> Int[Tensor, "A P"]:
        """Position of each prompt token on each of the family's axes."""
        sizes = [self.images.size(ref) for ref in prompt.sample.images]
        return self.family.prompt_positions(prompt.token_ids, sizes)

    def embed(self, token_ids: Int[Tensor, "R N"], prompts: Sequence[Placed]) -> Inputs:
        """Embeddings of the tokens, with features where the prompts have images."""
        embeddings = self.family.embed(token_ids)
        refs = [ref for placed in prompts for ref in placed.prompt.sample.images]
        if not refs:
            return Inputs(embeddings=embeddings)
        width = token_ids.shape[1]
        places = np.concatenate([placed.row * width + placed.offset + self._image_places(placed) for placed in prompts])
        there = on_device(torch.from_numpy(places), embeddings.device)
        return self.family.place(embeddings, there, torch.cat(self.encode_images(refs)))

    def _image_places(self, placed: Placed) -> np.ndarray:
        """Places within the prompt of the tokens that features fill."""
        return np.flatnonzero(np.array(placed.prompt.token_ids) == self.family.image_token_id)

    def encode_images(self, refs: Sequence[ImageRef]) -> list[Float[Tensor, "_I F"]]:
        """Features of each image, in order.

        Each distinct image passes through the tower once a call, or once a run when the tower is frozen.
        """
        distinct = {ref.sha256: ref for ref in refs}
        found = {} if self._tower_learns() else self._recall(distinct)
        missing = [ref for key, ref in distinct.items() if key not in found]
        if missing:
            encoded = self.family.encode_images([self.images.pixels(ref) for ref in missing])
            found |= {ref.sha256: features for ref, features in zip(missing, encoded, strict=True)}
            self._remember(found, missing)
        return [found[ref.sha256] for ref in refs]

    def share_images(self, lender: "ModelAdapter", *, with_features: bool) -> None:
        """Read pixels from another adapter of the same image processor, and features where its tower is this one's."""
        self.images = lender.images
        if with_features:
            self._features = lender._features

    def _tower_learns(self) -> bool:
        """Whether the features of an image will change; under LoRA on the language model they do not."""
        tower = self.family.vision_tower
        return tower is not None and any(each.requires_grad for each in tower.parameters())

    def _recall(self, keys: Iterable[str]) -> dict[str, Tensor]:
        """Features that a frozen tower gave before."""
        found = {key: self._features.get(key) for key in keys}
        return {key: features for key, features in found.items() if features is not None}

    def _remember(self, found: dict[str, Tensor], refs: Sequence[ImageRef]) -> None:
        if self._tower_learns():
            return
        for ref in refs:
            self._features.put(ref.sha256, found[ref.sha256].detach().clone())


def tokenizer_of(processor: ProcessorMixin | PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a processor, which is the whole of it where a model reads text only."""
    return processor if isinstance(processor, PreTrainedTokenizerBase) else processor.tokenizer


def _eos_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, in_parts: bool) -> tuple[int, ...]:
    """Tokens that end a completion: the one that the chat template writes behind an answer first, if it writes one.

    Gemma's and Phi's tokenizers call the end of a document their end of sequence, and their answers end in another.
    """
    configured = model.generation_config.eos_token_id if model.generation_config else None
    listed = configured if isinstance(configured, list) else [configured]
    ids: list[Any] = [token for token in (tokenizer.eos_token_id, *listed) if token is not None]
    answer = "This is the answer."
    turns = [
        {"role": role, "content": [{"type": "text", "text": text}] if in_parts else text}
        for role, text in (("user", "What?"), ("assistant", answer))
    ]
    behind = str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(answer)[2]
    closing = [token for token in tokenizer.encode(behind, add_special_tokens=False) if token in ids]
    return tuple(dict.fromkeys([*closing[:1], *ids]))


def _banned_ids(tokenizer: PreTrainedTokenizerBase, *, eos_ids: Sequence[int], vocab_size: int) -> tuple[int, ...]:
    """Special tokens but the end of sequence, and rows of the embedding that no token belongs to.

    An untrained policy samples image placeholders otherwise, and the next forward pass takes them for images.
    """
    special = {token for token in tokenizer.all_special_ids if token not in eos_ids}
    unassigned = range(len(tokenizer), vocab_size)
    return tuple(sorted(special | set(unassigned)))
