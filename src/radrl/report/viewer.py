"""The data of the rollout browser, as the page's script reads it."""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from markupsafe import Markup

from radrl.config.schema import RewardConfig
from radrl.report.evidence import Reasons, find_reasons
from radrl.report.graphs import graph_pair_svg
from radrl.report.images import Thumbnail, make_thumbnail
from radrl.report.judgement import Graphs, JudgedRollout, graphs_of, judge_rollout
from radrl.report.labels import kind_label, reward_label
from radrl.report.rollouts import RolloutRecord

MAX_NODES = 25
"""Names that a drawing of one graph holds at most; a list is clearer for more."""

_UNSAFE = re.compile("[<>&\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRollout:
    """A rollout ready for the page."""

    record: RolloutRecord
    judged: JudgedRollout
    mean_part: float
    """Mean of the reward parts: orders rollouts of the same outcome."""
    drawing: Markup
    """Both knowledge graphs as SVG; empty where there is nothing to draw, or too much."""
    reasons: tuple[Reasons, ...]
    """What the rewards judged in its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The chosen rollouts, most wanted first, and their pictures: made once, however often the page is cut to size."""

    rollouts: tuple[ShownRollout, ...]
    thumbnails: Mapping[str, Thumbnail | None]
    """By path as recorded; None where the file could not be read."""
    terms: Mapping[str, Sequence[RewardConfig]]
    """Stage -> its reward terms; empty where the configuration is not known."""

    def first(self, num: int) -> "Viewer":
        """The `num` most wanted rollouts."""
        return replace(self, rollouts=self.rollouts[:num])

    def to_json(self) -> Markup:
        """Rollouts in order of the run, each picture once, as JSON that cannot end a script element."""
        ordered = sorted(self.rollouts, key=lambda shown: (shown.record.step, shown.record.id, shown.record.index))
        pictures = [self.thumbnails[path] for shown in ordered for path in shown.record.images]
        kinds = {shown.record.kind for shown in ordered}
        rewards = {name for shown in ordered for name in shown.record.rewards}
        registered = {term.key: term.name for terms in self.terms.values() for term in terms}
        drawings = sorted({str(shown.drawing) for shown in ordered})
        return embed_json(
            {
                "rollouts": [
                    {**self._describe(shown), "drawing": drawings.index(str(shown.drawing))} for shown in ordered
                ],
                "drawings": compress_json(drawings),
                "weights": {stage: {term.key: term.weight for term in terms} for stage, terms in self.terms.items()},
                "images": {picture.key: picture.uri for picture in pictures if picture},
                "kinds": {kind: kind_label(kind) for kind in sorted(kinds)},
                "rewards": {
                    name: reward_label(name, registered=registered.get(name, "")).title for name in sorted(rewards)
                },
            }
        )

    def _describe(self, shown: ShownRollout) -> dict[str, object]:
        record = shown.record
        return {
            **asdict(shown.judged),
            "step": record.step,
            "stage": record.stage,
            "id": record.id,
            "index": record.index,
            "kind": record.kind,
            "question": record.prompt.replace("<image>", "").strip(),
            "completion": record.completion,
            "tokens": record.tokens,
            "logprobs": [round(value, 3) for value in record.logprobs] if record.tokens else None,
            "stop": record.stop,
            "rewards": dict(record.rewards),
            "outcome": record.outcome,
            "mean_part": shown.mean_part,
            "advantage": record.advantage,
            "failures": dict(record.failures),
            "reasons": [
                {
                    "reward": reasons.reward,
                    "today": reasons.value_today,
                    "spans": [[span.start, span.end, span.verdict, span.note] for span in reasons.spans],
                }
                for reasons in shown.reasons
            ],
            "images": [self._image(path) for path in record.images],
        }

    def _image(self, path: str) -> dict[str, str | None]:
        thumbnail = self.thumbnails[path]
        return {"path": Path(path).name, "key": thumbnail.key if thumbnail else None}


def make_viewer(records: Sequence[RolloutRecord], *, run: Path, terms: Mapping[str, Sequence[RewardConfig]]) -> Viewer:
    """Judge the rollouts and load their pictures; paths that are not absolute start at the run folder.

    `terms` are the reward terms of every stage.
    """
    paths = {path for record in records for path in record.images}
    return Viewer(
        rollouts=tuple(_show(record, terms.get(record.stage, ())) for record in records),
        thumbnails={path: make_thumbnail(run / path) for path in sorted(paths)},
        terms=terms,
    )


def embed_json(value: Mapping[str, object]) -> Markup:
    r"""JSON for a script element: no `<`, `>` or `&` in it, so that no text can close the element or open a comment.

    >>> print(embed_json({"text": "</script>"}))
    {"text":"\u003c/script\u003e"}
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(_UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text))


def compress_json(value: object) -> str:
    """JSON, gzipped, in base64: drawings share nearly all their text, so this is a fortieth of it.

    >>> gzip.decompress(base64.b64decode(compress_json(["<svg>"])))
    b'["<svg>"]'
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("ascii"), mtime=0)).decode("ascii")


def _show(record: RolloutRecord, terms: Sequence[RewardConfig]) -> ShownRollout:
    graphs = graphs_of(record)
    return ShownRollout(
        record=record,
        judged=judge_rollout(record, graphs),
        mean_part=_mean_part(record),
        drawing=_draw(graphs),
        reasons=find_reasons(record, terms),
    )


def _draw(graphs: Graphs) -> Markup:
    nums = [len({name for name, _ in graph.canonical_entities}) for graph in (graphs.predicted, graphs.reference)]
    if max(nums) > MAX_NODES or not any(nums):
        return Markup()
    return graph_pair_svg(graphs.predicted, graphs.reference)


def _mean_part(record: RolloutRecord) -> float:
    values = [value for value in record.rewards.values() if value is not None]
    return sum(values) / len(values) if values else 0.0
