"""Which back end answers, checked before anything is read and opened when the first question is asked."""

from collections.abc import Sequence

from radrl.asking.endpoint import EndpointRespondent, check_endpoint
from radrl.asking.predictions import PredictionsRespondent
from radrl.asking.respondent import Respondent
from radrl.asking.workers import VISIBLE, Resources
from radrl.config.evaluation import EvaluateConfig
from radrl.errors import ConfigError


def open_respondent(config: EvaluateConfig) -> Respondent:
    """Open the model, reach the server, or read the file. Raises ConfigError or DataError where that fails."""
    match config.backend:
        case "endpoint":
            return EndpointRespondent(config)
        case "predictions":
            return PredictionsRespondent(config)
        case "native" | "vllm":
            from radrl.asking.local import open_native, open_vllm

            return open_vllm(config) if config.backend == "vllm" else open_native(config)


def check_backend(config: EvaluateConfig) -> None:
    """Raise ConfigError for keys that contradict the back end."""
    is_local = config.backend in ("native", "vllm")
    if is_local and not config.model:
        raise ConfigError(
            f"backend is {config.backend} and no model is given. Give model=FOLDER, or backend=endpoint or predictions."
        )
    if config.predictions and config.backend != "predictions":
        raise ConfigError(
            f"predictions is {config.predictions}, but backend is {config.backend}. Set backend=predictions to judge "
            "the texts of the file, or leave predictions out."
        )
    if config.workers > 1 and not is_local:
        raise ConfigError(
            f"workers is {config.workers}, but backend is {config.backend}, which opens no model that processes could "
            "share. Leave workers out; endpoint.concurrency says how many requests are under way."
        )
    if config.backend == "vllm" and config.attention != "auto":
        raise ConfigError(
            f"attention is {config.attention}, but backend is vllm, which attends by kernels of its own. Set "
            "attention=auto, or backend=native."
        )
    if config.closed_probs and (config.backend != "native" or config.attention == "flash_attention_2"):
        raise ConfigError(
            f"closed_probs is true, but backend is {config.backend} and attention {config.attention}. Probabilities of "
            "answers that were not given are computed by backend=native alone, and not by attention=flash_attention_2, "
            "to which all continuations of a prompt are one text. Leave closed_probs out."
        )
    if config.backend == "endpoint":
        check_endpoint(config.endpoint)


def num_asked_together(config: EvaluateConfig) -> int:
    """Questions that are asked again together after a stop: those whose rounding hangs together."""
    return config.batch_size if config.backend == "native" else 1


def shares_of_machine(config: EvaluateConfig, *, visible: str | None) -> Sequence[Resources]:
    """What each of the workers gets: a GPU of its own, or an equal part of the threads.

    `visible` is what the environment lets this process see of the GPUs. Raises ConfigError for more workers than GPUs.
    """
    import torch

    num_gpus = torch.cuda.device_count() if config.device != "cpu" else 0
    num_threads = max(1, torch.get_num_threads() // config.workers)
    if not num_gpus:
        return [Resources(device=None, num_threads=num_threads)] * config.workers
    if config.workers > num_gpus:
        raise ConfigError(
            f"workers is {config.workers}, and this machine has {num_gpus} GPUs (of {VISIBLE}={visible}). Set "
            f"workers={num_gpus}."
        )
    names = visible.split(",") if visible else [str(number) for number in range(num_gpus)]
    return [Resources(device=name.strip(), num_threads=num_threads) for name in names[: config.workers]]
