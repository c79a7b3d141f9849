"""Where the weights to export are, and how they are opened."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from radrl.checkpoints import TRACKER, checkpoint_of, saved_steps, step_of
from radrl.config.load import load_config
from radrl.config.schema import Config
from radrl.engines.checkpoint import HUGGINGFACE, STATE, saved_model
from radrl.errors import CheckpointError, ConfigError
from radrl.models.adapter import ModelAdapter
from radrl.models.freezing import prepare_training, trained_names
from radrl.models.load import load_adapter
from radrl.models.lora import adapters_in, base_of

ACTOR = "actor"
"""Part of a checkpoint that holds the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A trained model on disk.

    Example: `Source(folder=Path("runs/x/y/checkpoints/global_step_40/actor"), run=Path("runs/x/y"), step=40)`
    """

    folder: Path
    """A learner's folder of a checkpoint, or one that holds a model or adapters itself."""
    run: Path | None = None
    """The run that it is of, where that is known."""
    step: int | None = None
    """The step it was saved after."""

    def config(self) -> Config | None:
        """How the run was configured."""
        file = self.run / "config.yaml" if self.run else None
        return load_config(Config, [f"config={file}"], environment={}).config if file and file.exists() else None


def find_source(path: Path, *, best: bool = False, step: int | None = None) -> Source:
    """Find what to export in a run's folder, the last checkpoint unless told otherwise, or in a folder of weights.

    Raises ConfigError for a folder that is neither, and CheckpointError for a checkpoint that is not there.
    """
    if (path / "checkpoints").is_dir():
        chosen = _choose(path / "checkpoints", best=best, step=step)
        return Source(folder=checkpoint_of(path / "checkpoints", chosen) / ACTOR, run=path, step=chosen)
    if best or step is not None:
        raise ConfigError(
            f"--best and --step choose among the checkpoints of a run, and {path} has none. Name the run."
        )
    if path.name == ACTOR and path.parent.name.startswith("global_step_"):
        path = path.parent
    if (path / ACTOR).is_dir():
        run = path.resolve().parents[1]
        return Source(folder=path / ACTOR, run=run if (run / "config.yaml").exists() else None, step=step_of(path))
    if (path / "config.json").exists() or adapters_in(path):
        return Source(folder=path)
    raise ConfigError(
        f"{path} is no run (a folder with checkpoints/), no checkpoint (global_step_K) and no model (config.json or "
        "adapter_config.json). Name one of these."
    )


def open_source(source: Source) -> ModelAdapter:
    """Open the model in float32 on the CPU, from its Hugging Face folder or, without one, from the run's state.

    Raises CheckpointError when the state is not that of the model which the run's config.yaml describes.
    """
    config = source.config()
    remote = config.worker.actor.model.trust_remote_code if config else False
    own = source.folder / HUGGINGFACE
    if own.is_dir() or not (source.folder / STATE).is_dir():
        folder = own if own.is_dir() else source.folder
        return load_adapter(folder, device="cpu", dtype="float32", trust_remote_code=remote)
    if config is None:
        raise CheckpointError(
            f"{source.folder} holds the state of a run and no {HUGGINGFACE} folder, and the run's config.yaml, which "
            "says what model it is, is not two folders above. Put the checkpoint back into its run."
        )
    model = config.worker.actor.model
    adapter = load_adapter(
        model.model_path,
        device="cpu",
        dtype="float32",
        chat_template=config.data.override_chat_template,
        tokenizer_path=model.tokenizer_path,
        trust_remote_code=remote,
        freeze_vision_tower=model.freeze_vision_tower,
    )
    prepare_training(adapter, model, seed=config.trainer.seed)
    _take_over(adapter, source.folder)
    return adapter


def base_path(source: Source) -> str | None:
    """Path or hub name of the model that training started from, where anything says so."""
    folders = [source.folder / HUGGINGFACE, source.folder]
    adapted = next((folder for folder in folders if folder.is_dir() and adapters_in(folder)), None)
    config = source.config()
    found = base_of(adapted) if adapted else config.worker.actor.model.model_path if config else None
    while found and Path(found).is_dir() and adapters_in(Path(found)):
        found = base_of(Path(found))
    return found


@torch.no_grad()
def _take_over(adapter: ModelAdapter, folder: Path) -> None:
    saved, own = saved_model(folder), adapter.model.state_dict()
    learning = trained_names(adapter.model)
    wrong = sorted((learning - saved.keys()) | (saved.keys() - own.keys()))
    wrong += sorted(name for name in saved.keys() & own.keys() if saved[name].shape != own[name].shape)
    if wrong:
        raise CheckpointError(
            f"{len(wrong)} weights in {folder / STATE} are missing, unknown or of another shape, the first {wrong[0]}. "
            "It was saved by a run of another model than config.yaml names: restore that file."
        )
    for name, tensor in saved.items():
        own[name].copy_(tensor)


def _choose(checkpoints: Path, *, best: bool, step: int | None) -> int:
    steps = saved_steps(checkpoints)
    if not steps:
        raise CheckpointError(f"{checkpoints} holds no checkpoint yet. Train until one is written (trainer.save_freq).")
    chosen = step
    if best:
        tracker = json.loads((checkpoints / TRACKER).read_text(encoding="utf-8"))
        chosen = tracker["best_global_step"]
        if chosen is None:
            raise CheckpointError(
                f"no checkpoint in {checkpoints} was validated, so that none is the best. Name one with --step, of "
                f"{_listed(steps)}, and let trainer.val_freq and trainer.save_freq meet in the next run."
            )
    if chosen is None:
        return steps[-1]
    if chosen not in steps:
        raise CheckpointError(
            f"{checkpoints} holds no checkpoint of step {chosen}, only of {_listed(steps)}. Name one."
        )
    return chosen


def _listed(steps: list[int]) -> str:
    return ", ".join(map(str, steps))
