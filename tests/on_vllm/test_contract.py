"""What `radrl.engines.vllm` uses of vLLM, held against the version that is installed; `contract.py` lists it."""

import inspect

import pytest
from vllm_contract import ARGUMENTS, CALLS, RECORDS

from radrl.engines.vllm import import_vllm

pytestmark = pytest.mark.vllm


def resolve(path: str) -> object:
    found: object = import_vllm()
    for part in path.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("path", sorted(CALLS))
def test_calls_take_the_arguments_that_we_give(path: str) -> None:
    if path.startswith("llm_engine."):
        from vllm.v1.engine.llm_engine import LLMEngine

        found = getattr(LLMEngine, path.removeprefix("llm_engine."))
    else:
        found = resolve(path)
    assert set(CALLS[path]) <= set(inspect.signature(found).parameters)


def test_the_engine_has_every_option_that_we_set() -> None:
    from vllm.engine.arg_utils import EngineArgs

    known = {*inspect.signature(EngineArgs).parameters, *inspect.signature(resolve("LLM")).parameters}
    assert set(ARGUMENTS) - known == set()


@pytest.mark.parametrize("path", sorted(RECORDS))
def test_records_have_the_fields_that_we_use(path: str) -> None:
    found = resolve(path)
    known = getattr(found, "__struct_fields__", None) or inspect.signature(found).parameters
    assert set(RECORDS[path]) <= set(known)


def test_weights_are_reloaded_from_an_iterator() -> None:
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    assert "weights_iterator" in inspect.signature(GPUModelRunner.reload_weights).parameters
