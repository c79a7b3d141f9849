"""Everything the report reads of a run folder. Only the metrics or an evaluation must be there."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.errors import ConfigError, DataError
from radrl.report.evaluations import Evaluation, read_evaluations
from radrl.report.records import Line, read_lines, read_object
from radrl.report.rollouts import RolloutEntry, index_rollouts
from radrl.report.series import StepMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """What a run left behind. Empty where a file is missing; the page then says so."""

    path: Path
    written: str
    """Day and minute (UTC) on which the newest of its files was written."""
    metrics: tuple[StepMetrics, ...]
    entries: tuple[RolloutEntry, ...]
    """Every rollout of completions.jsonl."""
    evaluations: tuple[Evaluation, ...]
    config: str
    settings: Config | None
    """config.yaml as a training run reads it; None where it is missing, or is of another command or version."""
    command: str
    environment: Mapping[str, object]
    summary: Mapping[str, object]
    """summary.json of a demo."""

    @property
    def completions(self) -> Path:
        """Where the rollouts are."""
        return self.path / "completions.jsonl"


def read_run(path: Path) -> RunFolder:
    """Read a run folder. DataError when it holds neither a step nor an evaluation, or when a file is malformed."""
    metrics = [_step(line) for line in read_lines(path / "metrics.jsonl")] if (path / "metrics.jsonl").exists() else []
    evaluations = read_evaluations(path / "evaluation")
    if not metrics and not evaluations:
        raise DataError(
            f"there is nothing to report in {path}: it has no step in metrics.jsonl and no evaluation/*/summary.json. "
            "Give the folder of a run (runs/PROJECT/EXPERIMENT), or evaluate into it first."
        )
    completions = path / "completions.jsonl"
    return RunFolder(
        path=path,
        written=_newest(path),
        metrics=tuple(sorted(metrics, key=lambda record: record.step)),
        entries=tuple(index_rollouts(completions)) if completions.exists() else (),
        evaluations=evaluations,
        config=_text(path / "config.yaml"),
        settings=_settings(path / "config.yaml"),
        command=_text(path / "command.txt"),
        environment=read_object(path / "environment.json") if (path / "environment.json").exists() else {},
        summary=read_object(path / "summary.json") if (path / "summary.json").exists() else {},
    )


def _step(line: Line) -> StepMetrics:
    numbers = {
        name: float(value)
        for name, value in line.fields.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    return StepMetrics(step=int(line.number_of("step")), stage=line.text("stage", default=""), values=numbers)


def _settings(path: Path) -> Config | None:
    """None for a file that training would refuse today: the report still shows its text, and says what is missing."""
    if not path.exists():
        return None
    try:
        return load_config(Config, [f"config={path}"]).config
    except ConfigError:
        return None


def _newest(path: Path) -> str:
    files = [path / "metrics.jsonl", path / "completions.jsonl", *path.glob("evaluation/*/summary.json")]
    newest = max(file.stat().st_mtime for file in files if file.exists())
    return datetime.fromtimestamp(newest, UTC).strftime("%d %B %Y, %H:%M UTC")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
