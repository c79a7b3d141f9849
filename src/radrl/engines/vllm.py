"""vLLM in this process. The only module that imports it, written for versions 0.26 to 0.32.

`tests/on_vllm` holds what is used of vLLM against the version that is installed.
"""

import logging
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from radrl.engines.vllm_options import EngineOptions
from radrl.engines.written import Written
from radrl.errors import ConfigError, SyncError

log = logging.getLogger(__name__)

VERSIONS = ((0, 26), (0, 32))
"""First and last minor version that this module is known to work with."""
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}
"""Read when vLLM is imported: engine and policy share a process, so that weights are handed over and not sent."""
BANNED = -1e30
"""Added to the logits of tokens that are never sampled. Finite, and still so when a low temperature divides it."""
ADAPTER_ID = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt, to be completed `n` times.

    Example: `Request(token_ids=(1, 7, 5, 8, 40), images=(film,), image_keys=("9f2c-448x448",), n=8, temperature=1.0,
                      max_tokens=256, seed=17, stop_ids=(2,), banned_ids=(5,))`
    """

    token_ids: tuple[int, ...]
    """With one placeholder an image, which vLLM expands."""
    images: tuple[Image, ...] = ()
    image_keys: tuple[str, ...] = ()
    """What tells the images apart in vLLM's caches."""
    n: int
    temperature: float
    """0 is greedy, and takes no more than one completion."""
    max_tokens: int
    seed: int | None
    """Completion i draws with seed + i; None where nothing is drawn."""
    stop_ids: tuple[int, ...]
    """Tokens that end a completion and are its last."""
    banned_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request."""

    number: int
    """Its place among the requests of the call."""
    prompt_ids: tuple[int, ...]
    """The prompt as vLLM expanded it."""
    sequences: tuple[Written, ...]


class VllmEngine:
    """The calls into vLLM that radrl makes: complete, load weights or an adapter, forget, sleep."""

    def __init__(self, options: EngineOptions) -> None:
        """Open the engine beside whatever else is on the device. Raises ConfigError where there is no usable vLLM."""
        self.options = options
        self.library = import_vllm()
        arguments = options.arguments()
        log.info("vLLM %s with %s", self.library.__version__, arguments)
        with self._apart():
            self._llm = self.library.LLM(**arguments)
        self._sleeping: set[str] = set()
        self._adapter: Any = None

    def complete(self, requests: Sequence[Request]) -> Generator[Answer]:
        """Yield the answer to each request as soon as it is whole, in whatever order that is.

        A caller that stops early leaves nothing behind.
        """
        engine = self._llm.llm_engine
        ids = self._llm.enqueue(
            [_prompt(request) for request in requests],
            [self._parameters(request) for request in requests],
            lora_request=self._adapter,
            use_tqdm=False,
        )
        # An id is the count of requests so far, with a random part behind it that outputs do not carry.
        places = {name.partition("-")[0]: number for number, name in enumerate(ids)}
        try:
            while engine.has_unfinished_requests():
                with self._apart():
                    outputs = engine.step()
                for output in outputs:
                    if output.finished:
                        yield _answer(output, number=places.pop(output.request_id))
        finally:
            if places:
                engine.abort_request([ids[number] for number in places.values()], internal=True)

    def load_weights(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Replace all weights by these, which carry the names of the checkpoint."""
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": tensors})
        if not self.options.on_gpu:
            self._llm.apply_model(_repack_tied_head)

    def load_adapter(self, folder: Path) -> None:
        """Put the adapter in a folder in the place of the one before; completions follow it from now on."""
        request = self.library.lora.request.LoRARequest
        name = "policy"
        is_loaded = self._llm.llm_engine.add_lora(request(name, ADAPTER_ID, str(folder), load_inplace=True))
        if not is_loaded or ADAPTER_ID not in self._llm.llm_engine.list_loras():
            raise SyncError(
                f"vLLM did not take the adapter in {folder}, and would sample from the base model. Set "
                "worker.rollout.sync=merged."
            )
        # Without `load_inplace`, which would read the files anew for every pass.
        self._adapter = request(name, ADAPTER_ID, str(folder))

    def forget(self) -> None:
        """Drop what was computed under earlier weights: keys and values of prompts, features of images."""
        if not self._llm.reset_prefix_cache():
            raise SyncError(
                "vLLM could not drop its prefix cache, because requests are still running. Finish or abandon all "
                "completions before weights are replaced."
            )
        self._llm.llm_engine.reset_encoder_cache()

    def sleep(self) -> None:
        """Give back the memory that the chosen level gives back. Weights, at level 2, are gone."""
        if self.options.sleep and not self._sleeping:
            self._llm.sleep(level=self.options.sleep)
            self._sleeping = {"weights", "kv_cache"}

    def wake(self, *parts: str) -> None:
        """Take memory again for the `weights`, the `kv_cache` or both, where it was given back."""
        wanted = [part for part in parts if part in self._sleeping]
        if wanted:
            torch.cuda.empty_cache()
            self._llm.wake_up(tags=wanted)
            self._sleeping -= set(wanted)

    def _apart(self) -> AbstractContextManager[None]:
        """Keep the process's random generators as they are, which vLLM seeds when it starts and draws from later.

        Its own draws do not depend on them, since every request has a seed.
        """
        return torch.random.fork_rng(devices=[torch.cuda.current_device()] if self.options.on_gpu else [])

    def _parameters(self, request: Request) -> Any:
        """Whole distribution, log-probability of the sampled token alone, no text.

        The ends are given as stop tokens and vLLM's own idea of them is left out, so that they are the trainer's.
        """
        return self.library.SamplingParams(
            n=request.n,
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            seed=request.seed,
            logprobs=0,
            flat_logprobs=True,
            detokenize=False,
            ignore_eos=True,
            stop_token_ids=list(request.stop_ids),
            logit_bias=dict.fromkeys(request.banned_ids, BANNED) or None,
        )


def import_vllm() -> Any:
    """The library, set up to run in this process. Raises ConfigError where it is missing or of another age."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        vllm: Any = import_module("vllm")
        import_module("vllm.lora.request")
    except ImportError as error:
        raise ConfigError(
            f"worker.rollout.name is vllm, which cannot be imported: {error}. Install it with pip install "
            "'radrl[vllm]', or set worker.rollout.name=native."
        ) from error
    check_version(vllm.__version__)
    return vllm


def check_version(version: str) -> None:
    """Warn of versions that were never tried, and refuse those that are known to lack something."""
    minor = tuple(int(part) for part in version.split(".")[:2])
    first, last = VERSIONS
    if minor < first:
        raise ConfigError(
            f"vLLM {version} is older than {first[0]}.{first[1]}, the first that can be used. Install a newer one with "
            "pip install 'radrl[vllm]', or set worker.rollout.name=native."
        )
    if minor > last:
        log.warning("vLLM %s is newer than %d.%d, the last that was tried", version, *last)


def free_share(device: torch.device) -> float:
    """Share of a GPU that vLLM may ask for when it starts: it refuses to start over more than is free."""
    free, total = torch.cuda.mem_get_info(device)
    return min(0.9, 0.95 * free / total)


def _prompt(request: Request) -> Mapping[str, Any]:
    prompt: dict[str, Any] = {"prompt_token_ids": list(request.token_ids)}
    if request.images:
        prompt["multi_modal_data"] = {"image": list(request.images)}
        prompt["multi_modal_uuids"] = {"image": list(request.image_keys)}
    return prompt


def _answer(output: Any, *, number: int) -> Answer:
    sequences = sorted(output.outputs, key=lambda sequence: sequence.index)
    return Answer(
        number=number,
        prompt_ids=tuple(output.prompt_token_ids),
        sequences=tuple(
            Written(token_ids=tuple(sequence.token_ids), logprobs=tuple(sequence.logprobs.logprobs))
            for sequence in sequences
        ),
    )


def _repack_tied_head(model: torch.nn.Module) -> None:
    """Pack the head again where it is the embedding matrix.

    On a CPU vLLM multiplies by a packed copy of each matrix. A reload packs those that a tensor arrived for, which a
    tied head is not, so that its copy would stay as it was (seen in vLLM 0.31).
    """
    for module in model.modules():
        if type(module).__name__ == "ParallelLMHead" and hasattr(module, "cpu_linear"):
            method: Any = module.quant_method
            method.process_weights_after_loading(module)
