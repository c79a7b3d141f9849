"""The ledger of a step: what each phase had to compute, held against what it took."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from radrl.batch import Batch
from radrl.engines import work
from radrl.engines.ceilings import Ceilings, Datasheet
from radrl.engines.floor import floor_of
from radrl.engines.shapes import ModelShape
from radrl.engines.work import GroupLoad, Recipe, Work
from radrl.models.packing import MicroBatch
from radrl.types import Completion, Prompt

log = logging.getLogger(__name__)


class Ledger:
    """Adds up the work of each phase and turns it, with the phase's seconds, into `perf/` metrics."""

    def __init__(
        self, *, shape: ModelShape | None, recipe: Recipe, ceilings: Ceilings, datasheet: Datasheet | None = None
    ) -> None:
        """Without a `shape` there is no floor, and without a `datasheet` no utilisation, which goes by the maker."""
        self._shape = shape
        self._recipe = recipe
        self._ceilings = ceilings
        self._datasheet = datasheet
        self._pieces: dict[str, list[Work]] = {}
        self._shared_tokens = 0
        self._unshared_tokens = 0
        if datasheet is None:
            log.info("this device is not in the table of makers' figures: perf/mfu_* is left out, the floor is not")

    @property
    def shape(self) -> ModelShape | None:
        """Sizes of the model; None where its costs are not known."""
        return self._shape

    def charge(self, phase: str, count: Callable[[ModelShape, Recipe], Sequence[Work]]) -> None:
        """Add the pieces of work that a phase did one after the other, counted for the policy."""
        if self._shape is not None:
            self.add(phase, count(self._shape, self._recipe))

    def add(self, phase: str, pieces: Sequence[Work]) -> None:
        """Add pieces of work that a phase did one after the other."""
        self._pieces.setdefault(phase, []).extend(pieces)

    def note_sharing(self, groups: Sequence[GroupLoad]) -> None:
        """Remember how many tokens a pass over these groups has, and how many it would have unshared."""
        self._shared_tokens += sum(group.shared_tokens for group in groups)
        self._unshared_tokens += sum(group.unshared_tokens for group in groups)

    def take(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Floor, ratio and utilisation of each phase since the last call; `metrics` holds `timing_s/{phase}`."""
        found: dict[str, float] = {}
        for phase, pieces in self._pieces.items():
            floor = floor_of(pieces, self._ceilings)
            found[f"perf/floor_s_{phase}"] = floor.seconds
            seconds = metrics.get(f"timing_s/{phase}", 0.0)
            if seconds > 0 and floor.seconds > 0:
                found[f"perf/floor_ratio_{phase}"] = seconds / floor.seconds
            if seconds > 0 and self._datasheet is not None and floor.flops > 0:
                found[f"perf/mfu_{phase}"] = floor.flops / seconds / self._datasheet.bf16_flops_per_s
        if self._unshared_tokens:
            found["perf/shared_tokens_frac"] = 1 - self._shared_tokens / self._unshared_tokens
        self._pieces, self._shared_tokens, self._unshared_tokens = {}, 0, 0
        return found


class Encoder:
    """Counts the images that an image encoder has to see; one that does not learn sees each only once a run."""

    def __init__(self, *, is_frozen: bool) -> None:
        self._is_frozen = is_frozen
        self._seen: set[str] = set()

    def unseen(self, groups: Sequence[tuple[Prompt, GroupLoad]]) -> list[GroupLoad]:
        """The images of these prompts that have to be encoded, each distinct one once."""
        seen = self._seen if self._is_frozen else set[str]()
        loads: list[GroupLoad] = []
        for prompt, load in groups:
            fresh = {image.sha256 for image in prompt.sample.images} - seen
            seen |= fresh
            if fresh:
                share = len(fresh) / load.num_images
                loads.append(replace(load, num_images=len(fresh), image_tokens=round(load.image_tokens * share)))
        return loads


def sampling_work(
    shape: ModelShape, recipe: Recipe, *, texts: Sequence[GroupLoad], images: Sequence[GroupLoad]
) -> list[Work]:
    """Encode the images, pass the prompts and write the completions, all of them together."""
    if not texts:
        return []
    encoded = work.vision_forward(shape.vision, images, weight_bytes=recipe.weight_bytes)
    return [encoded, work.prefill(shape, texts, recipe), *work.decode(shape, texts, recipe)]


def scoring_work(
    shape: ModelShape, recipe: Recipe, *, texts: Sequence[GroupLoad], images: Sequence[GroupLoad]
) -> list[Work]:
    """One pass over prompts and completions without gradient."""
    encoded = work.vision_forward(shape.vision, images, weight_bytes=recipe.weight_bytes)
    return [encoded, work.forward(shape, texts, recipe)]


def update_work(
    shape: ModelShape, recipe: Recipe, *, texts: Sequence[GroupLoad], images: Sequence[GroupLoad]
) -> list[Work]:
    """One pass over prompts and completions with gradient; nothing where no sequence has one."""
    return [work.vision_update(shape, images, recipe), work.update(shape, texts, recipe)] if texts else []


def loads_of(batch: Batch) -> list[tuple[Prompt, GroupLoad]]:
    """The groups of a batch with their sizes, in order."""
    rows = zip(batch.group.tolist(), batch.rollouts, strict=True)
    groups = [[rollout.completion for _, rollout in members] for _, members in groupby(rows, key=lambda row: row[0])]
    return [(group[0].prompt, load_of(group)) for group in groups]


def load_of(group: Sequence[Completion]) -> GroupLoad:
    """Sizes of a prompt and its completions."""
    prompt = group[0].prompt
    return GroupLoad(
        prompt_tokens=len(prompt.token_ids),
        image_tokens=prompt.num_image_tokens,
        num_images=len(prompt.sample.images),
        completions=tuple(len(completion.token_ids) for completion in group),
    )


def with_advantage(batch: Batch) -> Batch:
    """The sequences of a batch that have an advantage anywhere: the only ones with a policy gradient."""
    assert batch.advantages is not None, "credit is assigned before the update"
    parts = batch.advantages.abs().split(batch.lengths.tolist())
    return batch.select([row for row, part in enumerate(parts) if float(part.sum()) > 0])


def pack_efficiency(micro_batches: Sequence[MicroBatch]) -> float:
    """Share of the rows' places that hold a token; the rest is padding, which costs as much.

    Example: two rows of 100 places with 100 and 60 tokens: 0.8
    """
    filled = sum(part.num_tokens for batch in micro_batches for row in batch.rows for part in row)
    places = sum(len(batch.rows) * batch.width for batch in micro_batches)
    return filled / places if places else 1.0
