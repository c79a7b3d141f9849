"""Training of both models: AdamW with two learning rates, linear warm-up and decay, the best epoch kept.

The seed's code trains nothing; upstream's recipe (ReXKG, arXiv 2408.14397) is `UPSTREAM_ENTITIES` and
`UPSTREAM_RELATIONS`, for a pretrained encoder. Deviations: the loss is a mean, not a sum (AdamW does not feel the
difference), and training ends early once an epoch makes no error on the development sentences.
"""

# torch and transformers are typed in parts only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from radrl.graph.rexkg.batching import padded
from radrl.graph.rexkg.entity_model import EntityModel, Window, predict_entities, span_classes, span_tensor, windows
from radrl.graph.rexkg.labels import LabelledSentence, Span
from radrl.graph.rexkg.metrics import entity_agreement, relation_agreement
from radrl.graph.rexkg.relation_model import MarkedPair, PairMaker, RelationModel, pair_logits, predict_relations
from radrl.graph.rexkg.subwords import Subwords

_MAX_GRADIENT_NORM: Final = 1.0
_Example = TypeVar("_Example")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one model is trained.

    Example: `Recipe(encoder_lr=1e-5, head_lr=5e-4, batch=8, epochs=50)`
    """

    encoder_lr: float
    """Highest learning rate of the encoder."""
    head_lr: float
    """Highest learning rate of what stands on it."""
    batch: int
    """Sentences (entities) or marked pairs (relations) a step."""
    epochs: int
    """Most passes over the data."""
    warmup_frac: float = 0.1
    """Share of the steps over which the learning rates rise from 0."""


UPSTREAM_ENTITIES: Final = Recipe(encoder_lr=1e-5, head_lr=5e-4, batch=8, epochs=50)
UPSTREAM_RELATIONS: Final = Recipe(encoder_lr=5e-5, head_lr=5e-5, batch=128, epochs=20)
SCRATCH_ENTITIES: Final = Recipe(encoder_lr=1e-3, head_lr=1e-3, batch=16, epochs=40)
SCRATCH_RELATIONS: Final = Recipe(encoder_lr=1e-3, head_lr=1e-3, batch=64, epochs=6)
"""For a small encoder that starts from random weights: found on phantom reports, where both end well before."""


class Watch(Protocol):
    """Told of every step."""

    def __call__(self, step: int, total_steps: int, *, loss: float, dev_f1: float | None) -> None:
        """`dev_f1` is that of the last epoch that ended, strict micro F1 on the development sentences."""
        ...


def train_entities(
    model: EntityModel,
    subwords: Subwords,
    train: Sequence[LabelledSentence],
    dev: Sequence[LabelledSentence],
    *,
    recipe: Recipe,
    seed: int,
    watch: Watch,
) -> float:
    """Train the entity model in place and return the F1 on `dev` of the epoch kept. Random state is left as it was."""
    examples = [
        (window, span_classes(window, train[window.sentence].spans))
        for window in windows(model, subwords, [sentence.words for sentence in train])
    ]

    def loss(batch: Sequence[tuple[Window, Sequence[int]]]) -> Tensor:
        rows = [row for row, _ in batch]
        device = next(model.parameters()).device
        ids, mask = padded([row.ids for row in rows], pad_id=subwords.pad_id, device=device)
        labels = torch.tensor([label for _, classes in batch for label in classes], device=device)
        return cross_entropy(model(ids, mask, span_tensor(rows).to(device)), labels)

    def dev_f1() -> float:
        spans = predict_entities(model, subwords, [sentence.words for sentence in dev])
        found = [
            LabelledSentence(doc_key=sentence.doc_key, words=sentence.words, spans=predicted)
            for sentence, predicted in zip(dev, spans, strict=True)
        ]
        return entity_agreement(found, dev).f1

    return _fit(model, examples, loss=loss, dev_f1=dev_f1, recipe=recipe, seed=seed, watch=watch)


def train_relations(
    model: RelationModel,
    subwords: Subwords,
    train: Sequence[LabelledSentence],
    dev: Sequence[LabelledSentence],
    *,
    recipe: Recipe,
    seed: int,
    watch: Watch,
) -> float:
    """Train the relation model in place on annotated entities and return the F1 on `dev` of the epoch kept.

    The F1 here is given the annotated entities too; with predicted ones it is lower. Random state is left as it was.
    """
    maker = PairMaker(subwords, max_tokens=model.max_tokens)
    examples = [
        (pair, _relation_class(model, sentence, pair.head, pair.tail))
        for number, sentence in enumerate(train)
        for pair in maker.pairs(number, sentence.words, sentence.spans)
    ]

    def loss(batch: Sequence[tuple[MarkedPair, int]]) -> Tensor:
        logits = pair_logits(model, subwords, [pair for pair, _ in batch])
        return cross_entropy(logits, torch.tensor([label for _, label in batch], device=logits.device))

    def dev_f1() -> float:
        edges = predict_relations(model, subwords, [(sentence.words, sentence.spans) for sentence in dev])
        found = [
            LabelledSentence(doc_key=s.doc_key, words=s.words, spans=s.spans, edges=predicted)
            for s, predicted in zip(dev, edges, strict=True)
        ]
        return relation_agreement(found, dev).f1

    return _fit(model, examples, loss=loss, dev_f1=dev_f1, recipe=recipe, seed=seed, watch=watch)


def _relation_class(model: RelationModel, sentence: LabelledSentence, head: Span, tail: Span) -> int:
    label = next((edge.label for edge in sentence.edges if (edge.head, edge.tail) == (head, tail)), None)
    return 0 if label is None else model.labels.index(label)


def _fit(
    model: EntityModel | RelationModel,
    examples: Sequence[_Example],
    *,
    loss: Callable[[Sequence[_Example]], Tensor],
    dev_f1: Callable[[], float],
    recipe: Recipe,
    seed: int,
    watch: Watch,
) -> float:
    """Run the recipe and leave the weights of the best epoch in the model."""
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        optimizer = _optimizer(model, recipe)
        steps_per_epoch = -(-len(examples) // recipe.batch)
        total = steps_per_epoch * recipe.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, total, recipe.warmup_frac))
        best_f1, best = -1.0, model.state_dict()
        step = 0
        for epoch in range(recipe.epochs):
            model.train()
            for batch in _shuffled(examples, recipe.batch, seed=f"{seed} {epoch}"):
                value = loss(batch)
                optimizer.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(model.parameters(), _MAX_GRADIENT_NORM)
                optimizer.step()
                schedule.step()
                step += 1
                watch(step, total, loss=value.item(), dev_f1=max(best_f1, 0.0) if epoch else None)
            f1 = dev_f1()
            if f1 > best_f1:
                best_f1, best = f1, {name: weights.clone() for name, weights in model.state_dict().items()}
            if f1 == 1.0:
                break
        watch(total, total, loss=0.0, dev_f1=best_f1)
        model.load_state_dict(best)
    model.eval()
    return best_f1


def _optimizer(model: EntityModel | RelationModel, recipe: Recipe) -> torch.optim.AdamW:
    """Two groups; biases and norms are not decayed, as in PURE."""
    groups: list[dict[str, object]] = []
    for is_encoder, rate in ((True, recipe.encoder_lr), (False, recipe.head_lr)):
        for is_matrix, decay in ((True, 0.01), (False, 0.0)):
            chosen = [
                weights
                for name, weights in model.named_parameters()
                if name.startswith("bert.") == is_encoder and (weights.ndim > 1) == is_matrix
            ]
            groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups)


def _share(step: int, total: int, warmup_frac: float) -> float:
    """Share of the highest learning rate at a step, from 0: up over the warm-up, then down to 0 at the end."""
    warmup = max(1, round(total * warmup_frac))
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (total - step) / max(1, total - warmup))


def _shuffled(examples: Sequence[_Example], batch: int, *, seed: str) -> Iterator[list[_Example]]:
    order = list(examples)
    random.Random(seed).shuffle(order)
    for first in range(0, len(order), batch):
        yield order[first : first + batch]
