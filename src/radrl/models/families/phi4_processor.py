"""Phi-4-multimodal's tokenizer, chat format and settings, opened the same way with torchvision and without."""

import logging
from pathlib import Path

import jinja2
from transformers import (
    Phi4MultimodalFeatureExtractor,
    Phi4MultimodalProcessor,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from radrl.models.families.phi4_images import Phi4ImageProcessorPil

log = logging.getLogger(__name__)

END = "<|end|>"
"""Ends a turn. The released tokenizer calls `<|endoftext|>` its end of sequence, which ends a document."""
NAMED_TOKENS = {
    "image_token": "<|endoftext10|>",
    "audio_token": "<|endoftext11|>",
    "user_token": "<|user|>",
    "assistant_token": "<|assistant|>",
    "system_token": "<|system|>",
}
"""Tokens that are never part of a text: a question with one in it is refused, and a policy does not write them."""
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|endoftext10|>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""`<|user|>` images and question in their order `<|end|><|assistant|>`, with nothing in between.

The remote code writes images as `<|image_1|>`, `<|image_2|>` and has its processor put image tokens there; here they
are written at once. The tokens that the model sees are the same.
"""


def open_processor(source: str | Path) -> Phi4MultimodalProcessor:
    """Open a folder's processor. A chat template that cannot write images is replaced by the family's.

    The part for speech has its default settings, which are the released model's: it is only handed on.
    """
    tokenizer = open_tokenizer(source)
    processor = Phi4MultimodalProcessor(
        image_processor=Phi4ImageProcessorPil.from_pretrained(source),
        audio_processor=Phi4MultimodalFeatureExtractor(),
        tokenizer=tokenizer,
    )
    template = tokenizer.chat_template
    if template is None or not writes_images(tokenizer, str(template)):
        log.info("the chat template at %s does not write images, so Phi-4's format is used as radrl knows it", source)
        template = CHAT_TEMPLATE
    processor.chat_template = tokenizer.chat_template = template
    return processor


def open_tokenizer(source: str | Path) -> PreTrainedTokenizerFast:
    """Open `tokenizer.json` as it is, with the end of a turn as the end of a sequence."""
    return PreTrainedTokenizerFast.from_pretrained(source, eos_token=END, extra_special_tokens=NAMED_TOKENS)


def writes_images(tokenizer: PreTrainedTokenizerBase, template: str) -> bool:
    """Whether a chat template takes a message in parts and writes an image's token once.

    That of the remote code joins strings, and the list of parts is none.
    """
    parts = [{"type": "image"}, {"type": "text", "text": "?"}]
    messages = [{"role": "user", "content": parts}]
    try:
        text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    except (TypeError, jinja2.TemplateError):
        return False
    return str(text).count(NAMED_TOKENS["image_token"]) == 1
