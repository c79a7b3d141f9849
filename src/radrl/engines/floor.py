"""The least time that a step can take on a device: counted work over measured ceilings.

    floor = sum over pieces of max(operations / (matrix product's rate), bytes / (copy's rate))

No discount for what is usual is in it, so nothing runs below it; the column at 50 % utilisation is good practice.

Worked by hand: Qwen2.5-VL-3B, a LoRA of rank 16, 16 prompts of 1024 image and 22 text tokens with 8 completions of 256
tokens, images (4096 patches) encoded once, a reference pass, 782e12 operations a second.
Tokens with the prompt once a group: 16 x (1046 + 8 x 256) = 49,504. Three passes through 36 x 77,070,336 = 2.77e9
parameters (reference, forward, gradient of the input): 3 x 2 x 2.77e9 x 49,504 = 8.24e14. The head, 311e6 parameters on
32,768 tokens, three times: 0.61e14. The encoder once, 65,536 patches: 0.83e14 for its matrices and 0.07e14 for its
attention. The decoder's attention, 4.7e7 pairs x 36 layers x 8,192, four times: 0.56e14. Together 1.04e15, or 1.34 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radrl.engines import work
from radrl.engines.ceilings import Ceilings
from radrl.engines.shapes import ModelShape
from radrl.engines.work import GroupLoad, Recipe, Trained, Work

USUAL_MFU = 0.5
"""Share of the matrix product's rate that good training code reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a phase must at least take.

    Example: `Floor(flops=1.04e15, seconds=1.34, seconds_at_half=2.67)`
    """

    flops: float
    """Operations of the phase."""
    seconds: float
    seconds_at_half: float
    """With the arithmetic at half of the ceiling and the memory traffic at all of it."""


def floor_of(pieces: Sequence[Work], ceilings: Ceilings) -> Floor:
    """Floor of pieces of work that follow each other; within a piece arithmetic and memory traffic overlap."""
    return Floor(
        flops=sum(piece.flops for piece in pieces),
        seconds=_seconds(pieces, ceilings, utilisation=1.0),
        seconds_at_half=_seconds(pieces, ceilings, utilisation=USUAL_MFU),
    )


def step_work(
    shape: ModelShape,
    groups: Sequence[GroupLoad],
    recipe: Recipe,
    *,
    has_reference: bool,
    own_sampler: bool,
    num_shards: int = 1,
) -> Mapping[str, tuple[Work, ...]]:
    """Work of each phase of one step on these groups, with every prompt and image passed once.

    `own_sampler` says that the sampler holds weights of its own: it encodes the images for itself, and is sent what was
    learnt. Otherwise features of an encoder that does not learn serve sampler, reference and update alike. Of
    `num_shards` ranks each steps on its part of the weights.
    """
    images = work.vision_forward(shape.vision, groups, weight_bytes=recipe.weight_bytes)
    is_reused = not own_sampler and not recipe.trains_vision
    learning = () if is_reused else (work.vision_update(shape, groups, recipe),)
    phases: dict[str, tuple[Work, ...]] = {
        "gen": (images, work.prefill(shape, groups, recipe), *work.decode(shape, groups, recipe))
    }
    if has_reference:
        apart = (images,) if recipe.trains_vision else ()
        phases["ref"] = (*apart, work.forward(shape, groups, recipe))
    phases["update_actor"] = (*learning, work.update(shape, groups, recipe, num_shards=num_shards))
    if own_sampler:
        phases["sync"] = (work.sync(shape, recipe),)
    return phases


def critic_work(critic: Trained, groups: Sequence[GroupLoad], *, num_shards: int = 1) -> Mapping[str, tuple[Work, ...]]:
    """Work of a critic's two phases: a value for every completion token, and the update on all of them.

    Features of an image encoder that does not learn are computed once for both.
    """
    shape, recipe = critic.shape, critic.recipe
    images = work.vision_forward(shape.vision, groups, weight_bytes=recipe.weight_bytes)
    learning = (work.vision_update(shape, groups, recipe),) if recipe.trains_vision else ()
    return {
        "values": (images, work.forward(shape, groups, recipe)),
        "update_critic": (*learning, work.update(shape, groups, recipe, num_shards=num_shards)),
    }


def unshared_update(shape: ModelShape, groups: Sequence[GroupLoad], recipe: Recipe) -> tuple[Work, ...]:
    """What the usual recipe computes for the same update, done ideally: no padding, no idle time.

    Every completion brings its own prompt and image through a pass for the old log-probabilities, one for the reference
    and the update; `recipe.recomputes` says whether the update recomputes its activations, as trainers of this size do.
    """
    alone = work.unshared(groups)
    images = work.vision_forward(shape.vision, alone, weight_bytes=recipe.weight_bytes)
    passes = work.forward(shape, alone, recipe) * 2.0
    return (images * 2.0, passes, work.vision_update(shape, alone, recipe), work.update(shape, alone, recipe))


def longest_step(
    *, num_groups: int, group_size: int, prompt_tokens: int, image_tokens: int, completion_tokens: int
) -> tuple[GroupLoad, ...]:
    """The step in which every prompt and completion is as long as it may be."""
    one = GroupLoad(
        prompt_tokens=prompt_tokens,
        image_tokens=image_tokens,
        num_images=1 if image_tokens else 0,
        completions=(completion_tokens,) * group_size,
    )
    return (one,) * num_groups


def _seconds(pieces: Sequence[Work], ceilings: Ceilings, *, utilisation: float) -> float:
    rate = ceilings.flops_per_s * utilisation
    return sum(max(piece.flops / rate, piece.bytes / ceilings.bytes_per_s) for piece in pieces)
