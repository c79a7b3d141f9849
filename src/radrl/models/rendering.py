"""From samples to prompts: the chat template, the tokenizer, and the tokens of images, which their sizes say."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transformers import PreTrainedTokenizerBase

from radrl.errors import DataError
from radrl.models.families.family import Family
from radrl.models.images import ImageSize
from radrl.types import IMAGE_MARK, ImageRef, Prompt, Sample

_ANY_SIZE = ImageSize(width=512, height=512)
"""An image to ask a family about, where the answer is the same for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A sample on its way to a prompt."""

    sample: Sample
    text: str
    """With one placeholder an image."""
    sizes: list[ImageSize]
    """Target sizes of the images."""


class Renderer:
    """Renders samples for one model, many at a time. No pixel is read: of an image its header says enough."""

    def __init__(
        self, *, tokenizer: PreTrainedTokenizerBase, family: Family, size_of: Callable[[ImageRef], ImageSize]
    ) -> None:
        """`size_of` is the size that the model sees an image at."""
        self._tokenizer = tokenizer
        self._family = family
        self._size_of = size_of
        self._image_texts: dict[ImageSize, str] = {}

    def render(self, samples: Sequence[Sample]) -> list[Prompt]:
        """Put each question in the chat template and expand each image to its tokens.

        Raises DataError when a question has not one `<image>` mark an image, or contains a special token.
        """
        drafts = self._drafts(samples)
        compact = self._encode([draft.text for draft in drafts])
        return [
            Prompt(
                sample=draft.sample,
                text=draft.text,
                compact_ids=tuple(short),
                token_ids=tuple(self._expand(draft, short) if joined is None else joined),
                num_image_tokens=sum(map(self._family.num_image_tokens, draft.sizes)),
            )
            for draft, short, joined in zip(drafts, compact, self._joined(drafts), strict=True)
        ]

    def lengths(self, samples: Sequence[Sample]) -> list[int]:
        """Tokens of the prompts; what `render` refuses is refused here too."""
        drafts = self._drafts(samples)
        joined = self._joined(drafts)
        alone = [draft for draft, token_ids in zip(drafts, joined, strict=True) if token_ids is None]
        compact = iter(self._encode([draft.text for draft in alone]))
        return [
            len(next(compact)) + self._num_added(draft) if token_ids is None else len(token_ids)
            for draft, token_ids in zip(drafts, joined, strict=True)
        ]

    @cached_property
    def fingerprint(self) -> str | None:
        """What the tokens of a prompt follow from, in short; None where the tokenizer cannot be written down.

        Models that differ in their weights alone share it.
        """
        tokenizer = getattr(self._tokenizer, "backend_tokenizer", None)
        if tokenizer is None:
            return None
        parts = (tokenizer.to_str(), str(self._tokenizer.chat_template), type(self._family).__name__)
        return hashlib.blake2b("\0".join((*parts, self._family.image_rule)).encode(), digest_size=16).hexdigest()

    def _drafts(self, samples: Sequence[Sample]) -> list[_Draft]:
        for sample in samples:
            self._check(sample)
        drafts = [
            _Draft(sample=sample, text=text, sizes=[self._size_of(ref) for ref in sample.images])
            for sample, text in zip(samples, self._texts(samples), strict=True)
        ]
        for draft in drafts:
            self._check_placeholders(draft)
        return drafts

    def _texts(self, samples: Sequence[Sample]) -> list[str]:
        """The chat template filled in for each sample."""
        talks = [_messages(sample, in_parts=self._family.vision_tower is not None) for sample in samples]
        if not talks:
            return []
        return [str(t) for t in self._tokenizer.apply_chat_template(talks, tokenize=False, add_generation_prompt=True)]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self._tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False
        )
        return encoded["input_ids"]

    def _joined(self, drafts: Sequence[_Draft]) -> list[list[int] | None]:
        """All tokens of the drafts with images where the tokenizer has its way with the edges; None for the others."""
        seeing = [number for number, draft in enumerate(drafts) if draft.sizes and self._joins]
        texts = self._encode([self._with_images(drafts[number]) for number in seeing])
        joined = dict(zip(seeing, texts, strict=True))
        return [joined.get(number) for number in range(len(drafts))]

    @cached_property
    def _joins(self) -> bool:
        """Whether text and image become tokens together where they meet.

        Gemma writes empty lines around an image, and they are one token with the newlines of the template.
        """
        ids = self._family.image_ids(self._family.target_size(_ANY_SIZE))
        return not {ids[edge] for edge in (0, -1)} <= set(self._tokenizer.all_special_ids)

    def _with_images(self, draft: _Draft) -> str:
        """The text with each placeholder written out."""
        pieces = draft.text.split(self._family.image_placeholder)
        written = [self._image_text(size) for size in draft.sizes]
        return "".join(part for pair in zip(pieces, [*written, ""], strict=True) for part in pair)

    def _image_text(self, size: ImageSize) -> str:
        if size not in self._image_texts:
            self._image_texts[size] = str(self._tokenizer.decode(list(self._family.image_ids(size))))
        return self._image_texts[size]

    def _expand(self, draft: _Draft, compact: list[int]) -> list[int]:
        """Write out each placeholder as the tokens that the features of its image fill."""
        if not draft.sizes:
            return compact
        left = iter(draft.sizes)
        return [
            token
            for written in compact
            for token in (self._family.image_ids(next(left)) if written == self._placeholder_id else (written,))
        ]

    def _num_added(self, draft: _Draft) -> int:
        """Tokens that are more when each placeholder is written out."""
        return sum(len(self._family.image_ids(size)) - 1 for size in draft.sizes)

    @cached_property
    def _placeholder_id(self) -> int:
        placeholder: Any = self._tokenizer.convert_tokens_to_ids(self._family.image_placeholder)
        return placeholder

    @cached_property
    def _special_tokens(self) -> tuple[str, ...]:
        return tuple(self._tokenizer.all_special_tokens)

    def _check(self, sample: Sample) -> None:
        if sample.images and self._family.vision_tower is None:
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
        special = next((token for token in self._special_tokens if token in sample.question), None)
        if special is not None:
            raise DataError(
                f"sample {sample.id} ({sample.origin}): the question contains the special token {special!r}. "
                "Remove it from the row."
            )

    def _check_placeholders(self, draft: _Draft) -> None:
        """The question has none by itself: it is a special token."""
        written = draft.text.count(self._family.image_placeholder) if draft.sizes else 0
        if written != len(draft.sizes):
            raise DataError(
                f"sample {draft.sample.id} ({draft.sample.origin}): the chat template wrote {written} image tokens for "
                f"{len(draft.sizes)} images. Set data.override_chat_template to one that writes each image part as the "
                "model's image token."
            )


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
