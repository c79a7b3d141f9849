"""Counts the arithmetic and the memory traffic that a step cannot do without: pure functions of sizes.

A matrix of N parameters costs 2 N operations a token forward, 2 N for the gradient of its input and, only when it is
trained, 2 N for its own. Attention costs 4 x (query width) a pair of tokens and layer forward, twice that backward.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from radrl.config.learning import Strategy
from radrl.engines.shapes import DecoderShape, ModelShape, VisionShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Arithmetic and memory traffic that can overlap: it takes as long as the slower of the two.

    Example: reading 6.2 GB of weights to write 128 tokens: `Work(flops=8.0e11, bytes=6.2e9)`
    """

    flops: float = 0.0
    bytes: float = 0.0
    """Read from and written to the device's memory."""

    def __add__(self, other: "Work") -> "Work":
        return Work(flops=self.flops + other.flops, bytes=self.bytes + other.bytes)

    def __mul__(self, factor: float) -> "Work":
        return Work(flops=self.flops * factor, bytes=self.bytes * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLoad:
    """One prompt with its completions, in tokens.

    Example: `GroupLoad(prompt_tokens=1046, image_tokens=1024, num_images=1, completions=(256,) * 8)`
    """

    prompt_tokens: int
    """Those of images included."""
    image_tokens: int = 0
    num_images: int = 0
    completions: tuple[int, ...] = ()
    """Tokens of each completion."""

    @property
    def shared_tokens(self) -> int:
        """Tokens when the prompt passes once for the group."""
        return self.prompt_tokens + sum(self.completions)

    @property
    def unshared_tokens(self) -> int:
        """Tokens when every completion brings its own prompt."""
        return self.prompt_tokens * len(self.completions) + sum(self.completions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What of the model learns, and in which types it is held.

    Example: LoRA of rank 16 on every matrix of the 3B's layers: `Recipe(adapter_params=29_933_568, weight_bytes=2)`
    """

    adapter_params: int = 0
    """Parameters of a LoRA adapter, the only ones that learn when there is one; 0 trains the model itself."""
    trains_vision: bool = False
    """Whether images need a gradient; without it their features are computed once."""
    weight_bytes: int = 2
    """Bytes a weight, and a number of the cache."""
    adapter_bytes: int = 4
    """Bytes a weight of the adapter; it is multiplied in the type of the model."""
    gradient_bytes: int = 4
    """Bytes of a number of the gradient."""
    state_bytes: int = 8
    """Bytes that the optimizer keeps a parameter: two moments, and whatever else."""
    recomputes: bool = False
    """Whether the backward pass does the forward pass again to save memory."""

    @property
    def is_lora(self) -> bool:
        """Whether an adapter learns and the rest stays."""
        return self.adapter_params > 0

    @classmethod
    def of(
        cls,
        *,
        adapter_params: int,
        trains_vision: bool,
        weight_bytes: int,
        strategy: Strategy,
    ) -> "Recipe":
        """The recipe of an optimizer: adamw keeps float32 copies of narrower weights beside its two moments.

        adamw_bf16 keeps a moment and a compensation in the weights' type and a moment in float32, sgd the copies alone.
        Factors are float32.
        """
        learning = 4 if adapter_params else weight_bytes
        copy = 0 if learning == 4 else 4
        gradient, state = {
            "adamw": (4, 8 + copy),
            "adamw_bf16": (learning, 2 * learning + 4),
            "sgd": (4, copy),
        }[strategy]
        return cls(
            adapter_params=adapter_params,
            trains_vision=trains_vision,
            weight_bytes=weight_bytes,
            gradient_bytes=gradient,
            state_bytes=state,
        )

    def trained_params(self, shape: ModelShape) -> int:
        """Parameters that learn."""
        if self.is_lora:
            return self.adapter_params
        vision = shape.vision.params if shape.vision and not self.trains_vision else 0
        return shape.params - vision


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model that learns, as far as its costs go."""

    shape: ModelShape
    recipe: Recipe


def unshared(groups: Sequence[GroupLoad]) -> tuple[GroupLoad, ...]:
    """The same completions, each with a prompt and images of its own: what most trainers compute."""
    return tuple(replace(group, completions=(length,)) for group in groups for length in group.completions)


def lora_params(decoder: DecoderShape, *, rank: int) -> int:
    """Parameters of an adapter on all seven matrices of every layer: rank x (rows + columns) each."""
    queries, keys = decoder.num_heads * decoder.head_size, decoder.num_kv_heads * decoder.head_size
    sides = 2 * (decoder.hidden_size + queries) + 2 * (decoder.hidden_size + keys)
    sides += 3 * (decoder.hidden_size + decoder.intermediate_size)
    return decoder.num_layers * rank * sides


def causal_pairs(first: int, last: int, *, window: int | None) -> int:
    """Pairs (token, token it sees) of the tokens first..last, counted from 1; a token sees itself and those before it.

    >>> causal_pairs(1, 4, window=None), causal_pairs(1, 4, window=2)
    (10, 7)
    """
    if last < first:
        return 0
    if window is None or last <= window:
        return (first + last) * (last - first + 1) // 2
    if first > window:
        return window * (last - first + 1)
    return causal_pairs(first, window, window=None) + window * (last - window)


def vision_forward(vision: VisionShape | None, groups: Sequence[GroupLoad], *, weight_bytes: int = 2) -> Work:
    """Encode the images of these prompts, each prompt's once. Images of one prompt are taken to be of one size."""
    with_images = [group for group in groups if group.num_images]
    if vision is None or not with_images:
        return Work()
    flops = 0.0
    for group in with_images:
        patches = group.image_tokens * vision.patches_per_token
        flops += 2.0 * patches * (vision.num_blocks * vision.block_params + vision.patch_params)
        flops += 2.0 * group.image_tokens * vision.token_params
        at_a_time = vision.crop_patches or patches / group.num_images
        seen = sum(min(window or at_a_time, at_a_time) for window in vision.windows)
        flops += 4.0 * vision.hidden_size * patches * seen
    return Work(flops=flops, bytes=float(weight_bytes * vision.params))


def attention_flops(decoder: DecoderShape, groups: Sequence[GroupLoad]) -> float:
    """Scores and sums of one forward pass; a completion sees its prompt and itself."""
    pairs = 0
    for window in decoder.windows:
        for group in groups:
            prompt = group.prompt_tokens
            pairs += causal_pairs(1, prompt, window=window)
            pairs += sum(causal_pairs(prompt + 1, prompt + num, window=window) for num in group.completions)
    return 4.0 * decoder.num_heads * decoder.head_size * pairs


def forward(shape: ModelShape, groups: Sequence[GroupLoad], recipe: Recipe) -> Work:
    """One pass of the language model over prompts and completions, the head on completion tokens only."""
    decoder = shape.decoder
    tokens = sum(group.shared_tokens for group in groups)
    scored = sum(sum(group.completions) for group in groups)
    flops = 2.0 * decoder.params * tokens + 2.0 * decoder.head_params * scored + attention_flops(decoder, groups)
    return Work(flops=flops, bytes=float(recipe.weight_bytes * (decoder.params + decoder.head_params)))


def prefill(shape: ModelShape, groups: Sequence[GroupLoad], recipe: Recipe) -> Work:
    """Pass each prompt once and write its keys and values; the head on its last token."""
    decoder = shape.decoder
    prompts = [replace(group, completions=()) for group in groups]
    tokens = sum(group.prompt_tokens for group in groups)
    flops = 2.0 * decoder.params * tokens + 2.0 * decoder.head_params * len(groups) + attention_flops(decoder, prompts)
    read = decoder.params + decoder.head_params + tokens * decoder.kv_size
    return Work(flops=flops, bytes=float(recipe.weight_bytes * read))


def decode(shape: ModelShape, groups: Sequence[GroupLoad], recipe: Recipe) -> tuple[Work, ...]:
    """Write the completions token by token, all of them together: one piece of work a token, as sequences end.

    A token reads the weights once for all sequences and its own sequence's keys and values. Every sequence reads its
    prompt's keys for itself, as today's kernels do; one that reads them once a group could go below this floor. The
    first token comes with the prefill.
    """
    decoder = shape.decoder
    lengths = np.array([length for group in groups for length in group.completions])
    prompts = np.array([group.prompt_tokens for group in groups for _ in group.completions])
    matrices = decoder.params + decoder.head_params
    pieces: list[Work] = []
    for place in range(1, int(lengths.max(initial=0))):
        seen = prompts[lengths > place] + place
        keys = sum(int(np.minimum(seen, window or seen).sum()) for window in decoder.windows)
        flops = 2.0 * matrices * len(seen) + 4.0 * decoder.num_heads * decoder.head_size * keys
        numbers = matrices + 2 * decoder.num_kv_heads * decoder.head_size * keys
        pieces.append(Work(flops=flops, bytes=float(recipe.weight_bytes * numbers)))
    return tuple(pieces)


def update(shape: ModelShape, groups: Sequence[GroupLoad], recipe: Recipe, *, num_shards: int = 1) -> Work:
    """Forward and backward over prompts and completions and one optimizer step; the images aside.

    With `num_shards` the step is on such a part of the weights.

    Worked by hand for one layer-parameter and token: 4 with a frozen base (forward, gradient of the input), 6 in full.
    An adapter's own parameters cost 6.
    """
    once = forward(shape, groups, recipe)
    decoder = shape.decoder
    tokens = sum(group.shared_tokens for group in groups)
    scored = sum(sum(group.completions) for group in groups)
    linear = 2.0 * decoder.params * tokens + 2.0 * decoder.head_params * scored
    attention = once.flops - linear
    backward = linear * (1 if recipe.is_lora else 2) + 2 * attention
    again = once.flops - 2.0 * decoder.head_params * scored if recipe.recomputes else 0.0
    adapter = 6.0 * recipe.adapter_params * tokens
    passes = 3 if recipe.recomputes else 2
    return Work(flops=once.flops + backward + again + adapter, bytes=passes * once.bytes) + optimizer(shape, recipe) * (
        1 / num_shards
    )


def vision_update(shape: ModelShape, groups: Sequence[GroupLoad], recipe: Recipe) -> Work:
    """Encode the images and, where they need a gradient, go back through the encoder."""
    once = vision_forward(shape.vision, groups, weight_bytes=recipe.weight_bytes)
    if not recipe.trains_vision:
        return once
    return once * (4.0 if recipe.recomputes else 3.0)


def optimizer(shape: ModelShape, recipe: Recipe) -> Work:
    """Read and write weights and the optimizer's state, read gradients. Its arithmetic is nothing beside that."""
    num = recipe.trained_params(shape)
    return Work(bytes=float(num * (2 * recipe.weight_bytes + 2 * recipe.state_bytes + recipe.gradient_bytes)))


def sync(shape: ModelShape, recipe: Recipe) -> Work:
    """Copy what learns to a sampler that holds weights of its own: each read and written once."""
    return Work(bytes=2.0 * recipe.weight_bytes * recipe.trained_params(shape))
