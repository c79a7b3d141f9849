"""A vLLM that has what `tests/on_vllm/vllm_contract.py` lists and nothing else. It answers in reverse order."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from vllm_contract import ARGUMENTS, CALLS, RECORDS

TOKENS = (40, 41, 2)
"""What it writes, whatever it is asked; the last token is an end."""


def record(path: str, **values: Any) -> SimpleNamespace:
    """One of vLLM's records; a field that the contract does not list is refused."""
    unknown = values.keys() - set(RECORDS[path])
    assert not unknown, f"{path} has no {unknown} in the contract"
    return SimpleNamespace(**values)


def sampling_parameters(**values: Any) -> SimpleNamespace:
    return record("SamplingParams", **values)


def lora_request(lora_name: str, lora_int_id: int, lora_path: str, load_inplace: bool = False) -> SimpleNamespace:
    return record(
        "lora.request.LoRARequest",
        lora_name=lora_name,
        lora_int_id=lora_int_id,
        lora_path=lora_path,
        load_inplace=load_inplace,
    )


@dataclass
class FakeLLM:
    """Notes what it is told, in order."""

    options: dict[str, Any]
    calls: list[Any] = field(default_factory=list)
    takes_adapters: bool = True
    is_busy: bool = False
    loaded: list[tuple[str, Any]] = field(default_factory=list)
    requests: dict[str, tuple[Any, Any, Any]] = field(default_factory=dict)
    adapters: set[int] = field(default_factory=set)
    num_requests: int = 7
    """Requests of earlier calls."""

    @property
    def llm_engine(self) -> "FakeLLM":
        return self

    def enqueue(self, prompts: Any, sampling_params: Any, lora_request: Any, use_tqdm: bool) -> list[str]:
        assert not use_tqdm
        names: list[str] = []
        for prompt, parameters in zip(prompts, sampling_params, strict=True):
            names.append(f"{self.num_requests}-ab12")
            self.requests[str(self.num_requests)] = (prompt, parameters, lora_request)
            self.num_requests += 1
        return names

    def has_unfinished_requests(self) -> bool:
        return bool(self.requests)

    def step(self) -> list[SimpleNamespace]:
        """Answer the last request, and say of the first that it goes on."""
        name, (prompt, parameters, _) = self.requests.popitem()
        outputs = [
            record(
                "CompletionOutput",
                index=index,
                token_ids=list(TOKENS),
                logprobs=record("logprobs.FlatLogprobs", logprobs=[-0.5, -0.25, -float(index)]),
            )
            for index in reversed(range(parameters.n))
        ]
        ids = prompt["prompt_token_ids"]
        going_on = record("RequestOutput", request_id="7", prompt_token_ids=ids, outputs=outputs[:1], finished=False)
        return [
            going_on,
            record("RequestOutput", request_id=name, prompt_token_ids=ids, outputs=outputs, finished=True),
        ]

    def abort_request(self, request_ids: list[str], internal: bool) -> None:
        assert internal
        self.calls.append(("abort", request_ids))
        self.requests.clear()

    def collective_rpc(self, method: str, kwargs: dict[str, Any]) -> None:
        assert method == "reload_weights"
        self.loaded = list(kwargs["weights_iterator"])
        self.calls.append("load")

    def apply_model(self, func: Any) -> None:
        self.calls.append(func.__name__)

    def add_lora(self, lora_request: Any) -> bool:
        self.calls.append(("adapter", lora_request.load_inplace))
        self.adapters |= {lora_request.lora_int_id} if self.takes_adapters else set()
        return self.takes_adapters

    def list_loras(self) -> set[int]:
        return self.adapters

    def reset_prefix_cache(self) -> bool:
        self.calls.append("forget keys")
        return not self.is_busy

    def reset_encoder_cache(self) -> None:
        self.calls.append("forget images")

    def sleep(self, level: int) -> None:
        self.calls.append(("sleep", level))

    def wake_up(self, tags: list[str]) -> None:
        self.calls.append(("wake", tags))


class FakeLibrary:
    """The module `vllm`."""

    __version__ = "0.31.0"
    SamplingParams = staticmethod(sampling_parameters)
    lora = SimpleNamespace(request=SimpleNamespace(LoRARequest=lora_request))

    def LLM(self, **options: Any) -> FakeLLM:  # noqa: N802 - vLLM's name
        unknown = options.keys() - set(ARGUMENTS)
        assert not unknown, f"the contract does not list {unknown}"
        return FakeLLM(options)


METHODS = {path.partition(".")[2] for path in CALLS}
"""Names of the methods that the contract lists."""
