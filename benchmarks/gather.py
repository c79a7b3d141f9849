"""Weights in shards on their way to a sampler: put together one by one, and many at a time.

python benchmarks/gather.py [--ranks 2]

Shapes of Qwen2.5-VL-3B's decoder, float32 shards that arrive whole in bfloat16. GPUs and NCCL where there are enough of
them, else processors, gloo and a decoder of an eighth of the width. Results of other devices are kept.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import record
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard
from torch.multiprocessing.spawn import spawn

from radrl.models.lora import merged_tensors

NAME = "gather"
LAYERS, VOCABULARY = 36, 151_936
INTRODUCTION = """# Weights in shards on their way to a sampler

    python benchmarks/gather.py

The decoder of Qwen2.5-VL-3B, held by the ranks in float32 shards as FSDP2 does, put together in bfloat16 on every rank:
each weight by itself and then rounded (`full_tensor`), or rounded and many at a time (`merged_tensors`). Medians of the
repeats after the first. What an engine then does with the weights is not in it."""
REPEATS = 5
"""Times each way is gone; the first, in which the ranks meet, does not count."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2, help="processes, one a GPU where there are as many")
    parser.add_argument("--commit", help="what the tree is a copy of, where it is no repository")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.device_count() >= options.ranks else "cpu"
    seconds = measured(device, num_ranks=options.ranks)
    results = record.load(NAME)
    known = record.facts(commit=options.commit)
    results[device] = {**known, "ranks": options.ranks, "scale": scale_of(device), "seconds": seconds}
    text = page(results)
    record.save(NAME, results, text)
    print(text)


def measured(device: str, *, num_ranks: int) -> dict[str, list[float]]:
    """Seconds of each repeat, by the way that was gone."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_rank, args=(num_ranks, device, Path(folder)), nprocs=num_ranks)
        return json.loads((Path(folder) / "seconds.json").read_text(encoding="utf-8"))


def shapes(scale: int) -> list[tuple[int, ...]]:
    """The embedding and every weight and bias of the layers, as the `state_dict` has them."""
    hidden, keys, inner = 2048 // scale, 256 // scale, 11_008 // scale
    attention = [(hidden, hidden), (hidden,), (keys, hidden), (keys,), (keys, hidden), (keys,), (hidden, hidden)]
    layer = [*attention, (inner, hidden), (inner, hidden), (hidden, inner), (hidden,), (hidden,)]
    return [(VOCABULARY, hidden), *(shape for _ in range(LAYERS) for shape in layer)]


def scale_of(device: str) -> int:
    """What widths are divided by."""
    return 1 if device == "cuda" else 8


def page(results: Mapping[str, Any]) -> str:
    """A table of the devices that it ran on."""
    rows: list[list[str]] = []
    notes: list[str] = []
    for device, found in results.items():
        alone, together = (statistics.median(found["seconds"][way][1:]) for way in ("one_by_one", "many"))
        where = f"{found['ranks']} x {'GPU, NCCL' if device == 'cuda' else 'processor, gloo, an eighth of the width'}"
        rows.append([where, str(len(shapes(1))), f"{alone:.3f}", f"{together:.3f}", f"{alone / together:.1f}"])
        notes.append(f"{where}: {record.facts_line(found)}{found.get('note', '')}")
    header = ("ranks", "weights", "one by one, s", "many at a time, s", "ratio")
    return "\n\n".join([INTRODUCTION, record.table(header, rows), *notes]) + "\n"


def _rank(rank: int, num_ranks: int, device: str, folder: Path) -> None:
    torch.set_num_threads(1)
    place = torch.device(device, rank) if device == "cuda" else torch.device(device)
    if device == "cuda":
        torch.cuda.set_device(place)
    backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=f"file://{folder}/meet", rank=rank, world_size=num_ranks)
    mesh = init_device_mesh(device, (num_ranks,))
    held: dict[str, Tensor] = {
        str(number): DTensor.from_local(torch.randn(shape[0] // num_ranks, *shape[1:], device=place), mesh, [Shard(0)])
        for number, shape in enumerate(shapes(scale_of(device)))
    }
    ways = {"one_by_one": lambda: _one_by_one(held), "many": lambda: _many(held)}
    seconds = {name: [_seconds(way, place) for _ in range(REPEATS)] for name, way in ways.items()}
    if rank == 0:
        (folder / "seconds.json").write_text(json.dumps(seconds), encoding="utf-8")
    distributed.destroy_process_group()


def _one_by_one(held: Mapping[str, Tensor]) -> None:
    for tensor in held.values():
        assert isinstance(tensor, DTensor)
        tensor.full_tensor().to(torch.bfloat16)


def _many(held: Mapping[str, Tensor]) -> None:
    for _ in merged_tensors(nn.Module(), held, dtype=torch.bfloat16):
        pass


def _seconds(way: Callable[[], None], device: torch.device) -> float:
    distributed.barrier()
    start = time.perf_counter()
    way()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
