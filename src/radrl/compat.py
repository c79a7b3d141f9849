"""Every shim over other libraries: what it works around, and when it is needed. Nothing here runs at import."""

import ctypes
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch.distributed import ProcessGroup

VIDEO_PROCESSORS: Mapping[str, str] = {
    "Qwen2_5_VLProcessor": "Qwen2VLVideoProcessor",
    "Qwen3VLProcessor": "Qwen3VLVideoProcessor",
}
"""`video_processor_type` in processor_config.json, by the processor's class: readers with torchvision insist on the
block, vLLM among them; the rest of it is default."""

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Numbers of glibc's malloc.h."""


def has_torchvision() -> bool:
    """Whether torchvision is installed, without loading it."""
    return importlib.util.find_spec("torchvision") is not None


def open_processors_without_torchvision() -> None:
    """Let transformers open processors of video-capable models where torchvision is absent.

    transformers 5 has image processors on PIL but video processors on torchvision only, and a Qwen-VL processor refuses
    to be built without one. Without torchvision nobody can read a video, so the part is left out of every processor.
    Calling it again changes nothing. A processor saved in this state lacks its video block; `models.load` puts it back.
    """
    if has_torchvision():
        return
    from transformers.processing_utils import ProcessorMixin

    if getattr(ProcessorMixin, "opens_without_torchvision", False):
        return
    get_all = ProcessorMixin.get_attributes.__func__  # type: ignore[attr-defined]

    def get_available(cls: type) -> list[str]:
        return [name for name in get_all(cls) if name != "video_processor"]

    setattr(ProcessorMixin, "get_attributes", classmethod(get_available))  # noqa: B010
    setattr(ProcessorMixin, "opens_without_torchvision", True)  # noqa: B010


def cache_keyword(model: "torch.nn.Module") -> str:
    """What a decoder calls its key-value cache: `cache` since transformers 5.24, `past_key_values` before."""
    known = inspect.signature(model.forward).parameters
    return "cache" if "cache" in known else "past_key_values"


def quiet_transformers() -> None:
    """Keep transformers from drawing progress bars and warnings between ours; errors still come through."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory instead of returning it to the kernel after every tensor.

    Larger tensors are otherwise mapped and unmapped one by one, and the kernel zeroes their pages each time. For the
    demo's model on a CPU, keeping them took a fifth off both a supervised step and a sampling call (269 -> 217 ms and
    0.89 -> 0.71 s on one thread). Peak memory may grow. Does nothing on other C libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_TOP_PAD, 64 << 20)


def all_gather_single(gathered: "torch.Tensor", own: "torch.Tensor", *, group: "ProcessGroup") -> None:
    """torch's function of this name, which torch 2.11 calls `all_gather_into_tensor` and 2.13 warns of by that name."""
    from torch import distributed

    name = "all_gather_single" if hasattr(distributed, "all_gather_single") else "all_gather_into_tensor"
    getattr(distributed, name)(gathered, own, group=group)
