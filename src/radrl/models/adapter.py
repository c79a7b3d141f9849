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
from radrl.models.row_slices import SequenceParallel
from radrl.models.token_text import TokenTexts
from radrl.models.transfer import on_device
from radrl.types import IMAGE_MARK, ImageRef, Prompt, Sample


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
        self._check(sample)
        messages = _messages(sample, in_parts=self.family.vision_tower is not None)
        text = str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        compact = self.tokenizer.encode(text, add_special_tokens=False)
        sizes = [self.images.size(ref) for ref in sample.images]
        expanded = self._expand(sample, compact, sizes)
        return Prompt(
            sample=sample,
            text=text,
            compact_ids=tuple(compact),
            token_ids=tuple(self._join(expanded, text, sizes)),
            num_image_tokens=sum(map(self.family.num_image_tokens, sizes)),
        )

    def _join(self, expanded: list[int], text: str, sizes: Sequence[ImageSize]) -> list[int]:
        """Let the tokenizer have its way where text meets an image.

        Gemma writes empty lines around an image, and they are one token with the newlines of the template.
        """
        edges = {ids[edge] for ids in map(self.family.image_ids, sizes) for edge in (0, -1)}
        if edges <= set(self.tokenizer.all_special_ids):
            return expanded
        pieces = text.split(self.family.image_placeholder)
        written = [str(self.tokenizer.decode(list(self.family.image_ids(size)))) for size in sizes]
        joined = "".join(part for pair in zip(pieces, [*written, ""], strict=True) for part in pair)
        return self.tokenizer.encode(joined, add_special_tokens=False)

    def _expand(self, sample: Sample, compact: Sequence[int], sizes: Sequence[ImageSize]) -> list[int]:
        """Write out each placeholder as the tokens that the features of its image fill."""
        placeholder = self.tokenizer.convert_tokens_to_ids(self.family.image_placeholder) if sizes else None
        written = sum(token == placeholder for token in compact)
        if written != len(sizes):
            raise DataError(
                f"sample {sample.id} ({sample.origin}): the chat template wrote {written} image tokens for "
                f"{len(sizes)} images. Set data.override_chat_template to one that writes each image part as the "
                "model's image token."
            )
        left = iter(sizes)
        return [
            token
            for written_token in compact
            for token in (self.family.image_ids(next(left)) if written_token == placeholder else (written_token,))
        ]

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

    def _check(self, sample: Sample) -> None:
        if sample.images and self.family.vision_tower is None:
            raise DataError(
                f"sample {sample.id} ({sample.origin}): the row has {len(sample.images)} images, and the model reads "
                "text only. Remove the images from the row, or set worker.actor.model.model_path to a model that sees."
            )
        marks = sample.question.count(IMAGE_MARK)
        if marks != len(sample.images):
            raise DataError(
                f"sample {sample.id} ({sample.origin}): the question has {marks} {IMAGE_MARK} marks and the row "
                f"{len(sample.images)} images. Write one mark an image."
            )
        special = next((token for token in self.tokenizer.all_special_tokens if token in sample.question), None)
        if special is not None:
            raise DataError(
                f"sample {sample.id} ({sample.origin}): the question contains the special token {special!r}. "
                "Remove it from the row."
            )


def tokenizer_of(processor: ProcessorMixin | PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a processor, which is the whole of it where a model reads text only."""
    return processor if isinstance(processor, PreTrainedTokenizerBase) else processor.tokenizer


def _messages(sample: Sample, *, in_parts: bool) -> list[dict[str, Any]]:
    """One user message; a radiograph is a content part of its own.

    Templates of models that read text only expect the text itself: some write nothing at all for a list of parts.
    """
    if not in_parts:
        return [{"role": "user", "content": sample.question}]
    parts: list[dict[str, str]] = []
    for number, text in enumerate(sample.question.split(IMAGE_MARK)):
        if number:
            parts.append({"type": "image"})
        if text:
            parts.append({"type": "text", "text": text})
    return [{"role": "user", "content": parts}]


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
