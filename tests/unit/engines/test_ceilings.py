import json
import logging

import pytest
import torch

from radrl.engines import ceilings as module
from radrl.engines.ceilings import Ceilings, ceilings_of, datasheet_of, device_name, known_hardware

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H20", 148),
        ("NVIDIA GH200 480GB", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_row_76_the_table_knows_the_gpu_by_the_name_that_torch_gives(name, tflops):
    """Spec row 76: an H200 is not taken for an H20, nor an H100 for anything slower."""
    sheet = datasheet_of(name)
    assert sheet is not None
    assert sheet.bf16_flops_per_s == tflops * 1e12


def test_a_gpu_that_is_not_in_the_table_has_no_figures():
    assert datasheet_of("Some Accelerator X1") is None
    assert datasheet_of("AMD EPYC 7763 64-Core Processor") is None


def test_every_name_of_the_table_finds_itself():
    for name in known_hardware():
        sheet = datasheet_of(name)
        assert sheet is not None
        assert sheet.name == name


def test_a_device_is_measured_once_and_then_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CPU_SIZES", (64, 1 << 12))
    first = ceilings_of(CPU, torch.float32, folder=tmp_path)
    assert first.flops_per_s > 0
    assert first.bytes_per_s > 0
    (key,) = json.loads((tmp_path / "ceilings.json").read_text())
    assert device_name(CPU) in key
    assert torch.__version__ in key

    monkeypatch.setattr(module, "measure", lambda *_: pytest.fail("it was measured again"))
    assert ceilings_of(CPU, torch.float32, folder=tmp_path) == first


@pytest.mark.parametrize(
    "content",
    ["{half", "[]", '{"a": {"flops_per_s": 1}}', '{"a": {"flops_per_s": 0, "bytes_per_s": 1, "source": "measured"}}'],
)
def test_a_file_that_cannot_be_read_is_measured_anew_with_a_warning(tmp_path, monkeypatch, caplog, content):
    known = Ceilings(flops_per_s=1e9, bytes_per_s=1e9, source="measured")
    monkeypatch.setattr(module, "measure", lambda *_: known)
    (tmp_path / "ceilings.json").write_text(content)
    with caplog.at_level(logging.WARNING):
        assert ceilings_of(CPU, torch.float32, folder=tmp_path) == known
    assert "measured again" in caplog.text
    assert len(json.loads((tmp_path / "ceilings.json").read_text())) == 1


def test_the_folder_of_caches_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("RADRL_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(module, "_CPU_SIZES", (16, 1 << 10))
    ceilings_of(CPU, torch.float32)
    assert (tmp_path / "elsewhere" / "ceilings.json").is_file()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_known_gpu_reaches_much_of_its_datasheet_and_no_more():
    measured = module.measure(torch.device("cuda"), torch.bfloat16)
    sheet = datasheet_of(torch.cuda.get_device_name())
    assert sheet is not None
    assert 0.4 < measured.flops_per_s / sheet.bf16_flops_per_s <= 1.05
    assert 0.5 < measured.bytes_per_s / sheet.bytes_per_s <= 1.05
