"""How much memory a training step will take, from sizes alone: to say so before a run, and to choose recomputation.

The activations are those that torch keeps for the backward pass of a decoder layer as transformers writes it, counted
tensor by tensor; families with more norms keep some percent more. Fragmentation and the libraries' own memory are not
in it: leave a tenth of the device free.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from radrl.engines.shapes import DecoderShape, ModelShape, VisionShape
from radrl.engines.work import Recipe

_FLOAT32 = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """How what learns is cut between ranks. A weight is held in float32 by the rank that steps on it.

    Example: FSDP2 over 16 ranks, one layer fetched ahead: `Shards(num=16, layers_at_once=2)`
    """

    num: int
    """Ranks that hold one copy between them."""
    layers_at_once: int
    """Decoder layers that are whole at a time: the one at work and those fetched ahead; all of them in ZeRO-2 and 1."""
    keeps_gradients: bool = False
    """Whether gradients stay whole, in float32, until the last pass of a step: ZeRO-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """Bytes of each component.

    Example: Qwen2.5-VL-3B in bfloat16 with a LoRA of rank 16 and 16,384 tokens a pass: weights 7.5e9, gradients 1.2e8,
    optimizer 2.4e8, activations 7.2e10, activations_recomputed 4.4e9, logits 3.8e9, kv_cache 6.1e9
    """

    weights: int
    """Where they are sharded, this rank's part, and the layers that are whole at a time."""
    copies: int
    """A reference model and a sampler's own weights."""
    gradients: int
    optimizer: int
    """Moments, and whatever else the optimizer keeps a parameter."""
    activations: int
    """Kept for the backward pass of one micro-batch."""
    activations_recomputed: int
    """The same when every layer keeps its input alone and does the rest again."""
    logits: int
    """One tile of logits with what is computed from it."""
    kv_cache: int
    """Keys and values of all completions that are written at the same time, each at its longest."""
    critic: int = 0
    """Weights, gradients and moments of a critic of the policy's size; a frozen base serves both."""
    optimizer_waits: bool = False
    """Whether the optimizer's state is on the device for its step alone."""

    def peak_bytes(self, *, recomputes: bool) -> int:
        """The most in use at a time; sampling, passes and, where it waits elsewhere, the optimizer take turns."""
        standing = (
            self.weights + self.copies + self.critic + self.gradients + (0 if self.optimizer_waits else self.optimizer)
        )
        activations = self.activations_recomputed if recomputes else self.activations
        return standing + max(activations + self.logits, self.kv_cache, self.optimizer if self.optimizer_waits else 0)

    def components(self) -> Mapping[str, int]:
        """Bytes by name, in the order of the fields."""
        return {name: value for name, value in asdict(self).items() if name != "optimizer_waits"}


def estimate(
    shape: ModelShape,
    recipe: Recipe,
    *,
    micro_batch_tokens: int,
    micro_batch_image_tokens: int,
    tile_logits: int,
    cached_tokens: int,
    copied_params: int,
    optimizer_waits: bool = False,
    shards: Shards | None = None,
    has_critic: bool = False,
) -> MemoryEstimate:
    """Estimate the memory of a run on one device; `shards` says how what learns is cut between several.

    `micro_batch_image_tokens` are the image tokens of one micro-batch, `cached_tokens` the tokens of all sequences that
    are decoded together, and `copied_params` the weights held twice: by a reference that is no adapter, by a sampler of
    its own. `optimizer_waits` says that the optimizer's state is on the CPU but for its step.
    """
    held = held_bytes(shape, recipe, shards)
    layer = layer_bytes(shape.decoder, recipe)
    inputs = shape.decoder.hidden_size * recipe.weight_bytes
    patches = micro_batch_image_tokens * (shape.vision.patches_per_token if shape.vision else 0)
    images = patches * block_bytes(shape.vision, recipe) if shape.vision and recipe.trains_vision else 0
    num_layers, num_blocks = shape.decoder.num_layers, shape.vision.num_blocks if shape.vision else 0
    image_inputs = patches * recipe.weight_bytes * shape.vision.hidden_size if shape.vision and images else 0
    return MemoryEstimate(
        weights=held.weights,
        copies=copied_params * recipe.weight_bytes,
        gradients=held.gradients,
        optimizer=held.optimizer,
        activations=micro_batch_tokens * num_layers * layer + num_blocks * images,
        activations_recomputed=micro_batch_tokens * (num_layers * inputs + layer) + num_blocks * image_inputs + images,
        logits=min(tile_logits, micro_batch_tokens * shape.decoder.vocab_size) * (3 * _FLOAT32 + recipe.weight_bytes),
        kv_cache=cached_tokens * shape.decoder.kv_size * recipe.weight_bytes,
        critic=held.of_a_critic if has_critic else 0,
        optimizer_waits=optimizer_waits,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes that a rank holds of a model throughout its training.

    Example: 3.75e9 bfloat16 weights with a LoRA of 3e7: `Held(weights=7.6e9, gradients=1.2e8, optimizer=2.4e8,
    shared=7.5e9)`
    """

    weights: int
    gradients: int
    optimizer: int
    shared: int
    """Those of the weights that serve a second model as well, since neither learns them."""

    @property
    def of_a_critic(self) -> int:
        """What a critic of the same size takes beside the policy."""
        return self.weights - self.shared + self.gradients + self.optimizer


def held_bytes(shape: ModelShape, recipe: Recipe, shards: Shards | None) -> Held:
    """What a rank holds of a model, whole or cut between ranks."""
    trained = recipe.trained_params(shape)
    base = shape.params * recipe.weight_bytes
    if shards is None:
        return Held(
            weights=base + recipe.adapter_params * recipe.adapter_bytes,
            gradients=trained * recipe.gradient_bytes,
            optimizer=trained * recipe.state_bytes,
            shared=base if recipe.is_lora else 0,
        )
    whole = whole_params(shape, trained, layers_at_once=shards.layers_at_once)
    share = -(-trained // shards.num)
    return Held(
        weights=share * _FLOAT32 + (shape.params - trained + whole) * recipe.weight_bytes,
        gradients=share * _FLOAT32 + whole * (_FLOAT32 if shards.keeps_gradients else recipe.weight_bytes),
        optimizer=share * 2 * _FLOAT32,
        shared=0,
    )


def whole_params(shape: ModelShape, trained: int, *, layers_at_once: int) -> int:
    """Sharded weights that a rank has whole at a time: those outside the decoder's layers, and so many layers.

    Worked for Qwen2.5-VL-3B with its image encoder frozen and two layers: 311,164,928 + 2 x 77,070,336.
    """
    decoder = shape.decoder
    return trained - decoder.params + min(layers_at_once, decoder.num_layers) * decoder.layer_params


def layer_bytes(decoder: DecoderShape, recipe: Recipe) -> int:
    """Bytes that one layer keeps a token for the backward pass.

    Two norms: their input in float32, and where they or what follows learns also the product before and behind their
    weight. Attention: query, key, value, output and a float32 number a head. MLP: gate, its activation, up, and where
    the last matrix learns their product. Worked for 2 bytes, width 128, 4 heads and 2 key heads of 32, MLP of 640:
    2 x (512 + 512 + 4) + 2 x (256 + 128) + 16 + 4 x 1280 = 7,960 in full.

    An adapter keeps the input of its matrices, in the type of the model; its own narrow outputs are not counted.
    """
    size, hidden, inner = recipe.weight_bytes, decoder.hidden_size, decoder.intermediate_size
    queries, keys = decoder.num_heads * decoder.head_size, decoder.num_kv_heads * decoder.head_size
    frozen = 2 * _FLOAT32 * (hidden + 1) + size * (2 * queries + 2 * keys + 3 * inner) + _FLOAT32 * decoder.num_heads
    if not recipe.is_lora:
        return frozen + size * (4 * hidden + inner)
    return frozen + size * (2 * hidden + inner)


def block_bytes(vision: VisionShape, recipe: Recipe) -> int:
    """Bytes that one block of a trained image encoder keeps a patch: about two numbers a column of its matrices."""
    return 2 * recipe.weight_bytes * vision.block_params // vision.hidden_size
