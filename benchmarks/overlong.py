"""How fast overlong prompts are found: rows a second with nothing known of them, and with their lengths on the disk.

python benchmarks/overlong.py [--commit NAME]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from record import facts, facts_line, save, table

from radrl.config.data import DataConfig
from radrl.data.dropped import DropList
from radrl.data.load import load_samples
from radrl.data.overlong import LengthIndex, fitting
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.types import Sample

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "gemma3", "phi4_multimodal")
NUM_ROWS = 4000
"""Each about a film of its own, whose header has to be read."""
SIDE_PX = 96
REPEATS = 3
"""The fastest counts: other programs only slow it down."""
COLD_AIM, WARM_AIM = 2_000, 20_000
QUESTION = (
    "<image>Look at the radiograph and judge each of the findings in turn: is there a pleural effusion, is there a "
    "consolidation, is the heart enlarged? Patient {number}."
)
CORPUS = ("Judge each of the findings: is there a consolidation?", "Look at the heart of the patient.")
"""The tokenizers know some of the question's words."""
LIMIT = 4096

PAGE = """\
# Overlong prompts

`python benchmarks/overlong.py`: rows a second from samples to those that fit `data.max_prompt_length`, in processor
time of one core. Cold knows nothing: each row's text is put in the chat template and tokenised, and its film's header
is read. Warm is the next run, which finds the lengths in `data.overlong_cache`. No pixel is decoded in either.
{num_rows} rows, a film each, {num_tokens} text tokens a row; tiny models of each family, whose tokenizers and templates
are of the released models' kind. Best of {repeats}.

{facts}

{table}

Aims: {cold_aim:,} rows a second cold, {warm_aim:,} warm. Before that, rows are read from JSON lines and the bytes of
every film are hashed, which went at {load:,.0f} rows a second for films of {side} x {side} pixels.
"""


def write_rows(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for number in range(NUM_ROWS):
        film = folder / f"{number}.png"
        height = SIDE_PX + number % 64
        Image.fromarray(rng.integers(0, 256, (height, SIDE_PX), dtype=np.uint8)).save(film, compress_level=1)
        question = QUESTION.format(number=number)
        rows.append({"id": f"q{number}", "prompt": question, "answer": "<answer>yes</answer>", "images": [film.name]})
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def rows_a_second(samples: list[Sample], *, adapter: ModelAdapter, folder: Path) -> float:
    fingerprint = adapter.fingerprint
    assert fingerprint is not None
    start = time.process_time()
    kept = fitting(
        samples,
        limit=LIMIT,
        drops_overlong=True,
        measure=adapter.prompt_lengths,
        index=LengthIndex(folder, fingerprint=fingerprint),
        drops=DropList(),
    )
    taken = time.process_time() - start
    assert len(kept) == len(samples), "nothing is overlong here"
    return len(samples) / taken


def measure(samples: list[Sample], family: str, folder: Path) -> dict[str, float]:
    model = build_tiny(folder / family, corpus=CORPUS, family=family, vocab_size=600)
    cold = [
        rows_a_second(samples, adapter=fresh(model, samples[0]), folder=folder / f"{family}-{number}")
        for number in range(REPEATS)
    ]
    warm = [
        rows_a_second(samples, adapter=fresh(model, samples[0]), folder=folder / f"{family}-0") for _ in range(REPEATS)
    ]
    prompt = fresh(model, samples[0]).render(samples[0])
    return {"cold": max(cold), "warm": max(warm), "text_tokens": len(prompt.token_ids) - prompt.num_image_tokens}


def fresh(model: Path, sample: Sample) -> ModelAdapter:
    """An adapter that has compiled its template and knows the size of one film only."""
    adapter = load_adapter(model, device="cpu")
    adapter.render(sample)
    return adapter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", help="what this tree is a copy of, where it is no repository")
    known = facts(commit=parser.parse_args().commit)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_rows(folder)
        start = time.process_time()
        samples = load_samples([str(file)], DataConfig(train_files=(str(file),)))
        load = len(samples) / (time.process_time() - start)
        found = {family: measure(samples, family, folder) for family in FAMILIES}
    rows = [[f"`{family}`", f"{each['cold']:,.0f}", f"{each['warm']:,.0f}"] for family, each in found.items()]
    tokens = [each["text_tokens"] for each in found.values()]
    page = PAGE.format(
        num_rows=NUM_ROWS,
        num_tokens=f"{min(tokens):.0f} to {max(tokens):.0f}",
        repeats=REPEATS,
        facts=facts_line(known),
        table=table(["family", "cold, rows/s", "warm, rows/s"], rows),
        cold_aim=COLD_AIM,
        warm_aim=WARM_AIM,
        load=load,
        side=SIDE_PX,
    )
    save("overlong", {"facts": known, "load": load, "families": found}, page)
    print(page)


if __name__ == "__main__":
    main()
