"""The data of the rollout browser, as the page's script reads it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from markupsafe import Markup

from radrl.report.images import Thumbnail, make_thumbnail
from radrl.report.judgement import JudgedRollout, judge_rollout
from radrl.report.labels import kind_label, reward_label
from radrl.report.rollouts import RolloutRecord

_UNSAFE = re.compile("[<>&\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRollout:
    """A rollout ready for the page."""

    record: RolloutRecord
    judged: JudgedRollout
    mean_part: float
    """Mean of the reward parts: orders rollouts of the same outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The chosen rollouts, most wanted first, and their pictures: made once, however often the page is cut to size."""

    rollouts: tuple[ShownRollout, ...]
    thumbnails: Mapping[str, Thumbnail | None]
    """By path as recorded; None where the file could not be read."""

    def first(self, num: int) -> "Viewer":
        """The `num` most wanted rollouts."""
        return Viewer(rollouts=self.rollouts[:num], thumbnails=self.thumbnails)

    def to_json(self) -> Markup:
        """Rollouts in order of the run, each picture once, as JSON that cannot end a script element."""
        ordered = sorted(self.rollouts, key=lambda shown: (shown.record.step, shown.record.id, shown.record.index))
        pictures = [self.thumbnails[path] for shown in ordered for path in shown.record.images]
        kinds = {shown.record.kind for shown in ordered}
        rewards = {name for shown in ordered for name in shown.record.rewards}
        return embed_json(
            {
                "rollouts": [self._describe(shown) for shown in ordered],
                "images": {picture.key: picture.uri for picture in pictures if picture},
                "kinds": {kind: kind_label(kind) for kind in sorted(kinds)},
                "rewards": {name: reward_label(name).title for name in sorted(rewards)},
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
            "images": [self._image(path) for path in record.images],
        }

    def _image(self, path: str) -> dict[str, str | None]:
        thumbnail = self.thumbnails[path]
        return {"path": Path(path).name, "key": thumbnail.key if thumbnail else None}


def make_viewer(records: Sequence[RolloutRecord], *, run: Path) -> Viewer:
    """Judge the rollouts and load their pictures; paths that are not absolute start at the run folder."""
    paths = {path for record in records for path in record.images}
    return Viewer(
        rollouts=tuple(
            ShownRollout(record=record, judged=judge_rollout(record), mean_part=_mean_part(record))
            for record in records
        ),
        thumbnails={path: make_thumbnail(run / path) for path in sorted(paths)},
    )


def embed_json(value: Mapping[str, object]) -> Markup:
    r"""JSON for a script element: no `<`, `>` or `&` in it, so that no text can close the element or open a comment.

    >>> print(embed_json({"text": "</script>"}))
    {"text":"\u003c/script\u003e"}
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(_UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text))


def _mean_part(record: RolloutRecord) -> float:
    values = [value for value in record.rewards.values() if value is not None]
    return sum(values) / len(values) if values else 0.0
