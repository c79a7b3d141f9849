"""The calls into vLLM and the sampler on top of them, with a vLLM that answers at once."""

import importlib.util
from pathlib import Path

import pytest
import torch
from fake_vllm import METHODS, TOKENS, FakeLibrary, FakeLLM

from radrl.engines import vllm
from radrl.engines.vllm import Request, VllmEngine, check_version
from radrl.engines.vllm_options import EngineOptions, Lengths
from radrl.engines.vllm_sampler import VllmSampler, request_seed
from radrl.errors import ConfigError, SyncError
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.roles import Sampling
from radrl.types import AnswerKind, Prompt, Sample

QUESTIONS = ("Is the heart enlarged?", "Is there fluid?", "Where?")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> ModelAdapter:
    return load_adapter(build_tiny(tmp_path_factory.mktemp("tiny") / "model", corpus=QUESTIONS, vocab_size=400))


@pytest.fixture
def prompts(adapter: ModelAdapter) -> list[Prompt]:
    return [
        adapter.render(
            Sample(
                id=question,
                patient_id="p1",
                kind="open",
                question=question,
                answer=frozenset(),
                answer_kind=AnswerKind.SET,
                reference="yes",
            )
        )
        for question in QUESTIONS
    ]


def open_engine(monkeypatch: pytest.MonkeyPatch, *, sleep: int = 0, on_gpu: bool = False) -> tuple[VllmEngine, FakeLLM]:
    monkeypatch.setattr(vllm, "import_vllm", FakeLibrary)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: torch.no_grad())
    options = EngineOptions(
        model="model",
        dtype="float32",
        lengths=Lengths(prompt=100, response=20, sequences=16, group=4),
        kv_cache_bytes=1 << 20,
        on_gpu=on_gpu,
        sleep=sleep,  # pyright: ignore[reportArgumentType]
    )
    engine = VllmEngine(options)
    return engine, engine._llm


class NotingSync:
    """Says among the engine's own calls when weights were delivered."""

    name = "notes"

    def __init__(self, llm: FakeLLM) -> None:
        self.llm = llm

    def push(self) -> None:
        self.llm.calls.append("push")


def request(**changes: object) -> Request:
    given = {"token_ids": (5, 6), "n": 2, "temperature": 1.0, "max_tokens": 9, "seed": 3, "stop_ids": (2,)}
    return Request(**{**given, "banned_ids": (0, 1), **changes})  # pyright: ignore[reportArgumentType]


def test_requests_ask_for_the_whole_distribution_and_no_text_row_60(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, llm = open_engine(monkeypatch)
    answers = engine.complete([request(), request(seed=4)])
    next(iter(answers))
    _, parameters, adapter = llm.requests["7"]
    assert adapter is None
    assert (parameters.n, parameters.temperature, parameters.max_tokens, parameters.seed) == (2, 1.0, 9, 3)
    assert (parameters.logprobs, parameters.flat_logprobs, parameters.detokenize) == (0, True, False)
    assert (parameters.ignore_eos, parameters.stop_token_ids) == (True, [2])
    assert parameters.logit_bias == {0: -1e30, 1: -1e30}


def test_answers_find_their_requests_in_whatever_order_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = open_engine(monkeypatch)
    answers = list(engine.complete([request(token_ids=(5,)), request(token_ids=(6,)), request(token_ids=(7,))]))
    assert [(answer.number, answer.prompt_ids) for answer in answers] == [(2, (7,)), (1, (6,)), (0, (5,))]
    assert [written.logprobs for written in answers[0].sequences] == [(-0.5, -0.25, 0.0), (-0.5, -0.25, -1.0)]


def test_a_caller_that_stops_early_aborts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, llm = open_engine(monkeypatch)
    answers = engine.complete([request(), request(), request()])
    assert next(iter(answers)).number == 2
    answers.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert llm.calls == [("abort", ["7-ab12", "8-ab12"])]


def test_groups_come_in_the_order_of_their_prompts(
    monkeypatch: pytest.MonkeyPatch, adapter: ModelAdapter, prompts: list[Prompt]
) -> None:
    engine, llm = open_engine(monkeypatch)
    sampler = VllmSampler(adapter, engine, NotingSync(llm))
    sampler.publish(4)
    groups = list(sampler.generate(prompts, Sampling(n=2, temperature=1.0, max_tokens=9, seed=1)))
    assert [group[0].prompt for group in groups] == prompts
    for group in groups:
        assert [completion.index for completion in group] == [0, 1]
        assert {completion.policy_version for completion in group} == {4}
        assert {completion.token_ids for completion in group} == {TOKENS}


def test_a_version_is_taken_after_weights_came_and_caches_went_row_63(
    monkeypatch: pytest.MonkeyPatch, adapter: ModelAdapter, prompts: list[Prompt]
) -> None:
    engine, llm = open_engine(monkeypatch)
    sampler = VllmSampler(adapter, engine, NotingSync(llm))
    sampler.publish(1)
    assert llm.calls == ["push", "forget keys", "forget images"]

    def fail() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(sampler._sync, "push", fail)
    with pytest.raises(OSError, match="the disk is full"):
        sampler.publish(2)
    ((completion,),) = sampler.generate(prompts[:1], Sampling(n=1, temperature=1.0, max_tokens=9, seed=1))
    assert completion.policy_version == 1


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, ["push", "push"]),
        (1, [("sleep", 1), ("wake", ["weights"]), "push", ("wake", ["kv_cache"]), ("sleep", 1)]),
        (2, [("sleep", 2), ("wake", ["weights"]), "push", ("wake", ["kv_cache"]), ("sleep", 2)]),
    ],
)
def test_the_engine_sleeps_between_its_calls_row_60(
    monkeypatch: pytest.MonkeyPatch, adapter: ModelAdapter, prompts: list[Prompt], level: int, expected: list[object]
) -> None:
    engine, llm = open_engine(monkeypatch, sleep=level, on_gpu=True)
    sampler = VllmSampler(adapter, engine, NotingSync(llm))
    sampling = Sampling(n=1, temperature=1.0, max_tokens=9, seed=1)
    for version in (1, 2):
        sampler.publish(version)
        list(sampler.generate(prompts, sampling))
    calls = [call for call in llm.calls if call not in ("forget keys", "forget images")]
    assert calls == (expected if level == 0 else ["push", *expected])


def test_weights_that_sleep_dropped_are_sent_again_before_more_is_sampled(
    monkeypatch: pytest.MonkeyPatch, adapter: ModelAdapter, prompts: list[Prompt]
) -> None:
    engine, llm = open_engine(monkeypatch, sleep=2, on_gpu=True)
    sampler = VllmSampler(adapter, engine, NotingSync(llm))
    sampler.publish(3)
    sampling = Sampling(n=1, temperature=1.0, max_tokens=9, seed=1)
    list(sampler.generate(prompts, sampling))
    ((completion,),) = sampler.generate(prompts[:1], sampling)
    assert llm.calls.count("push") == 2
    assert completion.policy_version == 3


def test_greedy_completions_are_asked_for_once(
    monkeypatch: pytest.MonkeyPatch, adapter: ModelAdapter, prompts: list[Prompt]
) -> None:
    engine, llm = open_engine(monkeypatch)
    sampler = VllmSampler(adapter, engine, NotingSync(llm))
    (asked,) = [sampler._request(prompts[0], Sampling(n=3, temperature=0.0, max_tokens=9, seed=1), position=0)]
    assert (asked.n, asked.seed) == (1, None)
    (group,) = sampler.generate(prompts[:1], Sampling(n=3, temperature=0.0, max_tokens=9, seed=1))
    assert len(group) == 3


def test_an_adapter_is_read_once_and_named_by_every_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine, llm = open_engine(monkeypatch)
    engine.load_adapter(tmp_path)
    assert llm.calls == [("adapter", True)]
    assert engine._adapter.lora_path == str(tmp_path)
    assert not engine._adapter.load_inplace


def test_an_adapter_that_is_not_taken_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine, llm = open_engine(monkeypatch)
    llm.takes_adapters = False
    with pytest.raises(SyncError, match="would sample from the base model"):
        engine.load_adapter(tmp_path)


def test_caches_that_cannot_be_dropped_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, llm = open_engine(monkeypatch)
    llm.is_busy = True
    with pytest.raises(SyncError, match="requests are still running"):
        engine.forget()


def test_a_tied_head_is_packed_again_on_a_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for on_gpu, calls in ((False, ["load", "_repack_tied_head"]), (True, ["load"])):
        engine, llm = open_engine(monkeypatch, on_gpu=on_gpu)
        engine.load_weights([("weight", torch.ones(2))])
        assert llm.calls == calls


def test_seeds_differ_by_position_and_leave_room_for_the_index_row_64() -> None:
    seeds = {request_seed(17, position=position) for position in range(1000)}
    assert len(seeds) == 1000
    assert max(seeds) < 2**62
    assert request_seed(17, position=3) == request_seed(17, position=3) != request_seed(18, position=3)


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_the_message_says_how_to_get_it() -> None:
    with pytest.raises(ConfigError, match=r"radrl\[vllm\]"):
        vllm.import_vllm()


def test_old_versions_are_refused_and_new_ones_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"vLLM 0\.25\.1 is older than 0\.26"):
        check_version("0.25.1")
    check_version("0.26.0")
    check_version("0.32.1")
    assert not caplog.records
    check_version("0.33.0")
    assert "0.33.0 is newer" in caplog.text


def test_the_fake_has_what_the_contract_lists() -> None:
    assert {name for name in METHODS if not hasattr(FakeLLM, name)} == set()
