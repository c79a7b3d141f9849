"""The graph service (row 32): loaded once, device explicit, batched, cached on disk, neutral to every generator."""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from radrl.errors import PluginError
from radrl.graph import extract as opening
from radrl.graph.cache import DiskCache
from radrl.graph.extract import extract, extract_all, open_extractor
from radrl.graph.service import GraphService
from radrl.graph.types import KnowledgeGraph

_FACTS = extract("Left effusion.")


class _Recorder:
    """A back end that remembers what it was asked."""

    name = "recorder"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.batches: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        self.batches.append(list(texts))
        return [extract(text) for text in texts]


class _Seeder(_Recorder):
    """A back end that seeds and draws from every generator, as CheX-Phi4MM's does."""

    def __call__(self, texts: Sequence[str]) -> list[KnowledgeGraph]:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        random.random()
        np.random.rand()  # noqa: NPY002
        torch.rand(3)
        return super().__call__(texts)


def test_row_32_a_step_is_one_batch_of_its_distinct_texts_in_order():
    backend = _Recorder()
    texts = ["Left effusion.", "", "No edema.", "Left effusion.", "  "]
    graphs = GraphService(backend)(texts)
    assert backend.batches == [["Left effusion.", "No edema."]]
    assert graphs == [extract(text) for text in texts]


def test_row_32_a_text_is_read_once_a_process():
    backend = _Recorder()
    service = GraphService(backend)
    service(["Left effusion."])
    service(["No edema.", "Left effusion."])
    assert backend.batches == [["Left effusion."], ["No edema."]]


def test_row_32_a_text_is_read_once_for_all_processes(tmp_path: Path):
    GraphService(_Recorder(), cache=DiskCache(tmp_path))(["Left effusion."])
    later = _Recorder()
    assert GraphService(later, cache=DiskCache(tmp_path))(["Left effusion."]) == [_FACTS]
    assert later.batches == []


def test_row_32_other_weights_do_not_see_cached_graphs(tmp_path: Path):
    GraphService(_Recorder("1"), cache=DiskCache(tmp_path))(["Left effusion."])
    later = _Recorder("2")
    GraphService(later, cache=DiskCache(tmp_path))(["Left effusion."])
    assert later.batches == [["Left effusion."]]


def test_row_32_no_global_generator_feels_the_service():
    service = GraphService(_Seeder(), device="cpu")
    draws: list[tuple[float, float, float]] = []
    for uses_service in (False, True):
        random.seed(7)
        np.random.seed(7)  # noqa: NPY002
        torch.manual_seed(7)
        if uses_service:
            service(["Left effusion."])
        draws.append((random.random(), float(np.random.rand()), float(torch.rand(()))))  # noqa: NPY002
    assert draws[0] == draws[1]


def test_row_32_a_back_end_is_opened_once_and_its_device_is_the_one_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    opened: list[tuple[str, Path, str]] = []

    def open_neural(name: str, *, folder: Path, device: str) -> _Recorder:
        opened.append((name, folder, device))
        torch.rand(3)
        return _Recorder()

    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(opening, "_open_neural", open_neural)
    state = torch.get_rng_state()
    for _ in range(2):
        assert extract("Left effusion.", extractor=f"rexkg:{tmp_path}@cuda:1") == _FACTS
        assert extract("Left effusion.", extractor=f"rexkg:{tmp_path}") == _FACTS
    assert opened == [("rexkg", tmp_path, "cuda:1"), ("rexkg", tmp_path, "cpu")]
    assert torch.equal(torch.get_rng_state(), state), "drawing initial weights moved the generator"


def test_row_32_several_processes_use_one_cache(tmp_path: Path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom radrl.graph.cache import DiskCache\n"
        "from radrl.graph.extract import extract\nfrom radrl.graph.service import GraphService\n"
        "class Backend:\n    name = 'recorder'\n    version = '1'\n"
        "    def __call__(self, texts):\n        return [extract(text) for text in texts]\n"
        "service = GraphService(Backend(), cache=DiskCache(Path(sys.argv[1])))\n"
        "graphs = service([f'Left effusion. {i}' for i in range(50)])\n"
        "assert all(graph.triplets for graph in graphs)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    unasked = _Recorder()
    GraphService(unasked, cache=DiskCache(tmp_path))([f"Left effusion. {i}" for i in range(50)])
    assert unasked.batches == []


def test_a_forked_process_keeps_using_the_service(tmp_path: Path):
    service = GraphService(_Recorder(), cache=DiskCache(tmp_path))
    service(["Left effusion."])
    child = os.fork()
    if child == 0:
        os._exit(0 if service(["Left effusion.", "No edema."])[1].triplets else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    unasked = _Recorder()
    GraphService(unasked, cache=DiskCache(tmp_path))(["No edema."])
    assert unasked.batches == []


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("radrl.graph.service._NUM_REMEMBERED", 2)
    backend = _Recorder()
    service = GraphService(backend)
    for text in ("a", "b", "c", "c", "a"):
        service([text])
    assert backend.batches == [["a"], ["b"], ["c"], ["a"]]


def test_many_texts_are_read_as_one_by_one():
    texts = ["Left effusion.", "", "No edema."]
    assert extract_all(texts) == [extract(text) for text in texts]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("rule", "Did you mean rules"),
        ("chexbert", "Known: rules, rexkg:FOLDER"),
        ("rules:folder", "not complete or says too much. Write rules"),
        ("rexkg", "Write rexkg:FOLDER"),
        ("json:", "Write json:FILE"),
        ("rexkg:/nowhere@cuda:0", "/nowhere is none"),
    ],
)
def test_a_spec_that_cannot_be_opened_says_how_to_write_it(spec: str, message: str):
    with pytest.raises(PluginError, match=message):
        open_extractor(spec)
