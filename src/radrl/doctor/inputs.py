"""What a run reads: sources of rows with their first film, the model's folder, what rewards open."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub

from radrl.config.environment import uses_modelscope
from radrl.config.schema import Config
from radrl.data.load import samples_of
from radrl.data.sources import rows_of
from radrl.doctor.findings import Finding
from radrl.doctor.packages import sources_of
from radrl.errors import RadrlError
from radrl.models.hub import WEIGHTS
from radrl.models.lora import adapters_in, base_of
from radrl.rewards.pool import RewardPool
from radrl.stages import check_rubrics


def source_findings(config: Config) -> Iterator[Finding]:
    """Whether the first row of every source can be read, films and all."""
    for source in sources_of(config):
        try:
            row = next(iter(rows_of(source)))
            (sample,) = samples_of([(source, row)], config.data)
        except RadrlError as error:
            yield Finding(what=f"rows of {source}", status="missing", found=str(error), advice="see there")
            continue
        films = f"{len(sample.images)} image" + ("" if len(sample.images) == 1 else "s")
        yield Finding(what=f"rows of {source}", status="ok", found=f"the first is {sample.kind} with {films}")


def model_findings(config: Config) -> Iterator[Finding]:
    """Whether the models that a run opens are on this machine, weights included."""
    models = {"policy": config.worker.actor.model.model_path}
    critic = config.worker.critic.model
    if critic is not None and config.algorithm.adv_estimator == "gae":
        models["critic"] = critic.model_path
    for role, name in models.items():
        yield from _model(role, name)


def reward_findings(config: Config) -> Iterator[Finding]:
    """Whether every reward is there with what it needs: files, libraries, the weights of graph extractors."""
    what = "rewards, with what they open"
    with tempfile.TemporaryDirectory() as folder:
        pool = RewardPool(
            num_workers=config.worker.reward.num_workers,
            timeout_s=config.worker.reward.timeout_s,
            printed_to=Path(folder) / "rewards.txt",
        )
        try:
            with pool:
                check_rubrics(config, pool)
        except RadrlError as error:
            yield Finding(what=what, status="missing", found=str(error), advice="see there")
        else:
            yield Finding(what=what, status="ok", found="all can be called")


def _model(role: str, name: str) -> Iterator[Finding]:
    """A folder of adapters needs its base too."""
    folder = Path(name)
    if not name:
        advice = "set worker.actor.model.model_path to a folder or a name on the hub"
        yield Finding(what=f"{role} model", status="missing", found="not named", advice=advice)
    elif folder.is_dir() and adapters_in(folder):
        yield _folder(f"{role} adapters", folder)
        yield from _model(f"{role}'s base", str(base_of(folder)))
    elif folder.is_dir():
        yield _folder(f"{role} model", folder)
    else:
        yield _on_hub(role, name)


def _folder(role: str, folder: Path) -> Finding:
    what = f"{role} in {folder}"
    if role.endswith("model") and not (folder / "config.json").is_file():
        advice = "name a Hugging Face folder"
        return Finding(what=what, status="missing", found="there is no config.json", advice=advice)
    files = list(folder.rglob(WEIGHTS))
    if not files:
        advice = f"copy the model's {WEIGHTS} there"
        return Finding(what=what, status="missing", found="there are no weights", advice=advice)
    mib = sum(file.stat().st_size for file in files) / 2**20
    return Finding(what=what, status="ok", found=f"{len(files)} files of weights, {mib:,.1f} MiB")


def _on_hub(role: str, name: str) -> Finding:
    what = f"{role} model {name}"
    if uses_modelscope(os.environ):
        found = "fetched from ModelScope, or found in its cache, when a run starts"
        return Finding(what=what, status="note", found=found)
    try:
        folder = Path(huggingface_hub.snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        found = "neither a folder nor in the hub's cache"
        return Finding(what=what, status="missing", found=found, advice=f"hf download {name}")
    return _folder(f"{role} model", folder)
