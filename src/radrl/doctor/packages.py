"""Packages: versions that radrl works with, and what a configuration needs of its extras."""

import platform
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from radrl.config.schema import Config
from radrl.config.sources import PACKED_SUFFIX, source_name
from radrl.doctor.findings import Finding

_SHOWN = ("torch", "transformers", "peft")
"""Packages whose versions are always shown: the numbers of a run depend on them."""
_TRACKERS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "swanlab": "swanlab"}
"""Name in `trainer.logger`, and of the extra -> module."""


def version_findings() -> Iterator[Finding]:
    """Whether Python and every package that radrl depends on are of versions that it works with."""
    about = metadata.metadata("radrl")
    yield _version("python", platform.python_version(), SpecifierSet(about["Requires-Python"] or ""))
    for text in metadata.requires("radrl") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding(what=requirement.name, status="missing", found="not installed", advice=_install(text))
            continue
        finding = _version(requirement.name, version, requirement.specifier)
        if finding.status != "ok" or requirement.name in _SHOWN:
            yield finding


def extra_findings(config: Config) -> Iterator[Finding]:
    """Whether the optional packages that this configuration asks for are installed; rewards speak for their own."""
    for extra, (module, reason) in _wanted_extras(config).items():
        if find_spec(module) is None:
            yield Finding(
                what=f"{module} ({reason})",
                status="missing",
                found="not installed",
                advice=f"pip install 'radrl[{extra}]'",
            )
        else:
            yield Finding(what=f"{module} ({reason})", status="ok", found="installed")


def _wanted_extras(config: Config) -> dict[str, tuple[str, str]]:
    """Extra -> its module, and the setting that asks for it."""
    wanted: dict[str, tuple[str, str]] = {}
    if config.trainer.needs_cluster:
        wanted["cluster"] = ("ray", "several processes")
    if config.worker.rollout.name == "vllm":
        wanted["vllm"] = ("vllm", "worker.rollout.name")
    for name in config.trainer.logger:
        if name in _TRACKERS:
            wanted[name] = (_TRACKERS[name], "trainer.logger")
    names = [source_name(source) for source in sources_of(config)]
    if any(name.path.removesuffix(PACKED_SUFFIX).endswith(".parquet") for name in names):
        wanted["datasets"] = ("pyarrow", "parquet files")
    if any(not name.is_local and name.may_be_on_hub for name in names):
        wanted["datasets"] = ("datasets", "sets on the hub")
    return wanted


def sources_of(config: Config) -> tuple[str, ...]:
    """Every source of rows that a run reads, each once."""
    named = [*config.data.train_files, *config.data.val_files]
    for stage in config.curriculum.stages:
        named += [*stage.data.train_files, *stage.data.val_files]
    return tuple(dict.fromkeys(named))


def _version(name: str, version: str, wanted: SpecifierSet) -> Finding:
    if wanted.contains(version, prereleases=True):
        return Finding(what=name, status="ok", found=version)
    return Finding(what=name, status="missing", found=f"{version}, not {wanted}", advice=_install(f"{name}{wanted}"))


def _install(requirement: str) -> str:
    if requirement.startswith("python"):
        return f"make an environment with {requirement}"
    return f"pip install '{requirement}'"
